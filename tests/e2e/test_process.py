# SPDX-License-Identifier: Apache-2.0
"""
The broker as a process: what it says when it cannot start, how it ends, what it does in the
background, and that its log and a want of descriptors never stop it.
"""

import os
import pwd
import re
import resource
import signal
import socket
import subprocess
import time

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, PROGRAM
from support.client import Client
from support.process import Process, eventually, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own process")

LISTENING = r"^\d+: nightjar version \S+ running, listening on 127\.0\.0\.1:(\d+)"


def start(*options, **more):
    """A broker on a free port, and the port."""
    process = Process([PROGRAM, "broker", "-p", "0", *options], **more)
    return process, int(process.err.wait(LISTENING).group(1))


@pytest.fixture
def start_process():
    processes = []

    def begin(*options, **more):
        process, port = start(*options, **more)
        processes.append(process)
        return process, port
    yield begin
    for process in processes:
        process.kill()


def connected(port, version=5, client_id="c"):
    client = Client(port, version)
    client.connect(client_id)
    return client


# The words before it runs

def test_help_and_version():
    status, out, err = run([PROGRAM, "help"])
    assert (status, err) == (0, []) and any(re.match(r"\s+broker\s", line) for line in out)
    status, out, _ = run([PROGRAM, "version"])
    assert status == 0 and re.fullmatch(r"nightjar version \d+\.\d+\.\d+", out[0])
    assert run([PROGRAM, "--version"])[1] == out
    status, out, _ = run([PROGRAM, "broker", "--help"])
    assert status == 0 and any("--shards" in line for line in out)


@pytest.mark.parametrize("arguments, words", [
    (["borker"], "nightjar: unknown command 'borker', did you mean 'broker'?"),
    (["broker", "--prot", "1"], "nightjar broker: unknown option '--prot', did you mean --port?"),
    (["broker", "-p"], "nightjar broker: option --port needs a value"),
    (["broker", "-c", "/nonexistent.conf"], "/nonexistent.conf"),
    (["broker", "-c", "/"], "/"),
    (["broker", "-p", "65536"], "65536"),
    (["broker", "--shards", "-1"], "-1"),
    (["broker", "--bind", "192.0.2.77", "-p", "0"], "cannot listen on 192.0.2.77:0: "),
])
def test_mistake_is_told_in_one_sentence(arguments, words):
    status, out, err = run([PROGRAM, *arguments])
    assert (status, out) == (1, [])
    assert len(err) == 1 and words in err[0]


def test_port_in_use(start_process):
    _, port = start_process()
    for background in [], ["-d"]:
        status, out, err = run([PROGRAM, "broker", "-p", str(port), *background])
        assert (status, out) == (1, [])
        assert err == [f"nightjar: cannot listen on 127.0.0.1:{port}: Address already in use "
                       "(is another broker running?)"]


def test_called_as_mosquitto(tmp_path):
    name = tmp_path / "mosquitto"
    name.symlink_to(os.path.abspath(PROGRAM))
    status, out, _ = run([str(name), "--help"])
    assert status == 0 and out[0].startswith("usage: nightjar broker")


# Listening

def test_only_loopback_until_configured(start_process):
    process, port = start_process("-v")
    addresses = subprocess.run(["hostname", "-I"], capture_output=True, text=True,
                               check=False).stdout.split()
    for address in addresses:
        if ":" not in address:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, port), 5)
    with connected(port):
        process.err.wait(r"New client connected from 127\.0\.0\.1:\d+ as c ")


def test_both_loopbacks_have_the_same_port(start_process):
    process, port = start_process()
    try:
        probe = socket.create_connection(("::1", port), 5)
    except OSError:
        pytest.skip("no IPv6 here")
    probe.close()
    process.err.wait(rf"listening on 127\.0\.0\.1:{port} and \[::1\]:{port}, ")


# Ending

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("shards", ["1", "4"])
def test_end_says_goodbye(start_process, number, shards):
    process, port = start_process("--shards", shards)
    new = [connected(port, 5, f"new-{i}") for i in range(8)]
    old = [connected(port, 4, f"old-{i}") for i in range(8)]
    process.signal(number)
    for client in new:
        client.expect_close(0x8B)
        client.cut()
    for client in old:
        client.expect_close()
        client.cut()
    assert process.wait() == 0


def test_end_sends_what_waits(start_process):
    process, port = start_process()
    slow, publisher = connected(port, 5, "slow"), connected(port, 5, "publisher")
    slow.subscribe("t")
    for _ in range(80):  # more than sockets hold
        publisher.publish("t", bytes(100_000), qos=1)
    process.signal(signal.SIGTERM)
    publisher.expect_close(0x8B)
    messages = 0
    while slow.receive().kind == p.PUBLISH:
        messages += 1
    assert messages == 80  # and then DISCONNECT
    assert process.wait() == 0
    slow.cut()
    publisher.cut()


def test_end_does_not_wait_for_the_deaf(start_process):
    process, port = start_process()
    client = connected(port)
    began = time.monotonic()
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert time.monotonic() - began < 10
    client.cut()


def test_second_signal_ends_at_once(start_process):
    process, port = start_process()
    client = connected(port)
    process.signal(signal.SIGTERM)
    process.err.wait("terminating")
    process.signal(signal.SIGTERM)
    assert process.wait() in (0, 1)  # 0: it was through before the second one came
    client.cut()


# The background

def process_is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_background(tmp_path):
    log, pid_file, conf = tmp_path / "log", tmp_path / "pid", tmp_path / "conf"
    tmp_path.chmod(0o755)
    conf.write_text(f"log_dest file {log}\npid_file {pid_file}\nuser root\n")
    status, out, err = run([PROGRAM, "broker", "-d", "-p", "0", "-c", str(conf)])
    assert (status, out, err) == (0, [], [])
    pid = int(pid_file.read_text())
    try:
        # The parent ends when the child listens: no waiting here.
        port = int(re.search(LISTENING, log.read_text(), re.MULTILINE).group(1))
        assert os.getsid(pid) == pid
        connected(port).cut()
    finally:
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not process_is_there(pid) or is_zombie(pid))
    assert not pid_file.exists()


def is_zombie(pid):
    """Where nobody collects orphans (in a container, say)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_background_that_fails_later_is_told(tmp_path):
    conf = tmp_path / "conf"
    conf.write_text("pid_file /nonexistent/pid\n")
    status, _, err = run([PROGRAM, "broker", "-d", "-p", "0", "-c", str(conf)])
    assert status == 1
    assert err == ["nightjar: cannot write the pid file '/nonexistent/pid': "
                   "No such file or directory"]


# Privileges

def user_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"^Uid:\s+(\d+)", status.read(), re.MULTILINE).group(1))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
def test_root_becomes_another_user(tmp_path, start_process):
    process, _ = start_process()
    assert user_of(process.pid) != 0
    conf = tmp_path / "conf"
    conf.write_text("user nobody\npersistence false\n")
    process, _ = start_process("-c", str(conf))
    assert user_of(process.pid) == pwd.getpwnam("nobody").pw_uid
    conf.write_text("user root\npersistence false\n")
    process, _ = start_process("-c", str(conf))
    assert user_of(process.pid) == 0
    conf.write_text("user frobnicate\n")
    status, _, err = run([PROGRAM, "broker", "-p", "0", "-c", str(conf)])
    assert status == 1 and err[-1] == "nightjar: there is no user 'frobnicate' to become"


def groups_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        groups = next(line for line in status if line.startswith("Groups:"))
    return {int(group) for group in groups.split()[1:]}


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_roots_groups_are_given_up(tmp_path, start_process):
    conf = tmp_path / "conf"
    conf.write_text("user nobody\npersistence false\n")
    before = os.getgroups()
    os.setgroups([0, 4])
    try:
        process, _ = start_process("-c", str(conf))
    finally:
        os.setgroups(before)
    nobody = pwd.getpwnam("nobody")
    assert groups_of(process.pid) == set(os.getgrouplist("nobody", nobody.pw_gid))


# The log

def test_closed_standard_error_is_no_socket(tmp_path):
    """With descriptor 2 closed a client's socket could get its number, and then our log lines."""
    conf, log = tmp_path / "conf", tmp_path / "log"
    conf.write_text(f"log_dest stderr\nlog_dest file {log}\nuser root\n")
    command = [PROGRAM, "broker", "-v", "-p", "0", "-c", str(conf)]
    process = subprocess.Popen(command, preexec_fn=lambda: os.closerange(0, 3))
    try:
        match = eventually(lambda: log.exists() and re.search(LISTENING, log.read_text(), re.M))
        with connected(int(match.group(1))) as client:
            client.ping()
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_hangup_reopens_the_log_and_rereads_its_types(tmp_path, start_process):
    log, conf = tmp_path / "log", tmp_path / "conf"
    head = f"log_dest file {log}\nlog_dest stderr\nuser root\n"
    conf.write_text(head)
    process, port = start_process("-c", str(conf))
    connected(port, client_id="first").cut()
    process.err.wait("Client first .* disconnected")

    log.rename(tmp_path / "log.1")
    conf.write_text(head + "log_type debug\nlog_type information\nlog_type error\n")
    process.signal(signal.SIGHUP)
    process.err.wait("Reloaded")
    connected(port, client_id="second").cut()
    process.err.wait("Sending CONNACK to second")
    eventually(lambda: "CONNACK to second" in log.read_text())
    assert "first" not in log.read_text()
    assert "second" not in (tmp_path / "log.1").read_text()

    conf.write_text("frobnicate\n")
    process.signal(signal.SIGHUP)
    process.err.wait("Not reloaded")
    connected(port, client_id="third").cut()


def test_log_that_nobody_reads_does_not_stop_the_broker():
    """More lines than a pipe holds, and the broker still answers; read, it tells what is lost."""
    read_end, write_end = os.pipe()
    process = subprocess.Popen([PROGRAM, "broker", "-v", "-p", "0"], stderr=write_end)
    os.close(write_end)
    try:
        head = b""
        while not re.search(LISTENING, head.decode(), re.M):
            head += os.read(read_end, 65536)
        port = int(re.search(LISTENING, head.decode(), re.M).group(1))
        os.set_blocking(read_end, False)
        with connected(port) as client:
            for _ in range(3000):
                client.ping()
            read_all(read_end)
            client.ping()
            eventually(lambda: re.search(rb"\n?\d+: \d+ lines of the log were lost",
                                         read_all(read_end)))
    finally:
        process.terminate()
        assert process.wait(30) == 0
        os.close(read_end)


def read_all(end):
    """What is there."""
    text = b""
    try:
        while piece := os.read(end, 65536):
            text += piece
    except BlockingIOError:
        pass
    return text


# Descriptors

def test_want_of_descriptors_only_delays(start_process):
    few = 60  # some of which the store takes

    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (few, few))
    command = [PROGRAM, "broker", "-p", "0", "--shards", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=limit) as process:
        try:
            started = iter(lambda: re.search(LISTENING, process.stderr.readline().decode()), 0)
            port = int(next(match for match in started if match).group(1))
            clients = [Client(port, 4) for _ in range(few + 5)]
            for i, client in enumerate(clients):
                client.send(p.connect(f"c{i}", version=4))
            clients[0].expect(p.CONNACK)
            before = cpu_seconds(process.pid)
            be_busy(0.3)  # a busy loop would get as much, however busy the machine is
            assert cpu_seconds(process.pid) - before < 0.15
            for client in clients[:40]:
                client.cut()
            for client in clients[40:]:
                client.expect(p.CONNACK)
            for client in clients[40:]:
                client.cut()
        finally:
            process.terminate()
        lines = process.stderr.read().decode().splitlines()
        assert process.wait(30) == 0
    assert sum("Cannot accept more connections" in line for line in lines) == 1


def be_busy(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
