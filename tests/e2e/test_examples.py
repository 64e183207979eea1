# SPDX-License-Identifier: Apache-2.0
"""The programs that users start from: those in examples/, and those in the documents."""

import re
import signal
import subprocess

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, TOP, Broker, free_port
from support.client import Client
from support.library import LIBRARY, compiled
from support.process import Process, eventually, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO or not LIBRARY.exists(),
                                reason="beside this program stands no library")
NAMES = ("bridge", "led", "presence", "properties", "requests", "sensor", "threads", "worker")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """As the build made them, or, where it makes none, made here."""
    folder = tmp_path_factory.mktemp("examples")

    def program(name):
        built = LIBRARY.parents[2] / "examples" / name
        return str(built if built.exists() else compiled(folder, f"examples/{name}.c"))
    return {name: program(name) for name in NAMES}


@pytest.fixture
def start():
    """Starts programs; each is ended with the test."""
    started = []

    def begin(*words):
        started.append(Process([str(word) for word in words]))
        return started[-1]
    yield begin
    for process in started:
        process.kill()


def address(broker):
    return f"mqtt://127.0.0.1:{broker.port}"


def pass_until(watcher, topic, payload):
    """Receives messages until there is this one."""
    while True:
        got = watcher.expect(p.PUBLISH)
        if (got.topic, got.payload) == (topic, payload):
            return got


def retained(broker, topic):
    """What the broker keeps there, or None."""
    with Client(broker.port) as reader:
        reader.connect()
        reader.subscribe(topic)
        reader.send(p.PING)
        got = reader.receive()
        return got.payload if got.kind == p.PUBLISH else None


def blocks(document, language):
    """What stands between ```language and ``` in a document."""
    return re.findall(f"^```{language}\n(.*?)^```$", (TOP / document).read_text(),
                      re.MULTILINE | re.DOTALL)


def test_first_program_of_the_readme(broker, tmp_path):
    text, = blocks("README.md", "c")
    assert "localhost:1883" in text
    source = tmp_path / "hello.c"
    source.write_text(text.replace("localhost:1883", f"localhost:{broker.port}"))
    done = subprocess.run([compiled(tmp_path, source, "-Wno-unused-parameter")], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("home/hello: Hello, world\n", "", 0)


def test_sensor(broker, programs, start, tmp_path):
    """Readings and status are retained; a crash is told by the will, an end by itself."""
    reading = tmp_path / "temp"
    reading.write_text("21537\n")
    command = (programs["sensor"], address(broker), "kitchen", reading, "20")
    with Client(broker.port) as watcher:
        watcher.connect()
        watcher.subscribe("kitchen/#")
        process = start(*command)
        pass_until(watcher, "kitchen/status", b"online")
        pass_until(watcher, "kitchen/temperature", b"21.5")
        assert retained(broker, "kitchen/temperature") == b"21.5"
        process.kill()
        pass_until(watcher, "kitchen/status", b"offline")
        process = start(*command)
        pass_until(watcher, "kitchen/status", b"online")
        # another shard may keep it a moment later
        eventually(lambda: retained(broker, "kitchen/status") == b"online")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        pass_until(watcher, "kitchen/status", b"offline")


def test_sensor_says_what_is_wrong(programs, start, tmp_path):
    port = free_port()
    process = start(programs["sensor"], f"mqtt://127.0.0.1:{port}", "kitchen", tmp_path, "20")
    process.err.wait(f"^sensor: no number can be read from {tmp_path}$")
    process.out.wait(f"^cannot connect to mqtt://127.0.0.1:{port}: Connection refused; next try")


def test_led_follows_what_is_retained(broker, programs, start, tmp_path):
    light = tmp_path / "brightness"
    light.write_text("0\n")
    with Client(broker.port) as hand:
        hand.connect()
        hand.subscribe("porch/state")
        hand.publish("porch/set", b"on", 1, retain=True)
        process = start(programs["led"], address(broker), "porch", light)
        hand.expect(p.PUBLISH, payload=b"on")
        assert light.read_text() == "1\n"
        hand.publish("porch/set", b"dimmed", 1)
        hand.publish("porch/set", b"off", 1, retain=True)
        hand.expect(p.PUBLISH, payload=b"off")
        assert light.read_text() == "0\n"
        process.err.wait('^led: neither "on" nor "off"$')


def test_threads(broker, programs):
    with Client(broker.port) as watcher:
        watcher.connect()
        watcher.subscribe("count/#")
        status, out, err = run([programs["threads"], address(broker), "count", "4", "250"])
        assert (status, out) == (0, ["1000 of 1000 acknowledged"]), err
        next_of = {f"count/{i}": 0 for i in range(4)}
        for _ in range(1000):
            got = watcher.expect(p.PUBLISH)
            assert int(got.payload) == next_of[got.topic]
            next_of[got.topic] += 1


def test_presence(broker, programs, start):
    anna = start(programs["presence"], address(broker), "anna")
    anna.out.wait("^anna is here$")
    berta = start(programs["presence"], address(broker), "berta")
    berta.out.wait("^anna is here$")
    anna.out.wait("^berta is here$")
    berta.signal(signal.SIGTERM)
    assert berta.wait() == 0
    anna.out.wait("^berta has left$")
    carla = start(programs["presence"], address(broker), "carla")
    anna.out.wait("^carla is here$")
    carla.kill()
    anna.out.wait("^carla has left$")


def test_bridge_acknowledges_when_the_target_has(programs, start, tmp_path):
    """The target is away: the source keeps what came, over a crash of the bridge."""
    source = Broker()
    port = free_port()
    words = (programs["bridge"], address(source), f"mqtt://127.0.0.1:{port}", "site/#")
    target = None
    try:
        first = start(*words)
        source.wait_for_line("Sending SUBACK to bridge")
        with Client(source.port) as sensor:
            sensor.connect()
            for i in range(20):
                sensor.publish("site/1", str(i).encode(), 1 + i % 2)
        source.wait_for_line("Sending PUBLISH to bridge .*m20,")
        assert not any("PUBACK from bridge" in line for line in source.lines())
        first.kill()
        target = Broker(port=port)
        with Client(port) as watcher:
            watcher.connect()
            watcher.subscribe("site/#", qos=2)
            start(*words)
            got = [watcher.take().payload for _ in range(20)]
            assert sorted(map(int, got)) == list(range(20))
        source.wait_for_line("Received PUBACK from bridge")
    finally:
        for broker in (source, target):
            if broker:
                broker.stop()


def test_workers_share_jobs(broker, programs, start, tmp_path):
    """Each job is done by one; a job whose worker is killed is done by the other."""
    job = tmp_path / "job.sh"
    done = tmp_path / "done"
    job.write_text(f"""#!/bin/sh
[ "$1" != bad ] || exit 1
while [ "$1" = slow ] && [ -e {tmp_path}/slow ]; do sleep 0.02; done
echo "$1" >>{done}
""")
    job.chmod(0o755)
    slow = tmp_path / "slow"
    slow.touch()
    workers = [start(programs["worker"], address(broker), "jobs", f"w{i}", job) for i in (1, 2)]
    for i in (1, 2):
        broker.wait_for_line(f"Sending SUBACK to w{i}")
    with Client(broker.port) as boss:
        boss.connect()
        boss.subscribe("jobs/failed")
        boss.publish("jobs", b"slow", 1)
        taken = broker.wait_for_line(r"Sending PUBLISH to w(\d)").group(1)
        busy, other = (workers[0], workers[1]) if taken == "1" else (workers[1], workers[0])
        for i in range(6):
            boss.publish("jobs", str(i).encode(), 1)
        boss.publish("jobs", b"bad", 1)
        boss.expect(p.PUBLISH, topic="jobs/failed", payload=b"bad")
        slow.unlink()
        busy.kill()
        eventually(lambda: {*done.read_text().split()} >= {"slow", *map(str, range(6))})
        other.out.wait("^given up: bad$")
        other.signal(signal.SIGTERM)
        assert other.wait() == 0


def test_properties(broker, programs):
    status, out, err = run([programs["properties"], address(broker)])
    assert status == 0, err
    said, message = "\n".join(out).split("tour/1: ")
    assert said.startswith("the server says:")
    lines = message.splitlines()
    assert lines[:2] == ['{"t": 21.5}', "with:"] and lines[-1] == "good for 60 s more"
    # the subscription's mark, and each property of the message; their order is the server's
    told = [line.strip() for line in lines[2:-1]]
    assert {"property 0x01: 1", "property 0x02: 60", 'property 0x03: "application/json"',
            "property 0x0b: 7", "property 0x23: 1"} < set(told)
    # but for that of User Properties [MQTT-3.3.2-18]
    assert [line for line in told if "=" in line] == ["room = kitchen", "unit = C", "unit = K"]
    assert len(told) == 8


def test_requests(broker, programs, start):
    """Each question gets its answer; one that nobody hears is told so."""
    ask = [programs["requests"], address(broker), "ask"]
    server = start(programs["requests"], address(broker), "serve", "rooms/temperature")
    server.out.wait("^serving$")
    assert run([*ask, "rooms/temperature", "kitchen", "cellar"]) == (
        0, ["kitchen: 21.5", "cellar: 12.0"], [])
    with Client(broker.port) as stranger:
        stranger.connect()
        stranger.publish("rooms/temperature", b"attic", 1)
    server.err.wait("^requests: a question that wants no answer$")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    status, out, _ = run([*ask, "rooms/humidity", "kitchen"])
    assert status == 1 and out[0].startswith("kitchen: no answer, ")
