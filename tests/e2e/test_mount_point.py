# SPDX-License-Identifier: Apache-2.0
"""Mount points of listeners, with rules and over a restart; ids that the broker gives."""

import re

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, Broker
from support.client import Client

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="settings of ours")

LISTENERS = ["user root", "listener 0 127.0.0.1", "listener 0 127.0.0.1", "mount_point dev/"]


def start(*settings, state=None):
    broker = Broker([*LISTENERS, *map(str, settings)], port=None, state=state)
    line = broker.wait_for_line("running, listening on").string
    ports = [int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", line)]
    return broker, ports


def test_rules_are_about_mounted_topics(tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("topic read dev/open/#\ntopic write dev/open/a\ntopic write closed\n")
    broker, (plain, mounted) = start("persistence false", "allow_anonymous true",
                                     f"acl_file {acl}")
    try:
        with Client(plain) as reader, Client(mounted) as c:
            reader.connect()
            c.connect()
            reader.subscribe("dev/#")
            assert c.subscribe("open/#", "closed") == [0, 0x87]
            assert c.publish("closed", b"x", qos=1).code == 0x87
            c.publish("open/a", b"1", qos=1)
            c.take(topic="open/a")
            reader.take(topic="dev/open/a")
    finally:
        broker.stop()


def test_stored_topics_are_mounted_ones(tmp_path):
    state = tmp_path / "state"
    keeps = [(p.SESSION_EXPIRY, 1000)]
    broker, (plain, mounted) = start("allow_anonymous true", state=state)
    try:
        with Client(mounted) as c, Client(plain) as other:
            c.connect("kept", clean=False, props=keeps)
            c.subscribe("a/#", "$share/g/b", qos=1)
            c.cut()
            other.connect()
            other.publish("dev/a/1", b"waits", qos=1)
            other.publish("dev/b", b"shared", qos=1)
            other.publish("dev/r", b"retained", qos=1, retain=True)
    finally:
        broker.stop()
    broker, (plain, mounted) = start("allow_anonymous true", state=state)
    try:
        with Client(mounted) as c:
            c.connect("kept", clean=False, props=keeps)
            assert {c.take(qos=1).topic for _ in range(2)} == {"a/1", "b"}
            c.subscribe("r")
            c.take(topic="r", retain=True)
    finally:
        broker.stop()


def test_ids_that_are_given():
    broker, (plain, _) = start("persistence false", "allow_anonymous true",
                               "auto_id_prefix lamp-", "clientid_prefixes lamp-")
    try:
        with Client(plain) as c, Client(plain) as other:
            given = c.connect("").first(p.ASSIGNED_ID)
            assert re.fullmatch("lamp-[0-9A-F]{32}", given if isinstance(given, str)
                                else given.decode())
            other.send(p.connect("x"))
            assert other.receive().code == 0x87
    finally:
        broker.stop()
