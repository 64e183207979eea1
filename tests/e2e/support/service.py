# SPDX-License-Identifier: Apache-2.0
"""What systemd is to a service: somebody who is notified, and hands sockets over."""

import ctypes
import os
import socket
import tempfile
import time
from pathlib import Path

from .process import DEADLINE, Process

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # waitpid: threads, too


class Manager:
    """The socket of NOTIFY_SOCKET; messages come out as dictionaries, in order."""

    def __init__(self):
        # not below a test's own folder, which only its owner may enter: the broker is another user
        self._folder = tempfile.TemporaryDirectory(prefix="nightjar-e2e-")
        os.chmod(self._folder.name, 0o711)
        self.path = self._folder.name + "/notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)  # as systemd's

    def environment(self, watchdog_ms=None, **more):
        variables = {**os.environ, "NOTIFY_SOCKET": self.path, **more}
        if watchdog_ms:
            variables["WATCHDOG_USEC"] = str(watchdog_ms * 1000)
        return variables

    def take(self, timeout=DEADLINE):
        """The next message; None when there is none in time."""
        self.socket.settimeout(timeout)
        try:
            text = self.socket.recv(65536).decode()
        except socket.timeout:
            return None
        return dict(line.split("=", 1) for line in text.splitlines())

    def wait(self, field, value="1"):
        """The first message with that field; watchdog messages before it are passed over."""
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            message = self.take(deadline - time.monotonic())
            if message and message.get(field) == value:
                return message
            assert message is None or "WATCHDOG" in message, f"{message} instead of {field}"
        raise AssertionError(f"no {field}={value}")

    def drain(self):
        """What has come so far, without waiting."""
        messages = []
        self.socket.setblocking(False)
        try:
            while True:
                messages.append(self.socket.recv(65536).decode())
        except BlockingIOError:
            return messages

    def close(self):
        self.socket.close()
        self._folder.cleanup()


def thread_of(pid, name):
    """The thread of that name."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() == name:
            return int(task.name)
    raise AssertionError(f"process {pid} has no thread {name}")


class Stopped:
    """
    One thread of another process stands still; the others go on. A signal would stop all of
    them: this is what a debugger does. PermissionError where this is not allowed.
    """

    def __init__(self, thread):
        self.thread = thread
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.ptrace.argtypes = [ctypes.c_long] * 4
        self._ptrace(PTRACE_SEIZE)
        self._ptrace(PTRACE_INTERRUPT)
        os.waitpid(self.thread, WALL)

    def _ptrace(self, request):
        if self._libc.ptrace(request, self.thread, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def release(self):
        self._ptrace(PTRACE_DETACH)


class SocketUnit:
    """Starts a program with listening sockets, as systemd does (sd_listen_fds(3))."""

    def __init__(self, *sockets):
        self.sockets = sockets

    def start(self, command, env):
        numbers = [s.fileno() for s in self.sockets]
        # The shell keeps its process id, which must be in the environment: exec, no child.
        moves = " ".join(f"{3 + i}<&{90 + i}" for i in range(len(numbers)))
        closes = " ".join(f"{90 + i}<&-" for i in range(len(numbers)))
        script = f'exec {moves}; exec {closes}; LISTEN_PID=$$ exec "$@"'

        def hand_over():
            for i, number in enumerate(numbers):
                os.dup2(number, 90 + i)
        return Process(["bash", "-c", script, "bash", *command],
                       env={**env, "LISTEN_FDS": str(len(numbers))},
                       preexec_fn=hand_over, close_fds=False)
