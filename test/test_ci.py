# SPDX-License-Identifier: Apache-2.0
"""What can be said about the workflow and the image where neither can run."""

from pathlib import Path
import re
import subprocess
from xml.etree import ElementTree

import pytest
import yaml

ROOT = Path(__file__).parents[1]
JOBS = yaml.safe_load((ROOT / '.github' / 'workflows' / 'ci.yml').read_text())['jobs']
DOCKERFILE = (ROOT / 'Dockerfile').read_text()


@pytest.mark.parametrize('job', JOBS)
def test_scripts_of_the_workflow_can_be_read_by_a_shell(job):
    scripts = [step['run'] for step in JOBS[job]['steps'] if 'run' in step]
    assert scripts
    for script in scripts:
        plain = re.sub(r'\$\{\{[^}]+\}\}', 'value', script)
        subprocess.run(['bash', '-n'], input=plain, text=True, check=True)


def test_the_wheels_are_tested_by_what_everybody_runs():
    assert JOBS['wheels']['steps'][-1]['run'] == '.ci/run'
    assert 'make test' in (ROOT / '.ci' / 'run').read_text()


def test_the_image_copies_what_there_is_and_runs_as_a_user():
    copied = re.findall(r'^COPY (?:--\S+ )*(\S+) \S+$', DOCKERFILE, re.M)
    assert copied and all((ROOT / path).exists() for path in copied)
    assert re.findall(r'^USER (\w+)', DOCKERFILE, re.M)[-1] != 'root'


def test_no_key_of_package_xml_resolves_to_pip():
    package = ElementTree.parse(ROOT / 'package.xml').getroot()
    keys = [element.text for element in package if element.tag.endswith('depend')]
    assert len(keys) == len(set(keys))
    assert not [key for key in keys if key.endswith('-pip')], 'bloom could not release it'
