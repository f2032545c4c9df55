# SPDX-License-Identifier: Apache-2.0
"""The `obai` command as such; each sub-command has tests of its own."""

from pathlib import Path
import pkgutil
import subprocess
import sys

from obai_ros import __version__, cli, commands
import pytest


def test_help_lists_every_command_without_loading_what_is_heavy():
    code = ('import sys; from obai_ros import cli\n'
            'try: cli.main(["--help"])\n'
            'except SystemExit: pass\n'
            'heavy = {"torch", "rclpy", "lightning", "matplotlib"}\n'
            'print(sorted(heavy & {*sys.modules}))')
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    for module in pkgutil.iter_modules(commands.__path__):
        assert f'    {module.name.replace("_", "-")}' in result.stdout
    assert result.stdout.rstrip().endswith('[]')


@pytest.mark.parametrize('name', [m.name for m in pkgutil.iter_modules(commands.__path__)])
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([name.replace('_', '-'), '--help'])
    assert end.value.code == 0
    assert len(capsys.readouterr().out) > 100


def test_an_unknown_command_is_refused_with_the_list(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(['fly'])
    assert end.value.code == 2
    assert "invalid choice: 'fly'" in capsys.readouterr().err


def test_the_version_is_that_of_the_package(capsys):
    with pytest.raises(SystemExit):
        cli.main(['--version'])
    assert __version__ in capsys.readouterr().out
    package = Path(__file__).parents[1] / 'package.xml'
    assert f'<version>{__version__}</version>' in package.read_text()


@pytest.mark.parametrize('module, said', [
    ('foxglove', 'needs the Python package foxglove, which is not here: use the .venv'),
    ('rclpy', 'needs the Python package rclpy'),
    ('obai_ros.msg', 'needs the messages of obai_ros')])
def test_a_package_that_is_missing_is_named_with_the_remedy(monkeypatch, capsys, module, said):
    def lacks(args):
        raise ModuleNotFoundError(f'No module named {module!r}', name=module)
    from obai_ros.commands import view
    monkeypatch.setattr(view, 'run', lacks)
    assert cli.main(['view']) == 2
    error = capsys.readouterr().err
    assert error.startswith('obai view: this ') and said in error and error.count('\n') == 1


def test_a_module_of_our_own_that_is_missing_is_a_fault(monkeypatch):
    def lacks(args):
        raise ModuleNotFoundError("No module named 'obai_ros.modle'", name='obai_ros.modle')
    from obai_ros.commands import view
    monkeypatch.setattr(view, 'run', lacks)
    with pytest.raises(ModuleNotFoundError):
        cli.main(['view'])
