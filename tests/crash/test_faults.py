# SPDX-License-Identifier: Apache-2.0
"""The library that makes a disk fail: it fails what it is told to, and nothing else."""
import os
import subprocess
import sys

import pytest

LIBRARY = os.environ.get('NIGHTJAR_FAULTS', '')

pytestmark = pytest.mark.skipif(not LIBRARY, reason='NIGHTJAR_FAULTS names no library')

PROGRAM = """
import os, sys
def outcome(what):
    try:
        return repr(what())
    except OSError as error:
        return error.strerror
f = os.open('a', os.O_RDWR)
d = os.open('a', os.O_RDWR | os.O_DSYNC)
g = os.open('../outside', os.O_RDWR | os.O_CREAT)
def tell(text):
    with open('../control', 'w') as control:
        control.write(text)
tell(sys.argv[1])
for what in (lambda: os.pwrite(f, b'xy', 0), lambda: os.pwrite(f, b'xy', 0),
             lambda: os.pwritev(f, [b'x', b'y'], 0), lambda: os.pwrite(d, b'xy', 0),
             lambda: os.fsync(f), lambda: os.pread(f, 1, 0), lambda: os.pwrite(f, b'xy', 3),
             lambda: os.posix_fallocate(f, 0, 9), lambda: os.fstatvfs(f).f_bavail == 0,
             lambda: os.close(os.open('b', os.O_RDWR | os.O_CREAT)), lambda: os.pwrite(g, b'z', 0)):
    print(outcome(what))
"""
EIO = 'Input/output error'
FULL = 'No space left on device'


def outcomes(folder, fault):
    """What becomes of the eleven calls: two writes, a gathered one, a synced one, and so on."""
    store = folder / 'store'
    store.mkdir()
    (store / 'a').write_bytes(b'1234')
    (folder / 'control').write_text('')
    done = subprocess.run([sys.executable, '-c', PROGRAM, fault], cwd=store, check=True,
                          capture_output=True, text=True,
                          env={**os.environ, 'LD_PRELOAD': LIBRARY, 'FAULTS_STORE': str(store),
                               'FAULTS_CONTROL': str(folder / 'control')})
    hits = folder / 'control.hits'
    return done.stdout.splitlines(), len(hits.read_bytes()) if hits.exists() else 0


@pytest.mark.parametrize('fault, expected, hits', [
    ('', ['2', '2', '2', '2', 'None', "b'x'", '2', 'None', 'False', 'None', '1'], 0),
    ('write EIO', [EIO, EIO, EIO, EIO, 'None', "b'1'", EIO, 'None', 'False', 'None', '1'], 5),
    ('sync EIO', ['2', '2', '2', EIO, EIO, "b'x'", '2', 'None', 'False', 'None', '1'], 2),
    ('grow ENOSPC', ['2', '2', '2', '2', 'None', "b'x'", FULL, FULL, 'True', FULL, '1'], 3),
    ('read EIO', ['2', '2', '2', '2', 'None', EIO, '2', 'None', 'False', 'None', '1'], 1),
    ('write EIO once', [EIO, '2', '2', '2', 'None', "b'x'", '2', 'None', 'False', 'None', '1'], 1),
    ('write short once', ['1', '2', '2', '2', 'None', "b'x'", '2', 'None', 'False', 'None', '1'],
     1),
])
def test_fault(tmp_path, fault, expected, hits):
    assert outcomes(tmp_path, fault) == (expected, hits)
