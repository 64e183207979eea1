# SPDX-License-Identifier: Apache-2.0
"""`nightjar journal` on the store of a real broker, while it runs and after."""

import json
import os
import re
import signal

import pytest

from support.broker import IS_MOSQUITTO, PROGRAM
from support.process import eventually, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own store")


def tool(what, broker, *options):
    """(exit status, what it printed, what it said on standard error)"""
    status, out, err = run([PROGRAM, "journal", what, str(broker.state), *options])
    return status, "\n".join(out), "\n".join(err)


def document(what, broker):
    status, out, err = tool(what, broker, "--json")
    assert err == ""
    return status, json.loads(out)


@pytest.fixture
def filled(start_broker, clients):
    """A broker whose store holds a session with 20 waiting messages."""
    broker = start_broker()
    subscriber = clients(broker, 4)
    subscriber.connect("Subscriber1", clean=False)
    subscriber.subscribe("home/#", qos=2)
    subscriber.disconnect()
    publisher = clients(broker, 4)
    publisher.connect("Publisher1", clean=False)
    for number in range(20):
        publisher.publish("home/room", b"%d degrees" % number, qos=1)
    return broker


def test_check_of_a_running_broker(filled):
    status, found = document("check", filled)
    assert status == 0 and found["is_sound"] and found["records"] >= 22
    status, out, err = tool("check", filled)
    assert (status, err) == (0, "") and out.endswith(": sound")


def test_check_after_a_clean_end(filled):
    filled.terminate()
    status, found = document("check", filled)
    assert status == 0 and found["checkpoints"] >= 1


def test_dump_tells_who_published_what(filled):
    status, out, err = tool("dump", filled, "--json")
    assert (status, err) == (0, "")
    records = [json.loads(line) for line in out.splitlines()]
    published = [r for r in records if r["kind"] == "PUBLISH"]
    assert len(published) == 20
    assert {(r["client"], r["topic"], r["qos"]) for r in published} == {
        ("Publisher1", "home/room", 1)}
    assert [r["client"] for r in records if r["kind"] == "CONNECT"][:2] == [
        "Subscriber1", "Publisher1"]
    subscribe = [r for r in records if r["kind"] == "SUBSCRIBE"][0]
    assert subscribe["filters"] == [{"filter": "home/#", "qos": 2}]
    assert len(tool("dump", filled)[1].splitlines()) >= len(records)


def test_stats_weigh_what_is_there(filled):
    status, found = document("stats", filled)
    assert status == 0
    assert found["kinds"]["PUBLISH"]["records"] == 20
    assert found["publishers"][0]["client"] == "Publisher1"
    assert found["publishers"][0]["messages"] == 20
    assert "Publisher1 20 messages" in tool("stats", filled)[1]


def test_compact_only_when_nobody_uses_it(filled):
    status, out, err = tool("compact", filled)
    assert (status, out) == (2, "")
    assert str(filled.pid) in err and "\n" not in err
    filled.process.signal(signal.SIGKILL)
    filled.process.wait()
    filled.process = None
    status, found = document("compact", filled)
    assert status == 0 and found["bytes_after"] > 0
    status, found = document("stats", filled)
    assert (status, found["references"]) == (0, 20)
    status, found = document("check", filled)
    assert status == 0 and found["is_sound"]


def test_changed_byte_is_found(filled):
    filled.terminate()
    changed = 0
    for path in filled.state.glob("seg-*"):
        content = path.read_bytes()
        found = re.search(rb"7 degrees", content)
        if found:
            with open(path, "r+b") as file:
                file.seek(found.start())
                file.write(b"8")
            changed += 1
            break
    assert changed == 1
    status, found = document("check", filled)
    assert status == 1 and not found["is_sound"] and len(found["damages"]) >= 1


def test_damaged_checkpoint_is_found(filled):
    filled.terminate()
    path = max(filled.state.glob("ckpt-*"))
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))
    status, found = document("check", filled)
    assert status == 1 and not found["is_sound"] and len(found["damages"]) >= 1


def test_no_store_is_told_in_one_sentence(tmp_path):
    for path in tmp_path / "missing", tmp_path:
        status, out, err = run([PROGRAM, "journal", "check", str(path)])
        assert (status, out, len(err)) == (2, [], 1), err
        assert str(path) in err[0]
    assert eventually(lambda: not list(tmp_path.iterdir()), 1)
