# SPDX-License-Identifier: Apache-2.0
"""
The broker under test as a process: ours, or Debian's mosquitto, against which the tests themselves
are tried.

NIGHTJAR names the program; the default is build/nightjar. With NIGHTJAR=/usr/sbin/mosquitto the
same tests run against mosquitto, which shows a test that is wrong about clients or the standard.
"""

import os
import re
import shutil
import signal
import socket
import tempfile
from pathlib import Path

from .process import DEADLINE, Process, eventually

TOP = Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("NIGHTJAR", str(TOP / "build" / "nightjar"))
IS_MOSQUITTO = os.path.basename(PROGRAM) == "mosquitto"
# The program whose `pub` and `sub` are tested; with mosquitto as broker they may be ours as well.
OUR_PROGRAM = os.environ.get("NIGHTJAR_CLIENT", None if IS_MOSQUITTO else PROGRAM)

# A sanitizer keeps freed memory for a while: what the process holds says nothing there.
IS_SANITIZED = b"__asan_init" in Path(shutil.which(PROGRAM) or os.devnull).read_bytes()

_STAMP = re.compile(r"^\d+: ")


def command(origin, what):
    """The words that start `pub` or `sub` of "mosquitto" or "nightjar"."""
    return [f"mosquitto_{what}"] if origin == "mosquitto" else [OUR_PROGRAM, what]


def free_port():
    """A port that nobody listens on. Only for programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """
    Runs until stop(). `settings` are lines of a configuration file; with `port` None they hold
    a listener. `state` is the directory of its store; one of its own when it is not given.
    """

    def __init__(self, settings=(), shards=None, verbose=True, port=0, state=None):
        self._folder = tempfile.TemporaryDirectory(prefix="nightjar-e2e-")
        self.state = Path(state) if state else Path(self._folder.name) / "state"
        self.process = None
        try:
            start = self._start_mosquitto if IS_MOSQUITTO else self._start_ours
            start(list(settings), shards, verbose, port)
        except BaseException:
            self.stop()
            raise

    def _start_ours(self, settings, shards, verbose, port):
        command = [PROGRAM, "broker"]
        if port is not None:
            command += ["-p", str(port)]
        if verbose:
            command.append("-v")
        if shards is not None:
            command += ["--shards", str(shards)]
        if settings:
            command += ["-c", self._write_configuration(settings)]
        self.process = Process(command,
                               env={**os.environ, "STATE_DIRECTORY": str(self.state)})
        match = self._wait_for_either(r"running, listening on 127\.0\.0\.1:(\d+)")
        self.port = int(match.group(1))

    def _start_mosquitto(self, settings, _shards, verbose, _port):
        self.port = free_port()
        settings = [f"listener {self.port} 127.0.0.1", "allow_anonymous true",
                    "persistence false"] + settings
        if verbose:
            settings.append("log_type all")
        self.process = Process([PROGRAM, "-c", self._write_configuration(settings)])
        self._wait_for_either(r"mosquitto version \S+ running")

    def _write_configuration(self, settings):
        path = Path(self._folder.name) / "broker.conf"
        path.write_text("\n".join(settings) + "\n")
        return str(path)

    def _wait_for_either(self, pattern):
        """The log may go to standard output or to standard error."""
        def look():
            assert self.process.is_running() or self._find(pattern), (
                f"ended: {self.process.command}\n" + "\n".join(self.lines()))
            return self._find(pattern)
        return eventually(look)

    def _find(self, pattern):
        for line in self.lines():
            match = re.search(pattern, line)
            if match:
                return match
        return None

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        """The log's lines with time stamps."""
        return self.process.out.all() + self.process.err.all()

    def lines(self):
        """The log without time stamps."""
        return [_STAMP.sub("", line) for line in self.log()]

    def wait_for_line(self, pattern, start=0, timeout=DEADLINE):
        """Waits for a line of the log, from line `start` on, that contains `pattern`."""
        regex = re.compile(pattern)

        def look():
            for line in self.lines()[start:]:
                match = regex.search(line)
                if match:
                    return match
            return None
        try:
            return eventually(look, timeout)
        except AssertionError:
            raise AssertionError(f"no line with {pattern!r} in:\n" +
                                 "\n".join(self.lines()[start:][-40:])) from None

    def rss_bytes(self):
        """Memory of the process that is resident now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def assert_grew_less(self, before, limit):
        """Resident memory grew by less than `limit` bytes since it was `before`."""
        now = self.rss_bytes()
        assert IS_SANITIZED or now - before < limit, f"grew from {before} to {now} bytes"

    def sockets(self):
        """How many are open; files of the store come and go by themselves."""
        def is_socket(path):
            try:
                return os.readlink(path).startswith("socket:")
            except FileNotFoundError:
                return False  # closed meanwhile
        return sum(map(is_socket, Path(f"/proc/{self.pid}/fd").iterdir()))

    def terminate(self):
        """SIGTERM, and the exit status."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait()

    def stop(self):
        """Ends it; a crash before is an error."""
        try:
            if self.process is None:
                return
            if self.process.is_running():
                status = self.terminate()
            else:
                status = self.process.wait()
            text = "\n".join(self.process.err.all()[-40:])
            assert status == 0, f"the broker ended with {status}:\n{text}"
            assert "(seccomp)" not in text, f"the filter over system calls lacks one:\n{text}"
        finally:
            if self.process is not None:
                self.process.kill()
            self._folder.cleanup()
