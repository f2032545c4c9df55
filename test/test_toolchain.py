# SPDX-License-Identifier: Apache-2.0
"""What a machine without the tools is told: one sentence with the remedy."""

import os
from pathlib import Path
import runpy
import shutil
import subprocess
import sys

import pytest

ROOT = Path(__file__).parents[1]
TOOLCHAIN = runpy.run_path(str(ROOT / 'cmake' / 'toolchain.py'))
TOOLS = ('cc', 'c++', 'cmake', 'make')


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Return a folder with working tools that is all there is on PATH."""
    for tool in TOOLS:
        stub = tmp_path / tool
        stub.write_text('#!/bin/sh\necho cmake version 3.25.1\n')
        stub.chmod(0o755)
    monkeypatch.setenv('PATH', str(tmp_path))
    monkeypatch.delenv('CC', raising=False)
    monkeypatch.delenv('CXX', raising=False)
    return tmp_path


def test_nothing_is_missing_where_all_tools_are(tools):
    assert TOOLCHAIN['missing']() is None


@pytest.mark.parametrize('tool, words', [
    ('cc', 'no C compiler'), ('c++', 'no C++ compiler'), ('cmake', 'no cmake'),
    ('make', 'neither make nor ninja')])
def test_a_missing_tool_is_named_with_the_remedy(tools, tool, words):
    (tools / tool).unlink()
    sentence = TOOLCHAIN['missing']()
    assert words in sentence and 'sudo apt install' in sentence and '\n' not in sentence


def test_an_old_cmake_is_named(tools):
    (tools / 'cmake').write_text('#!/bin/sh\necho cmake version 3.16.3\n')
    assert TOOLCHAIN['missing']().startswith('CMake 3.16.3 is too old, obai_ros needs 3.20')


def test_an_old_python_is_named(tools, monkeypatch):
    monkeypatch.setattr(sys, 'version_info', (3, 8, 10))
    assert 'Python 3.8.10' in TOOLCHAIN['missing']()
    assert 'needs 3.10 or newer' in TOOLCHAIN['missing']()


def test_make_stops_with_the_sentence_before_it_does_anything(tools, tmp_path):
    make, shell = shutil.which('make', path=os.defpath), shutil.which('sh', path=os.defpath)
    copy = tmp_path / 'checkout'
    (copy / 'cmake').mkdir(parents=True)
    for name in ('Makefile', 'cmake/toolchain.py', 'requirements.txt', 'requirements-test.txt',
                 'requirements-ros.txt', 'CMakeLists.txt', 'package.xml', 'pyproject.toml',
                 'setup.py'):
        shutil.copy(ROOT / name, copy / name)
    for tool in ('cmake', 'find'):
        (tools / tool).unlink(missing_ok=True)
    result = subprocess.run(
        [make, 'setup', f'PYTHON={sys.executable}', f'SHELL={shell}'], cwd=copy, text=True,
        capture_output=True, env={'PATH': str(tools), 'HOME': str(tmp_path)})
    assert result.returncode != 0
    assert 'There is no cmake on PATH' in result.stderr
    assert not (copy / '.venv').exists()
    assert 'Traceback' not in result.stderr


def test_an_editable_install_is_refused_with_what_to_do_instead(tmp_path):
    pytest.importorskip('ament_package', reason='needs the ROS 2 wheels')
    result = subprocess.run(
        [sys.executable, '-m', 'pip', 'install', '--no-build-isolation', '--no-deps', '--no-index',
         '--target', str(tmp_path / 'target'), '-e', str(ROOT)], text=True, capture_output=True)
    assert result.returncode != 0
    assert 'obai_ros: An editable install cannot work' in result.stdout + result.stderr
