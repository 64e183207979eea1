# SPDX-License-Identifier: Apache-2.0
"""Who gets a message: filters, options of subscriptions, shared subscriptions, retained messages
([5] 3.3.1.3, 3.8.3.1, 4.7, 4.8)."""

import collections

import pytest

from support import packets as p
from support.client import unique
from support.process import eventually

NEVER = 0xFFFFFFFF
NO_LOCAL, AS_PUBLISHED, IF_NEW, NO_RETAINED = 0x04, 0x08, 0x10, 0x20


def connected(clients, broker, version=5, client_id=None, **options):
    client = clients(broker, version)
    client.connect(client_id, **options)
    return client


def kept(clients, broker, name, version=5):
    props = [(p.SESSION_EXPIRY, NEVER)] if version == 5 else ()
    return connected(clients, broker, version, name, clean=False, props=props)


def until_fence(client, publisher, fence):
    """What the client gets before a message that is published now."""
    publisher.publish(fence, "fence", qos=1)
    got = []
    while True:
        message = client.take()
        if message.topic == fence:
            return got
        got.append(message)


# Filters

MATCHES = [  # filter, topics that match, topics that do not
    ("a/b", ["a/b"], ["a", "a/b/", "a/b/c", "A/b"]),
    ("a/+", ["a/b", "a/"], ["a", "a/b/c"]),
    ("+/+", ["a/b", "/b", "/"], ["a", "a/b/c"]),
    ("+", ["a"], ["/a", "a/"]),
    ("/+", ["/a", "/"], ["a", "a/b"]),
    ("a/#", ["a", "a/", "a/b", "a/b/c"], ["b", "ab"]),
    ("#", ["a", "/", "a/b/c"], ["$x", "$x/y"]),
    ("+/b/#", ["a/b", "a/b/c", "/b"], ["a/c", "$x/b"]),
    ("a/+/c", ["a/b/c", "a//c"], ["a/b/d", "a/c", "a/b/b/c"]),
    ("+/x", ["a/x"], ["$x/x"]),
    ("a//b", ["a//b"], ["a/b"]),
]


@pytest.mark.parametrize("version", (4, 5))
@pytest.mark.parametrize("row", MATCHES, ids=[row[0] for row in MATCHES])
def test_filter(sharded, clients, version, row):
    """[MQTT-4.7.1], [MQTT-4.7.2-1], 4.7.3."""
    topic_filter, matching, others = row
    subscriber = connected(clients, sharded, version)
    fence = unique("fence")
    assert subscriber.subscribe(topic_filter, fence, qos=1) == [1, 1]
    publisher = connected(clients, sharded, version)
    for topic in matching + others:
        publisher.publish(topic, "x", qos=1)
    got = until_fence(subscriber, publisher, fence)
    assert [g.topic for g in got] == matching


def test_dollar_topics_by_name(sharded, clients):
    """Topics with $ are reached by filters that name the level [MQTT-4.7.2-1]."""
    base = unique("$own")
    client = connected(clients, sharded)
    client.subscribe(f"{base}/#", qos=1)
    client.publish(f"{base}/x", "x", qos=1)
    client.take(topic=f"{base}/x")


def test_many_filters_in_one_packet(sharded, clients):
    """One code for each, in order; a wrong one among them spoils no other (3.9.3)."""
    base = unique("many")
    client = connected(clients, sharded)
    client.send(p.subscribe(5, [(f"{base}/0", 0), (f"{base}/1", 1), (f"{base}/2", 2),
                                (f"{base}/+", 1)]))
    assert client.expect(p.SUBACK, packet_id=5).codes == [0, 1, 2, 1]


def test_resubscribe_replaces(sharded, clients):
    """The same filter again: new options, one delivery [MQTT-3.8.4-3]."""
    topic = unique("replace")
    client = connected(clients, sharded)
    assert client.subscribe(topic, qos=0) == [0]
    assert client.subscribe(topic, qos=2) == [2]
    client.publish(topic, "x", qos=2)
    client.take(topic=topic, qos=2)
    client.ping()


@pytest.mark.parametrize("version", (4, 5))
def test_unsubscribe(sharded, clients, version):
    topic, fence = unique("unsubscribe"), unique("fence")
    client = connected(clients, sharded, version)
    client.subscribe(topic, fence, qos=1)
    assert client.unsubscribe(topic, topic) == ([0, 0x11] if version == 5 else [])
    publisher = connected(clients, sharded, version)
    publisher.publish(topic, "x", qos=1)
    assert until_fence(client, publisher, fence) == []


# Overlapping subscriptions and identifiers

@pytest.mark.mosquitto_differs("it takes the QoS of the first one that it finds")
def test_overlapping_once_with_the_highest_qos(sharded, clients):
    """[MQTT-3.3.4-2]; once, as the broker merges."""
    base = unique("overlap")
    client = connected(clients, sharded, 4)
    client.subscribe(f"{base}/+", qos=0)
    client.subscribe(f"{base}/#", qos=2)
    client.subscribe(f"{base}/x", qos=1)
    client.publish(f"{base}/x", "x", qos=2)
    client.take(topic=f"{base}/x", qos=2)
    client.ping()


@pytest.mark.mosquitto_differs("it gives one of the identifiers")
def test_overlapping_identifiers(sharded, clients):
    """All of them [MQTT-3.3.4-3, -4]; those of other clients not."""
    base = unique("identifiers")
    other = connected(clients, sharded)
    other.subscribe(f"{base}/x", props=[(p.SUBSCRIPTION_ID, 77)])
    client = connected(clients, sharded)
    client.subscribe(f"{base}/+", props=[(p.SUBSCRIPTION_ID, 1)])
    client.subscribe(f"{base}/#", props=[(p.SUBSCRIPTION_ID, 268435455)])
    client.subscribe(f"{base}/x")
    client.subscribe(f"{base}/y", props=[(p.SUBSCRIPTION_ID, 3)])
    client.publish(f"{base}/x", "x", qos=1)
    assert sorted(client.take().all(p.SUBSCRIPTION_ID)) == [1, 268435455]
    assert other.take().all(p.SUBSCRIPTION_ID) == [77]
    client.publish(f"{base}/y", "y", qos=1)
    assert sorted(client.take(topic=f"{base}/y").all(p.SUBSCRIPTION_ID)) == [1, 3, 268435455]


def test_identifier_is_replaced(sharded, clients):
    """Subscribed again with another identifier, or with none."""
    topic = unique("identifier")
    client = connected(clients, sharded)
    for props, expected in (([(p.SUBSCRIPTION_ID, 1)], [1]), ([(p.SUBSCRIPTION_ID, 2)], [2]),
                            ([], [])):
        client.subscribe(topic, props=props)
        client.publish(topic, "x")
        assert client.take().all(p.SUBSCRIPTION_ID) == expected


# Options

def test_no_local(sharded, clients):
    """[MQTT-3.8.3-3]"""
    topic, fence = unique("no-local"), unique("fence")
    client = connected(clients, sharded)
    client.subscribe(topic, options=NO_LOCAL | 1)
    client.subscribe(fence, qos=1)
    other = connected(clients, sharded)
    client.publish(topic, "own", qos=1)
    other.publish(topic, "other", qos=1)
    assert [g.payload for g in until_fence(client, other, fence)] == [b"other"]


def test_retain_as_published(sharded, clients):
    """[MQTT-3.3.1-12, -13]"""
    topic = unique("as-published")
    plain, as_published = connected(clients, sharded), connected(clients, sharded)
    plain.subscribe(topic)
    as_published.subscribe(topic, options=AS_PUBLISHED)
    publisher = connected(clients, sharded)
    for retain in (True, False):
        publisher.publish(topic, "x", retain=retain)
        plain.take(retain=False)
        as_published.take(retain=retain)
    publisher.publish(topic, "", retain=True)


@pytest.mark.parametrize("handling,first,again", [
    (0, True, True), (IF_NEW, True, False), (NO_RETAINED, False, False)])
def test_retain_handling(sharded, clients, handling, first, again):
    """[MQTT-3.3.1-9, -10, -11]"""
    topic = unique("handling")
    publisher = connected(clients, sharded)
    publisher.publish(topic, "kept", qos=1, retain=True)
    client = connected(clients, sharded)
    client.subscribe(topic + "/fence", qos=1)
    for expected in (first, again):
        client.subscribe(topic, options=handling | 1)
        got = until_fence(client, publisher, topic + "/fence")
        assert [g.payload for g in got] == ([b"kept"] if expected else [])
    publisher.publish(topic, "", qos=1, retain=True)


# Retained messages

@pytest.mark.parametrize("version", (3, 4, 5))
def test_retained(sharded, clients, version):
    """Set, replaced, cleared [MQTT-3.3.1-5, -6, -7]; with RETAIN set for who comes later only."""
    topic = unique("retained")
    early = connected(clients, sharded, version)
    early.subscribe(topic, qos=2)
    publisher = connected(clients, sharded, version)
    for payload, qos in (("one", 1), ("two", 2), ("three", 0)):
        publisher.publish(topic, payload, qos=qos, retain=True)
        early.take(payload=payload.encode(), retain=False, qos=qos)
        publisher.publish(unique("elsewhere"), "fence", qos=1)
        late = connected(clients, sharded, version)
        late.subscribe(topic, qos=1)
        late.take(topic=topic, payload=payload.encode(), retain=True, qos=min(qos, 1))
        late.disconnect()
    publisher.publish(topic, "", qos=1, retain=True)
    early.take(payload=b"", retain=False)
    late = connected(clients, sharded, version)
    late.subscribe(topic, topic + "/fence", qos=1)
    assert until_fence(late, publisher, topic + "/fence") == []


def test_retained_by_wildcard(sharded, clients):
    base = unique("retained")
    publisher = connected(clients, sharded)
    topics = [base, f"{base}/a", f"{base}/b", f"{base}/b/c", f"{base}//d"]
    for topic in topics:
        publisher.publish(topic, topic, qos=1, retain=True)
    for topic_filter, expected in ((f"{base}/#", topics), (f"{base}/+", topics[1:3]),
                                   (f"{base}/+/+", topics[3:]), (f"{base}/b", topics[2:3])):
        client = connected(clients, sharded)
        client.subscribe(base + "-fence", qos=1)
        client.subscribe(topic_filter, qos=1)
        got = until_fence(client, publisher, base + "-fence")
        assert sorted(g.topic for g in got) == sorted(expected)
        assert all(g.retain and g.payload.decode() == g.topic for g in got)
    for topic in topics:
        publisher.publish(topic, "", qos=1, retain=True)


def test_many_retained(sharded, clients):
    """More than fit into one turn's output."""
    base, count = unique("retained"), 2000
    publisher = connected(clients, sharded)
    for number in range(count):
        publisher.send_publish(f"{base}/{number % 40}/{number}", bytes(500), retain=True)
    publisher.publish(f"{base}-fence", "x", qos=1)
    client = connected(clients, sharded)
    client.subscribe(f"{base}/#", qos=0)
    got = [client.take(retain=True).topic for _ in range(count)]
    assert len(set(got)) == count
    for number in range(count):
        publisher.send_publish(f"{base}/{number % 40}/{number}", b"", retain=True)
    publisher.ping()


def test_retained_properties_and_expiry(sharded, clients):
    """Kept with its properties; gone after its interval (3.3.2.3.3)."""
    topic = unique("retained/expiry")
    publisher = connected(clients, sharded)
    publisher.publish(topic, "x", qos=1, retain=True, props=[
        (p.MESSAGE_EXPIRY, 1), (p.USER, ("a", "1")), (p.CONTENT_TYPE, "text")])

    def look():
        client = connected(clients, sharded)
        client.subscribe(topic + "/fence", qos=1)
        client.subscribe(topic, qos=1)
        got = until_fence(client, publisher, topic + "/fence")
        client.disconnect()
        return got
    got = look()
    assert [g.payload for g in got] == [b"x"]
    assert got[0].all(p.USER) == [("a", "1")] and got[0].first(p.CONTENT_TYPE) == "text"
    assert got[0].first(p.MESSAGE_EXPIRY) <= 1
    eventually(lambda: not look())


@pytest.mark.mosquitto_differs("it sends them")
def test_no_retained_for_shared(sharded, clients):
    """4.8.2: a shared subscription gets none at its start."""
    topic = unique("retained/shared")
    publisher = connected(clients, sharded)
    publisher.publish(topic, "x", qos=1, retain=True)
    client = connected(clients, sharded)
    client.subscribe(topic + "/fence", qos=1)
    client.subscribe(f"$share/g/{topic}", qos=1)
    assert until_fence(client, publisher, topic + "/fence") == []
    publisher.publish(topic, "", qos=1, retain=True)


# Shared subscriptions

@pytest.mark.parametrize("version", (4, 5))
@pytest.mark.parametrize("qos", (0, 1, 2))
def test_shared_in_turn(sharded, clients, version, qos):
    """Each message to one member, in turn; 3.1.1 clients as well."""
    topic = unique("shared")
    members = [connected(clients, sharded, version) for _ in range(3)]
    for member in members:
        assert member.subscribe(f"$share/group/{topic}", qos=qos) == [qos]
    publisher = connected(clients, sharded, version)
    for number in range(12):
        publisher.publish(topic, str(number), qos=qos)
    got = [[int(member.take(qos=qos).payload) for _ in range(4)] for member in members]
    assert sorted(sum(got, [])) == list(range(12))
    assert all(numbers == sorted(numbers) for numbers in got)
    for member in members:
        member.ping()


def test_shared_groups_and_others(sharded, clients):
    """Each group gets it once, and each plain subscriber too; one client may be all of them."""
    topic = unique("shared")
    one, two, plain = (connected(clients, sharded) for _ in range(3))
    one.subscribe(f"$share/a/{topic}", qos=1)
    two.subscribe(f"$share/b/{topic}", qos=1)
    plain.subscribe(topic, qos=1)
    plain.subscribe(f"$share/c/{topic}", qos=1)
    publisher = connected(clients, sharded)
    for number in range(3):
        publisher.publish(topic, str(number), qos=1)
    for client, times in ((one, 1), (two, 1), (plain, 2)):
        counted = collections.Counter(int(client.take().payload) for _ in range(3 * times))
        assert counted == {0: times, 1: times, 2: times}
        client.ping()


def test_shared_with_wildcard(sharded, clients):
    base = unique("shared")
    client = connected(clients, sharded)
    client.subscribe(f"$share/g/{base}/+/#", qos=1)
    client.publish(f"{base}/a/b", "x", qos=1)
    client.take(topic=f"{base}/a/b")
    client.unsubscribe(f"$share/g/{base}/+/#")
    assert client.publish(f"{base}/a/b", "x", qos=1).code == 0x10


ENDS = {"cut": lambda client: client.cut(), "goodbye": lambda client: client.disconnect()}


@pytest.mark.mosquitto_differs("it keeps them for the member that left")
@pytest.mark.parametrize("version", (4, 5))
@pytest.mark.parametrize("end", ENDS)
def test_shared_member_leaves(sharded, clients, version, end):
    """What a leaving member has not acknowledged goes to another, in order; nothing is stranded
    with a session that is away."""
    topic = unique("shared")
    name = unique("leaving")
    leaving = kept(clients, sharded, name, version)
    leaving.subscribe(f"$share/g/{topic}", qos=1)
    publisher = connected(clients, sharded)
    for number in range(6):
        publisher.publish(topic, str(number), qos=1)
    leaving.take(payload=b"0")
    for number in range(1, 6):
        leaving.expect(p.PUBLISH, payload=b"%d" % number)
    leaving.ping()  # its PUBACK was processed: the broker answers in order
    staying = connected(clients, sharded, version)
    staying.subscribe(f"$share/g/{topic}", qos=1)
    ENDS[end](leaving)
    for number in range(1, 6):
        staying.take(payload=b"%d" % number)
    for number in range(6, 9):
        publisher.publish(topic, str(number), qos=1)
        staying.take(payload=b"%d" % number)
    staying.ping()
    back = kept(clients, sharded, name, version)
    back.ping()


@pytest.mark.mosquitto_differs("it keeps them for the member that left")
@pytest.mark.parametrize("end", ENDS)
def test_shared_member_leaves_at_qos_2(sharded, clients, end):
    """A QoS 2 message that was sent stays with its client, which could have it already
    [MQTT-4.8.2-4]; those that only waited go to another, in order."""
    topic = unique("shared")
    name = unique("leaving")
    options = {"clean": False, "props": [(p.SESSION_EXPIRY, NEVER), (p.RECEIVE_MAXIMUM, 3)]}
    leaving = connected(clients, sharded, 5, name, **options)
    leaving.subscribe(f"$share/g/{topic}", qos=2)
    publisher = connected(clients, sharded)
    for number in range(6):
        publisher.publish(topic, str(number), qos=2)
    sent = [leaving.expect(p.PUBLISH, payload=b"%d" % number) for number in range(3)]
    leaving.send(p.ack(p.PUBREC, sent[0].packet_id))
    leaving.expect(p.PUBREL, packet_id=sent[0].packet_id)
    staying = connected(clients, sharded)
    staying.subscribe(f"$share/g/{topic}", qos=2)
    ENDS[end](leaving)
    for number in range(3, 6):
        staying.take(payload=b"%d" % number)
    staying.ping()
    back = connected(clients, sharded, 5, name, **options)
    back.expect(p.PUBREL, packet_id=sent[0].packet_id)
    back.send(p.ack(p.PUBCOMP, sent[0].packet_id))
    for number in (1, 2):
        back.take(payload=b"%d" % number, dup=True, packet_id=sent[number].packet_id)
    back.ping()


def test_shared_session_ends_at_qos_2(sharded, clients):
    """A QoS 2 message in flight when the session ends goes to nobody else [MQTT-4.8.2-5]."""
    topic = unique("shared")
    leaving, staying = connected(clients, sharded), connected(clients, sharded)
    leaving.subscribe(f"$share/g/{topic}", qos=2)
    publisher = connected(clients, sharded)
    publisher.publish(topic, "sent", qos=2)
    leaving.expect(p.PUBLISH, payload=b"sent")
    staying.subscribe(f"$share/g/{topic}", "fence/" + topic, qos=2)
    leaving.disconnect()
    assert until_fence(staying, publisher, "fence/" + topic) == []


@pytest.mark.parametrize("version", (4, 5))
def test_shared_all_members_away(sharded, clients, version):
    """With nobody connected messages wait for the group's sessions, and none is lost."""
    topic = unique("shared")
    names = [unique("away") for _ in range(2)]
    for name in names:
        member = kept(clients, sharded, name, version)
        member.subscribe(f"$share/g/{topic}", qos=1)
        member.disconnect()
    publisher = connected(clients, sharded)
    for number in range(10):
        assert publisher.publish(topic, str(number), qos=1).code == 0
    got = []
    members = [kept(clients, sharded, name, version) for name in names]

    def all_there():
        for member in members:
            assert not member.has_closed()
            got.extend(int(message.payload) for message in member.taken_without_waiting())
        return len(got) >= 10
    eventually(all_there)
    assert sorted(got) == list(range(10))


def test_shared_member_comes(sharded, clients):
    """A new member takes part from then on."""
    topic = unique("shared")
    one, two = connected(clients, sharded), connected(clients, sharded)
    publisher = connected(clients, sharded)
    one.subscribe(f"$share/g/{topic}", qos=1)
    publisher.publish(topic, "0", qos=1)
    one.take(payload=b"0")
    two.subscribe(f"$share/g/{topic}", qos=1)
    for number in range(1, 5):
        publisher.publish(topic, str(number), qos=1)
    got = [int(member.take().payload) for member in (one, two) for _ in range(2)]
    assert sorted(got) == [1, 2, 3, 4]
