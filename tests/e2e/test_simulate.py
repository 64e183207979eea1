# SPDX-License-Identifier: Apache-2.0
"""`nightjar simulate`: devices do what the script says, and the summary says what they did."""

import json
import re
import signal

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, OUR_PROGRAM, TOP, Broker, free_port
from support.client import Client
from support.process import Process, eventually, run

pytestmark = pytest.mark.skipif(OUR_PROGRAM is None, reason="mosquitto has no such command")


def written(folder, text):
    path = folder / "script.sim"
    path.write_text(text)
    return str(path)


def command(port, script, *words):
    return [OUR_PROGRAM, "simulate", "-h", "127.0.0.1", "-p", str(port), "--json", *words, script]


def simulate(port, script, *words):
    """(exit status, the summary or None, standard error)"""
    status, out, err = run(command(port, script, *words))
    return status, json.loads("".join(out)) if out else None, "\n".join(err)


@pytest.mark.parametrize("version", ("3.1", "3.1.1", "5"))
def test_what_is_sent_is_acknowledged_and_received(broker, tmp_path, version):
    """Twenty devices, each QoS, and a subscriber that has a session already."""
    script = written(tmp_path, f"""
device logger
  client_id logger-{version}
  version {version}
  session 1h
  subscribe v{version}/# qos 2
device sensor 20
  client_id sensor-{version}-{{id}}
  version {version}
  start over 100ms
  publish v{version}/{{id}}/0 every 100ms payload {{walk 15 25 0.5}}
  publish v{version}/{{id}}/1 every 100ms jitter 50% qos 1 payload {{count}}
  publish v{version}/{{id}}/2 every 100ms qos 2 payload {{"id":{{id}}}}
""")
    with Client(broker.port) as logger:
        logger.connect(f"logger-{version}", clean=False, props=[(p.SESSION_EXPIRY, 3600)])
        logger.subscribe(f"v{version}/#", qos=2)
    process = Process(command(broker.port, script))
    for i in range(1, 21):
        for qos in range(3):
            broker.wait_for_line(f"PUBLISH from sensor-{version}-{i} .*q{qos}.*'v{version}/{i}/")
    process.signal(signal.SIGINT)
    assert process.wait() == 0, process.err.all()
    result = json.loads("".join(process.out.all()))
    assert result["connections"] == result["connected_max"] == 21
    assert all(count >= 20 for count in result["sent"])
    assert result["acknowledged"] == result["sent"][1] + result["sent"][2]
    assert result["lost"] == result["refused"] == result["duplicates"] == 0
    # the logger leaves with the others: what is on its way to it then stays in its session
    assert all(0 < got <= sent for got, sent in zip(result["received"], result["sent"]))
    assert 0 < result["latency_ms"]["p50"] <= result["latency_ms"]["max"]


def test_the_same_seed_gives_the_same_payloads(broker, tmp_path):
    script = written(tmp_path, "device s\n publish seed/x every 20ms payload {random 1 1000000}\n")

    def first_payloads():
        with Client(broker.port) as watcher:
            watcher.connect()
            watcher.subscribe("seed/x")
            process = Process(command(broker.port, script, "--seed", "5", "-d", "30s"))
            payloads = [watcher.expect(p.PUBLISH).payload for _ in range(5)]
            process.signal(signal.SIGINT)
            assert process.wait() == 0
            return payloads
    assert first_payloads() == first_payloads()


def test_birth_and_will(broker, tmp_path):
    """Each life begins with a birth; a life whose end is cut brings the will."""
    script = written(tmp_path, """
device lamp
  churn on 100ms off 50ms cut 100%
  will life/lamp qos 1 payload dead
  birth life/lamp qos 1 payload alive
""")
    with Client(broker.port) as watcher:
        watcher.connect()
        watcher.subscribe("life/lamp")
        process = Process(command(broker.port, script))
        for _ in range(2):
            watcher.expect(p.PUBLISH, payload=b"alive")
            watcher.expect(p.PUBLISH, payload=b"dead")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0


@pytest.mark.skipif(IS_MOSQUITTO, reason="it keeps no sessions over a crash")
def test_a_broker_that_crashes(tmp_path):
    """Killed and started again on its store: all come back, and no QoS 1 message is lost."""
    script = written(tmp_path, """
device s 20
  session 1h
  publish crash/{id} every 100ms qos 1 payload {count}
""")
    port = free_port()
    broker = Broker(port=port, state=tmp_path / "store")
    try:
        process = Process(command(port, script))
        for i in range(1, 21):
            broker.wait_for_line(f"Received PUBLISH from s-{i} ")
        broker.process.kill()
        broker = Broker(port=port, state=tmp_path / "store")
        for i in range(1, 21):
            broker.wait_for_line(f"New client connected from .* as s-{i} ")
            broker.wait_for_line(f"Received PUBLISH from s-{i} ")
        process.signal(signal.SIGINT)
        assert process.wait() == 0, process.err.all()
        result = json.loads("".join(process.out.all()))
        assert result["reconnects"] == 20
        assert result["lost"] == 0 and result["acknowledged"] == result["sent"][1]
    finally:
        process.kill()
        broker.stop()


def test_no_server(tmp_path):
    script = written(tmp_path, "device s\n publish x every 1s\n")
    status, result, _ = simulate(free_port(), script, "-d", "200ms")
    assert status == 1
    assert result["connections"] == 0 and result["failures"] >= 1
    assert result["trouble"] == "s 1 cannot connect: Connection refused"


def test_mistakes_are_shown_with_their_place(tmp_path):
    script = written(tmp_path, "device s\n publsh x every 1s\n publish y every soon\n")
    status, out, err = run([OUR_PROGRAM, "simulate", "--check", script])
    assert status == 2 and not out
    assert err == [f"{script}:2:2: unknown statement 'publsh', did you mean 'publish'?",
                   f"{script}:3:18: 'soon' is no time: write 250ms, 5s, 1.5m, 2h or 7d"]


@pytest.mark.parametrize("words, sentence", [
    (["--duration", "5"], "--duration: '5' is no time: write 250ms, 5s, 1.5m, 2h or 7d"),
    (["--port", "0"], "--port: '0' is no number from 1 to 65535"),
    (["--sed", "1"], "unknown option '--sed', did you mean '--seed'?"),
    (["--seed"], "--seed wants N"),
    ([], "no script is given (see --help)"),
    (["/nonexistent"], "cannot read '/nonexistent': No such file or directory"),
])
def test_mistakes_on_the_command_line(words, sentence):
    status, out, err = run([OUR_PROGRAM, "simulate", *words])
    assert (status, out, err) == (2, [], [f"nightjar simulate: {sentence}"])


def test_scripts_of_the_tree_and_of_the_manual():
    """Each is read without a complaint."""
    for path in sorted((TOP / "examples" / "simulate").glob("*.sim")):
        assert run([OUR_PROGRAM, "simulate", "--check", str(path)])[0] == 0, path
    page = (TOP / "man" / "nightjar-simulate.1").read_text()
    example = re.search(r"^\.nf\n(.*?)^\.fi", page, re.MULTILINE | re.DOTALL).group(1)
    process = Process([OUR_PROGRAM, "simulate", "--check", "/dev/stdin"], stdin=_pipe(example))
    assert process.wait() == 0, process.err.all()


def _pipe(text):
    import subprocess
    echo = subprocess.Popen(["printf", "%s", text], stdout=subprocess.PIPE)
    return echo.stdout
