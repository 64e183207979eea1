# SPDX-License-Identifier: Apache-2.0
"""The program from its user's side: mistakes are one clear sentence and status 1, signals a clean
end, and nobody outside this machine can connect until a configuration says so."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, PROGRAM, Broker
from support.process import Process, eventually, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="our own command line")


def assert_refused(arguments, *words):
    """One sentence on standard error that holds each of `words`; status 1."""
    status, out, err = run([PROGRAM] + arguments)
    assert status == 1
    assert out == []
    assert len(err) == 1, err
    for word in words:
        assert word in err[0], err


@pytest.mark.parametrize("arguments,words", [
    (["broker", "--colour"], ["--colour"]),
    (["broker", "--verbos"], ["--verbos", "--verbose"]),
    (["broker", "-Z"], ["-Z"]),
    (["broker", "-p"], ["-p"]),
    (["broker", "-p", "http"], ["http"]),
    (["broker", "-p", "65536"], ["65536"]),
    (["broker", "-p", "-1"], ["-1"]),
    (["broker", "--shards", "many"], ["many"]),
    (["broker", "--shards", "1000"], ["1000"]),
    (["broker", "loud"], ["loud"]),
    (["brocker"], ["brocker", "broker"]),
    (["broker", "-c", "/no/such/file.conf"], ["/no/such/file.conf", "No such file"]),
    (["broker", "-c", "/"], ["/", "directory"]),
], ids=" ".join)
def test_bad_argument(arguments, words):
    assert_refused(arguments, *words)


def test_no_command():
    status, _, err = run([PROGRAM])
    assert status == 1 and err


@pytest.mark.parametrize("line,words", [
    ("prot 1883", ["prot", "port"]),
    ("max_qos 3", ["max_qos", "3"]),
    ("allow_anonymous perhaps", ["allow_anonymous", "perhaps"]),
    ("max_queued_messages", ["max_queued_messages"]),
    ("cafile /etc/ca.crt", ["cafile"]),
])
def test_bad_file(tmp_path, line, words):
    """File and line are named, and the nearest name of a misspelt option."""
    path = tmp_path / "bad.conf"
    path.write_text(f"# a comment\n{line}\n")
    assert_refused(["broker", "-c", str(path)], f"{path}:2", *words)


def test_all_mistakes_of_a_file(tmp_path):
    path = tmp_path / "bad.conf"
    path.write_text("prot 1883\nmax_qos 3\n")
    status, _, err = run([PROGRAM, "broker", "-c", str(path)])
    assert status == 1
    assert [line for line in err if f"{path}:1" in line]
    assert [line for line in err if f"{path}:2" in line]


def test_unreadable_file(tmp_path):
    path = tmp_path / "secret.conf"
    path.write_text("max_qos 1\n")
    path.chmod(0)
    # root may read everything, unless it gives that up.
    words = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] * (os.geteuid() == 0)
    status, out, err = run(words + [PROGRAM, "broker", "-c", str(path)])
    assert (status, out, len(err)) == (1, [], 1), err
    assert str(path) in err[0] and "Permission denied" in err[0]


def test_port_in_use():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        assert_refused(["broker", "-p", str(port)], str(port), "in use")


def listening_addresses(pid):
    """Local addresses (as /proc writes them) of the process's listening TCP sockets."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        match = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{name}"))
        if match:
            inodes.add(match.group(1))
    found = []
    for family in ("tcp", "tcp6"):
        for row in Path(f"/proc/{pid}/net/{family}").read_text().splitlines()[1:]:
            fields = row.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1].split(":")[0])
    return found


def test_loopback_only(start_broker):
    """Without a configuration that says otherwise."""
    loopbacks = {"0100007F", "00000000000000000000000001000000"}
    broker = start_broker()
    addresses = listening_addresses(broker.pid)
    assert addresses and set(addresses) <= loopbacks
    broker = start_broker("max_qos 2")
    assert set(listening_addresses(broker.pid)) <= loopbacks


def test_no_listener_asks_for_nothing(start_broker):
    """The same port on both loopback addresses, where there are two."""
    broker = start_broker()
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as client:
            try:
                client.connect((address, broker.port))
            except OSError:
                assert family == socket.AF_INET6 and not has_ipv6_loopback()


def has_ipv6_loopback():
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
        return True


@pytest.mark.parametrize("shards", (1, 8))
@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT))
def test_signals(clients, number, shards):
    """Version 5 clients are told 0x8B, the others closed; status 0. What they did before stands."""
    broker = Broker(shards=shards)
    try:
        new = [clients(broker, 5) for _ in range(20)]
        old = [clients(broker, 4) for _ in range(20)]
        for client in new + old:
            client.connect()
            client.subscribe("some/topic", qos=1)
        unborn = clients(broker)
        broker.process.signal(number)
        for client in new + old:
            client.expect_close(0x8B)
        assert unborn.receive() is None
        assert broker.process.wait() == 0
    finally:
        broker.stop()


def test_signal_ends_peers_that_never_read(clients):
    """A client that does not read delays the end by seconds, not for ever."""
    broker = Broker()
    try:
        deaf = clients(broker)
        deaf.connect()
        deaf.subscribe("t")
        publisher = clients(broker, 4)
        publisher.connect()
        for _ in range(100):
            publisher.send_publish("t", bytes(100_000))
        publisher.ping()
        assert broker.terminate() == 0
    finally:
        broker.stop()


def test_port_is_free_again(start_broker, clients):
    """A broker starts on the port that another has just left, connections and all."""
    first = Broker()
    try:
        client = clients(first)
        client.connect()
    finally:
        first.stop()
    process = Process([PROGRAM, "broker", "-p", str(first.port)])
    try:
        eventually(lambda: [line for line in process.err.all() + process.out.all()
                            if f"127.0.0.1:{first.port}" in line])
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    finally:
        process.kill()


def test_daemon(tmp_path, clients):
    """-d: the command returns when it listens; pid_file names who goes on."""
    pid_file = tmp_path / "nightjar.pid"
    configuration = tmp_path / "nightjar.conf"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    configuration.write_text(
        f"pid_file {pid_file}\nuser root\nlog_dest file {tmp_path}/log\n")
    status, _, err = run([PROGRAM, "broker", "-d", "-p", str(port), "-c", str(configuration)])
    assert status == 0, err
    pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text().strip()))
    try:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(p.connect("x"))
            assert client.recv(1) == b"\x20"
    finally:
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not is_running(pid))


def is_running(pid):
    """A child of nobody's may stay as a zombie where no init collects it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_help_and_version():
    for arguments in (["--help"], ["broker", "--help"], ["pub", "--help"], ["sub", "--help"],
                      ["--version"], ["broker", "--version"]):
        status, out, err = run([PROGRAM] + arguments)
        assert (arguments, status, err) == (arguments, 0, [])
        assert out


@pytest.mark.parametrize("what", ("pub", "sub"))
def test_client_without_broker(what):
    """One sentence, and a status that scripts see."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    status, _, err = run([PROGRAM, what, "-h", "127.0.0.1", "-p", port, "-t", "t"] +
                         (["-m", "x"] if what == "pub" else []))
    assert status == 1
    assert len(err) == 1 and "refused" in err[0]
