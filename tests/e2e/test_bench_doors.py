# SPDX-License-Identifier: Apache-2.0
"""`nightjar bench` through other doors than plain TCP: TLS, WebSocket, both."""

import json
import re
import signal

import pytest

from support.bench import bench
from support.broker import OUR_PROGRAM, Broker
from support.certificates import Authority
from support.client import Client
from support.process import Process

pytestmark = pytest.mark.skipif(OUR_PROGRAM is None, reason="mosquitto has no such command")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("bench") / "files")
    made.issue("server")
    made.issue("alice")
    return made


@pytest.fixture(scope="module")
def doors(authority):
    """Ports by name: tls, mutual, ws, wss."""
    tls = [f"certfile {authority.certificate('server')}", f"keyfile {authority.key('server')}"]
    lines = ["user root", "allow_anonymous true", "persistence false",
             "listener 0 127.0.0.1", *tls,
             "listener 0 127.0.0.1", *tls, f"cafile {authority.path}", "require_certificate true",
             "listener 0 127.0.0.1", "protocol websockets",
             "listener 0 127.0.0.1", "protocol websockets", *tls]
    broker = Broker(lines, port=None)
    running = broker.wait_for_line(r"running, listening on (.*), \d+ shard").group(1)
    yield dict(zip(("tls", "mutual", "ws", "wss"), re.findall(r":(\d+)", running)))
    broker.stop()


@pytest.mark.parametrize("door", ("tls", "mutual", "ws", "wss"))
@pytest.mark.parametrize("words", ("p2p -q 1", "fan-out --subs 20 -q 2 -s 40000 -n 50",
                                   "churn --clients 10"), ids=lambda words: words.split()[0])
def test_a_load_through_a_door(authority, doors, door, words):
    words = ["-n", 300, *words.split()]  # what comes later counts
    if door in ("tls", "wss", "mutual"):
        words += ["--cafile", authority.path]
    if door == "mutual":
        words += ["--cert", authority.certificate("alice"), "--key", authority.key("alice")]
    if door in ("ws", "wss"):
        words.append("--ws")
    status, result, said = bench(doors[door], *words)
    assert (status, said) == (0, "")
    assert result["delivered"] > 0
    assert (result["lost"], result["duplicates"], result["misordered"]) == (0, 0, 0)


def test_tickets_make_handshakes_shorter(authority, doors):
    words = ["churn", "--clients", 1, "-n", 10, "--cafile", authority.path]
    _, result, _ = bench(doors["tls"], *words, "--resume")
    assert result["resumed"] == 9  # the first had no ticket
    # who must show a certificate does so each time
    mutual = ["--cert", authority.certificate("alice"), "--key", authority.key("alice")]
    _, result, _ = bench(doors["mutual"], *words, *mutual, "--resume")
    assert result["resumed"] == 0


def test_all_come_back_at_once(authority, doors):
    status, result, said = bench(doors["tls"], "idle", "--clients", 200, "--reconnect", "--warmup",
                                 0.1, "-d", 0.1, "--cafile", authority.path)
    assert (status, said) == (0, "")
    assert 0 < result["p50_us"] <= result["max_us"]


def test_a_server_that_is_not_believed_is_told_in_one_sentence(authority, doors, tmp_path):
    stranger = Authority(tmp_path / "files")
    for words, why in ((("--cafile", stranger.path), "certificate"),
                       (("--cafile", "no-such-file"), "no-such-file")):
        status, result, said = bench(doors["tls"], "p2p", *words)
        assert (status, result) == (1, None)
        assert why in said
        assert "\n" not in said


def test_an_interrupt_ends_the_measured_part(start_broker):
    broker = start_broker(verbose=False)
    with Client(broker.port) as witness:
        witness.connect()
        witness.subscribe("bench/#")
        generator = Process([OUR_PROGRAM, "bench", "p2p", "-q", "1", "-r", "100", "-h", "127.0.0.1",
                             "-p", str(broker.port), "-d", "600", "--warmup", "0", "--json"])
        witness.take()
        generator.signal(signal.SIGINT)
        assert generator.wait() == 0
    result = json.loads("".join(generator.out.all()))
    assert 0 < result["published"] < 60000
    assert (result["lost"], result["unacknowledged"]) == (0, 0)
