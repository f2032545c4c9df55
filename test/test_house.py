# SPDX-License-Identifier: Apache-2.0
"""The rules of the house: which part may import which, and how long a module may be."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / 'obai_ros').rglob('*.py'))
SOURCES = MODULES + sorted((ROOT / 'test').rglob('*.py')) + [
    ROOT / 'setup.py', ROOT / 'cmake' / 'toolchain.py']
LONGEST = 350
WIDEST = 99

# Part -> parts of obai_ros that it imports; modules beside the parts count as parts.
ALLOWED = {
    '__init__': set(),
    'action_field': set(),
    'arguments': set(),
    'camera': set(),
    'chart': {'whole_file'},
    'progress': set(),
    'settings': set(),
    'share': set(),
    'transport': {'share'},
    'whole_file': set(),
    'environment': {'action_field', 'settings'},
    'model': {'action_field', 'settings', 'share', 'whole_file'},
    'planning': {'action_field', 'whole_file', 'model'},
    'training': {'action_field', 'progress', 'settings', 'share', 'whole_file', 'environment',
                 'model', 'planning', 'recording'},
    'control': {'action_field', 'chart', 'environment', 'model', 'planning', 'training',
                'demo'},
    'benchmark': {'chart', 'environment', 'model', 'planning', 'training', 'camera', 'messages',
                  'nodes'},
    'report': {'chart', 'whole_file', 'model', 'planning', 'training'},
    'messages': set(),
    'recording': {'camera', 'messages', 'share'},
    'viewing': {'camera', 'messages', 'recording'},
    'demo': {'action_field', 'chart', 'share', 'transport', 'whole_file', 'environment',
             'messages'},
    'cli': {'arguments', 'commands'},
}
EVERYTHING = {'nodes', 'commands'}

# Needed from ROS 2; nothing but nodes imports it (`commands` and `demo` go through nodes).
ROS = {'rclpy', 'std_msgs', 'sensor_msgs', 'std_srvs', 'diagnostic_msgs', 'visualization_msgs',
       'geometry_msgs', 'builtin_interfaces', 'rcl_interfaces', 'lifecycle_msgs', 'rosgraph_msgs',
       'obai_ros.msg', 'obai_ros.srv'}


def part_of(path):
    return path.relative_to(ROOT / 'obai_ros').with_suffix('').parts[0]


def imports(tree):
    """Yield every module that is imported anywhere in it, `from a import b` as a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'line {node.lineno}: import from obai_ros..., not relatively'
            yield node.module
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def ours_of(path):
    """Return the parts of obai_ros that a module imports."""
    imported = imports(ast.parse(path.read_text()))
    return {module.split('.')[1] for module in imported if module.startswith('obai_ros.')
            } - {'msg', 'srv', '__version__'}


def named(module, names):
    return any(module == name or module.startswith(f'{name}.') for name in names)


@pytest.mark.parametrize('path', MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_keeps_the_rules(path):
    text = path.read_text()
    part = part_of(path)
    imported = set(imports(ast.parse(text)))
    ours = ours_of(path)

    assert len(text.splitlines()) <= LONGEST, 'two nouns in one module?'
    if part not in EVERYTHING:
        wrong = ours - ALLOWED[part] - {part}
        assert not wrong, f'{part} imports {sorted(wrong)}, may import {sorted(ALLOWED[part])}'
    if part != 'nodes':
        ros = sorted(module for module in imported if named(module, ROS))
        assert not ros, f'only obai_ros.nodes imports ROS, here: {ros}'
    if part == 'messages':
        assert not any(named(module, {'torch'}) for module in imported)


def test_the_table_of_imports_is_a_map_of_the_house():
    for part, allowed in ALLOWED.items():
        needed = set().union(*(ours_of(path) for path in MODULES if part_of(path) == part))
        assert allowed == needed - {part}, f'{part}: {sorted(allowed ^ needed - {part})}'


def test_nothing_is_imported_or_assigned_for_nothing():
    checker = pytest.importorskip('pyflakes.checker')
    found = [f'{path.relative_to(ROOT)}:{message.lineno}: {message.message % message.message_args}'
             for path in SOURCES
             for message in checker.Checker(ast.parse(path.read_text()), str(path)).messages]
    assert not found, '\n'.join(found)


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_a_licence_and_no_long_lines(path):
    lines = path.read_text().splitlines()
    assert lines[0] == '# SPDX-License-Identifier: Apache-2.0'
    long = [number for number, line in enumerate(lines, 1) if len(line) > WIDEST]
    assert not long, f'lines {long} are longer than {WIDEST} characters'


def test_commands_load_what_is_heavy_only_when_they_run():
    for path in (ROOT / 'obai_ros' / 'commands').glob('*.py'):
        top = ast.Module([node for node in ast.parse(path.read_text()).body
                          if isinstance(node, (ast.Import, ast.ImportFrom))], [])
        heavy = sorted(module for module in imports(top)
                       if named(module, {'torch', 'lightning', 'matplotlib', 'obai_ros.nodes'}))
        assert not heavy, f'{path.name} imports {heavy} at the top'


def test_the_generated_modules_have_no_source_folder():
    assert not (ROOT / 'obai_ros' / 'msg').exists() and not (ROOT / 'obai_ros' / 'srv').exists()
    assert not (ROOT / 'setup.cfg').exists(), 'ament would read it'
