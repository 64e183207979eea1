# SPDX-License-Identifier: Apache-2.0
"""
The same files and the same clients on Debian's mosquitto and ours: the short form of
tests/differ/differ.py, and that its table of differences can be read.
"""

import os
import re
import subprocess
import sys

import pytest

from support.broker import IS_MOSQUITTO, IS_SANITIZED, PROGRAM, TOP

pytestmark = pytest.mark.skipif(IS_MOSQUITTO or IS_SANITIZED or
                                not os.path.exists("/usr/sbin/mosquitto"),
                                reason="compares a usual build with Debian's mosquitto")

RUNNER = TOP / "tests" / "differ" / "differ.py"


def run(*arguments):
    return subprocess.run([sys.executable, RUNNER, *arguments], capture_output=True, text=True,
                          timeout=100, env={**os.environ, "NIGHTJAR": PROGRAM}, check=False)


def test_same_answers():
    """Forty things done with each of four files."""
    files = ["plain", "topics of users", "certificates", "Unix socket"]
    done = run("--acts", "40", *[word for name in files for word in ("--only", name)])
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r": (\d+) differences of", done.stdout).group(1)) > 0


def test_a_difference_is_found(tmp_path):
    """A table without rows: nothing is covered, so that everything is told."""
    empty = tmp_path / "empty.md"
    empty.write_text("<!-- answers: begin -->\n<!-- answers: end -->\n")
    done = run("--acts", "10", "--only", "plain", "--table", str(empty))
    assert done.returncode == 1
    assert "NEW plain: connect: own v5 CONNACK receive_maximum: mosquitto 20, nightjar 1000" \
        in done.stdout
