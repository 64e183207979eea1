# SPDX-License-Identifier: Apache-2.0
"""Clients and addresses that take more than their share: slowed down, refused, sent away; others do
not notice, and what was acknowledged arrives."""

import signal
import time

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO
from support.bystanders import Bystanders
from support.process import eventually

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="our own options")


def connected(clients, broker, version=5, client_id=None, **options):
    client = clients(broker, version)
    client.connect(client_id, **options)
    return client


def logged_limits(broker):
    """The line with all counters, as SIGUSR1 has it written."""
    start = len(broker.lines())
    broker.process.signal(signal.SIGUSR1)
    return broker.wait_for_line("Limits so far: (.*)", start).group(1)


def seconds_since(start):
    return time.monotonic() - start


@pytest.mark.parametrize("version", (4, 5))
def test_message_rate_holds_back(start_broker, clients, version):
    """Beyond the burst they come at their pace, all of them and in order."""
    broker = start_broker("message_rate 100", "message_burst 20", shards=2)
    reader = connected(clients, broker, version)
    reader.subscribe("t", qos=1)
    writer = connected(clients, broker, version, "hasty")
    start = time.monotonic()
    for number in range(70):
        writer.send(p.publish("t", str(number), 1, number + 1, version))
    for number in range(70):
        writer.expect(p.PUBACK, packet_id=number + 1)
        reader.take(payload=str(number).encode())
    # the one that overdraws is let in; the reader's own rate does not concern what it acknowledges
    assert seconds_since(start) > 0.45
    broker.wait_for_line(r"Client hasty \[127.*\] is held back: it sends faster")
    assert "clients held back" in logged_limits(broker)


def test_byte_rate_bounds_pings(start_broker, clients):
    """A flood of two-byte packets costs as many bytes as any other. Nobody else waits for it."""
    broker = start_broker("byte_rate 2000", "byte_burst 1000", shards=1)
    bystanders = Bystanders(broker)
    flood = connected(clients, broker)
    flood.send(p.PING * 1500)
    start = time.monotonic()
    bystanders.exchange()
    assert seconds_since(start) < 0.9
    for _ in range(1500):
        flood.expect(p.PINGRESP)
    assert seconds_since(start) > 0.9
    bystanders.cut()


def test_rate_refused(start_broker, clients):
    broker = start_broker("message_rate 1", "message_burst 5", "rate_action refuse")
    reader = connected(clients, broker)
    reader.subscribe("t", qos=2)
    writer = connected(clients, broker)
    codes = [writer.publish("t", str(number), 1).code for number in range(10)]
    assert codes[:4] == [0] * 4 and codes[-1] == 0x97
    for number in range(10):
        writer.publish("t", "dropped", 0)
        if codes[number] == 0:
            reader.take(payload=str(number).encode())
    writer.ping()
    counted = logged_limits(broker)
    assert "messages refused" in counted and "messages dropped" in counted


def test_rate_disconnects(start_broker, clients):
    broker = start_broker("message_rate 1", "message_burst 3", "rate_action disconnect")
    for version in (4, 5):
        client = connected(clients, broker, version)
        for number in range(20):
            client.send_if_open(p.publish("t", str(number), 0, None, version))
        client.expect_close(0x96)
    assert "clients disconnected 2" in logged_limits(broker)


def test_listeners_have_rates_of_their_own(start_broker, clients):
    broker = start_broker("allow_anonymous true", "listener 0 127.0.0.1", "message_rate 10",
                          "message_burst 1", "rate_action disconnect", "listener 0 127.0.0.1",
                          port=None)
    other = int(broker.wait_for_line(r"listening on [\d.:]+ and [\d.]+:(\d+)").group(1))
    slow = connected(clients, broker)
    slow.send_if_open(p.PING * 5)
    while (got := slow.receive()).kind != p.DISCONNECT:
        assert got.kind == p.PINGRESP
    broker.port = other
    fast = connected(clients, broker)
    fast.send(p.PING * 50)
    for _ in range(50):
        fast.expect(p.PINGRESP)


# Connections and bans

def is_closed(client):
    """Whatever it says, it is closed without a word."""
    client.send_if_open(p.connect("shut-out", client.version))
    return client.receive() is None


def test_connect_rate(start_broker, clients):
    """A storm is let in at its pace; those who are in go on."""
    broker = start_broker("allow_anonymous true", "listener 0 127.0.0.1", "connect_rate 50",
                          "connect_burst 10", port=None)
    bystanders = Bystanders(broker)
    start = time.monotonic()
    storm = [clients(broker) for _ in range(40)]
    for client in storm:
        client.send(p.connect(f"storm-{client.address}"))
    while not storm[-1].has_closed() and seconds_since(start) < 0.3:
        bystanders.exchange()
    for client in storm:
        client.expect(p.CONNACK, code=0)
    assert seconds_since(start) > 0.4
    broker.wait_for_line("come faster than they are let in: they wait")
    assert "listeners held back" in logged_limits(broker)
    bystanders.cut()


def test_connections_per_address(start_broker, clients):
    broker = start_broker("max_connections_per_address 3", shards=2)
    held = [connected(clients, broker) for _ in range(3)]
    refused = clients(broker)
    assert is_closed(refused)
    broker.wait_for_line("refused: too many connections of its address")
    held.pop().disconnect()

    def place():
        client = clients(broker)
        client.send_if_open(p.connect("late"))
        got = client.receive()
        return got is not None and got.kind == p.CONNACK
    eventually(place)
    for client in held:
        client.ping()


def test_ban_after_failed_logins(start_broker, clients, tmp_path):
    """Those who are in stay; whoever else comes from there is closed at once, until it is over."""
    users = tmp_path / "users"
    users.write_text("")
    broker = start_broker("user root", f"password_file {users}", "allow_anonymous true", "ban_failed_logins 3",
                          "ban_time 1")
    inside = connected(clients, broker)
    for number in range(3):
        clients(broker).connect(f"guess-{number}", user="lena", password=str(number), code=0x86)
    assert is_closed(clients(broker))
    inside.ping()
    broker.wait_for_line(r"Banned the address of 127\.0\.0\.1:\d+ for 1 s: too many failed logins")
    broker.wait_for_line("refused: banned for what was done before")

    def is_over():
        client = clients(broker)
        client.send_if_open(p.connect("again"))
        got = client.receive()
        return got is not None and got.code == 0
    eventually(is_over)
    assert "bans begun 1" in logged_limits(broker)


def test_ban_spares_proxy_and_networks_of_trust(start_broker, clients):
    """The address that the proxy names is banned, before anything else is done for it."""
    broker = start_broker("allow_anonymous true", "ban_errors 2", "limit_exempt 192.0.2.128/25",
                          "listener 0 127.0.0.1", "proxy_protocol true", port=None)

    def come(address, data):
        client = clients(broker, 4)
        client.send_if_open(b"PROXY TCP4 %s 198.51.100.1 4711 1883\r\n" % address + data)
        return client.receive()
    error = b"\x10\0"
    hello = p.connect("proxied", 4)
    for address in (b"192.0.2.1", b"192.0.2.200"):
        for _ in range(3):
            assert come(address, error) is None
    assert come(b"192.0.2.1", hello) is None
    broker.wait_for_line("refused: its address is banned for what was done before")
    assert come(b"192.0.2.200", hello).code == 0
    assert come(b"192.0.2.2", hello).code == 0
    for _ in range(3):  # the proxy's own mistakes are nobody's
        broken = clients(broker, 4)
        broken.send_if_open(b"PROXY nonsense\r\n")
        assert broken.receive() is None
    assert come(b"192.0.2.3", hello).code == 0


# Memory

def answer_to_connect(client):
    client.send(p.connect(client.address))
    return client.expect(p.CONNACK).code


def test_memory_ceiling_sheds_in_order(start_broker, clients):
    """New connections, then QoS 0, then the rest; who has a session comes in, and gets all that was
    acknowledged."""
    broker = start_broker("persistence false", "memory_ceiling 24000000", shards=2)
    reader = connected(clients, broker, client_id="reader", clean=False,
                       props=[(p.SESSION_EXPIRY, 1000)])
    reader.subscribe("t", qos=1)
    reader.cut()
    writer = connected(clients, broker)
    codes, connacks = [], []
    while 0x97 not in codes:
        payload = str(len(codes)).encode() + bytes(200_000)
        codes.append(writer.publish("t", payload, 1).code)
        client = clients(broker)
        connacks.append(answer_to_connect(client))
        client.cut()
    assert 0x89 in connacks and connacks == sorted(connacks)
    shares = [broker.wait_for_line(r"Memory is at (\d+) % of memory_ceiling: " + what).group(1)
              for what in ("new connections are refused[.]", ".*, QoS 0 is dropped[.]",
                           ".* refused or wait[.]")]
    assert [80, 90, 100] <= [int(share) for share in shares] and int(shares[0]) < 90
    writer.publish("t", b"dropped", 0)
    writer.ping()
    counted = logged_limits(broker)
    assert "connections refused as busy" in counted and "messages at QoS 0 shed" in counted
    reader = connected(clients, broker, client_id="reader", clean=False)
    for number in range(codes.index(0x97)):
        assert reader.take().payload.startswith(str(number).encode() + b"\0")
    broker.wait_for_line("Memory is at .*: everything is served again")
    assert writer.publish("t", b"again", 1).code == 0
    reader.take(payload=b"again")
    assert answer_to_connect(clients(broker)) == 0
