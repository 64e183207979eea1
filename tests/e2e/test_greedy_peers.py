# SPDX-License-Identifier: Apache-2.0
"""
Peers that take more than their share: announce what they never send, keep too much in flight, never
read. Memory stays bounded, and nobody else notices.
"""

import pytest

from support import packets as p
from support.bystanders import Bystanders, assert_logged
from support.client import unique

BOTH = (4, 5)


@pytest.fixture(scope="module")
def bystanders(broker):
    pair = Bystanders(broker)
    yield pair
    pair.cut()


@pytest.fixture(autouse=True)
def nobody_else_notices(bystanders):
    bystanders.exchange()
    yield
    bystanders.exchange()


# Sizes

LARGEST = 268435455


@pytest.mark.mosquitto_differs("2.0 takes packets of any size by default")
@pytest.mark.parametrize("version", BOTH)
def test_largest_length_announced(broker, clients, version):
    """256 MB announced: refused from the header, before any memory is given to it."""
    before = broker.rss_bytes()
    start = len(broker.lines())
    offenders = [clients(broker, version) for _ in range(20)]
    for client in offenders:
        client.connect()
        client.send_if_open(b"\x30" + p.variable(LARGEST) + bytes(1000))
    for client in offenders:
        client.expect_close(0x95)
    assert_logged(broker, offenders[-1], start)
    broker.assert_grew_less(before, 20_000_000)


@pytest.mark.mosquitto_differs("it waits for the rest")
def test_largest_length_announced_in_connect(broker, clients):
    client = clients(broker)
    client.send_if_open(b"\x10" + p.variable(LARGEST))
    got = client.receive()
    assert got is None or got.kind == p.CONNACK and got.code == 0x95


def test_announced_but_not_sent(broker, clients):
    """What a length below the limit announces is not paid in memory before the bytes come."""
    before = broker.rss_bytes()
    offenders = [clients(broker, 4) for _ in range(50)]
    for client in offenders:
        client.connect()
        client.send(b"\x30" + p.variable(1_900_000) + b"\0\1t")
    for client in offenders:
        client.cut()
    broker.assert_grew_less(before, 60_000_000)


@pytest.mark.mosquitto_differs("it has no slack beyond the receive maximum, and 20 by default")
def test_in_flight_beyond_the_maximum(broker, clients):
    """Tolerated up to the slack; beyond it 0x93. Bounded in any case."""
    client = clients(broker)
    maximum = client.connect().first(p.RECEIVE_MAXIMUM) or 65535
    start = len(broker.lines())
    for packet_id in range(1, maximum + 2):
        client.send(p.publish("flood/qos2", b"x", 2, packet_id))
        client.expect(p.PUBREC, packet_id=packet_id)
    for packet_id in range(maximum + 2, 65536):
        client.send_if_open(p.publish("flood/qos2", b"x", 2, packet_id))
        got = client.receive()
        if got is None or got.kind == p.DISCONNECT:
            break
        assert got.kind == p.PUBREC
    assert got is not None and got.code == 0x93, got
    assert_logged(broker, client, start)


# Peers that never read

def flood_qos0(broker, clients, stalled, total, size=50_000):
    """Publishes `total` bytes at QoS 0; returns how many messages that were."""
    publisher = clients(broker, 4)
    publisher.connect(keep_alive=0)
    count = total // size
    for number in range(count):
        publisher.send_publish(stalled, number.to_bytes(4, "big") + bytes(size - 4))
    publisher.ping()
    publisher.disconnect()
    return count


@pytest.mark.parametrize("version", BOTH)
def test_never_reads_at_qos_0(broker, clients, bystanders, version):
    """Loses messages beyond its limit; the broker does not grow, and nobody waits."""
    topic = unique("stalled/qos0")
    stalled = clients(broker, version)
    stalled.connect(keep_alive=0)
    stalled.subscribe(topic)
    before = broker.rss_bytes()
    count = flood_qos0(broker, clients, topic, 100_000_000)
    broker.assert_grew_less(before, 64_000_000)
    bystanders.exchange()
    # What it gets when it reads again came in order, and is not all.
    seen = []
    stalled.send(p.PING)
    while True:
        got = stalled.receive()
        if got.kind == p.PINGRESP:
            break
        seen.append(int.from_bytes(got.payload[:4], "big"))
    assert seen == sorted(set(seen))
    assert 0 < len(seen) < count


@pytest.mark.parametrize("qos", (1, 2))
@pytest.mark.mosquitto_differs("its limit is 1,000 messages of any size")
def test_never_reads_at_qos_1_or_2(start_broker, clients, qos):
    """Its queue is bounded: a version 5 publisher is told 0x97 for what was refused, what was
    acknowledged as taken arrives when it reads again."""
    broker = start_broker("hold_back_ms 20", verbose=False)
    bystanders = Bystanders(broker)
    topic = unique("stalled/qos1")
    stalled = clients(broker, 5)
    stalled.connect(keep_alive=0)
    stalled.subscribe(topic, qos=qos)
    publisher = clients(broker, 5)
    publisher.connect(keep_alive=0)
    before = broker.rss_bytes()
    size, accepted, refused = 1_000_000, [], 0
    for number in range(120):
        answer = publisher.publish(topic, number.to_bytes(4, "big") + bytes(size - 4), qos=qos)
        assert answer.code in (0, 0x97), answer
        if answer.code == 0:
            accepted.append(number)
        else:
            refused += 1
    assert refused > 0
    broker.assert_grew_less(before, 110_000_000)
    bystanders.exchange()
    assert [int.from_bytes(stalled.take().payload[:4], "big") for _ in accepted] == accepted
    # It has caught up: the next message is taken again.
    assert publisher.publish(topic, b"again", qos=qos).code == 0
    stalled.take(payload=b"again")
    bystanders.cut()


FLOOD = 200_000_000


def test_never_reads_its_own_answers(start_broker, clients):
    """A flood of PINGREQ whose answers are never read: bounded memory, the others go on."""
    broker = start_broker(verbose=False)
    bystanders = Bystanders(broker)
    client = clients(broker, 4)
    client.connect(keep_alive=0)
    before = broker.rss_bytes()
    client.socket.setblocking(False)
    sent = blocked = 0
    while blocked < 20 and sent < FLOOD:
        try:
            sent += client.socket.send(p.PING * 100_000)
        except BlockingIOError:
            blocked += 1
            bystanders.exchange()
        except OSError:
            break
    assert sent < FLOOD, "it reads for ever, and keeps the answers"
    broker.assert_grew_less(before, 64_000_000)
    bystanders.exchange()
    bystanders.cut()


@pytest.mark.mosquitto_differs("it has no such option")
def test_held_back(start_broker, clients):
    """Before it refuses, the broker makes a publisher wait: its PUBACK comes when the reader has
    made room, and then says success."""
    broker = start_broker("hold_back_ms 60000", "max_queued_bytes 1000000", verbose=False)
    stalled = clients(broker, 5)
    stalled.connect()
    stalled.subscribe("t", qos=1)
    publisher = clients(broker, 5)
    publisher.connect(keep_alive=0)
    size, count = 100_000, 200
    for number in range(count):
        publisher.send_publish("t", number.to_bytes(4, "big") + bytes(size - 4), qos=1)
        if not acknowledged_soon(publisher):
            break
    assert number < count - 1, "never held back"
    taken = [int.from_bytes(stalled.take().payload[:4], "big") for _ in range(number + 1)]
    assert taken == list(range(number + 1))
    assert publisher.expect(p.PUBACK).code == 0


def acknowledged_soon(publisher):
    try:
        return publisher.receive(1).code == 0
    except AssertionError:
        return False
