# SPDX-License-Identifier: Apache-2.0
"""The broker under test as a process, on a port that the system chooses."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
DEADLINE = 10.0


def free_port():
    """For programs that cannot choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program_of(binary):
    return binary or os.environ.get("NIGHTJAR") or str(TOP / "build" / "nightjar")


def is_mosquitto(binary):
    return os.path.basename(program_of(binary)) == "mosquitto"


class CannotStart(Exception):
    """The broker ended instead of listening; its own words follow."""


class Broker:
    """Runs until stop(). `settings` are lines of mosquitto.conf's grammar."""

    def __init__(self, binary, settings):
        program = program_of(binary)
        self.folder = tempfile.TemporaryDirectory(prefix="conformance-")
        self.log = Path(self.folder.name) / "log"
        if is_mosquitto(binary):
            self.start_mosquitto(program, settings)
        else:
            self.start_ours(program, settings)

    def start(self, command):
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def configuration(self, lines):
        path = Path(self.folder.name) / "broker.conf"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    def start_ours(self, program, settings):
        listening = ["listener 0 127.0.0.1",
                     f"persistence_location {self.folder.name}/state"]
        if not any(line.startswith("allow_anonymous") for line in settings):
            listening.append("allow_anonymous true")
        self.start([program, "broker", "-c", self.configuration([*listening, *settings])])
        match = self.wait_for(r"running, listening on 127\.0\.0\.1:(\d+)")
        self.address = ("127.0.0.1", int(match[1]))

    def start_mosquitto(self, program, settings):
        if any("scram" in line for line in settings):
            raise CannotStart("it would start, and know nothing of SCRAM")
        port = free_port()
        lines = [f"listener {port} 127.0.0.1", "persistence false", "log_type all"]
        if not any(line.startswith("allow_anonymous") for line in settings):
            lines.append("allow_anonymous true")
        self.start([program, "-c", self.configuration([*lines, *settings])])
        self.wait_for(r"mosquitto version \S+ running")
        self.address = ("127.0.0.1", port)

    def wait_for(self, pattern):
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            match = re.search(pattern, self.log.read_text(errors="replace"))
            if match:
                return match
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        self.stop()
        raise CannotStart(f"the broker does not run:\n{self.log_text}")

    def stop(self):
        """Ends it, and gives its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log_text = self.log.read_text(errors="replace")
        self.folder.cleanup()
        return self.process.returncode
