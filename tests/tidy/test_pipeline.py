# SPDX-License-Identifier: Apache-2.0
"""The counting of tests/pipeline.py: nothing that failed may pass for good."""
import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[1] / 'pipeline.py'
SPEC = importlib.util.spec_from_file_location('pipeline', PATH)
pipeline = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pipeline)

GOOD = '[==========] Running 3 test(s).\n[  PASSED  ] 3 test(s).\n'
MIXED = '[  PASSED  ] 2 test(s).\n[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] test_a\n'


@pytest.mark.parametrize('name, meets', [
    ('unit journal/threads', True),
    ('unit journal/format', True),  # src/journal starts threads
    ('unit io/mailbox', True),      # the test does
    ('unit mqtt/publish', False),
    ('unit nowhere/nothing', True),  # one that is not known is not left out
])
def test_what_meets_threads(name, meets):
    assert pipeline.meets_threads(name) == meets


@pytest.mark.parametrize('status, output, passed, failed', [
    ('OK', GOOD, 3, 0),
    ('OK', 'no framework', 1, 0),
    ('FAIL', MIXED, 2, 1),
    ('FAIL', GOOD, 3, 1),           # all tests passed, then the leak checker objected
    ('FAIL', 'killed by signal', 0, 1),
    ('TIMEOUT', '', 0, 1),
    ('SKIP', '', 0, 1),
    ('UNEXPECTEDPASS', '', 0, 1),
])
def test_meson_result_is_counted(status, output, passed, failed):
    result = pipeline.Result()
    pipeline.add_meson_test(result, {'name': 'unit x', 'result': status, 'stdout': output})
    assert (result.passed, result.failed) == (passed, failed)
    assert len(result.failures) == failed


@pytest.fixture
def logs_elsewhere(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, 'BUILDS', tmp_path)
    return tmp_path


@pytest.mark.parametrize('body, passed, failed', [
    ('assert True', 1, 0),
    ('assert False', 0, 1),
    ('pytest.skip("needs root")', 0, 0),
    ('pytest.xfail("not yet")', 0, 1),
])
def test_pytest_result_is_counted(logs_elsewhere, body, passed, failed):
    folder = logs_elsewhere / 'inner'
    folder.mkdir()
    (folder / 'logs').mkdir()
    (folder / 'test_inner.py').write_text(f'import pytest\ndef test_one():\n    {body}\n')
    result = pipeline.pytest('inner', folder)
    assert (result.passed, result.failed) == (passed, failed)
    assert result.left_out == (['needs root'] if 'skip' in body else [])


def test_pytest_that_cannot_load_fails(logs_elsewhere):
    folder = logs_elsewhere / 'inner'
    folder.mkdir()
    (folder / 'test_inner.py').write_text('import no_such_module\n')
    assert pipeline.pytest('inner', folder).failed == 1


def test_hanging_command_is_ended(logs_elsewhere):
    status, output = pipeline.run(['sh', '-c', 'echo begun; exec sleep 60'], 'hang', seconds=0.2)
    assert status != 0 and 'begun' in output and 'ended after' in output
