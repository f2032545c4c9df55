# SPDX-License-Identifier: Apache-2.0
"""Calibration files in the format of camera_calibration_parsers."""
from obai_ros.camera.calibration import CalibrationError, load_calibration
import pytest

WHOLE = """\
image_width: 640
image_height: 480
camera_name: some_camera
camera_matrix:
  rows: 3
  cols: 3
  data: [600.5, 0, 320, 0, 601, 240, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0.1, -0.2, 0.001, 0, 0]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]
projection_matrix:
  rows: 3
  cols: 4
  data: [600, 0, 320, 0, 0, 600, 240, 0, 0, 0, 1, 0]
"""


def test_a_file_as_camera_calibration_writes_it(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(WHOLE)
    read = load_calibration(path)
    assert (read.width, read.height, read.distortion_model) == (640, 480, 'plumb_bob')
    assert read.k == (600.5, 0., 320., 0., 601., 240., 0., 0., 1.)
    assert read.d == (.1, -.2, .001, 0., 0.)
    assert read.r == (1., 0., 0., 0., 1., 0., 0., 0., 1.)
    assert read.p[:4] == (600., 0., 320., 0.)


def test_numbers_without_a_point_are_numbers(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(WHOLE.replace('[0.1, -0.2, 0.001, 0, 0]', '[1e-05, -2E-06, 0.001, 0, 0]'))
    assert load_calibration(path).d == (1e-5, -2e-6, .001, 0., 0.)


@pytest.mark.parametrize('old, new, words', [
    ('image_width: 640', 'image_width: wide', "has image_width 'wide', expected a whole number"),
    ('image_height: 480\n', '', 'has image_height None, expected a whole number'),
    ('[600.5, 0, 320, 0, 601, 240, 0, 0, 1]', '[1, 2]',
     'has no good camera_matrix: its data should be 9 finite numbers; expected the YAML that'),
    ('[0.1, -0.2', '[.nan, -0.2',
     'has no good distortion_coefficients: its data should be finite numbers'),
    ('[0.1, -0.2', '[0.1, much',
     'has no good distortion_coefficients: its data should be finite numbers'),
    ('projection_matrix:', 'projection:', 'has no good projection_matrix'),
    ('camera_matrix:', 'camera_matrix: [', 'is no YAML'),
    (WHOLE, '', 'has image_width None'),
])
def test_a_bad_file_is_one_sentence(tmp_path, old, new, words):
    path = tmp_path / 'camera.yaml'
    assert old in WHOLE
    path.write_text(WHOLE.replace(old, new))
    with pytest.raises(CalibrationError, match=words):
        load_calibration(path)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(CalibrationError, match='cannot be read: No such file or directory; expec'):
        load_calibration(tmp_path / 'none.yaml')
    with pytest.raises(CalibrationError, match='~nobody_here/a.yaml cannot be read: No such file'):
        load_calibration('~nobody_here/a.yaml')
    (tmp_path / 'binary').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(CalibrationError, match='cannot be read: it is no text'):
        load_calibration(tmp_path / 'binary')
