# SPDX-License-Identifier: Apache-2.0
"""What the documentation says is so: files, links, commands, options, parameters, launch files.

Topics and services are compared with running nodes by test/ros/test_topics.py.
"""

import argparse
import ast
import dataclasses
import importlib
import inspect
import json
from pathlib import Path
import pkgutil
import re

import pytest

from obai_ros import commands

ROOT = Path(__file__).parents[1]
README = ROOT / 'README.md'
INTERFACES = ROOT / 'docs' / 'interfaces.md'
RECIPES = ROOT / 'docs' / 'recipes.md'
RECORDING = ROOT / 'docs' / 'recording.md'
RESULTS = ROOT / 'docs' / 'results.md'
PAGES = sorted([README, ROOT / 'CONTRIBUTING.md', *ROOT.glob('docs/*.md'),
                *ROOT.glob('models/*.md')])
MADE_BY_A_RUN = {'metrics.json', 'metadata.yaml', 'state.safetensors'}
"""Names of files that the pages speak of, which are not in the repository."""


def named(page):
    return str(page.relative_to(ROOT))


def code(text):
    """Yield what stands in backticks and every indented or fenced line, line by line."""
    for number, part in enumerate(re.split(r'^```.*$', text, flags=re.M)):
        if number % 2:
            yield from part.splitlines()
            continue
        yield from (line.strip() for line in part.splitlines() if line.startswith('    '))
        # A span in backticks may go on in the next line.
        yield from (' '.join(span.split()) for span in re.findall(r'`([^`]+)`', part))


def table(text, heading, first):
    """Return the cells of a table's rows, without backticks, by a heading of the page."""
    section = re.split(rf'^#+ {re.escape(heading)}$', text, flags=re.M)[1].split('\n#')[0]
    rows = [[cell.strip().strip('`') for cell in line.strip('|').split('|')]
            for line in section.splitlines() if line.startswith('|')]
    start = next(number for number, row in enumerate(rows) if row[0] == first)
    return rows[start + 2:]


def parser_of(command):
    parser = argparse.ArgumentParser()
    importlib.import_module(f'{commands.__name__}.{command.replace("-", "_")}').configure(parser)
    return parser


COMMANDS = [module.name.replace('_', '-') for module in pkgutil.iter_modules(commands.__path__)]


def options_of(parser):
    """Return the options of a parser, and those of the parsers below it."""
    below = [child for action in parser._actions
             if isinstance(action, argparse._SubParsersAction)
             for child in action.choices.values()]
    own = set(re.findall(r'(?<![\w-])--[a-z][a-z-]*', parser.format_help()))
    return own.union(*map(options_of, below))


OPTIONS = {command: options_of(parser_of(command)) for command in COMMANDS}


@pytest.mark.parametrize('page', PAGES, ids=named)
def test_links_lead_somewhere(page):
    text = page.read_text()
    targets = [target.split('#')[0] for target in re.findall(r'\]\(([^)\s]+)\)', text)
               if not re.match(r'https?:|#|mailto:', target)]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize('page', PAGES, ids=named)
def test_files_that_are_named_exist(page):
    endings = 'py|yaml|json|md|xml|rviz|rst|txt|msg|srv|gif|png|safetensors|npz'
    places = [ROOT, page.parent, ROOT / 'obai_ros', ROOT / 'launch', ROOT / 'config']
    for span in code(page.read_text()):
        if re.fullmatch(rf'[\w./-]+\.({endings})', span) and '/' in span or \
                span.endswith('.launch.py') and ' ' not in span:
            if span.startswith('out/') or Path(span).name in MADE_BY_A_RUN:
                continue
            assert any((place / span).exists() for place in places), f'{span} does not exist'
        elif re.fullmatch(r'(obai_ros|config|launch|models|msg|srv|test|docs)/[\w/]*', span):
            name = Path(span).name
            assert any(path.exists() for path in (
                ROOT / span, ROOT / f'{span}.py', ROOT / 'msg' / f'{name}.msg',
                ROOT / 'srv' / f'{name}.srv')), f'{span} does not exist'


@pytest.mark.parametrize('page', PAGES, ids=named)
def test_commands_and_their_options_exist(page):
    for span in code(page.read_text()):
        for command, rest in re.findall(r'(?:^|[ ;&(])obai ([a-z][a-z-]*)([^;&|]*)', span):
            assert command in COMMANDS, f'there is no `obai {command}`'
            unknown = set(re.findall(r'(?<![\w-])--[a-z][a-z-]*', rest)) - OPTIONS[command]
            assert unknown <= {'--help'}, f'`obai {command}` has no {sorted(unknown)}'


@pytest.mark.parametrize('page', PAGES, ids=named)
def test_targets_of_make_exist(page):
    targets = re.findall(r'^([a-z]+):', (ROOT / 'Makefile').read_text(), re.M)
    for span in code(page.read_text()):
        for target in re.findall(r'^make ([a-z]+)', span):
            assert target in targets, f'there is no `make {target}`'


@pytest.mark.parametrize('page', PAGES, ids=named)
def test_launch_files_take_the_arguments_that_are_given(page):
    for span in code(page.read_text()):
        for name, rest in re.findall(r'(?:ros2 launch obai_ros |^)(\w+\.launch\.py)(.*)', span):
            text = (ROOT / 'launch' / name).read_text()
            for included in re.findall(r"'(\w+\.launch\.py)'", text):
                text += (ROOT / 'launch' / included).read_text()
            for argument in re.findall(r'(\w+):=', rest):
                assert re.search(rf"['\"]{argument}['\"]", text), f'{name} has no {argument}'


def test_every_command_is_in_the_table():
    rows = table(README.read_text(), 'Commands', 'command')
    assert sorted(row[0] for row in rows) == sorted(f'obai {command}' for command in COMMANDS)


def test_the_short_table_of_results_is_part_of_the_long_one():
    short = table(README.read_text(), 'Results', '')
    long = {row[0]: row for row in table(
        RESULTS.read_text(), 'Segmentation, reconstruction, prediction', '')}
    for name, *figures in short:
        _, nodes, _, _, paper, _ = long[name]
        assert figures == [nodes, paper], name


def test_the_loop_in_python_brings_objects_to_the_goal(capsys):
    code = re.search(r'```python\n(.*?)```', README.read_text(), re.DOTALL).group(1)
    exec(compile(code, 'README.md', 'exec'), {})
    distances = re.search(r'tensor\(\[\[(.*?)\]\]\)', capsys.readouterr().out).group(1)
    assert all(float(distance) < 5.0 for distance in distances.split(','))


def parameter_tables(tables):
    """Return what INTERFACES says about the parameters of all nodes."""
    changes = {'always': 'at any time', 'unconfigured': 'while unconfigured', 'never': 'at start'}
    lines = []
    for node, specs in tables.items():
        lines += [f'<details><summary><code>{node}</code></summary>', '',
                  '| parameter | default | expected | is set | meaning |', '|---|---|---|---|---|']
        for spec in specs:
            default = json.dumps(spec.default) if spec.default != '' else 'empty'
            assert '|' not in spec.description + spec.expected
            lines.append(f'| `{spec.name}` | {default} | {spec.expected} | '
                         f'{changes[spec.change]} | {spec.description} |')
        lines += ['', '</details>', '']
    return '\n'.join(lines)


def with_tables(text, tables):
    """Return INTERFACES with the parameters as they are in the code."""
    start, end = text.index('<details>'), text.rindex('</details>\n') + len('</details>\n')
    return text[:start] + parameter_tables(tables) + text[end:]


def test_parameters_are_those_of_the_nodes():
    tables = pytest.importorskip('obai_ros.nodes.tables')
    text = INTERFACES.read_text()
    if text != with_tables(text, tables.TABLES):
        pytest.fail(f'the parameters in {named(INTERFACES)} are not those of the nodes: '
                    '`python test/test_documentation.py` rewrites them')


def test_parameters_that_are_set_by_hand_exist():
    tables = pytest.importorskip('obai_ros.nodes.tables')
    for page in PAGES:
        for span in code(page.read_text()):
            for node, name in re.findall(r'ros2 param set /(?:\w+/)?(\w+_node) (\w+)', span):
                assert name in {spec.name for spec in tables.TABLES[node]}


def test_encodings_are_those_that_are_taken():
    from obai_ros.messages.image import ACCEPTED
    listed = re.search(r'encoded as (.*?)\. Any other', INTERFACES.read_text(), re.S)[1]
    assert set(re.findall(r'\w+\d\w*|[yu]{2}v[yu]|yuyv', listed)) == set(ACCEPTED)


def test_the_layout_for_foxglove_shows_topics_of_the_table():
    topics = {f'/{row[0]}' for row in table(INTERFACES.read_text(), 'Topics', 'topic')}
    text = (ROOT / 'config' / 'foxglove.json').read_text()
    shown = re.findall(r'"(?:imageTopic|value)": "([^".]+)', text)
    assert shown and set(shown) <= topics


def test_executables_that_are_named_are_installed():
    installed = (ROOT / 'CMakeLists.txt').read_text()
    for page in PAGES:
        for span in code(page.read_text()):
            for name in re.findall(r'ros2 run obai_ros (\w+)', span):
                assert re.search(rf'\b{name}\b', installed), f'{name} is not installed'


def test_files_of_videos_are_as_they_are_described():
    from obai_ros.environment.scene import SceneConfig
    from obai_ros.training.dataset import generate_dataset
    made = generate_dataset(SceneConfig(image_size=16), sequences=2, frames=5, seed=0)
    sizes = {'S': 2, 'T': 5, 'H': 16, 'W': 16, 'A': len(made.actions)}
    rows = table(RECORDING.read_text(), 'Files of videos', 'array')
    assert [row[0] for row in rows] == [field.name for field in dataclasses.fields(made)]
    for name, kind, shape, _ in rows:
        array = getattr(made, name)
        assert array.dtype == kind
        assert array.shape == tuple(sizes.get(size) or int(size) for size in shape.split(', '))
    columns = re.search(r'A row of `actions` is `([^`]+)`', RECORDING.read_text())[1].split(', ')
    limits = dict(zip(columns, made.actions.max(0)))
    assert list(limits) == ['sequence', 'frame', 'row', 'col', 'ax', 'ay']
    assert limits['sequence'] == 1 and limits['frame'] == 1 and limits['row'] < 16


def recipe_tables():
    """Return what RECIPES says about the keys: the docstrings of the settings."""
    from obai_ros.environment.scene import SceneConfig
    from obai_ros.model.config import ModelConfig
    from obai_ros.training.recipe import Recipe
    from obai_ros.training.stage import Stage
    lines = []
    for heading, kind in (
            ('The recipe', Recipe), ('`stages`: each of them', Stage),
            ('`scene`', SceneConfig), ('`model`, of the preset `fast`', ModelConfig)):
        lines += ['', f'## {heading}', '', '| key | without it | meaning |', '|---|---|---|']
        told = dict(settings_of(kind))
        for field in dataclasses.fields(kind):
            meaning = told[field.name]
            assert meaning and '|' not in meaning, f'{kind.__name__}.{field.name} says nothing'
            lines.append(f'| `{field.name}` | {default_of(kind, field)} | {meaning} |')
    return '\n'.join(lines) + '\n'


def settings_of(kind):
    """Yield the names of a dataclass's fields, and the strings below them."""
    body = ast.parse(inspect.getsource(kind)).body[0].body
    for field, below in zip(body, body[1:]):
        if isinstance(field, ast.AnnAssign):
            text = below.value.value if isinstance(below, ast.Expr) else ''
            yield field.target.id, ' '.join(text.split())


def default_of(kind, field):
    special = {('Recipe', 'model'): '"fast"', ('Recipe', 'scene'): "the paper's",
               ('SceneConfig', 'image_size'): "the model's"}
    if (kind.__name__, field.name) in special:
        return special[kind.__name__, field.name]
    if field.default is not dataclasses.MISSING:
        plain = list(field.default) if isinstance(field.default, tuple) else field.default
        return json.dumps([round(each, 3) if isinstance(each, float) else each for each in plain]
                          if isinstance(plain, list) else plain)
    return '{}' if field.default_factory is not dataclasses.MISSING else 'refused'


def with_recipe_tables(text):
    """Return RECIPES with the keys as they are in the code."""
    marker = '-->\n'
    return text[:text.index(marker) + len(marker)] + recipe_tables()


def test_the_keys_of_recipes_are_those_of_the_code():
    text = RECIPES.read_text()
    if text != with_recipe_tables(text):
        pytest.fail(f'the keys in {named(RECIPES)} are not those of the code: '
                    '`python test/test_documentation.py` rewrites them')


def test_the_recipe_that_is_shown_is_one():
    import yaml
    from obai_ros.training.recipe import Recipe
    lines = [line for line in RECIPES.read_text().splitlines() if line.startswith('    ')]
    recipe = Recipe.from_dict(yaml.safe_load('\n'.join(lines)))
    assert [stage.name for stage in recipe.stages] == ['sprites', 'clips']


if __name__ == '__main__':
    RECIPES.write_text(with_recipe_tables(RECIPES.read_text()))
    from obai_ros.nodes.tables import TABLES
    INTERFACES.write_text(with_tables(INTERFACES.read_text(), TABLES))
