# SPDX-License-Identifier: Apache-2.0
"""Sessions and wills ([5] 3.1, 4.1): who has one, how long, who takes it over, what ends it."""

import time

import pytest

from support import packets as p
from support.client import unique
from support.process import eventually

NEVER = 0xFFFFFFFF
KEEPS = {3: {}, 4: {}, 5: {"props": [(p.SESSION_EXPIRY, NEVER)]}}


def connected(clients, broker, version=5, client_id=None, **options):
    client = clients(broker, version)
    client.connect(client_id, **options)
    return client


def kept(clients, broker, version, client_id, clean=False, **options):
    """Connects with a session that outlives the connection; returns client and CONNACK."""
    client = clients(broker, version)
    options = {**KEEPS[version], **options}
    return client, client.connect(client_id, clean=clean, **options)


def watch(clients, broker, *filters, qos=0, version=5):
    client = connected(clients, broker, version)
    client.subscribe(*filters, qos=qos)
    return client


# Clean start and what is kept

@pytest.mark.parametrize("version", (3, 4, 5))
def test_session_is_kept(sharded, clients, version):
    """Subscription and messages at QoS 1 and 2 survive the connection, in order, and with them
    the session; a clean start ends it [MQTT-3.1.2-4]."""
    name, topic = unique("kept"), unique("kept/topic")
    publisher = connected(clients, sharded)
    # In 3.x a session that begins clean ends with its connection.
    client, connack = kept(clients, sharded, version, name, clean=version == 5)
    assert not connack.session_present
    client.subscribe(topic, qos=2)
    client.disconnect()
    for number in range(4):
        publisher.publish(topic, str(number), qos=1 + number % 2)

    client, connack = kept(clients, sharded, version, name)
    assert connack.session_present == (version >= 4)
    # Per QoS in order; nothing is promised across QoS levels.
    got = [client.expect(p.PUBLISH) for _ in range(4)]
    assert [g.payload for g in got if g.qos == 1] == [b"0", b"2"]
    assert [g.payload for g in got if g.qos == 2] == [b"1", b"3"]
    assert len({g.packet_id for g in got}) == 4
    assert not any(g.dup for g in got)
    client.cut()

    client, connack = kept(clients, sharded, version, name, clean=True)
    assert not connack.session_present
    publisher.publish(topic, "5", qos=1)
    client.ping()


@pytest.mark.parametrize("version", (4, 5))
def test_session_is_not_kept(sharded, clients, version):
    """Clean session, or no session expiry: nothing stays."""
    name, topic = unique("short"), unique("short/topic")
    client = connected(clients, sharded, version, name, clean=True)
    client.subscribe(topic, qos=1)
    client.disconnect()
    client = clients(sharded, version)
    assert not client.connect(name, clean=version == 4).session_present
    connected(clients, sharded).publish(topic, "x", qos=1)
    client.ping()


def test_clean_session_ends_with_its_connection(sharded, clients):
    """[3.1.1] 3.1.2.4: a session begun clean is not there for a later clean session 0."""
    name = unique("clean")
    connected(clients, sharded, 4, name, clean=True).cut()
    client = clients(sharded, 4)
    assert not client.connect(name, clean=False).session_present


def test_session_expires(sharded, clients):
    """After its interval, and not before: its will with a longer delay tells when it ended."""
    name, topic = unique("expires"), unique("expires/will")
    watcher = watch(clients, sharded, topic)
    client = connected(clients, sharded, 5, name, props=[(p.SESSION_EXPIRY, 1)],
                       will=p.Will(topic, b"ended", props=[(p.WILL_DELAY, 1000)]))
    client.subscribe(topic + "/x", qos=1)
    since = time.monotonic()
    client.cut()
    watcher.take(topic=topic, payload=b"ended")
    assert time.monotonic() - since > 0.9
    client = clients(sharded)
    assert not client.connect(name, clean=False).session_present


def test_session_expiry_changes_at_disconnect(sharded, clients):
    """[5] 3.14.2.2.2: DISCONNECT can shorten it to nothing, or lengthen it."""
    name = unique("changes")
    client, _ = kept(clients, sharded, 5, name)
    client.disconnect(0, [(p.SESSION_EXPIRY, 0)])
    client = clients(sharded)
    assert not client.connect(name, clean=False, props=[(p.SESSION_EXPIRY, 1)]).session_present
    client.disconnect(0, [(p.SESSION_EXPIRY, 100)])
    client = clients(sharded)
    assert client.connect(name, clean=False).session_present


def test_session_across_versions(sharded, clients):
    """A 3.1.1 client and a version 5 client of one name have one session."""
    name, topic = unique("versions"), unique("versions/topic")
    client, _ = kept(clients, sharded, 4, name)
    client.subscribe(topic, qos=1)
    client.disconnect()
    connected(clients, sharded).publish(topic, "x", qos=1)
    client, connack = kept(clients, sharded, 5, name)
    assert connack.session_present
    client.take(topic=topic, payload=b"x")


@pytest.mark.parametrize("version", (4, 5))
@pytest.mark.parametrize("qos", (1, 2))
def test_redelivery(sharded, clients, version, qos):
    """What was not acknowledged comes again: same packet id, DUP set, in order, and before what
    came later [MQTT-4.4.0-1], [MQTT-4.6.0-1]."""
    name, topic = unique("redelivery"), unique("redelivery/topic")
    publisher = connected(clients, sharded)
    client, _ = kept(clients, sharded, version, name)
    client.subscribe(topic, qos=qos)
    for number in range(3):
        publisher.publish(topic, str(number), qos=qos)
    first = [client.expect(p.PUBLISH, dup=False) for _ in range(3)]
    client.cut()
    publisher.publish(topic, "3", qos=qos)
    client, _ = kept(clients, sharded, version, name)
    again = [client.expect(p.PUBLISH) for _ in range(4)]
    assert [a.payload for a in again] == [b"0", b"1", b"2", b"3"]
    assert [a.dup for a in again] == [True, True, True, False]
    assert [a.packet_id for a in again[:3]] == [f.packet_id for f in first]
    assert again[3].packet_id not in [f.packet_id for f in first]


@pytest.mark.parametrize("version", (4, 5))
def test_release_is_sent_again(sharded, clients, version):
    """After PUBREC only PUBREL comes again, never the message."""
    name, topic = unique("release"), unique("release/topic")
    client, _ = kept(clients, sharded, version, name)
    client.subscribe(topic, qos=2)
    connected(clients, sharded).publish(topic, "once", qos=2)
    packet_id = client.expect(p.PUBLISH, qos=2).packet_id
    client.send(p.ack(p.PUBREC, packet_id))
    client.expect(p.PUBREL, packet_id=packet_id)
    client.cut()
    client, _ = kept(clients, sharded, version, name)
    client.expect(p.PUBREL, packet_id=packet_id)
    client.send(p.ack(p.PUBCOMP, packet_id))
    client.ping()


@pytest.mark.parametrize("version", (4, 5))
def test_received_twice_delivered_once(sharded, clients, version):
    """A QoS 2 PUBLISH sent again, on the same and on a new connection, is one message; after
    PUBREL its packet id is free for the next."""
    name, topic = unique("twice"), unique("twice/topic")
    watcher = watch(clients, sharded, topic, qos=2)
    client, _ = kept(clients, sharded, version, name)
    for dup in (False, True):
        client.send(p.publish(topic, "one", 2, 7, version, dup=dup))
        client.expect(p.PUBREC, packet_id=7)
    client.cut()
    client, connack = kept(clients, sharded, version, name)
    assert connack.session_present
    client.send(p.publish(topic, "one", 2, 7, version, dup=True))
    client.expect(p.PUBREC, packet_id=7)
    for _ in range(2):
        client.send(p.ack(p.PUBREL, 7))
        client.expect(p.PUBCOMP, packet_id=7)
    client.send(p.publish(topic, "two", 2, 7, version))
    client.expect(p.PUBREC, packet_id=7)
    client.send(p.ack(p.PUBREL, 7))
    client.expect(p.PUBCOMP, packet_id=7)
    watcher.take(payload=b"one")
    watcher.take(payload=b"two")
    watcher.ping()


def test_qos1_duplicates_are_forwarded(sharded, clients):
    """At QoS 1 an acknowledged packet id is free: the same PUBLISH again is a new message, even
    with DUP (4.3.2)."""
    topic = unique("again/topic")
    watcher = watch(clients, sharded, topic, qos=1)
    client = connected(clients, sharded)
    for dup in (False, True):
        client.send(p.publish(topic, "x", 1, 7, dup=dup))
        client.expect(p.PUBACK, packet_id=7, code=0)
        # DUP of the incoming packet is not passed on [MQTT-3.3.1-3].
        watcher.take(payload=b"x", dup=False)


@pytest.mark.mosquitto_differs("the version 5 client is not told")
# Take-over

@pytest.mark.parametrize("old_version", (4, 5))
@pytest.mark.parametrize("new_version", (4, 5))
def test_take_over(sharded, clients, old_version, new_version):
    """The old connection is closed, in version 5 with 0x8E [MQTT-3.1.4-3]; the session goes on."""
    name, topic = unique("taken"), unique("taken/topic")
    old, _ = kept(clients, sharded, old_version, name)
    old.subscribe(topic, qos=1)
    new, connack = kept(clients, sharded, new_version, name)
    assert connack.session_present
    old.expect_close(0x8E)
    publisher = connected(clients, sharded)
    publisher.publish(topic, "x", qos=1)
    new.take(topic=topic, payload=b"x")
    new.ping()


@pytest.mark.mosquitto_differs("the version 5 client is not told")
def test_take_over_again_and_again(sharded, clients):
    """Many connections fight for one name: the last one has it, and it works."""
    name, topic = unique("storm"), unique("storm/topic")
    previous = None
    for _ in range(30):
        client, _ = kept(clients, sharded, 5, name)
        if previous:
            previous.expect_close(0x8E)
        previous = client
    previous.subscribe(topic, qos=1)
    connected(clients, sharded).publish(topic, "x", qos=1)
    previous.take(payload=b"x")
    previous.ping()
    # All at once, without waiting for each other.
    rivals = [clients(sharded) for _ in range(30)]
    for rival in rivals:
        rival.client_id = name
        rival.send(p.connect(name, clean=False, props=[(p.SESSION_EXPIRY, NEVER)]))
    eventually(lambda: sum(rival.has_closed() for rival in rivals) == len(rivals) - 1)
    last = next(rival for rival in rivals if not rival.has_closed())
    connected(clients, sharded).publish(topic, "y", qos=1)
    assert last.expect(p.CONNACK).session_present
    last.take(payload=b"y")


@pytest.mark.mosquitto_differs("the version 5 client is not told, the 3.1.1 will not published")
@pytest.mark.parametrize("version,clean,delay,published", [
    (4, False, 0, True), (4, True, 0, True), (5, False, 0, True), (5, True, 0, True),
    (5, False, 1000, False), (5, True, 1000, True)])
def test_will_at_take_over(sharded, clients, version, clean, delay, published):
    """[MQTT-3.1.2-8], 3.1.3.2.2: published unless the new connection continues the session before
    the delay has passed."""
    name, topic = unique("will-taken"), unique("will/taken")
    watcher = watch(clients, sharded, topic, topic + "/fence")
    props = [(p.WILL_DELAY, delay)] if delay else []
    old, _ = kept(clients, sharded, version, name, will=p.Will(topic, b"gone", props=props))
    new, _ = kept(clients, sharded, version, name, clean=clean)
    old.expect_close(0x8E)
    if published:
        watcher.take(topic=topic, payload=b"gone")
    new.publish(topic + "/fence", "fence")
    watcher.take(topic=topic + "/fence")


# Client ids

def test_assigned_client_id(sharded, clients):
    """[MQTT-3.1.3-7]: told to a version 5 client, unique, and usable."""
    names = []
    for _ in range(3):
        client = clients(sharded)
        connack = client.connect("", props=[(p.SESSION_EXPIRY, 100)])
        names.append(connack.first(p.ASSIGNED_ID))
        client.disconnect()
    assert all(names) and len(set(names)) == 3
    client = clients(sharded)
    assert client.connect(names[0], clean=False).session_present


def test_empty_client_id_in_3_1_1(sharded, clients):
    """Any number of clients may have none [MQTT-3.1.3-6]."""
    several = [connected(clients, sharded, 4, "") for _ in range(3)]
    for client in several:
        client.ping()


def test_long_client_id(sharded, clients):
    """Beyond the 23 characters that every broker must take [MQTT-3.1.3-5]: as long as it gets."""
    name = "x" * 65535
    for version in (4, 5):
        client = connected(clients, sharded, version, name)
        client.ping()
        client.disconnect()


# Wills

WILL_ENDS = {"cut": lambda c: c.cut(), "reset": lambda c: c.reset(),
             "goodbye with will": lambda c: c.disconnect(0x04)}


@pytest.mark.parametrize("end", WILL_ENDS)
def test_will(sharded, clients, end):
    """Every end but a plain goodbye; with the properties it was given, in order."""
    topic = unique("will")
    watcher = watch(clients, sharded, topic, qos=2)
    props = [(p.PAYLOAD_FORMAT, 1), (p.CONTENT_TYPE, "text"), (p.RESPONSE_TOPIC, "answer"),
             (p.CORRELATION_DATA, b"\0\1"), (p.USER, ("a", "1")), (p.USER, ("a", "2"))]
    client = connected(clients, sharded, will=p.Will(topic, b"gone", qos=2, props=props))
    WILL_ENDS[end](client)
    got = watcher.take(topic=topic, payload=b"gone", qos=2, retain=False)
    assert sorted(got.props, key=str) == sorted(props, key=str)
    assert got.all(p.USER) == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize("version", (3, 4, 5))
def test_goodbye_without_will(sharded, clients, version):
    topic = unique("goodbye")
    watcher = watch(clients, sharded, topic, topic + "/fence")
    connected(clients, sharded, version, will=p.Will(topic, b"gone")).disconnect()
    connected(clients, sharded).publish(topic + "/fence")
    watcher.take(topic=topic + "/fence")


@pytest.mark.parametrize("version", (3, 4, 5))
def test_retained_will(sharded, clients, version):
    topic = unique("will/retained")
    first = watch(clients, sharded, topic)
    connected(clients, sharded, version, will=p.Will(topic, b"gone", retain=True)).cut()
    first.take(payload=b"gone", retain=False)
    # Who subscribes while it is on its way gets it as new.
    eventually(lambda: watch(clients, sharded, topic).take(payload=b"gone").retain)
    connected(clients, sharded).publish(topic, b"", retain=True)


def test_will_delay(sharded, clients):
    """Waits its interval."""
    topic = unique("will/delay")
    watcher = watch(clients, sharded, topic)
    client, _ = kept(clients, sharded, 5, unique("delay"),
                     will=p.Will(topic, b"gone", props=[(p.WILL_DELAY, 1)]))
    since = time.monotonic()
    client.cut()
    watcher.take(topic=topic, payload=b"gone")
    assert time.monotonic() - since > 0.9


def test_will_delay_is_cancelled(sharded, clients):
    """Back before the delay has passed: no will [MQTT-3.1.3-9]. A second client with the same
    delay, cut later, tells when it would have come."""
    topic = unique("will/cancelled")
    watcher = watch(clients, sharded, topic, topic + "/other")
    name = unique("cancelled")
    client, _ = kept(clients, sharded, 5, name,
                     will=p.Will(topic, b"gone", props=[(p.WILL_DELAY, 1)]))
    client.cut()
    back, connack = kept(clients, sharded, 5, name)
    assert connack.session_present
    other, _ = kept(clients, sharded, 5, unique("other"),
                    will=p.Will(topic + "/other", b"gone", props=[(p.WILL_DELAY, 2)]))
    other.cut()
    watcher.take(topic=topic + "/other")
    back.ping()


@pytest.mark.mosquitto_differs("it waits the whole delay")
def test_will_at_session_end(sharded, clients):
    """A delayed will does not outlive its session: published when the session ends."""
    topic = unique("will/session")
    watcher = watch(clients, sharded, topic)
    # No session expiry: the session ends with the connection.
    connected(clients, sharded,
              will=p.Will(topic, b"gone", props=[(p.WILL_DELAY, 1000)])).cut()
    watcher.take(topic=topic, payload=b"gone")
