# SPDX-License-Identifier: Apache-2.0
"""MQTT.js (npm's `mqtt`): what it puts in, with every option and property, is what comes out."""

import json
from pathlib import Path

import pytest

from support.broker import IS_MOSQUITTO, Broker
from support.client import unique
from support.process import run

HERE = Path(__file__).resolve().parent


@pytest.fixture(scope="module", params=[1, 8], ids=["1shard", "8shards"])
def outcome(request):
    """What mqttjs.js printed: (prefix, its JSON)."""
    if IS_MOSQUITTO and request.param != 1:
        pytest.skip("mosquitto has no shards")
    assert (HERE / "node_modules" / "mqtt").is_dir(), "run `npm ci` in tests/e2e"
    broker, prefix = Broker(shards=request.param), unique("js")
    try:
        status, out, err = run(["node", str(HERE / "mqttjs.js"), str(broker.port), prefix], 60)
    finally:
        broker.stop()
    assert status == 0, "\n".join(err)
    return prefix, json.loads(out[0])


def expected_properties(prefix):
    return {
        "payloadFormatIndicator": True, "responseTopic": f"{prefix}/answer",
        "correlationData": [0, 1, 254, 255], "contentType": "text/plain; charset=utf-8",
        "userProperties": {"first": "one", "many": ["a", "b", "c"], "with space": "ä€𝄞"}}


def test_publish_properties(outcome):
    prefix, result = outcome
    assert result["publish"]["granted"] == [2]
    messages = result["publish"]["messages"]
    every = [m for m in messages if m["topic"] == f"{prefix}/every/property"]
    assert [(m["payload"], m["qos"], m["retain"]) for m in every] == \
        [(f"qos {qos}", qos, False) for qos in (0, 1, 2)]
    for message in every:
        got = dict(message["properties"])
        assert got.pop("messageExpiryInterval") in (599, 600)
        assert got.pop("subscriptionIdentifier") == 268435455
        assert got == expected_properties(prefix)
        assert list(got["userProperties"]) == ["first", "many", "with space"]


def test_topic_alias(outcome):
    prefix, result = outcome
    aliased = [m for m in result["publish"]["messages"] if m["topic"] == f"{prefix}/alias"]
    assert [m["payload"] for m in aliased] == [f"alias {qos}" for qos in (0, 0, 1, 1, 2, 2)]
    assert all("topicAlias" not in m["properties"] for m in aliased)


def test_subscribe_options(outcome):
    """All 12 combinations of no local, retain as published and retain handling."""
    _, result = outcome
    assert len(result["options"]) == 12
    for row in result["options"]:
        options = row["options"]
        at_subscribe = {0: 2, 1: 1, 2: 0}[options["rh"]]
        expected = [["kept", True]] * at_subscribe
        if not options["nl"]:
            expected.append(["own", False])
        expected.append(["kept", options["rap"]])
        assert row["messages"] == expected, options


def test_connect_and_will_properties(outcome):
    prefix, result = outcome
    assert result["connect"]["assigned"]
    (will,) = result["connect"]["messages"]
    assert (will["topic"], will["payload"], will["qos"]) == (f"{prefix}/will", "gone", 1)
    got = dict(will["properties"])
    assert got.pop("messageExpiryInterval") in (599, 600)
    assert got == expected_properties(prefix)
