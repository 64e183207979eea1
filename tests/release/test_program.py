# SPDX-License-Identifier: Apache-2.0
"""The program that `nightjar.sh build` leaves: hardened, and whole."""
import os
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get('NIGHTJAR', TOP / 'build' / 'nightjar'))


def readelf(option):
    return subprocess.run(['readelf', '-W', option, PROGRAM], capture_output=True, text=True,
                          check=True).stdout


def test_program_has_no_fixed_address():
    assert 'Type:' in readelf('-h') and 'DYN (Position-Independent Executable' in readelf('-h')


def test_program_resolves_everything_before_it_runs():
    dynamic = readelf('-d')
    assert 'BIND_NOW' in dynamic or 'Flags: NOW' in dynamic
    assert 'GNU_RELRO' in readelf('-l')


def test_program_has_no_executable_stack():
    stack, = (line for line in readelf('-l').splitlines() if 'GNU_STACK' in line)
    assert ' RW ' in stack and 'RWE' not in stack


@pytest.mark.parametrize('symbol', ['__stack_chk_fail', '_chk@'])
def test_program_checks_stack_and_buffers(symbol):
    assert symbol in readelf('--dyn-syms')


def test_program_keeps_its_assertions():
    assert b'assertion failed' in PROGRAM.read_bytes()


def test_program_needs_only_what_debian_has():
    needed = {line.split('[')[1].rstrip(']') for line in readelf('-d').splitlines()
              if '(NEEDED)' in line}
    assert needed <= {'libc.so.6', 'libm.so.6', 'libxxhash.so.0', 'libjansson.so.4',
                      'libssl.so.3', 'libcrypto.so.3', 'libargon2.so.1', 'libcurl.so.4',
                      'libseccomp.so.2',
                      'ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1'}
