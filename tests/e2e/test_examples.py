# SPDX-License-Identifier: Apache-2.0
"""The programs that users start from: those in examples/, and those in the documents."""

import re
import subprocess
from pathlib import Path

import pytest

from support.broker import IS_MOSQUITTO, OUR_PROGRAM, TOP

LIBRARY = Path(OUR_PROGRAM or "").parent / "src" / "client" / "libnightjar.a"
pytestmark = pytest.mark.skipif(IS_MOSQUITTO or not LIBRARY.exists(),
                                reason="beside this program stands no library")


def compiled(folder, source, *options):
    program = folder / source.stem
    subprocess.run(["gcc", "-std=gnu99", "-Wall", *options, f"-I{TOP / 'include'}", source,
                    LIBRARY, "-pthread", "-o", program], check=True)
    return program


def blocks(document, language):
    """What stands between ```language and ``` in a document."""
    return re.findall(f"^```{language}\n(.*?)^```$", (TOP / document).read_text(),
                      re.MULTILINE | re.DOTALL)


def test_first_program_of_the_readme(broker, tmp_path):
    text, = blocks("README.md", "c")
    assert "localhost:1883" in text
    source = tmp_path / "hello.c"
    source.write_text(text.replace("localhost:1883", f"localhost:{broker.port}"))
    done = subprocess.run([compiled(tmp_path, source)], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("home/hello: Hello, world\n", "", 0)
