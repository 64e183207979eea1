# SPDX-License-Identifier: Apache-2.0
"""The broker as a service of systemd's: what it tells the service manager, and when."""

import contextlib
import os
import pwd
import re
import signal
import socket
import tempfile
import time
from pathlib import Path

import pytest

from support.broker import IS_MOSQUITTO, PROGRAM
from support.certificates import Authority
from support.client import Client
from support.process import Process, eventually
from support.service import Manager, Stopped, thread_of

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own process")

WATCHDOG_MS = 200


@pytest.fixture
def manager():
    instance = Manager()
    yield instance
    instance.close()


@pytest.fixture
def start():
    processes = []

    def begin(manager, *options, **environment):
        processes.append(Process([PROGRAM, "broker", "-p", "0", *options],
                                 env=manager.environment(**environment)))
        return processes[-1]
    yield begin
    for process in processes:
        process.kill()


@contextlib.contextmanager
def stopped(pid, thread):
    try:
        hold = Stopped(thread_of(pid, thread))
    except PermissionError:
        pytest.skip("this machine lets nobody stop a thread (ptrace)")
    try:
        yield
    finally:
        hold.release()


def test_ready_when_clients_are_served(manager, start):
    process = start(manager)
    message = manager.wait("READY")
    assert message["MAINPID"] == str(process.pid)
    assert message["STATUS"].startswith("Serving clients on 127.0.0.1:")
    port = int(message["STATUS"].split(":")[1].split()[0])
    with Client(port) as client:
        client.connect("c")


def test_no_ready_when_it_cannot_start(manager, start):
    process = start(manager, "--bind", "192.0.2.77")
    assert process.wait() == 1
    assert manager.drain() == []


def test_abstract_socket(tmp_path, manager, start):
    manager.socket.close()
    manager.path = f"@nightjar-{os.getpid()}-{tmp_path.name}"
    manager.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.socket.bind("\0" + manager.path[1:])
    start(manager)
    manager.wait("READY")


def test_reload_is_announced_and_ends(manager, start):
    process = start(manager)
    manager.wait("READY")
    before = time.monotonic_ns() // 1000
    process.signal(signal.SIGHUP)
    message = manager.wait("RELOADING")
    assert before <= int(message["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    manager.wait("READY")


def test_stopping_before_the_end(manager, start):
    process = start(manager)
    manager.wait("READY")
    process.signal(signal.SIGTERM)
    manager.wait("STOPPING")
    assert process.wait() == 0


def test_no_watchdog_unless_asked(manager, start):
    start(manager)
    manager.wait("READY")
    assert manager.take(timeout=0.5) is None


def test_watchdog_for_another_process_is_ignored(manager, start):
    start(manager, watchdog_ms=20, WATCHDOG_PID="1")
    manager.wait("READY")
    assert manager.take(timeout=0.3) is None


@pytest.mark.parametrize("thread", ["shard 0", "shard 2", "nightjar"])
def test_watchdog_hears_nothing_while_a_thread_hangs(tmp_path, manager, start, thread):
    """A shard that stands still, or the main thread: the others do not cover up for it."""
    (tmp_path / "c.conf").write_text("core_dump true\n")  # else only root may hold its threads
    process = start(manager, "--shards", "3", "-c", str(tmp_path / "c.conf"),
                    watchdog_ms=WATCHDOG_MS)
    manager.wait("READY")
    manager.wait("WATCHDOG")
    with stopped(process.pid, thread):
        if thread != "nightjar":
            number = thread.split()[1]
            process.err.wait(f"Shard {number} has not taken a turn for \\d+ ms")
        manager.drain()  # what was told before it stood still
        assert manager.take(timeout=2 * WATCHDOG_MS / 1000) is None
    manager.wait("WATCHDOG")


def test_drops_privileges_and_says_so(manager, start):
    process = start(manager)
    manager.wait("READY")
    owner = os.stat(f"/proc/{process.pid}").st_uid
    name = pwd.getpwuid(owner).pw_name
    more = ", root no longer" if os.geteuid() == 0 else ""
    process.err.wait(rf"Runs as user {name} \(uid {owner}\){more}\.$")


@pytest.mark.skipif(os.geteuid() != 0, reason="about root")
def test_who_stays_root_is_warned(tmp_path, manager, start):
    (tmp_path / "c.conf").write_text("user root\n")
    process = start(manager, "-c", str(tmp_path / "c.conf"))
    process.err.wait(r"Stays root, as the option user says: ")
    eventually(lambda: os.stat(f"/proc/{process.pid}").st_uid == 0)


def core_limit(process):
    text = Path(f"/proc/{process.pid}/limits").read_text()
    return re.search(r"Max core file size\s+(\S+)\s+(\S+)", text).groups()


@pytest.mark.parametrize("line, is_allowed", [("", False), ("core_dump true", True)])
def test_core_limit(tmp_path, manager, start, line, is_allowed):
    (tmp_path / "c.conf").write_text(line + "\n")
    process = start(manager, "-c", str(tmp_path / "c.conf"))
    manager.wait("READY")
    soft, hard = core_limit(process)
    assert soft == (hard if is_allowed else min("1", hard))


# Files

@pytest.fixture
def shared():
    """A folder that the broker's user may enter and write to."""
    with tempfile.TemporaryDirectory(prefix="nightjar-e2e-") as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)


def test_files_that_everybody_may_read_are_told_of(shared, manager):
    certificate, key = Authority(shared / "ca").issue("server")
    os.chmod(shared / "ca", 0o755)
    os.chmod(key, 0o644)
    conf = shared / "c.conf"
    conf.write_text(f"listener 0 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\nuser root\n"
                    "allow_anonymous true\n")
    os.chmod(conf, 0o666)
    process = Process([PROGRAM, "broker", "-c", str(conf)], env=manager.environment())
    try:
        manager.wait("READY")
        process.err.wait(f"Every user of this machine may change {conf}, .* chmod o-w")
        process.err.wait(f"Every user of this machine may read {key}, .* private key .* chmod 640")
    finally:
        process.kill()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_certificates_that_only_root_may_read_are_told_of(shared, manager):
    certificate, key = Authority(shared / "ca").issue("server")
    os.chmod(shared / "ca", 0o700)
    conf = shared / "c.conf"
    conf.write_text(f"listener 0 127.0.0.1\ncertfile {certificate}\nkeyfile {key}\n"
                    f"user nobody\npersistence false\nallow_anonymous true\n")
    os.chmod(conf, 0o644)
    process = Process([PROGRAM, "broker", "-c", str(conf)], env=manager.environment())
    try:
        manager.wait("READY")
        for path in (certificate, key):
            process.err.wait(f"The broker may not read {path} any more, root no longer: "
                             "when it changes, the old one stays in use")
    finally:
        process.kill()


def test_pid_file_of_a_broker_that_runs_is_respected(shared, manager, start):
    pid_file, conf = shared / "pid", shared / "c.conf"
    conf.write_text(f"pid_file {pid_file}\n")
    pid_file.write_text("1\n")  # left behind: nobody holds it
    os.chmod(pid_file, 0o666)
    first = start(manager, "-c", str(conf))
    manager.wait("READY")
    assert pid_file.read_text() == f"{first.pid}\n"
    second = start(manager, "-c", str(conf), STATE_DIRECTORY=str(shared / "other"))
    assert second.wait() == 1
    assert second.err.all()[-1] == (f"nightjar: the pid file '{pid_file}' belongs to a broker that "
                                    f"runs (process {first.pid})")
    assert pid_file.read_text() == f"{first.pid}\n"


def test_what_it_makes_is_not_for_others(shared, manager, start):
    conf, log = shared / "c.conf", shared / "log"
    conf.write_text(f"log_dest file {log}\nlog_dest stderr\n")
    start(manager, "-c", str(conf))
    manager.wait("READY")
    assert log.stat().st_mode & 0o777 == 0o640
    state = Path(os.environ["STATE_DIRECTORY"])
    assert all(path.stat().st_mode & 0o007 == 0 for path in [state, *state.rglob("*")])
