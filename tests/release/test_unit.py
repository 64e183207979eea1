# SPDX-License-Identifier: Apache-2.0
"""The unit as it is installed: systemd understands it, and how much it leaves open."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('NIGHTJAR', TOP / 'build' / 'nightjar')).parent
UNIT = BUILD / 'packaging' / 'nightjar.service'

pytestmark = pytest.mark.skipif(not shutil.which('systemd-analyze'), reason='no systemd here')

# What a broker must be able to do; everything else that systemd judges is closed.
OPEN = {
    'SystemCallFilter=~@resources', 'RootDirectory=/RootImage=', 'RestrictAddressFamilies=~AF_UNIX',
    'RestrictAddressFamilies=~AF_NETLINK', 'RestrictAddressFamilies=~AF_(INET|INET6)',
    'RestrictRealtime=', 'PrivateNetwork=', 'DeviceAllow=', 'IPAddressDeny=',
}


def analyze(*words):
    return subprocess.run(['systemd-analyze', *map(str, words)], capture_output=True, text=True,
                          check=False, env={**os.environ, 'LC_ALL': 'C.UTF-8'})


def test_unit_leaves_open_what_it_must():
    done = analyze('security', '--offline=true', '--no-pager', '--threshold=15', UNIT)
    assert done.returncode == 0, done.stdout
    assert set(re.findall(r'^✗ (\S+)', done.stdout, re.MULTILINE)) <= OPEN


def test_units_have_no_mistake(tmp_path):
    """Every line is one that systemd knows; the program stands in for the one to be installed."""
    for name in ('nightjar.service', 'nightjar.socket'):
        source = UNIT if name == 'nightjar.service' else TOP / 'packaging' / 'systemd' / name
        text = source.read_text()
        (tmp_path / name).write_text(re.sub(r'(?m)^(ExecStart=)\S+', r'\1/bin/true', text))
        done = analyze('verify', '--man=no', tmp_path / name)
        assert done.stderr == ''


def test_unit_names_the_file_of_the_installation():
    assert '/etc/nightjar/nightjar.conf' in UNIT.read_text()
    assert '/etc/nightjar' in (TOP / 'nightjar.sh').read_text()
