# SPDX-License-Identifier: Apache-2.0
"""The log in other forms and places: JSON, topics, and what a flood leaves of itself."""

import json
import re
import signal
import time

import pytest

from support.broker import IS_MOSQUITTO
from support.client import Client, unique

ours = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own log")


def connected(broker, version=5):
    client = Client(broker.port, version)
    client.connect(unique("c"))
    return client


@ours
def test_each_line_is_an_object(start_broker):
    broker = start_broker("log_format json")
    client = connected(broker)
    client.cut()
    broker.wait_for_line(f'"Client {client.client_id} .* disconnected')
    objects = [json.loads(line) for line in broker.log()]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", o["time"]) for o in objects)
    mine = {o["event"]: o for o in objects
            if o.get("client") == client.client_id and o["level"] == "notice"}
    assert mine["client connected"]["address"] == client.address
    assert mine["client disconnected"]["reason"] == mine["client connected"]["reason"] == 0
    assert {o["level"] for o in objects} >= {"information", "notice", "debug"}


@pytest.mark.parametrize("shards", [1, 4])
def test_log_by_topics(start_broker, shards):
    """As mosquitto publishes it: letters, time stamps, not retained."""
    broker = start_broker("log_dest topic", "log_dest stderr", shards=shards)
    reader = connected(broker)
    reader.subscribe("$SYS/broker/log/#", qos=2)
    other = connected(broker)
    seen = {}

    def wait_for(topic, pattern):
        while not any(re.search(pattern, text) for text in seen.get(topic, [])):
            message = reader.expect(3, qos=0, retain=0)
            seen.setdefault(message.topic, []).append(message.payload.decode())
    wait_for("$SYS/broker/log/N", rf"^\d+: New client connected from .* as {other.client_id} ")
    other.subscribe("a/b")
    wait_for("$SYS/broker/log/M/subscribe", rf"^\d+: {other.client_id} 0 a/b$")
    other.unsubscribe("a/b")
    wait_for("$SYS/broker/log/M/unsubscribe", rf"^\d+: {other.client_id} a/b$")
    assert "$SYS/broker/log/D" not in seen  # else each line would make the next


@ours
def test_no_log_by_topics_unless_asked(start_broker):
    broker = start_broker()
    reader = connected(broker)
    reader.subscribe("$SYS/broker/log/#")
    connected(broker).cut()
    broker.wait_for_line("Client c-.* disconnected")
    reader.ping()


@ours
def test_who_reads_the_log_slowly_holds_nobody_up(start_broker):
    """Its socket is full soon; what others do, and the log on standard error, goes on."""
    broker = start_broker("log_dest topic", "log_dest stderr", "log_rate_limit 0")
    reader = connected(broker)
    reader.subscribe("$SYS/broker/log/#")
    started = time.monotonic()
    for _ in range(300):
        connected(broker, 4).cut()
    last = connected(broker)
    broker.wait_for_line(f"as {last.client_id} ")
    assert time.monotonic() - started < 10


@ours
def test_flood_leaves_a_number(start_broker):
    broker = start_broker("log_rate_limit 5", "log_type notice", "log_type information",
                          verbose=False)
    for _ in range(20):
        connected(broker).cut()
    broker.process.signal(signal.SIGTERM)
    assert broker.process.wait() == 0
    lines = [line for line in broker.lines() if re.match("New connection from", line)]
    assert len(lines) == 5
    assert any(re.match("15 more lines like this in the last 10 s: New connection from", line)
               for line in broker.lines())
