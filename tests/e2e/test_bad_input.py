# SPDX-License-Identifier: Apache-2.0
"""
Bad input: the offender is answered and closed as the standard says, the log names client, address
and reason, and nobody else notices.

Each case is one row of a table: its name, the bytes, and the reason codes that version 5 allows
for it. Where the standard leaves a choice, the row holds the choices.
"""

import pytest

from support import packets as p
from support.broker import Broker
from support.bystanders import Bystanders, assert_logged
from support.client import Client, unique
from support.process import eventually

MALFORMED, PROTOCOL_ERROR = 0x81, 0x82
EITHER = (MALFORMED, PROTOCOL_ERROR)
BOTH = (4, 5)
V5 = (5,)
V3 = (4,)


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


@pytest.fixture(scope="module", autouse=True)
def nothing_leaks(broker, bystanders):
    """All connections of this module's offenders are gone at its end."""
    bystanders.exchange()
    before = broker.sockets()
    yield
    eventually(lambda: broker.sockets() <= before)


# Before a session: what stands in the place of CONNECT

def raw_connect(version=5, name="MQTT", flags=2, keep_alive=60, props=b"\0", payload=None,
                level=None):
    """CONNECT with every part as given; `props` with their length."""
    payload = p.text("bad-connect") if payload is None else payload
    level = version if level is None else level
    return p.packet(p.CONNECT, p.text(name) + bytes([level, flags]) + p.u16(keep_alive) +
                    (props if version >= 5 else b"") + payload)


BEFORE_CONNECT = {
    "publish first": p.publish("a", b"x", version=4),
    "subscribe first": p.subscribe(1, [("#", 0)], version=4),
    "ping first": p.PING,
    "disconnect first": p.disconnect(4),
    "puback first": p.ack(p.PUBACK, 1),
    "auth first": p.packet(p.AUTH),
    "connack first": p.packet(p.CONNACK, b"\0\0"),
    "type 0": b"\x00\x00",
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "connect with flags": p.packet(p.CONNECT, p.text("MQTT") + b"\x04\x02\0\x3c" + p.text("x"), 1),
    "five byte length": b"\x10\xff\xff\xff\xff\x7f",
    "padded length": b"\x10\x8f\x80\x80\x80\x00" + bytes(15),
    "empty connect": p.packet(p.CONNECT),
    "name cut short": p.packet(p.CONNECT, b"\x00\x04MQ"),
}


@pytest.mark.parametrize("case", BEFORE_CONNECT)
def test_not_a_connect(broker, clients, case):
    """Closed; nothing to say, since no version is known [MQTT-3.1.0-1]."""
    start = len(broker.lines())
    client = clients(broker)
    client.send_if_open(BEFORE_CONNECT[case])
    assert client.receive() is None
    assert_logged(broker, client, start)


# (name, version, bytes, codes of CONNACK; 0 = may be closed without one)
BAD_CONNECTS = [
    ("unknown protocol name", 5, raw_connect(name="MQTX"), (0, 0x84)),
    ("protocol level 6", 5, raw_connect(level=6), (0x84,)),
    ("protocol level 2", 4, raw_connect(version=4, level=2), (0x01, 0x84)),
    ("name of 3.1 with level 4", 4, raw_connect(version=4, name="MQIsdp"), (0, 0x01, 0x84)),
    ("reserved connect flag", 5, raw_connect(flags=3), (0, MALFORMED)),
    ("reserved connect flag", 4, raw_connect(version=4, flags=3), (0,)),
    ("will qos 3", 5, raw_connect(flags=0x1E, payload=p.text("bad-connect") + b"\0" +
                                  p.text("w") + p.text("x")), (0, MALFORMED)),
    ("will qos 3", 4, raw_connect(version=4, flags=0x1E, payload=p.text("bad-connect") +
                                  p.text("w") + p.text("x")), (0,)),
    ("will qos without will", 5, raw_connect(flags=0x0A), (0, *EITHER)),
    ("will qos without will", 4, raw_connect(version=4, flags=0x0A), (0,)),
    ("will retain without will", 4, raw_connect(version=4, flags=0x22), (0,)),
    ("will retain without will", 5, raw_connect(flags=0x22), (0, *EITHER)),
    ("will topic with wildcard", 5, p.connect("bad-connect", will=p.Will("a/#")),
     (0, 0x90, *EITHER)),
    ("will topic with wildcard", 4, p.connect("bad-connect", 4, will=p.Will("a/+")), (0,)),
    ("empty will topic", 4, p.connect("bad-connect", 4, will=p.Will("")), (0,)),
    ("password without user name", 4, p.connect("bad-connect", 4, password="x"), (0, 4, 5)),
    ("user name missing", 4, raw_connect(version=4, flags=0x82), (0,)),
    ("user name missing", 5, raw_connect(flags=0x82), (0, MALFORMED)),
    ("will missing", 5, raw_connect(flags=0x06), (0, MALFORMED)),
    ("client id missing", 4, raw_connect(version=4, payload=b""), (0, 2)),
    ("client id missing", 5, raw_connect(payload=b""), (0, MALFORMED)),
    ("bytes behind the payload", 4, raw_connect(version=4, payload=p.text("bad-connect") + b"x"),
     (0,)),
    ("bytes behind the payload", 5, raw_connect(payload=p.text("bad-connect") + b"x"),
     (0, *EITHER)),
    ("client id of bad UTF-8", 4, raw_connect(version=4, payload=p.text(b"\xc3\x28")), (0, 2)),
    ("client id of bad UTF-8", 5, raw_connect(payload=p.text(b"\xc3\x28")), (0, MALFORMED)),
    ("client id with U+0000", 5, raw_connect(payload=p.text(b"a\0b")), (0, MALFORMED)),
    ("client id with a surrogate", 5, raw_connect(payload=p.text(b"\xed\xa0\x80")),
     (0, MALFORMED)),
    ("client id of over-long UTF-8", 5, raw_connect(payload=p.text(b"\xc0\xaf")),
     (0, MALFORMED)),
    ("client id beyond U+10FFFF", 5, raw_connect(payload=p.text(b"\xf4\x90\x80\x80")),
     (0, MALFORMED)),
    ("empty client id to be kept", 4, p.connect("", 4, clean=False), (2,)),
    ("empty client id in 3.1", 3, p.connect("", 3), (2,)),
    ("unknown property", 5, raw_connect(props=p.properties(b"\x7f\x00")), (0, MALFORMED)),
    ("property of another packet", 5,
     p.connect("bad-connect", props=[(p.ALIAS, 1)]), (0, *EITHER)),
    ("receive maximum twice", 5,
     p.connect("bad-connect", props=[(p.RECEIVE_MAXIMUM, 1)] * 2), (0, PROTOCOL_ERROR)),
    ("receive maximum 0", 5,
     p.connect("bad-connect", props=[(p.RECEIVE_MAXIMUM, 0)]), (0, PROTOCOL_ERROR)),
    ("maximum packet size 0", 5,
     p.connect("bad-connect", props=[(p.MAXIMUM_PACKET, 0)]), (0, PROTOCOL_ERROR)),
    ("session expiry twice", 5,
     p.connect("bad-connect", props=[(p.SESSION_EXPIRY, 1)] * 2), (0, PROTOCOL_ERROR)),
    ("request problem information 2", 5,
     p.connect("bad-connect", props=[(p.REQUEST_PROBLEM, 2)]), (0, PROTOCOL_ERROR)),
    ("request response information 2", 5,
     p.connect("bad-connect", props=[(p.REQUEST_RESPONSE, 2)]), (0, PROTOCOL_ERROR)),
    ("authentication data without method", 5,
     p.connect("bad-connect", props=[(p.AUTH_DATA, b"x")]), (0, PROTOCOL_ERROR)),
    ("unknown authentication method", 5,
     p.connect("bad-connect", props=[(p.AUTH_METHOD, "none")]), (0x8C,)),
    ("property length beyond the packet", 5, raw_connect(props=b"\x7f"), (0, MALFORMED)),
    ("property cut short", 5, raw_connect(props=b"\x02\x11\x00", payload=b""), (0, MALFORMED)),
    ("padded property length", 5, raw_connect(props=b"\x80\x00"), (0, MALFORMED)),
    ("will payload format 2", 5,
     p.connect("bad-connect", will=p.Will("w", props=[(p.PAYLOAD_FORMAT, 2)])), (0, *EITHER)),
    ("will delay twice", 5,
     p.connect("bad-connect", will=p.Will("w", props=[(p.WILL_DELAY, 2)] * 2)),
     (0, PROTOCOL_ERROR)),
]
LAX = pytest.mark.mosquitto_differs("2.0.11 lets some of these pass, or says another reason")


@LAX
@pytest.mark.parametrize("name,version,data,codes", BAD_CONNECTS,
                         ids=[f"{c[0]}-v{c[1]}" for c in BAD_CONNECTS])
def test_bad_connect(broker, clients, name, version, data, codes):
    start = len(broker.lines())
    client = clients(broker, version)
    client.send(data)
    got = client.receive()
    if got is None:
        assert 0 in codes, "closed without CONNACK"
    else:
        assert got.kind == p.CONNACK and got.code in codes and got.code != 0, got
        assert not got.session_present
        assert client.receive() is None
    assert_logged(broker, client, start)


# In a session: (name, versions, bytes or function of the version, codes of DISCONNECT)

def both(build):
    return {version: build(version) for version in BOTH}


FILTER = "bad/filter"
BAD_PACKETS = [
    ("second connect", BOTH, both(lambda v: p.connect("again", v)), (PROTOCOL_ERROR,)),
    ("type 0", BOTH, b"\x00\x00", EITHER),
    ("type 15 in 3.1.1", V3, b"\xf0\x00", EITHER),
    ("auth without method", V5, p.packet(p.AUTH, b"\x19\x00"), (0x8C, *EITHER)),
    ("connack from a client", BOTH, p.packet(p.CONNACK, b"\0\0"), EITHER),
    ("suback from a client", BOTH, p.packet(p.SUBACK, b"\0\1\0\0"), EITHER),
    ("unsuback from a client", BOTH, p.packet(p.UNSUBACK, b"\0\1\0\0"), EITHER),
    ("pingresp from a client", BOTH, p.packet(p.PINGRESP), EITHER),
    # Reserved flags [MQTT-2.1.3-1]
    ("subscribe flags", BOTH, both(lambda v: p.subscribe(1, [(FILTER, 0)], v, flags=0)),
     (MALFORMED,)),
    ("unsubscribe flags", BOTH, both(lambda v: p.unsubscribe(1, [FILTER], v, flags=3)),
     (MALFORMED,)),
    ("pubrel flags", BOTH, p.ack(p.PUBREL, 1, flags=0), (MALFORMED,)),
    ("puback flags", BOTH, p.ack(p.PUBACK, 1, flags=2), (MALFORMED,)),
    ("pubrec flags", BOTH, p.ack(p.PUBREC, 1, flags=1), (MALFORMED,)),
    ("pubcomp flags", BOTH, p.ack(p.PUBCOMP, 1, flags=8), (MALFORMED,)),
    ("pingreq flags", BOTH, p.packet(p.PINGREQ, flags=1), (MALFORMED,)),
    ("disconnect flags", BOTH, p.packet(p.DISCONNECT, flags=1), (MALFORMED,)),
    # PUBLISH
    ("publish qos 3", BOTH, both(lambda v: p.publish("t", b"x", 3, 1, v)), (MALFORMED,)),
    ("dup at qos 0", BOTH, both(lambda v: p.publish("t", b"x", version=v, flags=8)), EITHER),
    ("publish packet id 0", BOTH, both(lambda v: p.publish("t", b"x", 1, 0, v)), EITHER),
    ("publish 2 packet id 0", BOTH, both(lambda v: p.publish("t", b"x", 2, 0, v)), EITHER),
    ("publish to #", BOTH, both(lambda v: p.publish("a/#", version=v)), (0x90,)),
    ("publish to +", BOTH, both(lambda v: p.publish("+", b"x", 1, 1, v)), (0x90,)),
    ("publish to nothing", V3, p.publish("", b"x", version=4), EITHER),
    ("publish to nothing, no alias", V5, p.publish("", b"x"), (PROTOCOL_ERROR,)),
    ("publish topic of bad UTF-8", BOTH, both(lambda v: p.publish(b"a\xff", version=v)),
     (MALFORMED, 0x90)),
    ("publish topic with U+0000", BOTH, both(lambda v: p.publish(b"a\0", version=v)),
     (MALFORMED, 0x90)),
    ("publish topic with a surrogate", BOTH,
     both(lambda v: p.publish(b"\xed\xb0\x80", version=v)), (MALFORMED, 0x90)),
    ("publish topic cut short", BOTH, p.packet(p.PUBLISH, b"\x00\x05abc"), (MALFORMED,)),
    ("publish without packet id", BOTH, p.packet(p.PUBLISH, p.text("t"), 2), (MALFORMED,)),
    ("empty publish", BOTH, p.packet(p.PUBLISH), (MALFORMED,)),
    ("alias 0", V5, p.publish("t", props=[(p.ALIAS, 0)]), (0x94,)),
    ("alias too high", V5, p.publish("t", props=[(p.ALIAS, 65535)]), (0x94,)),
    ("alias unknown", V5, p.publish("", props=[(p.ALIAS, 1)]), (PROTOCOL_ERROR, 0x94)),
    ("alias twice", V5, p.publish("t", props=[(p.ALIAS, 1)] * 2), (PROTOCOL_ERROR,)),
    ("content type twice", V5, p.publish("t", props=[(p.CONTENT_TYPE, "a")] * 2),
     (PROTOCOL_ERROR,)),
    ("message expiry twice", V5, p.publish("t", props=[(p.MESSAGE_EXPIRY, 1)] * 2),
     (PROTOCOL_ERROR,)),
    ("payload format 2", V5, p.publish("t", props=[(p.PAYLOAD_FORMAT, 2)]), EITHER),
    ("subscription id from a client", V5, p.publish("t", props=[(p.SUBSCRIPTION_ID, 1)]),
     EITHER),
    ("session expiry in publish", V5, p.publish("t", props=[(p.SESSION_EXPIRY, 1)]), EITHER),
    ("unknown property in publish", V5, p.publish("t", props=b"\x7f\x00"), (MALFORMED,)),
    ("property cut short", V5, p.publish("t", props=b"\x02\x00"), (MALFORMED,)),
    ("property length too long", V5, p.packet(p.PUBLISH, p.text("t") + b"\x20x"), (MALFORMED,)),
    ("response topic with wildcard", V5, p.publish("t", props=[(p.RESPONSE_TOPIC, "a/#")]),
     (0x90, *EITHER)),
    ("content type of bad UTF-8", V5, p.publish("t", props=[(p.CONTENT_TYPE, b"\xfe")]),
     (MALFORMED,)),
    ("user property of bad UTF-8", V5, p.publish("t", props=[(p.USER, (b"\xfe", "x"))]),
     (MALFORMED,)),
    # SUBSCRIBE and UNSUBSCRIBE
    ("subscribe to nothing", BOTH, both(lambda v: p.subscribe(1, [], v)), EITHER),
    ("subscribe qos 3", BOTH, both(lambda v: p.subscribe(1, [(FILTER, 3)], v)), EITHER),
    ("subscribe option bits", BOTH, both(lambda v: p.subscribe(1, [(FILTER, 0x40)], v)), EITHER),
    ("3.1.1 no local", V3, p.subscribe(1, [(FILTER, 0x04)], 4), EITHER),
    ("retain handling 3", V5, p.subscribe(1, [(FILTER, 0x30)]), EITHER),
    ("subscribe packet id 0", BOTH, both(lambda v: p.subscribe(0, [(FILTER, 0)], v)), EITHER),
    ("subscribe without options", V5, p.packet(p.SUBSCRIBE, b"\0\1\0" + p.text("a"), 2),
     (MALFORMED,)),
    ("subscribe without options", V3, p.packet(p.SUBSCRIBE, b"\0\1" + p.text("a"), 2),
     (MALFORMED,)),
    ("filter of bad UTF-8", BOTH, both(lambda v: p.subscribe(1, [(b"\xc1\x81", 0)], v)),
     (MALFORMED, 0x8F)),
    ("filter with U+0000", BOTH, both(lambda v: p.subscribe(1, [(b"a\0b", 0)], v)),
     (MALFORMED, 0x8F)),
    ("subscription id 0", V5,
     p.subscribe(1, [(FILTER, 0)], props=[(p.SUBSCRIPTION_ID, 0)]), (PROTOCOL_ERROR,)),
    ("subscription id twice", V5,
     p.subscribe(1, [(FILTER, 0)], props=[(p.SUBSCRIPTION_ID, 1)] * 2), (PROTOCOL_ERROR,)),
    ("no local on a shared filter", V5, p.subscribe(1, [("$share/g/x", 0x04)]),
     (PROTOCOL_ERROR,)),
    ("empty subscribe", BOTH, p.packet(p.SUBSCRIBE, b"", 2), (MALFORMED,)),
    ("unsubscribe from nothing", BOTH, both(lambda v: p.unsubscribe(1, [], v)), EITHER),
    ("unsubscribe packet id 0", BOTH, both(lambda v: p.unsubscribe(0, [FILTER], v)), EITHER),
    ("unsubscribe cut short", BOTH,
     both(lambda v: p.packet(p.UNSUBSCRIBE, b"\0\1" + (b"\0" if v == 5 else b"") + b"\0\5a", 2)),
     (MALFORMED,)),
    # Acknowledgements
    ("puback cut short", BOTH, p.packet(p.PUBACK, b"\0"), (MALFORMED,)),
    ("pubrel cut short", BOTH, p.packet(p.PUBREL, b"", 2), (MALFORMED,)),
    ("puback packet id 0", BOTH, p.ack(p.PUBACK, 0), EITHER),
    ("puback with a foreign code", V5, p.ack(p.PUBACK, 1, 0x92), EITHER),
    ("pubrel with a foreign code", V5, p.ack(p.PUBREL, 1, 0x10), EITHER),
    ("puback property", V5, p.ack(p.PUBACK, 1, 0, [(p.ALIAS, 1)]), EITHER),
    # The rest
    ("ping with a body", BOTH, p.packet(p.PINGREQ, b"x"), (MALFORMED,)),
    ("disconnect with a body", V3, p.packet(p.DISCONNECT, b"\0"), (MALFORMED,)),
    ("disconnect for servers only", V5, p.disconnect(code=0x8B), EITHER),
    ("session expiry after none", V5, p.disconnect(code=0, props=[(p.SESSION_EXPIRY, 5)]),
     (PROTOCOL_ERROR,)),
    ("five byte length", BOTH, b"\x30\xff\xff\xff\xff\x01", (MALFORMED,)),
    ("1 GB announced", BOTH, b"\x30\x80\x80\x80\x80\x04", (MALFORMED,)),
    ("padded length", BOTH, b"\xc0\x80\x00", (MALFORMED,)),
]
BAD_PACKET_ROWS = [(name, version, data[version] if isinstance(data, dict) else data, codes)
                   for name, versions, data, codes in BAD_PACKETS for version in versions]


@LAX
@pytest.mark.parametrize("name,version,data,codes", BAD_PACKET_ROWS,
                         ids=[f"{c[0]}-v{c[1]}" for c in BAD_PACKET_ROWS])
def test_bad_packet(broker, clients, name, version, data, codes):
    start = len(broker.lines())
    client = clients(broker, version)
    client.connect()
    client.send(data)
    client.expect_close(*codes)
    assert_logged(broker, client, start)


@LAX
@pytest.mark.parametrize("name,version,data,codes", BAD_PACKET_ROWS[::7],
                         ids=[f"{c[0]}-v{c[1]}" for c in BAD_PACKET_ROWS[::7]])
def test_bad_packet_publishes_the_will(broker, clients, name, version, data, codes):
    """The end of a connection after a mistake is not a goodbye [MQTT-3.1.2-8]."""
    topic = unique("will/of/offender")
    watcher = clients(broker)
    watcher.connect()
    watcher.subscribe(topic)
    client = clients(broker, version)
    client.connect(will=p.Will(topic, b"gone"))
    client.send(data)
    watcher.take(topic=topic, payload=b"gone")


# Filters that are wrong in themselves

@LAX
@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("bad_filter", ["", "a/#/b", "a#", "#a", "a+/b", "a/+b", "$share/g",
                                        "$share//x", "$share/g+/x", "$share/g/"])
def test_bad_filter(broker, clients, version, bad_filter):
    """Refused in SUBACK, or the connection is closed; never granted."""
    client = clients(broker, version)
    client.connect()
    client.send(p.subscribe(1, [(bad_filter, 0)], version))
    got = client.receive()
    if got is None:
        assert version == 4
    elif got.kind == p.SUBACK:
        assert got.codes == [0x8F if version == 5 else 0x80]
    else:
        assert got.kind == p.DISCONNECT and got.code in (0x8F, *EITHER)
        assert client.receive() is None


# Not errors, though unexpected

@LAX
@pytest.mark.parametrize("version", BOTH)
def test_acknowledgements_of_nothing(broker, clients, version):
    """PUBACK, PUBREC, PUBCOMP and PUBREL with a packet id that nobody waits for: answered where an
    answer belongs, and the connection goes on."""
    client = clients(broker, version)
    client.connect()
    client.send(p.ack(p.PUBACK, 77) + p.ack(p.PUBCOMP, 78))
    client.send(p.ack(p.PUBREL, 79))
    client.expect(p.PUBCOMP, packet_id=79, code=0x92 if version == 5 else 0)
    client.send(p.ack(p.PUBREC, 80))
    client.expect(p.PUBREL, packet_id=80, code=0x92 if version == 5 else 0)
    client.ping()


# Pieces

@pytest.mark.parametrize("version", BOTH)
def test_one_byte_at_a_time(broker, clients, version):
    client = clients(broker, version)
    client.client_id = unique("bytewise")
    topic = unique("bytewise/topic")
    stream = (p.connect(client.client_id, version) + p.subscribe(1, [(topic, 2)], version) +
              p.publish(topic, b"x" * 200, 2, 2, version) + p.ack(p.PUBREL, 2) + p.PING)
    for byte in stream:
        client.send(bytes([byte]))
    client.expect(p.CONNACK, code=0)
    seen = [client.receive() for _ in range(5)]
    assert sorted(packet.kind for packet in seen) == \
        [p.PUBLISH, p.PUBREC, p.PUBCOMP, p.SUBACK, p.PINGRESP]
    assert next(s for s in seen if s.kind == p.PUBLISH).payload == b"x" * 200


@pytest.mark.parametrize("version", BOTH)
def test_split_anywhere(broker, clients, version):
    """The same packets, cut in two at every place."""
    topic = unique("split/topic")
    head = p.connect("split", version)
    stream = (head + p.subscribe(1, [(topic, 1)], version) +
              p.publish(topic, b"payload", 1, 2, version) + p.PING)
    for at in range(1, len(stream)):
        client = clients(broker, version)
        client.client_id = "split"
        client.send(stream[:at])
        if at >= len(head):
            client.expect(p.CONNACK, code=0)
        client.send(stream[at:])
        if at < len(head):
            client.expect(p.CONNACK, code=0)
        # A message may come before the SUBACK ([5] 3.8.4).
        kinds = sorted(client.receive().kind for _ in range(4))
        assert kinds == [p.PUBLISH, p.PUBACK, p.SUBACK, p.PINGRESP], at
        client.disconnect()


@pytest.mark.parametrize("version", BOTH)
def test_half_packet_then_the_end(broker, clients, version):
    """A connection that ends inside a packet: the half is nothing, the will is published."""
    topic = unique("half/topic")
    watcher = clients(broker)
    watcher.connect()
    watcher.subscribe(topic, topic + "/will")
    client = clients(broker, version)
    client.connect(will=p.Will(topic + "/will", b"gone"))
    client.send(p.publish(topic, b"x" * 50, version=version)[:-1])
    client.cut()
    watcher.take(topic=topic + "/will", payload=b"gone")
    watcher.ping()


def test_half_connect_then_the_end(broker, clients):
    client = clients(broker)
    client.send(p.connect("half")[:7])
    client.cut()


@pytest.mark.mosquitto_differs("it waits as long as its keep alive says, here for ever")
def test_half_connect_and_silence(start_broker, clients):
    """A connection that never says CONNECT does not stay: the time for it is bounded."""
    broker = start_broker("connect_timeout 1")
    client = clients(broker)
    client.send(p.connect("half")[:7])
    assert client.receive() is None
    assert_logged(broker, client, 0)


def test_empty_connection(broker, clients):
    for _ in range(10):
        clients(broker).cut()
        clients(broker).reset()


def test_all_is_well_after_everything():
    """A broker that met all of the above in a row ends well, too (its leak check in sanitizer
    builds is part of that)."""
    broker = Broker()
    try:
        for _, version, data, _ in BAD_PACKET_ROWS:
            with Client(broker.port, version) as client:
                client.connect()
                client.send_if_open(data)
        for data in BEFORE_CONNECT.values():
            with Client(broker.port) as client:
                client.send_if_open(data)
        pair = Bystanders(broker)
        pair.exchange()
        pair.cut()
    finally:
        broker.stop()
