# SPDX-License-Identifier: Apache-2.0
"""The recorder of power cuts: what was synced is always there, what was not may be gone."""
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import powercut_apply  # noqa: E402

LIBRARY = os.environ.get('NIGHTJAR_POWERCUT', '')
SEEDS = range(40)

pytestmark = pytest.mark.skipif(not LIBRARY, reason='NIGHTJAR_POWERCUT names no library')


def outcomes(folder, program, before=()):
    """What the store may hold after that program and a power cut: a set of {name: bytes}."""
    store, side = folder / 'store', folder / 'side'
    store.mkdir()
    side.mkdir()
    for name, content in before:
        (store / name).write_bytes(content)
    words = f'import os, threading\nos.chdir({str(store)!r})\n{program}\nos._exit(0)\n'
    subprocess.run([sys.executable, '-c', words], check=True,
                   env={**os.environ, 'LD_PRELOAD': LIBRARY, 'POWERCUT_SIDE': str(side),
                        'POWERCUT_STORE': str(store)})
    return {after_power_cut(folder / str(seed), store, side, seed) for seed in SEEDS}


def after_power_cut(folder, store, side, seed):
    store = shutil.copytree(store, folder / 'store')
    side = shutil.copytree(side, folder / 'side')
    powercut_apply.apply(side, store, seed)
    assert not list(side.iterdir())
    return tuple(sorted((path.name, path.read_bytes()) for path in store.iterdir()))


OPEN = "f = os.open('a', os.O_RDWR | os.O_CREAT, 0o600)\n"
SYNC_NAMES = "d = os.open('.', os.O_RDONLY | os.O_DIRECTORY)\nos.fsync(d)\n"


def test_synced_bytes_and_name_stay(tmp_path):
    program = OPEN + SYNC_NAMES + "os.pwrite(f, b'x' * 600, 0)\nos.fdatasync(f)\n"
    assert outcomes(tmp_path, program) == {(('a', b'x' * 600),)}


def test_synced_file_may_lack_its_name(tmp_path):
    program = OPEN + "os.pwrite(f, b'x', 0)\nos.fsync(f)\n"
    assert outcomes(tmp_path, program) == {(('a', b'x'),), ()}


def test_unsynced_sectors_are_old_or_new_each(tmp_path):
    program = OPEN + "os.pwrite(f, b'n' * 1024, 0)\n"
    found = outcomes(tmp_path, program, [('a', b'o' * 1024)])
    halves = {(dict(f)['a'][:512], dict(f)['a'][512:]) for f in found}
    old, new = b'o' * 512, b'n' * 512
    assert halves == {(old, old), (old, new), (new, old), (new, new)}


def test_write_to_synced_descriptor_stays(tmp_path):
    program = ("f = os.open('a', os.O_RDWR | os.O_DSYNC)\nos.pwrite(f, b'n' * 512, 0)\n"
               "os.pwritev(f, [b'p' * 256, b'q' * 256], 512)\n")
    assert outcomes(tmp_path, program, [('a', b'o' * 1024)]) == {
        (('a', b'n' * 512 + b'p' * 256 + b'q' * 256),)}


def test_sync_covers_only_what_was_before(tmp_path):
    program = OPEN + ("os.pwrite(f, b'1' * 512, 0)\nos.fsync(f)\nos.pwrite(f, b'2' * 512, 0)\n"
                      "os.pwrite(f, b'3' * 512, 0)\n")
    found = {dict(f)['a'][:1] for f in outcomes(tmp_path, program, [('a', b'0' * 512)])}
    assert found == {b'1', b'2', b'3'}


def test_another_files_sync_covers_nothing(tmp_path):
    program = OPEN + ("os.pwrite(f, b'n', 0)\ng = os.open('b', os.O_RDWR)\nos.fsync(g)\n")
    found = {dict(f)['a'] for f in outcomes(tmp_path, program, [('a', b'o'), ('b', b'')])}
    assert found == {b'o', b'n'}


def test_rename_and_removal_may_be_undone(tmp_path):
    program = "os.rename('a', 'b')\nos.unlink('c')\n"
    before = [('a', b'A'), ('b', b'B'), ('c', b'C')]
    found = outcomes(tmp_path, program, before)
    names = {tuple(sorted((n, c) for n, c in f)) for f in found}
    both, none = (('b', b'A'),), (('a', b'A'), ('b', b'B'), ('c', b'C'))
    assert names == {both, none, (('b', b'A'), ('c', b'C')), (('a', b'A'), ('b', b'B'))}


def test_synced_rename_stays(tmp_path):
    program = "os.rename('a', 'b')\n" + SYNC_NAMES
    found = outcomes(tmp_path, program, [('a', b'A'), ('b', b'B')])
    assert found == {(('b', b'A'),)}


def test_truncation_may_be_undone(tmp_path):
    program = OPEN + "os.ftruncate(f, 512)\n"
    found = {dict(f)['a'] for f in outcomes(tmp_path, program, [('a', b'o' * 1024)])}
    assert b'o' * 512 in found and b'o' * 1024 in found


def test_truncation_by_open_may_be_undone(tmp_path):
    program = "os.open('a', os.O_RDWR | os.O_TRUNC)\n"
    found = {dict(f)['a'] for f in outcomes(tmp_path, program, [('a', b'o' * 512)])}
    assert found == {b'', b'o' * 512, b'\0' * 512} or found == {b'', b'o' * 512}


def test_threads_that_sync_keep_what_they_wrote(tmp_path):
    program = OPEN + SYNC_NAMES + """
def work(n):
    for i in range(50):
        os.pwrite(f, bytes([n, i]) * 256, n * 512)
        os.fdatasync(f)
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
"""
    assert outcomes(tmp_path, program) == {
        (('a', b''.join(bytes([n, 49]) * 256 for n in range(4))),)}


def test_log_that_names_not_all_files_is_not_believed(tmp_path):
    """The program was killed while the recorder began: it had changed nothing."""
    store, side = tmp_path / 'store', tmp_path / 'side'
    store.mkdir()
    side.mkdir()
    (store / 'a').write_bytes(b'sure')
    (side / 'begun').write_bytes(b'')
    powercut_apply.apply(side, store, 1)
    assert (store / 'a').read_bytes() == b'sure'
