# SPDX-License-Identifier: Apache-2.0
"""libnightjar beside the program under test, and C programs that are built with it alone."""

import re
import subprocess
from pathlib import Path

from .broker import OUR_PROGRAM, TOP

LIBRARY = Path(OUR_PROGRAM or "").parent / "src" / "client" / "libnightjar.a"


def private():
    """What the static library needs beside libc, as its pkg-config file says."""
    page = LIBRARY.parents[2] / "meson-private" / "nightjar.pc"
    return re.search(r"^Libs.private: (.*)$", page.read_text(), re.MULTILINE).group(1).split()


def compiled(folder, source, *options):
    """Builds a program of the public header alone, warnings being errors; its path."""
    program = folder / Path(source).stem
    subprocess.run(["gcc", "-std=gnu99", "-Wall", "-Wextra", "-pedantic", "-Werror",
                    f"-I{TOP / 'include'}", TOP / source, LIBRARY, *private(), *options,
                    "-o", program], check=True)
    return program
