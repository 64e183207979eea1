# SPDX-License-Identifier: Apache-2.0
"""Rules that changed while the broker was down: for what its clients had left behind."""

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, Broker
from support.client import Client

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="settings of ours")


@pytest.fixture(name="start")
def fixture_start(tmp_path):
    brokers = []
    acl = tmp_path / "acl"

    def begin(rules):
        for broker in brokers:
            broker.process.kill()
        acl.write_text(rules)
        brokers.append(Broker(["user root", "listener 0 127.0.0.1", "allow_anonymous true",
                               f"acl_file {acl}"], port=None, state=tmp_path / "state"))
        return brokers[-1]
    yield begin
    for broker in brokers[:-1]:
        broker.process = None  # it was killed
    for broker in brokers:
        broker.stop()


def test_retained_message_of_who_may_no_longer(start):
    own = "topic read #\npattern write %c/#\n"
    broker = start(own)
    with Client(broker.port) as c:
        c.connect("lamp")
        c.publish("lamp/a", b"1", qos=1, retain=True)
    for rules, comes in (("topic read #\ntopic write other\n", False), (own, True)):
        broker = start(rules)
        with Client(broker.port) as c:
            c.connect("reader")
            c.subscribe("lamp/#")
            if comes:
                c.take(topic="lamp/a", retain=True)
            c.ping()
            assert c.taken_without_waiting() == []


def test_will_of_who_may_no_longer(start):
    keeps = [(p.SESSION_EXPIRY, 1000)]
    broker = start("topic read #\npattern write %c/#\n")
    with Client(broker.port) as a, Client(broker.port) as b, Client(broker.port) as reader:
        for c, name in ((a, "a"), (b, "b")):
            c.connect(name, clean=False, props=keeps,
                      will=p.Will(f"{name}/gone", b"gone", qos=1))
        reader.connect("reader", clean=False, props=keeps)
        reader.subscribe("#", qos=1)
        broker.process.kill()
    broker = start("topic read #\ntopic write b/#\n")
    broker.wait_for_line("a/gone")
    with Client(broker.port) as reader:
        reader.connect("reader", clean=False, props=keeps)
        reader.take(topic="b/gone", qos=1)
        reader.ping()
        assert reader.taken_without_waiting() == []
