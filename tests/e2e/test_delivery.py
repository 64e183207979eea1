# SPDX-License-Identifier: Apache-2.0
"""What a message keeps and what bounds it: sizes, flow control, expiry, aliases, truth in
acknowledgements, answers about the broker ([5] 3.1.2.11, 3.2.2.3, 3.3.2.3, 4.9)."""

import time

import pytest

from support import packets as p
from support.client import unique

NEVER = 0xFFFFFFFF
EVERY_PROPERTY = [
    (p.PAYLOAD_FORMAT, 1), (p.CONTENT_TYPE, "text/plain"), (p.RESPONSE_TOPIC, "answer/here"),
    (p.CORRELATION_DATA, b"\x00\xff\x80"), (p.USER, ("b", "2")), (p.USER, ("a", "1")),
    (p.USER, ("b", "3")), (p.USER, ("", ""))]


def connected(clients, broker, version=5, client_id=None, **options):
    client = clients(broker, version)
    client.connect(client_id, **options)
    return client


def subscribed(clients, broker, *filters, qos=2, version=5, **options):
    client = connected(clients, broker, version, **options)
    client.subscribe(*filters, qos=qos)
    return client


# QoS and content

@pytest.mark.parametrize("version", (3, 4, 5))
@pytest.mark.parametrize("published", (0, 1, 2))
@pytest.mark.parametrize("wanted", (0, 1, 2))
def test_lower_qos_wins(sharded, clients, version, published, wanted):
    topic = unique("lower")
    subscriber = subscribed(clients, sharded, topic, qos=wanted, version=version)
    publisher = connected(clients, sharded, version)
    publisher.publish(topic, "x", qos=published)
    subscriber.take(topic=topic, payload=b"x", qos=min(published, wanted), dup=False,
                    retain=False)
    subscriber.ping()


@pytest.mark.parametrize("qos", (0, 1, 2))
def test_properties_are_passed_on(sharded, clients, qos):
    """Every property that a publisher may give, user properties in their order
    [MQTT-3.3.2-17]; a 3.1.1 subscriber gets the message without."""
    topic = unique("properties")
    new = subscribed(clients, sharded, topic)
    old = subscribed(clients, sharded, topic, version=4)
    connected(clients, sharded).publish(topic, "x", qos=qos, props=EVERY_PROPERTY)
    got = new.take(payload=b"x", qos=qos)
    assert sorted(got.props, key=str) == sorted(EVERY_PROPERTY, key=str)
    assert got.all(p.USER) == [value for name, value in EVERY_PROPERTY if name == p.USER]
    old.take(payload=b"x", qos=qos)


@pytest.mark.parametrize("size", (0, 1, 127, 128, 16383, 16384, 65536, 1_500_000))
def test_payload_sizes(sharded, clients, size):
    topic = unique("size")
    subscriber = subscribed(clients, sharded, topic)
    payload = bytes(range(256)) * (size // 256 + 1)
    publisher = connected(clients, sharded, 4)
    for qos in (0, 1, 2):
        publisher.publish(topic, payload[:size], qos=qos)
        subscriber.take(payload=payload[:size], qos=qos)


@pytest.mark.parametrize("topic", ["/", "a/", "/a", "a//b", "über/straße", "a b", "€/𝄞",
                                   "x" * 60000])
def test_topics(sharded, clients, topic):
    """Any UTF-8 goes; levels may be empty (4.7.3)."""
    subscriber = subscribed(clients, sharded, topic)
    connected(clients, sharded, 4).publish(topic, "x", qos=1)
    subscriber.take(topic=topic, payload=b"x")


@pytest.mark.parametrize("qos", (0, 1, 2))
def test_order(sharded, clients, qos):
    """Per publisher and topic, whatever the number in flight [MQTT-4.6.0-5]."""
    topic = unique("order")
    subscriber = subscribed(clients, sharded, topic)
    publisher = connected(clients, sharded)
    count = 500
    # mosquitto's receive maximum is 20.
    for first in range(0, count, 20):
        ids = [publisher.send_publish(topic, str(number), qos=qos)
               for number in range(first, first + 20)]
        if qos == 1:
            for packet_id in ids:
                publisher.expect(p.PUBACK, packet_id=packet_id)
        elif qos == 2:
            for packet_id in ids:
                publisher.expect(p.PUBREC, packet_id=packet_id)
                publisher.send(p.ack(p.PUBREL, packet_id))
            for packet_id in ids:
                publisher.expect(p.PUBCOMP, packet_id=packet_id)
    got = [subscriber.take() for _ in range(count)]
    assert [g.payload for g in got] == [b"%d" % number for number in range(count)]


# Sizes that are announced

@pytest.mark.parametrize("qos", (0, 1, 2))
def test_maximum_packet_size_of_a_client(sharded, clients, qos):
    """What is too large for one is dropped for that one, as if delivered [MQTT-3.1.2-24, -25]."""
    topic = unique("too-large")
    small = subscribed(clients, sharded, topic, props=[(p.MAXIMUM_PACKET, 100)])
    large = subscribed(clients, sharded, topic)
    publisher = connected(clients, sharded)
    publisher.publish(topic, b"x" * 100, qos=qos)
    publisher.publish(topic, b"fits", qos=qos)
    large.take(payload=b"x" * 100)
    large.take(payload=b"fits")
    small.take(payload=b"fits")
    small.ping()


@pytest.mark.mosquitto_differs("it counts the size without the fixed header")
def test_maximum_packet_size_is_exact(sharded, clients):
    """The whole packet counts, fixed header included."""
    topic = unique("exact")
    payload = b"x" * 200
    whole = len(p.publish(topic, payload, 1, 1))
    fits = subscribed(clients, sharded, topic, props=[(p.MAXIMUM_PACKET, whole)], qos=1)
    tight = subscribed(clients, sharded, topic, props=[(p.MAXIMUM_PACKET, whole - 1)], qos=1)
    publisher = connected(clients, sharded)
    publisher.publish(topic, payload, qos=1)
    publisher.publish(topic, "small", qos=1)
    fits.take(payload=payload)
    fits.take(payload=b"small")
    tight.take(payload=b"small")


@pytest.mark.mosquitto_differs("it counts the size without the fixed header")
@pytest.mark.parametrize("version", (4, 5))
def test_maximum_packet_size_of_the_broker(start_broker, clients, version):
    """Announced, and enforced with 0x95 [MQTT-3.2.2-15]."""
    broker = start_broker("max_packet_size 1000")
    client = clients(broker, version)
    connack = client.connect()
    if version == 5:
        assert connack.first(p.MAXIMUM_PACKET) == 1000
    head = len(p.publish("t", bytes(900), version=version)) - 900
    client.publish("t", bytes(1000 - head))
    client.ping()
    client.send_if_open(p.publish("t", bytes(1001 - head), version=version))
    client.expect_close(0x95)


# Flow control

@pytest.mark.mosquitto_differs("it lets one too many go after the first acknowledgement")
@pytest.mark.parametrize("qos", (1, 2))
def test_receive_maximum_of_a_client(sharded, clients, qos):
    """No more than that many open; each end of a handshake lets one more go [MQTT-3.3.4-9]."""
    topic = unique("receive-maximum")
    client = subscribed(clients, sharded, topic, qos=qos, props=[(p.RECEIVE_MAXIMUM, 2)])
    publisher = connected(clients, sharded)
    for number in range(6):
        publisher.publish(topic, str(number), qos=qos)
    opened = [client.expect(p.PUBLISH, payload=b"%d" % number) for number in range(2)]
    client.ping()
    for number in range(2, 6):
        oldest = opened.pop(0).packet_id
        if qos == 1:
            client.send(p.ack(p.PUBACK, oldest))
        else:
            client.send(p.ack(p.PUBREC, oldest))
            client.expect(p.PUBREL, packet_id=oldest)
            client.ping()
            client.send(p.ack(p.PUBCOMP, oldest))
        opened.append(client.expect(p.PUBLISH, payload=b"%d" % number))
        client.ping()


def test_refused_message_gives_its_place_back(sharded, clients):
    """PUBREC with an error ends the handshake: no PUBREL, and the next may come
    [MQTT-4.3.3-4], 4.9."""
    topic = unique("refused")
    client = subscribed(clients, sharded, topic, props=[(p.RECEIVE_MAXIMUM, 1)])
    publisher = connected(clients, sharded)
    publisher.publish(topic, "one", qos=2)
    publisher.publish(topic, "two", qos=2)
    one = client.expect(p.PUBLISH, payload=b"one")
    client.send(p.ack(p.PUBREC, one.packet_id, 0x83))
    client.take(payload=b"two")
    client.ping()


def test_qos_0_needs_no_quota(sharded, clients):
    topic = unique("quota")
    client = subscribed(clients, sharded, topic, props=[(p.RECEIVE_MAXIMUM, 1)])
    publisher = connected(clients, sharded)
    publisher.publish(topic, "held", qos=1)
    client.expect(p.PUBLISH, payload=b"held")
    for number in range(5):
        publisher.publish(topic, str(number))
        client.expect(p.PUBLISH, payload=b"%d" % number, qos=0)


# Message expiry

@pytest.mark.parametrize("qos", (1, 2))
def test_message_expiry(sharded, clients, qos):
    """An expired one is not sent; the others come with what is left [MQTT-3.3.2-5, -6]."""
    topic, name = unique("expiry"), unique("absent")
    keep = {"clean": False, "props": [(p.SESSION_EXPIRY, NEVER)]}
    client = connected(clients, sharded, 5, name, **keep)
    client.subscribe(topic, qos=qos)
    client.disconnect()
    # A retained message of the same life tells when it is over.
    publisher = connected(clients, sharded)
    since = time.monotonic()
    publisher.publish(topic + "/clock", "x", retain=True, qos=1, props=[(p.MESSAGE_EXPIRY, 2)])
    publisher.publish(topic, "short", qos=qos, props=[(p.MESSAGE_EXPIRY, 1)])
    publisher.publish(topic, "long", qos=qos, props=[(p.MESSAGE_EXPIRY, 1000)])
    publisher.publish(topic, "ever", qos=qos)
    while is_retained(clients, sharded, topic + "/clock"):
        time.sleep(0.05)
    waited = time.monotonic() - since
    assert waited > 0.9
    client = connected(clients, sharded, 5, name, **keep)
    left = client.take(topic=topic, payload=b"long").first(p.MESSAGE_EXPIRY)
    assert 1000 - waited - 1.1 <= left <= 999
    assert client.take(topic=topic, payload=b"ever").props == []
    client.ping()


def is_retained(clients, broker, topic):
    """Asks with a subscription, and a fence behind it."""
    client = connected(clients, broker)
    client.subscribe(topic, qos=1)
    client.subscribe(topic + "/fence")
    client.publish(topic + "/fence", "fence", qos=1)
    got = client.take()
    client.disconnect_without_looking()
    return got.topic == topic


def test_message_expiry_in_flight(sharded, clients):
    """Delivered at once: the interval comes unshortened, or a second less."""
    topic = unique("expiry")
    client = subscribed(clients, sharded, topic)
    connected(clients, sharded).publish(topic, "x", qos=1, props=[(p.MESSAGE_EXPIRY, 30)])
    assert client.take().first(p.MESSAGE_EXPIRY) in (29, 30)


# Topic aliases

def test_topic_alias_to_the_broker(sharded, clients):
    """Set, used, set anew; per connection only (3.3.2.3.4)."""
    topic = unique("alias")
    subscriber = subscribed(clients, sharded, topic + "/#")
    publisher = clients(sharded)
    maximum = publisher.connect().first(p.ALIAS_MAXIMUM)
    assert maximum >= 2
    for number, (name, alias, meant) in enumerate([
            ("/a", 1, "/a"), (None, 1, "/a"), ("/b", maximum, "/b"), (None, maximum, "/b"),
            (None, 1, "/a"), ("/c", 1, "/c"), (None, 1, "/c"), (None, maximum, "/b")]):
        publisher.publish(topic + name if name else "", str(number), qos=number % 3,
                          props=[(p.ALIAS, alias)])
        got = subscriber.take(topic=topic + meant, payload=b"%d" % number)
        assert got.first(p.ALIAS) is None
    publisher = connected(clients, sharded)
    publisher.send(p.publish("", b"x", props=[(p.ALIAS, 1)]))
    publisher.expect_close(0x82, 0x94)


@pytest.mark.mosquitto_differs("2.0 assigns no aliases itself")
def test_topic_alias_from_the_broker(sharded, clients):
    """Given to a client that allows some: the name comes with the alias first, then the alias
    alone; never more of them than allowed."""
    topic = unique("alias")
    subscriber = subscribed(clients, sharded, topic + "/#", qos=1, props=[(p.ALIAS_MAXIMUM, 2)])
    publisher = connected(clients, sharded)
    known, used, number = {}, 0, 0
    for level in "abcabcabc":
        for _ in range(2):
            number += 1
            publisher.publish(f"{topic}/{level}", str(number), qos=1)
            got = subscriber.take(payload=b"%d" % number)
            alias = got.first(p.ALIAS)
            if got.topic:
                if alias is not None:
                    known[alias] = got.topic
                assert got.topic == f"{topic}/{level}"
            else:
                used += 1
                assert known[alias] == f"{topic}/{level}"
            assert alias in (None, 1, 2)
    assert used > 0


def test_no_topic_alias_unasked(sharded, clients):
    topic = unique("alias")
    subscriber = subscribed(clients, sharded, topic)
    publisher = connected(clients, sharded)
    for _ in range(3):
        publisher.publish(topic, "x")
        assert subscriber.take(topic=topic).props == []


# Acknowledgements that tell the truth

@pytest.mark.mosquitto_differs("in PUBACK only")
@pytest.mark.parametrize("qos", (1, 2))
def test_no_matching_subscribers(sharded, clients, qos):
    """0x10, and only then."""
    topic = unique("nobody")
    publisher = connected(clients, sharded)
    assert publisher.publish(topic, "x", qos=qos).code == 0x10
    subscribed(clients, sharded, topic)
    assert publisher.publish(topic, "x", qos=qos).code == 0


@pytest.mark.parametrize("shards", (1, 8))
@pytest.mark.parametrize("qos", (1, 2))
@pytest.mark.mosquitto_differs("it says success, and drops")
def test_quota_exceeded(start_broker, clients, shards, qos):
    """0x97 when the queue of an absent subscriber refuses; it keeps what was accepted."""
    broker = start_broker("absent_queue_messages 5", "max_queued_messages 5", shards=shards)
    topic, name = unique("full"), unique("absent")
    keep = {"clean": False, "props": [(p.SESSION_EXPIRY, NEVER)]}
    client = connected(clients, broker, 5, name, **keep)
    client.subscribe(topic, qos=qos)
    client.disconnect()
    publisher = connected(clients, broker)
    codes = [publisher.publish(topic, str(number), qos=qos).code for number in range(8)]
    assert codes == [0] * 5 + [0x97] * 3
    client = connected(clients, broker, 5, name, **keep)
    for number in range(5):
        client.take(payload=b"%d" % number)
    client.ping()
    assert publisher.publish(topic, "again", qos=qos).code == 0
    client.take(payload=b"again")


@pytest.mark.parametrize("policy,kept", [("drop-oldest", range(3, 8)), ("drop-newest", range(5))])
@pytest.mark.mosquitto_differs("it has no such option")
def test_queue_full_policy(start_broker, clients, policy, kept):
    broker = start_broker("absent_queue_messages 5", f"queue_full_policy {policy}")
    keep = {"clean": False, "props": [(p.SESSION_EXPIRY, NEVER)]}
    client = connected(clients, broker, 5, "absent", **keep)
    client.subscribe("t", qos=1)
    client.disconnect()
    publisher = connected(clients, broker)
    assert {publisher.publish("t", str(number), qos=1).code for number in range(8)} == {0}
    client = connected(clients, broker, 5, "absent", **keep)
    for number in kept:
        client.take(payload=b"%d" % number)
    client.ping()


def test_reason_strings(sharded, clients):
    """May be sent unless the client declines; where 0 was asked, only in CONNACK and DISCONNECT
    [MQTT-3.1.2-29]."""
    topic = unique("nobody")
    client = connected(clients, sharded, props=[(p.REQUEST_PROBLEM, 0)])
    answer = client.publish(topic, "x", qos=1)
    assert answer.props == []
    client.send(p.subscribe(9, [("a/#/b", 0)]))
    got = client.receive()
    assert got.kind == p.DISCONNECT or got.kind == p.SUBACK and got.props == []


def test_reason_of_disconnect_is_told(sharded, clients):
    """A version 5 client learns in words why it goes."""
    client = connected(clients, sharded)
    client.send(p.publish("a/+"))
    got = client.expect_close(0x90, 0x82)
    if got.first(p.REASON_STRING) is not None:
        assert len(got.first(p.REASON_STRING)) > 5


# What CONNACK says

def test_connack_announces(sharded, clients):
    """What is available is available by default: absent or 1 (3.2.2.3)."""
    connack = clients(sharded).connect()
    for name in (p.RETAIN_AVAILABLE, p.WILDCARD_AVAILABLE, p.IDS_AVAILABLE, p.SHARED_AVAILABLE):
        assert connack.first(name) in (None, 1)
    assert connack.first(p.MAXIMUM_QOS) is None
    assert connack.first(p.ASSIGNED_ID) is None
    assert connack.first(p.SERVER_KEEP_ALIVE) is None
    assert connack.first(p.RESPONSE_INFORMATION) is None
    assert len(connack.props) == len({name for name, _ in connack.props})


@pytest.mark.mosquitto_differs("it has no response information")
def test_response_information(start_broker, clients):
    """Given to those who ask (3.1.2.11.6), and to them only."""
    broker = start_broker("response_information answers/")
    asked = clients(broker).connect(props=[(p.REQUEST_RESPONSE, 1)])
    assert asked.first(p.RESPONSE_INFORMATION).startswith("answers/")
    for props in ([], [(p.REQUEST_RESPONSE, 0)]):
        assert clients(broker).connect(props=props).first(p.RESPONSE_INFORMATION) is None


def test_server_keep_alive(start_broker, clients):
    """A longer keep alive than allowed is replaced, and the client told [MQTT-3.1.2-21]."""
    broker = start_broker("max_keepalive 10")
    assert clients(broker).connect(keep_alive=60).first(p.SERVER_KEEP_ALIVE) == 10
    assert clients(broker).connect(keep_alive=10).first(p.SERVER_KEEP_ALIVE) is None


@pytest.mark.parametrize("maximum", (0, 1))
def test_maximum_qos(start_broker, clients, maximum):
    """Announced; a higher PUBLISH is 0x9B, a higher subscription is granted lower
    [MQTT-3.2.2-9, -10, -11]."""
    broker = start_broker(f"max_qos {maximum}")
    client = clients(broker)
    assert client.connect().first(p.MAXIMUM_QOS) == maximum
    assert client.subscribe("t", qos=2) == [maximum]
    client.send(p.publish("t", b"x", 2, 1))
    client.expect_close(0x9B)
    refused = clients(broker)
    refused.connect(code=0x9B, will=p.Will("w", qos=2))


def test_retain_not_available(start_broker, clients):
    """Announced; a retained PUBLISH or will is 0x9A [MQTT-3.2.2-13, -14]."""
    broker = start_broker("retain_available false")
    client = clients(broker)
    assert client.connect().first(p.RETAIN_AVAILABLE) == 0
    client.send(p.publish("t", b"x", retain=True))
    client.expect_close(0x9A)
    clients(broker).connect(code=0x9A, will=p.Will("w", retain=True))
