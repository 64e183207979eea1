# SPDX-License-Identifier: Apache-2.0
"""The counting of tests/hunt.py: what is found is told with its seed, and the end of time is none."""
import subprocess
import sys
import time
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

import hunt  # noqa: E402


@pytest.fixture(autouse=True)
def found(tmp_path, monkeypatch):
    monkeypatch.setattr(hunt, 'FOUND', tmp_path)
    return tmp_path


def hunter(script, **options):
    return hunt.Hunter('test', 1, 'a test', lambda seed, left: hunt.Run(['sh', '-c', script, 'sh',
                                                                        str(seed)], 2), **options)


def test_finding_is_told_with_its_seed_and_its_output(found, capsys):
    one = hunter('echo what $1 broke; exit $(( $1 == 8 ))', is_once=True)
    hunt.hunt(one, 7, 60)
    assert (one.runs, one.findings) == (1, []) and not list(found.iterdir())
    hunt.hunt(one, 8, 60)
    assert (one.runs, one.cases, len(one.findings)) == (2, 4, 1)
    assert 'ended with 1' in one.findings[0] and one.findings[0].endswith(' 8')
    assert (found / 'test-8.log').read_text().startswith('what 8 broke\n')
    assert one.findings[0] in capsys.readouterr().out


def test_finding_does_not_end_the_hunt():
    one = hunter('exit $(( $1 == 1 ))')
    hunt.hunt(one, 1, 0.5)
    assert one.runs > 1 and len(one.findings) == 1


def test_crash_is_a_finding():
    one = hunter('kill -SEGV $$', is_once=True)
    hunt.hunt(one, 1, 60)
    assert len(one.findings) == 1


def is_running(process):
    """Killed and not yet reaped counts as over."""
    try:
        return (process / 'stat').read_text().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_end_of_time_is_no_finding_and_leaves_no_process(found):
    one = hunter(f'sleep 600 & echo $! > {found}/pid; wait')
    began = time.monotonic()
    hunt.hunt(one, 1, 1)
    assert time.monotonic() - began < 60
    assert (one.runs, one.findings) == (0, [])
    child = Path('/proc', (found / 'pid').read_text().strip())
    deadline = time.monotonic() + 60
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_program_with_a_time_of_its_own_may_not_hang(monkeypatch):
    monkeypatch.setattr(hunt, 'HANG_SECONDS', 0.2)
    one = hunter('sleep 600', is_timed=True, is_once=True)
    hunt.hunt(one, 1, 60)
    assert len(one.findings) == 1 and 'hung' in one.findings[0]


@pytest.mark.parametrize('script, status', [('exit 0', 0), ('exit 3', 1)])
def test_status_says_whether_something_was_found(script, status, capsys):
    one = hunter(script, is_once=True)
    broken = hunt.hunt_all([one], 1, 1, 2)
    assert hunt.report([one], broken) == status
    assert capsys.readouterr().out.endswith(f'1 runs, {status} findings\n')


def test_hunt_that_ran_nothing_fails(capsys):
    def next_run(seed, left):
        raise hunt.pipeline.Broken('it does not build')
    one = hunt.Hunter('test', 1, 'a test', next_run)
    broken = hunt.hunt_all([one], 1, 0.01, 1)
    assert broken == ['test: it does not build']
    assert hunt.report([one], broken) == 1


@pytest.mark.parametrize('arguments', [[], ['0'], ['-1'], ['1', '--only', 'nothing'], ['x']])
def test_wrong_use_is_refused(arguments):
    done = subprocess.run([sys.executable, TESTS / 'hunt.py', *arguments], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 2 and 'error:' in done.stderr
