# SPDX-License-Identifier: Apache-2.0
"""Calibrations as camera_calibration writes and camera_calibration_parsers reads them (YAML)."""

import dataclasses
import math
import os
from pathlib import Path

import yaml

# Entry of the file -> its size, rows by columns; None: any
_MATRICES = {'camera_matrix': 9, 'distortion_coefficients': None, 'rectification_matrix': 9,
             'projection_matrix': 12}
_REMEDY = ('expected the YAML that camera_calibration saves (ros2 run camera_calibration '
           'cameracalibrator)')


class CalibrationError(ValueError):
    """A calibration cannot be used; the message says why and what was expected."""


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What sensor_msgs/CameraInfo calls by the same letters, for images of width x height px.

    d: distortion, as many as the model has; k, r: 3x3, p: 3x4, row by row.
    """

    width: int
    height: int
    distortion_model: str
    d: tuple[float, ...]
    k: tuple[float, ...]
    r: tuple[float, ...]
    p: tuple[float, ...]


def load_calibration(path) -> Calibration:
    """Read a calibration file. Raises CalibrationError."""
    path = Path(os.path.expanduser(path))  # as it is where there is no such home
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is no text'
        raise CalibrationError(
            f'the calibration {path} cannot be read: {reason}; {_REMEDY}') from error
    except yaml.YAMLError as error:
        raise CalibrationError(f'the calibration {path} is no YAML; {_REMEDY}') from error
    if not isinstance(content, dict):
        content = {}
    width, height = (_size(path, content, name) for name in ('image_width', 'image_height'))
    k, d, r, p = (_matrix(path, content, name, size) for name, size in _MATRICES.items())
    return Calibration(width, height, str(content.get('distortion_model', 'plumb_bob')),
                       d, k, r, p)


def _size(path, content, name):
    value = content.get(name)
    if type(value) is not int or value < 1:
        raise CalibrationError(f'the calibration {path} has {name} {value!r}, expected a whole '
                               f'number of px; {_REMEDY}')
    return value


def _matrix(path, content, name, size):
    entry = content.get(name)
    data = entry.get('data') if isinstance(entry, dict) else None
    if isinstance(data, list):
        data = [_read(value) for value in data]
    good = isinstance(data, list) and all(
        type(value) in (int, float) and math.isfinite(value) for value in data)
    if not good or size not in (None, len(data)):
        count = 'finite numbers' if size is None else f'{size} finite numbers'
        raise CalibrationError(f'the calibration {path} has no good {name}: its data should be '
                               f'{count}; {_REMEDY}')
    return tuple(map(float, data))


def _read(value):
    """Read numbers such as 1e-05, which YAML takes for text because they lack a point."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
