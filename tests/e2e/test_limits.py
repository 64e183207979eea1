# SPDX-License-Identifier: Apache-2.0
"""Each configured limit: what is within it works, what is beyond it is refused and said, and what
was taken before stays."""

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO
from support.process import eventually

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="our own options")

SHARDS = pytest.mark.parametrize("shards", (1, 8))
NEVER = 0xFFFFFFFF
KEEP = {"clean": False, "props": [(p.SESSION_EXPIRY, NEVER)]}
QUOTA_EXCEEDED = 0x97


def connected(clients, broker, version=5, client_id=None, **options):
    client = clients(broker, version)
    client.connect(client_id, **options)
    return client


@SHARDS
@pytest.mark.parametrize("option", ("max_connections", "connections_max"))
def test_connections(start_broker, clients, option, shards):
    """Refused with a CONNACK; a place that becomes free is given again."""
    lines = ["listener 0 127.0.0.1", "allow_anonymous true"] if option == "max_connections" else []
    broker = start_broker(*lines, f"{option} 3", shards=shards, port=None if lines else 0)
    held = [connected(clients, broker) for _ in range(3)]
    for version, code in ((5, QUOTA_EXCEEDED), (4, 3)):
        refused = clients(broker, version)
        assert refused.connect(code=code).code == code
        assert refused.receive() is None
    held.pop().disconnect()

    def place():
        client = clients(broker, 5)
        client.send(p.connect("late"))
        return client.expect(p.CONNACK).code == 0
    eventually(place)
    for client in held:
        client.ping()


@SHARDS
def test_connections_of_each_listener(start_broker, clients, shards):
    """One that is full refuses, whatever room the others have."""
    broker = start_broker("allow_anonymous true", "listener 0 127.0.0.1", "max_connections 2",
                          "listener 0 127.0.0.1", shards=shards, port=None)
    small = broker.port
    large = int(broker.wait_for_line(r"listening on [\d.:]+ and [\d.]+:(\d+)").group(1))

    def at(port):
        broker.port = port
        return broker
    held = [connected(clients, at(small)) for _ in range(2)]
    held += [connected(clients, at(large)) for _ in range(3)]
    assert clients(at(small)).connect(code=QUOTA_EXCEEDED).code == QUOTA_EXCEEDED
    held.pop(0).disconnect()

    def place():
        client = clients(at(small))
        client.send(p.connect("late"))
        return client.expect(p.CONNACK).code == 0
    eventually(place)
    assert clients(at(large)).connect("other").code == 0


@SHARDS
def test_sessions(start_broker, clients, shards):
    """So many may be, connected or not; each of them is had again."""
    broker = start_broker("sessions_max 4", shards=shards)
    for number in range(4):
        connected(clients, broker, 5, f"kept-{number}", **KEEP).disconnect()
    refused = clients(broker)
    refused.connect("one-more", code=QUOTA_EXCEEDED, **KEEP)
    for number in range(4):
        client = clients(broker)
        assert client.connect(f"kept-{number}", **KEEP).session_present


@pytest.mark.parametrize("version", (4, 5))
def test_subscriptions(start_broker, clients, version):
    """0x97 (3.1.1: 0x80) for the one too many; the others stand, and may be replaced."""
    broker = start_broker("subscriptions_per_client_max 3")
    client = connected(clients, broker, version)
    assert client.subscribe("a", "b", "c", "d", qos=1) == \
        [1, 1, 1, QUOTA_EXCEEDED if version == 5 else 0x80]
    assert client.subscribe("a", qos=0) == [0]
    client.unsubscribe("b")
    assert client.subscribe("d", qos=1) == [1]
    for topic in "acd":
        client.publish(topic, "x", qos=1)
        client.take(topic=topic)


@pytest.mark.parametrize("version", (4, 5))
def test_topic_levels(start_broker, clients, version):
    broker = start_broker("topic_levels_max 3")
    client = connected(clients, broker, version)
    assert client.subscribe("a/b/c", "a/b/c/d") == \
        [0, QUOTA_EXCEEDED if version == 5 else 0x80]
    client.publish("a/b/c", "x")
    client.take(topic="a/b/c")
    client.send(p.publish("a/b/c/d", "x", version=version))
    client.expect_close(0x90)


@SHARDS
@pytest.mark.parametrize("option", ("retained_messages_max 3", "retained_bytes_max 300"))
def test_retained(start_broker, clients, option, shards):
    """What is too much is not kept, and its publisher told; what there is stays, can be replaced
    and cleared."""
    broker = start_broker(option, shards=shards)
    publisher = connected(clients, broker)

    def keep(topic, payload=bytes(100)):
        return publisher.publish(f"kept/{topic}", payload, qos=1, retain=True).code
    assert [keep(topic) in (0, 0x10) for topic in "abc"] == [True] * 3
    assert keep("d") == QUOTA_EXCEEDED
    assert keep("a", bytes([1]) * 100) != QUOTA_EXCEEDED
    assert kept(clients, broker) == ["kept/a", "kept/b", "kept/c"]
    keep("b", b"")
    assert keep("d") != QUOTA_EXCEEDED
    assert kept(clients, broker) == ["kept/a", "kept/c", "kept/d"]


def kept(clients, broker):
    client = connected(clients, broker)
    client.subscribe("kept/#", qos=1)
    return sorted(client.take(retain=True).topic for _ in range(3))


@SHARDS
def test_memory(start_broker, clients, shards):
    """Beyond it QoS 1 and 2 are refused and QoS 0 is not kept; when messages go, it serves again."""
    broker = start_broker("memory_limit 8000000", "hold_back_ms 20", "persistence false",
                          shards=shards)
    client = connected(clients, broker, 5, "absent", **KEEP)
    client.subscribe("t", qos=1)
    client.disconnect()
    publisher = connected(clients, broker, 5)
    codes = [publisher.publish("t", bytes(100_000), qos=1).code for _ in range(100)]
    accepted = codes.count(0)
    assert 0 < accepted < 100 and set(codes) == {0, QUOTA_EXCEEDED}
    assert accepted * 100_000 < 8_000_000
    client = connected(clients, broker, 5, "absent", **KEEP)
    for _ in range(accepted):
        client.take()
    client.ping()
    assert publisher.publish("t", "again", qos=1).code == 0
    client.take(payload=b"again")


def test_queue_bytes(start_broker, clients):
    broker = start_broker("absent_queue_bytes 10000")
    client = connected(clients, broker, 5, "absent", **KEEP)
    client.subscribe("t", qos=1)
    client.disconnect()
    publisher = connected(clients, broker)
    codes = [publisher.publish("t", bytes(1000), qos=1).code for _ in range(20)]
    accepted = codes.count(0)
    assert 5 <= accepted <= 10 and codes == [0] * accepted + [QUOTA_EXCEEDED] * (20 - accepted)
    client = connected(clients, broker, 5, "absent", **KEEP)
    for _ in range(accepted):
        client.take()
    client.ping()


def test_queued_qos_0(start_broker, clients):
    """For absent clients only where the configuration says so."""
    for setting, expected in (("false", []), ("true", [b"x"])):
        broker = start_broker(f"queue_qos0_messages {setting}")
        client = connected(clients, broker, 5, "absent", **KEEP)
        client.subscribe("t", "fence", qos=1)
        client.disconnect()
        publisher = connected(clients, broker)
        publisher.publish("t", "x")
        publisher.publish("fence", "", qos=1)
        client = connected(clients, broker, 5, "absent", **KEEP)
        got = [client.take() for _ in range(len(expected) + 1)]
        assert [g.payload for g in got if g.topic == "t"] == expected


def test_in_flight(start_broker, clients):
    """max_inflight_messages bounds what is open towards a client that allows more."""
    broker = start_broker("max_inflight_messages 2")
    client = connected(clients, broker, 4)
    client.subscribe("t", qos=1)
    publisher = connected(clients, broker)
    for number in range(4):
        publisher.publish("t", str(number), qos=1)
    first = [client.expect(p.PUBLISH, payload=b"%d" % number) for number in range(2)]
    client.ping()
    client.send(p.ack(p.PUBACK, first[0].packet_id))
    client.expect(p.PUBLISH, payload=b"2")
    client.ping()


def test_session_expiry_limit(start_broker, clients):
    """persistent_client_expiration: a longer wish is cut, and a version 5 client told."""
    broker = start_broker("persistent_client_expiration 1h")
    connack = clients(broker).connect("a", props=[(p.SESSION_EXPIRY, NEVER)])
    assert connack.first(p.SESSION_EXPIRY) == 3600
    connack = clients(broker).connect("b", props=[(p.SESSION_EXPIRY, 3600)])
    assert connack.first(p.SESSION_EXPIRY) is None


def test_dropped_messages_are_counted(start_broker, clients):
    """Each message that a slow reader loses has a line in the verbose log."""
    broker = start_broker("output_bytes_max 100000")
    slow = clients(broker, 4)
    slow.connect("slow-reader", keep_alive=0)
    slow.subscribe("t")
    publisher = connected(clients, broker, 4)
    count = 300
    for _ in range(count):
        publisher.send_publish("t", bytes(100_000))
    publisher.ping()
    slow.send(p.PING)
    seen = 0
    while slow.receive().kind == p.PUBLISH:
        seen += 1
    assert 0 < seen < count

    def dropped():
        return sum("Dropped PUBLISH to slow-reader" in line for line in broker.lines())
    eventually(lambda: dropped() == count - seen)


def test_retry_interval(start_broker, clients):
    """Opt-in for 3.1.1: what was not acknowledged is sent again on a live connection."""
    broker = start_broker("retry_interval 1")
    client = connected(clients, broker, 4)
    client.subscribe("t", qos=1)
    client.publish("t", "x", qos=1)
    first = client.expect(p.PUBLISH, dup=False)
    again = client.expect(p.PUBLISH, dup=True, packet_id=first.packet_id, payload=b"x")
    client.send(p.ack(p.PUBACK, again.packet_id))
    client.ping()


def test_upgrade_outgoing_qos(start_broker, clients):
    """Opt-in: the QoS of the subscription, whatever the publisher's."""
    broker = start_broker("upgrade_outgoing_qos true")
    client = connected(clients, broker)
    client.subscribe("t", qos=2)
    client.publish("t", "x")
    client.take(qos=2)


def test_no_anonymous_clients(start_broker, clients):
    """A file that opens a listener lets nobody in unless it says so."""
    broker = start_broker("listener 0 127.0.0.1", port=None)
    refused = clients(broker, 5)
    assert refused.connect(code=0x87)
    assert refused.receive() is None
    refused = clients(broker, 4)
    assert refused.connect(code=5)


def test_no_empty_client_ids(start_broker, clients):
    broker = start_broker("allow_zero_length_clientid false")
    clients(broker, 5).connect("", code=0x85)
    clients(broker, 4).connect("", code=2)
