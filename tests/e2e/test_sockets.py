# SPDX-License-Identifier: Apache-2.0
"""Kinds of sockets that the broker listens on: Unix sockets, interfaces, IPv6."""

import os
import pwd
import socket
import stat
import subprocess
import tempfile

import pytest

from support.broker import IS_MOSQUITTO, PROGRAM, Broker, command
from support.client import unique
from support.process import Process, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="options of ours")

OPEN = ["user root", "allow_anonymous true", "listener 0 127.0.0.1"]


def publish(where, topic, text, origin="nightjar"):
    status, _out, err = run([*command(origin, "pub"), *where, "-t", topic, "-m", text,
                             "-q", "1", "-r"])
    assert status == 0, "\n".join(err)


def retained(where, topic, origin="nightjar"):
    status, out, err = run([*command(origin, "sub"), *where, "-t", topic, "-C", "1",
                            "-W", "10"])
    assert status == 0, "\n".join(err)
    return out


@pytest.mark.parametrize("origin", ["nightjar", "mosquitto"])
def test_unix_socket_and_tcp_are_one_broker(tmp_path, origin):
    path, topic = tmp_path / "mqtt broker.sock", unique("unix")
    broker = Broker([*OPEN, f"listener 0 {path}", "socket_mode 0600"], port=None)
    try:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        broker.wait_for_line(rf" and {path}")
        publish(["--unix", str(path)], topic, "by path", origin)
        assert retained(["-h", "127.0.0.1", "-p", str(broker.port)], topic, origin) == ["by path"]
        publish(["-h", "127.0.0.1", "-p", str(broker.port)], topic, "by port", origin)
        assert retained(["--unix", str(path)], topic, origin) == ["by port"]
    finally:
        broker.stop()
    assert not path.exists()


def test_user_who_connects_is_the_user_name(tmp_path):
    """The kernel knows who connects; CONNECT's user name and password do not matter."""
    me = pwd.getpwuid(os.geteuid()).pw_name
    users = [(None, me)]
    if os.geteuid() == 0:
        users.append((54321, "uid:54321"))
    acl = "".join(f"user {name}\ntopic {name}/#\n" for _, name in users)
    (tmp_path / "acl").write_text(acl)
    with tempfile.TemporaryDirectory(prefix="nightjar-e2e-") as folder:
        os.chmod(folder, 0o755)
        path = f"{folder}/sock"
        broker = Broker(["user root", "listener 0 127.0.0.1", f"listener 0 {path}",
                         "socket_mode 0666", "use_peer_credentials_as_username true",
                         f"acl_file {tmp_path}/acl"], port=None, verbose=True)
        try:
            for uid, name in users:
                options = {"user": uid} if uid else {}
                for topic, is_denied in [(f"{name}/1", False), ("other/1", True)]:
                    done = subprocess.run(
                        [*command("nightjar", "pub"), "--unix", path, "-V", "5", "-u", "x", "-P",
                         "y", "-q", "1", "-t", topic, "-m", "m"], capture_output=True, text=True,
                        timeout=30, check=False, cwd="/", **options)
                    assert done.returncode == 0, done.stderr
                    assert ("Not authorized" in done.stderr) == is_denied, done.stderr
                broker.wait_for_line(f"connected .*u'{name}'")
        finally:
            broker.stop()


def test_unix_socket_survives_kill(tmp_path):
    path = tmp_path / "mqtt.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))  # and nobody listens: as after kill -9
    broker = Broker([*OPEN, f"listener 0 {path}"], port=None)
    try:
        publish(["--unix", str(path)], unique("again"), "x")
    finally:
        broker.stop()


def test_unix_socket_of_another_broker_is_left_alone(tmp_path):
    path = tmp_path / "mqtt.sock"
    broker = Broker([*OPEN, f"listener 0 {path}"], port=None)
    try:
        config = tmp_path / "second.conf"
        config.write_text(f"listener 0 {path}\nallow_anonymous true\n")
        second = Process([PROGRAM, "broker", "-c", str(config)],
                         env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "second")})
        assert second.wait() == 1
        assert second.err.all() == [f"nightjar: cannot listen on {path}: another program listens "
                                    "there (is another broker running?)"]
        publish(["--unix", str(path)], unique("still"), "x")
    finally:
        broker.stop()


def test_interface(tmp_path):
    broker = Broker(["allow_anonymous true", "listener 0", "bind_interface lo",
                     "socket_domain ipv4"], port=None)
    try:
        topic = unique("interface")
        publish(["-h", "127.0.0.1", "-p", str(broker.port)], topic, "x")
        assert retained(["-h", "127.0.0.1", "-p", str(broker.port)], topic) == ["x"]
    finally:
        broker.stop()


def test_several_listeners_and_ipv6():
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("this machine has no IPv6")
    broker = Broker([*OPEN, "listener 0 ::1"], port=None)
    try:
        match = broker.wait_for_line(r"and \[::1\]:(\d+)")
        topic = unique("six")
        publish(["-h", "127.0.0.1", "-p", str(broker.port)], topic, "x")
        assert retained(["-h", "::1", "-p", match.group(1)], topic) == ["x"]
    finally:
        broker.stop()
