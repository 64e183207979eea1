# SPDX-License-Identifier: Apache-2.0
"""The broker and its store: what outlives it, what it says of the disk, and how it ends without."""

import os
import pwd
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, IS_SANITIZED, PROGRAM, Broker
from support.process import Process, eventually, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own store")

STATUS_STORE_FAILED = 74


@pytest.fixture
def store(tmp_path):
    """A directory for stores that outlives brokers."""
    return tmp_path / "state"


@pytest.fixture
def begin(store):
    """Starts a broker on the store; whatever still runs at the end is killed."""
    brokers = []

    def start(*settings, **options):
        brokers.append(Broker(settings, state=store, **options))
        return brokers[-1]
    yield start
    for broker in brokers:
        broker.process.kill()
        broker.process = None
        broker.stop()


def queue_for_absent(clients, broker, count=1, qos=1):
    """`Sub` has subscribed and gone; `count` messages wait for it."""
    subscriber = clients(broker, 4)
    subscriber.connect("Sub", clean=False)
    subscriber.subscribe("t", qos=qos)
    subscriber.disconnect()
    publisher = clients(broker, 4)
    publisher.connect("Pub")
    for number in range(count):
        publisher.publish("t", b"message %d" % number, qos=qos)
    publisher.disconnect()


def take_all(clients, broker, count):
    subscriber = clients(broker, 4)
    subscriber.connect("Sub", clean=False)
    return [subscriber.take().payload for _ in range(count)]


@pytest.mark.parametrize("number", (signal.SIGKILL, signal.SIGTERM))
@pytest.mark.parametrize("qos", (1, 2))
@pytest.mark.parametrize("shards", (1, 8))
def test_what_was_acknowledged_is_there(begin, clients, number, qos, shards):
    broker = begin(shards=shards)
    queue_for_absent(clients, broker, 50, qos)
    broker.process.signal(number)
    broker.process.wait()
    broker = begin(shards=9 - shards)
    broker.wait_for_line(r"Store \S+: found 1 sessions with 1 subscriptions and 50 waiting messages"
                         r", and 0 retained messages, in \d+ ms\.")
    assert take_all(clients, broker, 50) == [b"message %d" % number for number in range(50)]


def test_retained_message_is_there(begin, clients):
    broker = begin()
    publisher = clients(broker)
    publisher.connect()
    publisher.publish("a/b", b"kept", qos=1, retain=True)
    broker.process.kill()
    broker = begin()
    broker.wait_for_line(r"and 1 retained messages")
    subscriber = clients(broker)
    subscriber.connect()
    subscriber.subscribe("a/#", qos=1)
    assert subscriber.take(retain=True).payload == b"kept"


def test_clean_end_writes_the_state_down(begin, clients, store):
    broker = begin()
    queue_for_absent(clients, broker)
    before = sorted(path.name for path in store.glob("ckpt-*"))
    assert broker.terminate() == 0
    assert sorted(path.name for path in store.glob("ckpt-*")) != before


def test_start_tells_what_is_in_force(begin, store):
    broker = begin("durability interval 250", "storage_profile flash")
    broker.wait_for_line(rf"Store {store} on \w+.*: durability interval 250 ms, "
                         "storage profile flash")


@pytest.mark.parametrize("settings", (["persistence false"], ["durability off"]))
def test_without_persistence_no_disk_is_touched(begin, clients, store, settings):
    broker = begin(*settings)
    queue_for_absent(clients, broker)
    assert take_all(clients, broker, 1) == [b"message 0"]
    assert broker.terminate() == 0
    assert not store.exists()
    broker.wait_for_line("Nothing is stored: ")


@pytest.mark.parametrize("options", ([], ["-d"]))
def test_store_in_use_names_who_uses_it(begin, store, options):
    broker = begin()
    environment = {**os.environ, "STATE_DIRECTORY": str(store)}
    process = Process([PROGRAM, "broker", "-p", "0", *options], env=environment)
    assert process.wait() == 1
    said = [line for line in process.err.all() if line.startswith("nightjar: ")
            and "system's log" not in line]  # which a container has not
    assert len(said) == 1
    assert str(store) in said[0] and re.search(rf"\b{broker.pid}\b", said[0])


def test_place_that_cannot_be_is_told_in_one_sentence(tmp_path):
    occupied = tmp_path / "file"
    occupied.write_text("")
    for place in occupied, occupied / "below", Path("/proc/nightjar"):
        path = tmp_path / "broker.conf"
        path.write_text(f"persistence_location {place}\n")
        status, out, err = run([PROGRAM, "broker", "-p", "0", "-c", str(path)])
        assert (status, out, len(err)) == (1, [], 1), err
        assert str(place) in err[0] and "persistence_location" in err[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_directory_belongs_to_whom_the_broker_becomes(begin, clients, store):
    broker = begin("user nobody")
    queue_for_absent(clients, broker)
    nobody = pwd.getpwnam("nobody").pw_uid
    assert {path.stat().st_uid for path in [store, *store.iterdir()]} == {nobody}
    assert broker.terminate() == 0
    assert take_all(clients, begin("user nobody"), 1) == [b"message 0"]


def test_signal_for_figures(begin, clients):
    broker = begin()
    queue_for_absent(clients, broker, 5)
    broker.process.signal(signal.SIGUSR1)
    match = broker.wait_for_line(r"Store \S+: good, .* since the start (\d+) records in (\d+) commits "
                                 r".* (\d+) bytes written to the device, [\d.]+ GB a day")
    assert int(match[1]) >= 7 and 1 <= int(match[2]) <= int(match[1]) and int(match[3]) > 0
    assert broker.process.is_running()


def test_figures_of_no_store(begin):
    broker = begin("persistence false")
    broker.process.signal(signal.SIGUSR1)
    broker.wait_for_line(r"^Nothing is stored\.$")


def change_a_message(store, content):
    for path in sorted(store.glob("seg-*")):
        at = path.read_bytes().find(content)
        if at >= 0:
            with open(path, "r+b") as file:
                file.seek(at)
                file.write(b"M")
            return
    raise AssertionError(f"{content} is not in {store}")


def test_damage_is_told_and_the_rest_is_served(begin, clients, store):
    broker = begin()
    queue_for_absent(clients, broker, 20)
    broker.process.kill()
    change_a_message(store, b"message 7")
    broker = begin()
    broker.wait_for_line(r"Store \S+: .*lost")
    expected = [b"message %d" % number for number in range(20) if number != 7]
    assert take_all(clients, broker, 19) == expected


def test_damage_is_refused_on_request(begin, clients, store, tmp_path):
    broker = begin()
    queue_for_absent(clients, broker, 20)
    broker.process.kill()
    change_a_message(store, b"message 7")
    path = tmp_path / "broker.conf"
    path.write_text(f"on_damage refuse\npersistence_location {store}\n")
    status, _, err = run([PROGRAM, "broker", "-p", "0", "-c", str(path)])
    said = [line for line in err if line.startswith("nightjar: ")]
    assert status == 1 and len(said) == 1 and str(store) in said[0]


@pytest.fixture(scope="module")
def failing_disk(tmp_path_factory):
    """A library that makes writes fail while a file is there."""
    if IS_SANITIZED:
        pytest.skip("the sanitizer wants to be preloaded itself")
    library = tmp_path_factory.mktemp("library") / "failing_disk.so"
    source = Path(__file__).parent / "support" / "failing_disk.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, source, "-ldl"],
                   check=True)
    return library


@pytest.fixture
def failing(failing_disk, tmp_path, monkeypatch):
    """The file whose being there makes writes fail; brokers started now mind it."""
    trigger = tmp_path / "disk-fails"
    monkeypatch.setenv("LD_PRELOAD", str(failing_disk))
    monkeypatch.setenv("FAILING_DISK", str(trigger))
    return trigger


def test_disk_that_fails_ends_the_broker(begin, clients, failing):
    broker = begin("user root")  # who may see the file
    queue_for_absent(clients, broker, 5)
    publisher = clients(broker)
    publisher.connect("Pub")
    failing.write_text("")
    started = time.monotonic()
    publisher.send_publish("t", b"not kept", qos=1)
    assert broker.process.wait() == STATUS_STORE_FAILED
    assert time.monotonic() - started < 5
    assert not [got for got in [publisher.receive()]
                if got and got.kind == p.PUBACK and got.code < 0x80]
    broker.wait_for_line("terminating, because its store has failed")
    failing.unlink()
    broker = begin("user root")
    assert take_all(clients, broker, 5) == [b"message %d" % number for number in range(5)]


def test_broker_stays_on_request(begin, clients, failing):
    broker = begin("user root", "on_failure stay")
    queue_for_absent(clients, broker, 1)
    publisher, subscriber = clients(broker), clients(broker)
    publisher.connect("Pub")
    subscriber.connect("Live")
    subscriber.subscribe("live")
    failing.write_text("")
    assert publisher.publish("t", b"not kept", qos=1).code == 0x97
    publisher.publish("live", b"goes on")
    assert subscriber.take().payload == b"goes on"
    assert broker.process.is_running()


def test_log_file_on_a_full_disk_is_told_once(begin):
    broker = Process([PROGRAM, "broker", "-p", "0", "-v", "-c", "/dev/stdin"],
                     stdin=subprocess.PIPE)
    broker.popen.stdin.write(b"log_dest file /dev/full\n")
    broker.popen.stdin.close()
    try:
        broker.err.wait(r"^nightjar: the log file cannot be written: No space left on device")
        broker.signal(signal.SIGTERM)
        assert broker.wait() == 0
        assert len(broker.err.all()) == 1
    finally:
        broker.kill()
    assert eventually(lambda: not broker.is_running())
