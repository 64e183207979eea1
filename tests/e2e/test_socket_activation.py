# SPDX-License-Identifier: Apache-2.0
"""Sockets that systemd opens and hands over: each is a listener of the configuration."""

import os
import signal
import socket

import pytest

from support.broker import IS_MOSQUITTO, PROGRAM
from support.client import Client
from support.service import SocketUnit

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own process")


def listening(family=socket.AF_INET, address=("127.0.0.1", 0), dual=False):
    s = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
    s.bind(address)
    s.listen(5)
    return s


@pytest.fixture
def start(tmp_path):
    processes = []

    def begin(sockets, *lines, **environment):
        path = tmp_path / "c.conf"
        path.write_text("\n".join(["persistence false", *lines, "allow_anonymous true"]) + "\n")
        processes.append(SocketUnit(*sockets).start([PROGRAM, "broker", "-c", str(path)],
                                                    {**os.environ, **environment}))
        return processes[-1]
    yield begin
    for process in processes:
        process.kill()


def serves(port):
    with Client(port) as client:
        client.connect("c")
        client.ping()


def test_clients_that_came_before_the_broker_are_served(start):
    with listening() as door:
        port = door.getsockname()[1]
        early = Client(port)  # nobody accepts it yet
        process = start([door], f"listener {port} 127.0.0.1")
        early.connect("early")
        early.ping()
        early.cut()
    process.err.wait(rf"running, listening on 127\.0\.0\.1:{port},")
    serves(port)
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def test_options_come_from_the_listener(start):
    """Two sockets, in another order than the listeners: each gets its own options."""
    with listening() as first, listening() as second:
        one, two = first.getsockname()[1], second.getsockname()[1]
        process = start([second, first], "per_listener_settings true", f"listener {one} 127.0.0.1",
                        "allow_anonymous false", f"listener {two} 127.0.0.1")
    process.err.wait("running")
    serves(two)
    with Client(one) as client:
        client.connect("c", code=0x87)


def test_one_socket_for_both_families(start):
    """ListenStream=1883: an IPv6 socket that hears IPv4 as well stands for both addresses."""
    try:
        door = listening(socket.AF_INET6, ("::", 0), dual=True)
    except OSError:
        pytest.skip("no IPv6 here")
    with door:
        port = door.getsockname()[1]
        process = start([door], f"listener {port}")
    process.err.wait(rf"running, listening on \[::\]:{port},")
    serves(port)


def test_unix_socket_stays_who_made_it(tmp_path, start):
    path = tmp_path / "mqtt"
    with listening(socket.AF_UNIX, str(path)) as door:
        process = start([door], f"listener 0 {path}")
    process.err.wait("running")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    assert path.exists()


def test_socket_without_a_listener_is_refused(start):
    with listening() as door, listening() as other:
        port, unknown = door.getsockname()[1], other.getsockname()[1]
        process = start([door, other], f"listener {port} 127.0.0.1")
        assert process.wait() == 1
    assert process.err.all()[-1] == (
        f"nightjar: the socket unit hands over 127.0.0.1:{unknown}, which no listener of the "
        "configuration names: add one, since it says who may come in there, or take it out of "
        "the unit")


def test_what_is_no_listening_socket_is_refused(start):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        process = start([door], "listener 0 127.0.0.1")
        assert process.wait() == 1
    assert "descriptor 3, which came with LISTEN_FDS, is no socket" in process.err.all()[-1]
