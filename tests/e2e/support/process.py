# SPDX-License-Identifier: Apache-2.0
"""A child process whose output is read line by line, so that a test can wait for a line."""

import os
import re
import signal
import subprocess
import threading
import time

# Long enough for a busy build machine; a passing test never waits for it.
DEADLINE = float(os.environ.get("NIGHTJAR_DEADLINE", "30"))


class Lines:
    """Lines that arrive from elsewhere; any thread may wait for one."""

    def __init__(self):
        self._lines = []
        self._ended = False
        self._changed = threading.Condition()

    def append(self, line):
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def end(self):
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self):
        with self._changed:
            return list(self._lines)

    def wait(self, pattern, start=0, timeout=DEADLINE):
        """The first match of `pattern` in a line, from index `start` on."""
        regex = re.compile(pattern)
        deadline = time.monotonic() + timeout
        at = start
        with self._changed:
            while True:
                while at < len(self._lines):
                    match = regex.search(self._lines[at])
                    if match:
                        return match
                    at += 1
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "output ended" if self._ended else f"{timeout} s passed"
                    text = "\n".join(self._lines[-40:])
                    raise AssertionError(f"{why} without {pattern!r}; last lines:\n{text}")
                self._changed.wait(left)


class Process:
    """Runs `command`; standard output and error are kept apart, as lines."""

    def __init__(self, command, stdin=None, env=None, **more):
        self.command = command
        self.popen = subprocess.Popen(
            command, stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, **more)
        self.pid = self.popen.pid
        self.out = Lines()
        self.err = Lines()
        self._readers = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.popen.stdout, self.out), (self.popen.stderr, self.err))]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(pipe, lines):
        with pipe:
            for line in iter(pipe.readline, b""):
                lines.append(line.decode(errors="backslashreplace").rstrip("\n"))
        lines.end()

    def is_running(self):
        return self.popen.poll() is None

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=DEADLINE):
        """Its exit status; all its output has been read then."""
        status = self.popen.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return status

    def kill(self):
        """Ends it, whatever it does; nothing when it has ended."""
        if self.is_running():
            self.signal(signal.SIGKILL)
        return self.wait()


def run(command, timeout=DEADLINE):
    """Runs to the end: (exit status, lines of stdout, lines of stderr)."""
    process = Process(command)
    try:
        status = process.wait(timeout)
    finally:
        process.kill()
    return status, process.out.all(), process.err.all()


def eventually(question, timeout=DEADLINE, pause=0.02):
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + timeout
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {timeout} s: {question}"
        time.sleep(pause)
