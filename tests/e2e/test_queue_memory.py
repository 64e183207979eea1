# SPDX-License-Identifier: Apache-2.0
"""Queues of absent clients that do not fit into `queue_memory` go to a file, and come back."""

import os
from pathlib import Path

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, Broker

KEEP = [(p.SESSION_EXPIRY, 0xFFFFFFFF)]
IN_FLIGHT = 100

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own store")


def files_without_a_name(broker, folder):
    """Sizes on disk, in bytes, of what the broker has open there and no directory names."""
    sizes = []
    for link in Path(f"/proc/{broker.process.pid}/fd").iterdir():
        target = os.readlink(link)
        if target.startswith(f"{folder}/") and target.endswith("(deleted)"):
            sizes.append(link.stat().st_blocks * 512)
    return sizes


def publish_many(client, topic, count):
    """At QoS 1, so many in flight; the broker takes them all."""
    for first in range(0, count, IN_FLIGHT):
        ids = [i - first + 1 for i in range(first, min(first + IN_FLIGHT, count))]
        client.send(b"".join(p.publish(topic, b"%d" % (first + i - 1), 1, i) for i in ids))
        for i in ids:
            client.expect(p.PUBACK, packet_id=i, code=0)


def fill(clients, broker, count):
    subscriber = clients(broker)
    subscriber.connect("Sub", clean=False, props=KEEP)
    subscriber.subscribe("long/#", qos=1)
    subscriber.disconnect()
    publisher = clients(broker)
    publisher.connect("Pub")
    publish_many(publisher, "long/t", count)


def assert_all_come(clients, broker, count):
    subscriber = clients(broker)
    assert subscriber.connect("Sub", clean=False, props=KEEP).session_present
    got = [int(subscriber.take().payload) for _ in range(count)]
    assert got == list(range(count))
    subscriber.ping()


@pytest.fixture
def begin(tmp_path, start_broker):
    def start(queue_memory):
        user = ["user root"] if os.geteuid() == 0 else []
        return start_broker(f"persistence_location {tmp_path}/store", "max_queued_messages 0",
                            f"queue_memory {queue_memory}", *user, shards=2)
    return start


def test_long_queue_goes_to_a_file_and_comes_back(begin, clients, tmp_path):
    broker = begin(10000)
    fill(clients, broker, 20000)
    assert sum(files_without_a_name(broker, tmp_path / "store")) > 0
    assert_all_come(clients, broker, 20000)


def test_queue_that_fits_stays_in_memory(begin, clients, tmp_path):
    broker = begin(10_000_000)
    fill(clients, broker, 20000)
    assert sum(files_without_a_name(broker, tmp_path / "store")) == 0
    assert_all_come(clients, broker, 20000)
