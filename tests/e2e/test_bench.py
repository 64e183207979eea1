# SPDX-License-Identifier: Apache-2.0
"""
`nightjar bench` tells the truth: against a server that breaks its promises each fault is counted
and ends in exit status 1; against a real one every scenario ends well.
"""

import pytest

from support.bench import bench
from support.broker import OUR_PROGRAM, free_port

pytestmark = pytest.mark.skipif(OUR_PROGRAM is None, reason="mosquitto has no such command")

COUNT = 40


def drop(number):
    return lambda n, message: [] if n == number else [message]


def repeat(number):
    return lambda n, message: [message, message] if n == number else [message]


def exchange(number):
    """Message `number` comes after the one that follows it."""
    held = []

    def rule(n, message):
        if n == number:
            held.append(message)
            return []
        return [message, held.pop()] if held else [message]
    return rule


@pytest.mark.parametrize("qos", (0, 1, 2))
def test_a_good_server_has_no_faults(faulty, qos):
    status, result, _ = bench(faulty().port, "p2p", "-q", qos, "-n", COUNT)
    assert status == 0
    assert result["delivered"] == COUNT
    assert [result[k] for k in ("lost", "duplicates", "misordered", "unacknowledged")] == [0] * 4


@pytest.mark.parametrize("qos,number,expected", (
    (0, 0, 0), (0, 17, 0), (0, COUNT - 1, 0), (1, 17, 1), (2, 17, 1)))
def test_a_lost_message_is_found(faulty, qos, number, expected):
    status, result, _ = bench(faulty(drop(number)).port, "p2p", "-q", qos, "-n", COUNT)
    assert status == expected
    assert result["lost"] == 1
    assert result["delivered"] == COUNT - 1


@pytest.mark.parametrize("qos,expected", ((1, 0), (2, 1)))
def test_a_duplicate_is_found(faulty, qos, expected):
    status, result, _ = bench(faulty(repeat(17)).port, "p2p", "-q", qos, "-n", COUNT)
    assert status == expected
    assert (result["duplicates"], result["lost"], result["misordered"]) == (1, 0, 0)


@pytest.mark.parametrize("qos", (1, 2))
def test_wrong_order_is_found(faulty, qos):
    status, result, _ = bench(faulty(exchange(17)).port, "p2p", "-q", qos, "-n", COUNT)
    assert status == 1
    assert (result["misordered"], result["lost"], result["duplicates"]) == (1, 0, 0)


def test_a_message_lost_to_several_is_counted_for_each(faulty):
    status, result, _ = bench(faulty(drop(3)).port, "fan-out", "--subs", 5, "-n", COUNT)
    assert status == 0
    assert result["lost"] == 5


@pytest.mark.parametrize("scenario", ("p2p", "fan-out", "fan-in"))
def test_a_server_that_goes_away_is_told_in_one_sentence(faulty, scenario):
    server = faulty(close_at=20)
    status, result, said = bench(server.port, scenario, "-q", 1)
    assert status == 1
    assert result is None
    assert said.startswith("nightjar bench: the server closed the connection of ")
    assert "\n" not in said


@pytest.mark.parametrize("connack,reason", (
    (b"\x20\x02\x00\x05", "not authorized"),
    (b"\x30\x02\x00\x00", "no place"),
    (b"\x00\x00\x00\x00", "not MQTT"),
))
def test_a_refusal_is_told_in_one_sentence(faulty, connack, reason):
    status, _, said = bench(faulty(connack=connack).port, "p2p")
    assert status == 1
    assert reason.lower() in said.lower()
    assert "\n" not in said


def test_no_server_is_told_in_one_sentence():
    status, _, said = bench(free_port(), "p2p")
    assert status == 1
    assert "cannot connect to 127.0.0.1 port " in said
    assert "\n" not in said


@pytest.mark.parametrize("words", (
    "p2p -q 0", "p2p -q 1", "p2p -q 2 -w 20", "p2p -q 2 -V 5", "p2p -q 1 -V 3",
    "p2p --pubs 20 -q 2 -w 5",
    "fan-out --subs 20 -q 1",
    "fan-in --pubs 20 -q 2 -w 20",
    "fan-in --pubs 20 --shared 3 -q 1",
    "sparse --pubs 20 -r 1000 -q 1", "sparse --pubs 20 -r 1000 --burst 10",
    "p2p -s 100000 -q 1",
    "churn --clients 10",
    "p2p -q 1 --persistent", "fan-in --pubs 20 -q 2 -V 5 --persistent",
), ids=lambda words: words)
def test_a_scenario_against_the_broker(start_broker, words):
    broker = start_broker(verbose=False)
    status, result, said = bench(broker.port, *words.split(), "-n", 500, "--server-pid", broker.pid)
    assert (status, said) == (0, "")
    assert result["per_second"] > 0
    assert result["server_cpu_us"] > 0
    assert (result["lost"], result["duplicates"], result["misordered"]) == (0, 0, 0)
    if "churn" not in words:
        assert result["published"] == 500


def test_idle_clients_against_the_broker(start_broker):
    broker = start_broker(verbose=False)
    status, result, _ = bench(broker.port, "idle", "--clients", 200, "--server-pid", broker.pid,
                              "-d", 0.2, "--warmup", 0)
    assert status == 0
    assert result["rss_after"] > 0


def test_answers_are_timed(start_broker):
    broker = start_broker(verbose=False)
    _, result, _ = bench(broker.port, "p2p", "-q", 2, "-n", 500)
    assert 0 < result["done_p50_us"] <= result["done_p99_us"] <= result["done_max_us"]


@pytest.mark.parametrize("words,subscribers", (
    ("", 1), ("-V 5", 1), ("-q 2", 1), ("-V 5 --pubs 5 --subs 3", 3)))
def test_absent_subscribers_get_what_was_queued(start_broker, words, subscribers):
    broker = start_broker(verbose=False)
    status, result, said = bench(broker.port, "absent", *words.split(), "-n", 500,
                                 "--server-pid", broker.pid)
    assert (status, said) == (0, "")
    assert (result["filled"], result["delivered"]) == (500, 500 * subscribers)
    assert (result["lost"], result["duplicates"]) == (0, 0)
    assert result["fill_per_second"] > 0
