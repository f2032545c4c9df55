# SPDX-License-Identifier: Apache-2.0
"""
What building the messages needs of the machine, asked before anything is downloaded or built.

`make setup` runs this file with the Python that it is about to use, setup.py imports it.  It
stays readable to Pythons that are too old for the rest of the project, so that they can say so.
"""
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig

OLDEST_PYTHON = (3, 10)
OLDEST_CMAKE = (3, 20)


def _dotted(version):
    return '.'.join(map(str, version))


def _debian_python():
    return f'python{_dotted(sys.version_info[:2])}'


def missing():
    """Return one sentence on what is missing and how to get it, or None if all is there."""
    if sys.version_info < OLDEST_PYTHON:
        oldest = _dotted(OLDEST_PYTHON)
        return (f'Python {_dotted(sys.version_info[:3])} ({sys.executable}) is too old, obai_ros '
                f'needs {oldest} or newer: `make setup PYTHON=python{oldest}` uses another one.')
    needed = (
        ('no C compiler (cc, gcc, clang)', 'gcc', (os.environ.get('CC', 'cc'), 'gcc', 'clang')),
        ('no C++ compiler (c++, g++, clang++)', 'g++',
         (os.environ.get('CXX', 'c++'), 'g++', 'clang++')),
        ('no cmake', 'cmake', ('cmake',)),
        ('neither make nor ninja', 'make', ('make', 'ninja')))
    for what, debian, commands in needed:
        if not any(shutil.which(command.split()[0]) for command in commands):
            return (f'There is {what} on PATH, and the ROS 2 messages have to be compiled: '
                    f'on Debian and Ubuntu `sudo apt install {debian}` installs it.')
    answer = subprocess.run(['cmake', '--version'], stdout=subprocess.PIPE, check=True)
    cmake = answer.stdout.decode().split()[2]
    if tuple(map(int, cmake.split('.')[:2])) < OLDEST_CMAKE:
        return (f'CMake {cmake} is too old, obai_ros needs {_dotted(OLDEST_CMAKE)} or newer: '
                '`pip install cmake` has one.')
    if not os.path.exists(os.path.join(sysconfig.get_path('include'), 'Python.h')):
        return (f'The C headers of {sys.executable} are missing (no Python.h in '
                f'{sysconfig.get_path("include")}): on Debian and Ubuntu '
                f'`sudo apt install {_debian_python()}-dev` installs them.')
    return None


def missing_for_venv():
    """Return one sentence if this Python cannot make a virtual environment, or None."""
    if importlib.util.find_spec('ensurepip') is None:
        return (f'{sys.executable} cannot make virtual environments (no module ensurepip): '
                f'on Debian and Ubuntu `sudo apt install {_debian_python()}-venv` mends it.')
    return None


if __name__ == '__main__':
    sys.exit(missing() or missing_for_venv())
