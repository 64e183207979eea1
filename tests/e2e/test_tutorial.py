# SPDX-License-Identifier: Apache-2.0
"""docs/tutorial.md, command by command: what it says comes out, comes out.

A block ```console NAME is what a terminal of that name shows; without a name it is the one in which
each command ends before the next. A line that begins with "$ " is typed, "^C" and "^\\" are keys.
"..." stands for any lines. A block ```c NAME is saved as that file.
"""

import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from support.broker import IS_MOSQUITTO, PROGRAM, TOP, free_port
from support.library import LIBRARY
from support.process import DEADLINE, Process

pytestmark = [
    pytest.mark.skipif(IS_MOSQUITTO or not LIBRARY.exists(), reason="it is about ours"),
    pytest.mark.skipif(shutil.which("pkg-config") is None, reason="without pkg-config")]
PAGE = TOP / "docs" / "tutorial.md"
KEYS = {"^C": signal.SIGINT, "^\\": signal.SIGKILL}
# The reader's broker has the usual port, and the test's a free one.
WRAPPER = """#!/bin/sh
what=$1
shift
exec {program} "$what" -p {port} "$@"
"""


def blocks(text):
    """(language, name, lines, number of the first line) of each fenced block."""
    found, at = [], None
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.fullmatch(r"```(\w*) ?(.*)", line)
        if at is None and fence:
            at = (fence.group(1), fence.group(2), [], number)
        elif at is not None and line == "```":
            found.append(at)
            at = None
        elif at is not None:
            at[2].append(line)
    return found


def normal(line):
    """Without what differs from one run to the next."""
    line = re.sub(r"^\d{10}: ", "", line)
    line = re.sub(r"(127\.0\.0\.1|\[::1\]):\d+", r"\1:PORT", line)
    return re.sub(r"\d+ shards?$", "N shards", line)


class Terminal:
    """One command after the other; what it has printed is compared once."""

    def __init__(self, environment, folder):
        self.environment, self.folder = environment, folder
        self.process, self.seen = None, 0

    def type(self, command):
        self.end(None)
        # one place for both, as on a screen; the shell gives way to the last command
        self.process = Process(["bash", "-c", f"cd {self.folder}; exec 2>&1; {command}"],
                               env=self.environment)
        self.seen = 0

    def press(self, key):
        self.process.signal(KEYS[key])
        self.process.wait()

    def end(self, where):
        """The last command is over, and all that it has printed was in the page."""
        if self.process is None:
            return
        assert self.process.wait() is not None
        left = self.process.out.all()[self.seen:]
        assert where is None or not left, f"{where}: and then comes {left}"

    def expect(self, lines, where):
        """These lines come next."""
        skips = False
        for line in lines:
            if line == "...":
                skips = True
                continue
            found = self.next_line(where, line)
            while skips and normal(found) != normal(line):
                found = self.next_line(where, line)
            assert normal(found) == normal(line), f"{where}: {found!r} instead of {line!r}"
            skips = False
        if skips:
            self.seen = len(self.process.out.all())

    def next_line(self, where, expected):
        deadline = time.monotonic() + DEADLINE
        while True:
            lines = self.process.out.all()
            if self.seen < len(lines):
                self.seen += 1
                return lines[self.seen - 1]
            is_over = not self.process.is_running() and self.process.wait() is not None
            if (is_over and len(self.process.out.all()) == len(lines)) or \
                    time.monotonic() > deadline:
                raise AssertionError(f"{where}: {expected!r} does not come; it was "
                                     f"{lines[-5:]}")
            time.sleep(0.01)


class Tutorial:
    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        programs = folder / "bin"
        programs.mkdir()
        wrapper = programs / "nightjar"
        wrapper.write_text(WRAPPER.format(program=Path(PROGRAM).resolve(), port=self.port))
        wrapper.chmod(0o755)
        build = Path(PROGRAM).resolve().parent
        self.environment = {
            **os.environ, "PATH": f"{programs}:{os.environ['PATH']}",
            "STATE_DIRECTORY": str(folder / "state"),
            "PKG_CONFIG_PATH": str(build / "meson-uninstalled"),
            "C_INCLUDE_PATH": str(TOP / "include"),
            "LD_LIBRARY_PATH": str(build / "src" / "client")}
        self.terminals = {}

    def terminal(self, name):
        if name not in self.terminals:
            self.terminals[name] = Terminal(self.environment, self.folder / "tutorial")
        return self.terminals[name]

    def save(self, name, lines):
        text = "\n".join(lines) + "\n"
        assert ":1883" in text
        (self.folder / "tutorial" / name).write_text(text.replace(":1883", f":{self.port}"))

    def show(self, name, lines, where):
        """A block of a terminal: keys and commands, each with the lines behind it."""
        terminal = self.terminal(name)
        groups = [[None]]
        for line in lines:
            if line.startswith("$ ") or line in KEYS:
                groups.append([line])
            else:
                groups[-1].append(line)
        for action, *expected in groups:
            if action in KEYS:
                terminal.press(action)
            elif action:
                terminal.type(action[2:])
            terminal.expect(expected, where)
            if action and not name:
                terminal.end(f"{where}: {action}")
        if name and not lines:
            terminal.end(where)

    def close(self):
        """Ends what still runs: the shells, and first what they have started."""
        for terminal in self.terminals.values():
            if terminal.process and terminal.process.is_running():
                pid = terminal.process.pid
                for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                    os.kill(int(child), signal.SIGKILL)
                terminal.process.kill()


def test_tutorial(tmp_path):
    tutorial = Tutorial(tmp_path)
    (tmp_path / "tutorial").mkdir()
    try:
        for language, name, lines, number in blocks(PAGE.read_text()):
            if language == "console":
                lines = [line for line in lines if not line.startswith("$ mkdir tutorial ")]
                tutorial.show(name, lines, f"tutorial.md:{number}")
            elif language == "c":
                tutorial.save(name, lines)
    finally:
        tutorial.close()


def test_a_tutorial_that_is_wrong_is_noticed(tmp_path):
    """What the page says and what comes out: a line too few, too many, another one."""
    terminal = Terminal(dict(os.environ), tmp_path)
    for lines, complaint in ((["one"], "and then comes"), (["one", "two", "three"], "does not come"),
                             (["one", "2"], "instead of")):
        terminal.type("echo one; echo two")
        with pytest.raises(AssertionError, match=complaint):
            terminal.expect(lines, "here")
            terminal.end("here")
    terminal.type("echo one; echo two; echo three")
    terminal.expect(["...", "three"], "here")
    terminal.end("here")
