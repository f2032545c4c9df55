# SPDX-License-Identifier: Apache-2.0
"""`obai benchmark --node`: from an image to its beliefs, through a node in its own process."""
import json

from obai_ros import cli


def test_a_node_is_measured_from_image_to_beliefs(domain, tmp_path, capsys):
    path = tmp_path / 'figures.json'
    assert cli.main(['benchmark', '--preset', 'smoke', '--precision', 'float32', '--engine',
                     'direct', '--iterations', '2', '--frames', '20', '--threads', '1', '--node',
                     '--domain', str(domain), '--camera', '48x40', '--logs', str(tmp_path),
                     '--json', str(path)]) == 0
    found = json.loads(path.read_text())['node']
    inside = found['inside_ms']
    assert 0 < inside['infer'] < found['ms_per_frame']['p50'] <= found['ms_per_frame']['p99']
    assert set(inside) == {'convert', 'infer', 'publish'} and min(inside.values()) > 0
    assert found['lost'] <= 5 and 100 < found['resident_mb'] < 1500
    assert 'through perception_node, direct engine, 20 frames' in capsys.readouterr().out
    assert 'in float32' in (tmp_path / 'perception_node.log').read_text()

