# SPDX-License-Identifier: Apache-2.0
"""The manual pages name every command and option that the program itself lists."""
import os
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get('NIGHTJAR', TOP / 'build' / 'nightjar')
OPTION = re.compile(r'^ {2,6}(-\w)?(?:, )?(--[\w-]+)?')


def help_of(*words):
    return subprocess.run([PROGRAM, *words, '--help'], capture_output=True, text=True,
                          check=True).stdout


def options_of(command):
    found = [match.groups() for match in map(OPTION.match, help_of(command).splitlines()) if match]
    return {name for names in found for name in names if name}


def section_of(command):
    """The command's own page, or its part of nightjar(1); dashes as they are typed."""
    own = TOP / 'man' / f'nightjar-{command}.1'
    page = (own if own.exists() else TOP / 'man' / 'nightjar.1').read_text().replace('\\-', '-')
    if own.exists():
        return page
    for section in page.split('\n.SH ')[1:]:
        if command.upper() in section.split('\n')[0].split():
            return section
    return ''


@pytest.mark.parametrize('command', ['broker', 'pub', 'sub', 'bench', 'simulate'])
def test_page_names_every_option(command):
    options = options_of(command)
    assert len(options) > 8
    section = section_of(command)
    untold = {name for name in options if not re.search(rf'(?<![\w-]){name}(?![\w-])', section)}
    # Told once, for all commands.
    assert untold - {'-h', '--help', '--version'} == set()


def test_page_names_every_command():
    commands = set(re.findall(r'^  (\w+) ', help_of(), re.MULTILINE)) - {'help', 'version'}
    assert commands and all(section_of(command) for command in commands)
