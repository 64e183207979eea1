# SPDX-License-Identifier: Apache-2.0
"""Keep alive ([5] 3.1.2.10): who is silent says PINGREQ, who is dead is closed after 1.5 times the
interval, and the will is published."""

import signal
import time

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, OUR_PROGRAM, command
from support.client import Client, unique
from support.process import Process, eventually
from support.proxy import Proxy

# Seconds. mosquitto looks at whole seconds, and every five of them.
INTERVAL = 2 if IS_MOSQUITTO else 1
TOLERANCE = 7 if IS_MOSQUITTO else 3
SUB_INTERVAL = 5  # no `sub` takes less


@pytest.fixture
def watcher(broker):
    with Client(broker.port) as client:
        client.connect(keep_alive=0)
        yield client


class Subscriber:
    """A `sub` of some origin and version, behind a proxy."""

    def __init__(self, broker, origin, version, *options):
        self.name = unique(f"{origin}-{version}")
        self.proxy = Proxy(broker.port)
        self.process = Process(command(origin, "sub") + [
            "-h", "127.0.0.1", "-p", str(self.proxy.port), "-i", self.name,
            "-t", f"{self.name}/nothing", "-k", str(SUB_INTERVAL), "-V", version, *options])

    def kinds(self):
        """What went over the wire, as "> PINGREQ"."""
        return [line.rsplit(" ", 1)[0] for line in self.proxy.record.all()]

    def close(self):
        self.process.signal(signal.SIGCONT)
        self.process.kill()
        self.proxy.close()


@pytest.fixture
def start_subscribers(broker):
    """Both origins and versions at once: their intervals pass only once."""
    started = []

    def start(options=lambda: ()):
        for origin in ("mosquitto", "nightjar") if OUR_PROGRAM else ("mosquitto",):
            for version in ("mqttv311", "mqttv5"):
                started.append(Subscriber(broker, origin, version, *options()))
        for subscriber in started:
            subscriber.proxy.record.wait("^< SUBACK")
        return started
    yield start
    for subscriber in started:
        subscriber.close()


def test_idle_subscribers_ping(broker, start_subscribers):
    """Alone for three intervals: PINGREQ and PINGRESP each time, nothing else."""
    subscribers = start_subscribers()
    since = time.monotonic()
    for subscriber in subscribers:
        eventually(lambda: subscriber.kinds().count("< PINGRESP") >= 3, timeout=60)
    assert time.monotonic() - since < 3 * SUB_INTERVAL + 10
    for subscriber in subscribers:
        assert subscriber.process.is_running()
        assert subscriber.kinds() == ["> CONNECT", "< CONNACK", "> SUBSCRIBE", "< SUBACK"] + \
            ["> PINGREQ", "< PINGRESP"] * (len(subscriber.kinds()) // 2 - 2)
        for line in ("Received PINGREQ from", "Sending PINGRESP to"):
            assert f"{line} {subscriber.name}" in broker.lines()


def test_frozen_clients(broker, watcher, start_subscribers):
    """SIGSTOP: closed after 1.5 intervals, and the will published."""
    start = len(broker.lines())
    topic = unique("frozen/will")
    watcher.subscribe(topic + "/#")
    subscribers = start_subscribers(
        lambda: ("--will-topic", unique(topic + "/of"), "--will-payload", "gone"))
    since = time.monotonic()
    for subscriber in subscribers:
        subscriber.process.signal(signal.SIGSTOP)
    topics = set()
    for _ in subscribers:
        topics.add(watcher.take(payload=b"gone").topic)
        took = time.monotonic() - since
        # Their last packet was sent a little earlier than they froze.
        assert 1.5 * SUB_INTERVAL - 2 < took < 1.5 * SUB_INTERVAL + TOLERANCE
    assert len(topics) == len(subscribers)
    for subscriber in subscribers:
        broker.wait_for_line(f"{subscriber.name}.*(exceeded timeout|keep alive)", start)


@pytest.mark.parametrize("version", (3, 4, 5))
def test_silence(broker, clients, watcher, version):
    """Not before 1.5 intervals, and then soon [MQTT-3.1.2-22]; a version 5 client may be told."""
    topic = unique("silent/will")
    watcher.subscribe(topic)
    client = clients(broker, version)
    client.connect(keep_alive=INTERVAL, will=p.Will(topic, b"gone"))
    since = time.monotonic()
    watcher.take(topic=topic, payload=b"gone")
    assert 1.5 * INTERVAL - 0.1 < time.monotonic() - since < 1.5 * INTERVAL + TOLERANCE
    got = client.receive()
    if got is not None:
        assert version == 5 and got.kind == p.DISCONNECT and got.code == 0x8D
        assert client.receive() is None


def test_any_packet_counts(broker, clients, watcher):
    """A client that publishes needs no PINGREQ."""
    client = clients(broker, 4)
    client.connect(keep_alive=INTERVAL)
    until = time.monotonic() + 3 * INTERVAL
    while time.monotonic() < until:
        client.send_publish("some/topic", "x")
        time.sleep(0.3 * INTERVAL)
    client.ping()


def test_received_packets_do_not_count(broker, clients, watcher):
    """What the broker sends to a client says nothing about that client."""
    topic = unique("deaf")
    client = clients(broker, 4)
    client.connect(keep_alive=INTERVAL, will=p.Will(topic + "/will", b"gone"))
    client.subscribe(topic)
    watcher.subscribe(topic + "/will")
    with Client(broker.port) as publisher:
        publisher.connect()

        def gone():
            publisher.send_publish(topic, "x")
            watcher.has_closed()
            return watcher.taken_without_waiting()
        assert eventually(gone, pause=0.1)[0].payload == b"gone"


def test_none(broker, clients):
    """Keep alive 0: silence is no reason [MQTT-3.1.2-23]. Others are closed meanwhile."""
    quiet = clients(broker, 4)
    quiet.connect(keep_alive=0)
    for _ in range(2):
        other = clients(broker, 4)
        other.connect(keep_alive=INTERVAL)
        assert other.receive() is None
    quiet.ping()
