# SPDX-License-Identifier: Apache-2.0
"""What docs/SERVICE.md says that the filter over system calls allows is what it allows."""
import re
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def test_page_has_the_calls_of_the_filter():
    source = (TOP / 'src' / 'daemon' / 'sandbox_calls.c').read_text()
    rows = re.findall(r'\{"([^"]+)",((?:\s*"[^"]*")+)', source)
    assert len(rows) > 5
    calls = {purpose: ''.join(re.findall(r'"([^"]*)"', names)).split() for purpose, names in rows}
    page = (TOP / 'docs' / 'SERVICE.md').read_text()
    told = {purpose: re.findall(r'`(\w+)`', names)
            for purpose, names in re.findall(r'^\| ([^|]+) \| (`[^|]+) \|$', page, re.MULTILINE)}
    assert calls == {purpose: told.get(purpose) for purpose in calls}
