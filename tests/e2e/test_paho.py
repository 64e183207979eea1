# SPDX-License-Identifier: Apache-2.0
"""
paho's Python client: a publisher of one temperature a step, a monitor beside it, and what the
acknowledgements mean to its user.
"""

import queue
import threading

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from support import packets as p
from support.client import Client, unique
from support.process import DEADLINE
from support.proxy import Proxy

PROTOCOLS = {"3.1.1": paho.MQTTv311, "5": paho.MQTTv5}
TEMPERATURES = [f"{20 + step * 0.1:.1f}" for step in range(50)]


class Paho:
    """A paho client with its own thread; what its callbacks say goes to queues."""

    def __init__(self, port, protocol, client_id="", connect=None, **options):
        self.client = paho.Client(client_id or unique("paho"), protocol=protocol, **options)
        self.messages = queue.Queue()
        self.published = queue.Queue()
        self.subscribed = queue.Queue()
        self.connected = queue.Queue()
        self.client.on_message = lambda _c, _u, message: self.messages.put(message)
        self.client.on_publish = lambda _c, _u, mid: self.published.put(mid)
        self.client.on_subscribe = lambda *args: self.subscribed.put(args[2])
        self.client.on_connect = lambda *args: self.connected.put(args[3])
        self.client.connect("127.0.0.1", port, keepalive=60, **(connect or {}))
        self.client.loop_start()
        assert self.connected.get(timeout=DEADLINE) == 0

    def subscribe(self, topic, qos):
        self.client.subscribe(topic, qos)
        self.subscribed.get(timeout=DEADLINE)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def start_paho():
    opened = []

    def start(*args, **options):
        opened.append(Paho(*args, **options))
        return opened[-1]
    yield start
    for client in opened:
        client.close()


@pytest.mark.parametrize("version", PROTOCOLS)
@pytest.mark.parametrize("qos", (0, 1, 2))
def test_temperature(broker, start_paho, version, qos):
    """One message a step: all arrive at the monitor, once, in order."""
    topic = unique("home/living-room/temperature")
    monitor = start_paho(broker.port, PROTOCOLS[version])
    monitor.subscribe(topic, qos)
    publisher = start_paho(broker.port, PROTOCOLS[version])
    for temperature in TEMPERATURES:
        mid = publisher.client.publish(topic, temperature, qos).mid
        assert publisher.published.get(timeout=DEADLINE) == mid
    got = [monitor.messages.get(timeout=DEADLINE) for _ in TEMPERATURES]
    assert [message.payload.decode() for message in got] == TEMPERATURES
    assert all(message.qos == qos and not message.dup and not message.retain for message in got)
    # A message behind them shows that none came twice.
    publisher.client.publish(topic, "end", qos)
    assert monitor.messages.get(timeout=DEADLINE).payload == b"end"
    assert monitor.messages.empty()


@pytest.mark.parametrize("version", PROTOCOLS)
@pytest.mark.parametrize("qos,last", [(1, p.PUBACK), (2, p.PUBCOMP)])
def test_on_publish_after_the_last_acknowledgement(broker, start_paho, version, qos, last):
    """A proxy keeps the last packet of the handshake back: no on_publish before it is let go,
    and the packets on the wire are those of the level and no more."""
    holding = threading.Event()

    def hook(direction, kind, _whole):
        if direction == "<" and kind == last:
            holding.set()
            return "hold"
        return "pass"
    with Proxy(broker.port, hook) as proxy:
        publisher = start_paho(proxy.port, PROTOCOLS[version])
        publisher.client.publish(unique("held/topic"), "x", qos)
        assert holding.wait(DEADLINE)
        assert publisher.published.empty()
        proxy.release()
        publisher.published.get(timeout=DEADLINE)
        wire = [line.rsplit(" ", 1)[0] for line in proxy.record.all()]
        assert wire == ["> CONNECT", "< CONNACK", "> PUBLISH"] + {
            1: ["< PUBACK"], 2: ["< PUBREC", "> PUBREL", "< PUBCOMP"]}[qos]


def start_persistent(start_paho, port, name, version):
    if version == "3.1.1":
        return start_paho(port, paho.MQTTv311, name, clean_session=False)
    expiry = Properties(PacketTypes.CONNECT)
    expiry.SessionExpiryInterval = 1000
    return start_paho(port, paho.MQTTv5, name,
                      connect={"clean_start": False, "properties": expiry})


@pytest.mark.parametrize("version", PROTOCOLS)
def test_lost_pubacks_bring_messages_again(broker, start_paho, version):
    """A persistent session whose PUBACKs are lost on the way, then cut: on its return it gets its
    messages again, with DUP and the same packet ids."""
    topic, name = unique("lost/pubacks"), unique("persistent")
    state = {"lose": True}
    seen, lost = queue.Queue(), queue.Queue()

    def hook(direction, kind, whole):
        if direction == "<" and kind == p.PUBLISH:
            splitter = p.Splitter()
            splitter.feed(whole)
            found = splitter.next()
            seen.put(p.parse(*found[:3], 5 if version == "5" else 4))
        if direction == ">" and kind == p.PUBACK and state["lose"]:
            lost.put(whole)
            return "drop"
        return "pass"

    with Proxy(broker.port, hook) as proxy:
        persistent = start_persistent(start_paho, proxy.port, name, version)
        persistent.subscribe(topic, 1)
        with Client(broker.port) as publisher:
            publisher.connect()
            for number in range(3):
                publisher.publish(topic, str(number), qos=1)
        for number in range(3):
            assert persistent.messages.get(timeout=DEADLINE).payload == b"%d" % number
        first = [seen.get(timeout=DEADLINE) for _ in range(3)]
        assert not any(message.dup for message in first)
        for _ in range(3):
            lost.get(timeout=DEADLINE)
        proxy.cut()
        state["lose"] = False
        # paho connects again by itself, and has them again.
        again = [seen.get(timeout=DEADLINE) for _ in range(3)]
        assert all(message.dup for message in again)
        assert [(m.packet_id, m.payload) for m in again] == \
            [(m.packet_id, m.payload) for m in first]
        for number in range(3):
            message = persistent.messages.get(timeout=DEADLINE)
            assert message.payload == b"%d" % number and message.dup
        assert persistent.connected.get(timeout=DEADLINE) == 0
        # Acknowledged now: a third connection brings nothing old.
        with Client(broker.port) as publisher:
            publisher.connect()
            publisher.publish(topic, "new", qos=1)
        assert persistent.messages.get(timeout=DEADLINE).payload == b"new"
        assert not seen.get(timeout=DEADLINE).dup and seen.empty()

