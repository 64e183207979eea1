# SPDX-License-Identifier: Apache-2.0
"""The mutations are told by the text that they replace: it must still be there, and once."""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "mutation"))

from mutants import Mutant, load, misfits  # noqa: E402


def test_each_mutation_applies():
    assert misfits(load()) == []


def test_mutation_that_does_not_apply_is_told(tmp_path):
    (tmp_path / "a.c").write_text("one two two\n")
    found = [len(misfits([Mutant("m", "g", "w", "a.c", "breaks", [old], ["x"])], tmp_path))
             for old in ("one", "two", "three")]
    assert found == [0, 1, 1]


def test_page_has_each_mutation():
    page = (TOP / "docs" / "MUTATION.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert sorted(rows) == sorted(mutant.name for mutant in load())
