# SPDX-License-Identifier: Apache-2.0
"""
What an acknowledgement is worth: after kill -9, on a failing disk, on a full one, on a damaged
store; and which places a store cannot be in. The long runs are in tests/crash.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, IS_SANITIZED, PROGRAM, TOP, Broker
from support.process import Process, eventually, run

CRASH = TOP / "tests" / "crash"
EXIT_DISK_FAILED = 74
KEEP = [(p.SESSION_EXPIRY, 0xFFFFFFFF)]
QUOTA_EXCEEDED = 0x97

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own store")


def settings_of(store, *more):
    """As root a broker becomes another user, who may not enter the folders of the tests."""
    user = ["user root"] if os.geteuid() == 0 and not any("user " in line for line in more) else []
    return [f"persistence_location {store}", "storage_segment_size 65536", *user, *more]


@pytest.fixture
def begin(tmp_path):
    """Starts a broker on the store `tmp_path/store`; what still runs at the end is killed."""
    brokers = []

    def start(*settings, **options):
        brokers.append(Broker(settings_of(tmp_path / "store", *settings), **options))
        return brokers[-1]
    yield start
    for broker in brokers:
        crash(broker)


def crash(broker):
    """kill -9"""
    if broker.process is not None:
        broker.process.kill()
        broker.process = None
    broker.stop()


def surviving(clients, broker, name, version=5, **options):
    client = clients(broker, version)
    present = client.connect(name, clean=False, props=KEEP if version == 5 else (), **options)
    return client, present.session_present


# What is in force when a PUBACK leaves


def sync_order(*settings):
    words = [word for line in settings for word in ("--setting", line)]
    done = subprocess.run([sys.executable, CRASH / "sync_order.py", *words, PROGRAM],
                          capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("strace cannot be used here")
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(IS_SANITIZED, reason="strace and sanitizers take too long together")
def test_no_acknowledgement_before_its_sync():
    status, said = sync_order()
    assert status == 0, said


@pytest.mark.skipif(IS_SANITIZED, reason="strace and sanitizers take too long together")
def test_acknowledgements_before_their_sync_are_found():
    status, said = sync_order("durability interval 60000")
    assert status == 1 and "too early" in said, said


# Restarts


@pytest.mark.parametrize("version", (4, 5))
def test_session_is_there_after_a_crash(begin, clients, version):
    broker = begin(shards=4)
    subscriber, _ = surviving(clients, broker, "Sub", version)
    subscriber.subscribe("a/+", qos=2)
    subscriber.subscribe("gone/#", qos=2)
    subscriber.unsubscribe("gone/#")
    subscriber.cut()
    publisher, _ = surviving(clients, broker, "Pub", version)
    for qos in 1, 2:
        publisher.publish(f"a/{qos}", b"%d" % qos, qos=qos)
    crash(broker)
    broker = begin(shards=2)
    publisher, is_present = surviving(clients, broker, "Pub", version)
    assert is_present
    publisher.publish("gone/x", b"not this", qos=1)
    publisher.publish("a/3", b"3", qos=1)
    subscriber, is_present = surviving(clients, broker, "Sub", version)
    assert is_present
    assert [subscriber.take().payload for _ in range(3)] == [b"1", b"2", b"3"]
    subscriber.ping()


def test_clean_start_stays_clean_after_a_crash(begin, clients):
    broker = begin()
    client, _ = surviving(clients, broker, "C")
    client.subscribe("t", qos=1)
    client.disconnect()
    clients(broker).connect("C", clean=True)
    crash(broker)
    _, is_present = surviving(clients, begin(), "C")
    assert not is_present


def test_qos2_resent_after_a_crash_arrives_once(begin, clients):
    broker = begin()
    subscriber, _ = surviving(clients, broker, "Sub")
    subscriber.subscribe("t", qos=2)
    publisher, _ = surviving(clients, broker, "Pub")
    publisher.send(p.publish("t", b"once", 2, 7))
    publisher.expect(p.PUBREC, packet_id=7)
    crash(broker)
    broker = begin()
    publisher, _ = surviving(clients, broker, "Pub")
    publisher.send(p.publish("t", b"once", 2, 7, dup=True))
    publisher.expect(p.PUBREC, packet_id=7)
    publisher.send(p.ack(p.PUBREL, 7))
    publisher.expect(p.PUBCOMP, packet_id=7)
    crash(broker)
    broker = begin()
    publisher, _ = surviving(clients, broker, "Pub")
    # The id is free again: the next message under it is another one.
    publisher.send(p.publish("t", b"another", 2, 7))
    publisher.expect(p.PUBREC, packet_id=7)
    publisher.send(p.ack(p.PUBREL, 7))
    publisher.expect(p.PUBCOMP, packet_id=7)
    subscriber, _ = surviving(clients, broker, "Sub")
    assert [subscriber.take().payload for _ in range(2)] == [b"once", b"another"]
    subscriber.ping()


def test_qos2_received_before_a_crash_is_not_sent_again(begin, clients):
    broker = begin()
    subscriber, _ = surviving(clients, broker, "Sub")
    subscriber.subscribe("t", qos=2)
    publisher, _ = surviving(clients, broker, "Pub")
    publisher.publish("t", b"m", qos=2)
    got = subscriber.expect(p.PUBLISH, payload=b"m")
    subscriber.send(p.ack(p.PUBREC, got.packet_id))
    subscriber.expect(p.PUBREL, packet_id=got.packet_id)
    crash(broker)
    subscriber, _ = surviving(clients, begin(), "Sub")
    subscriber.expect(p.PUBREL, packet_id=got.packet_id)
    subscriber.send(p.ack(p.PUBCOMP, got.packet_id))
    subscriber.ping()


def test_retained_and_removed_after_a_crash(begin, clients):
    broker = begin()
    publisher, _ = surviving(clients, broker, "Pub")
    for topic, payload in ("r/kept", b"1"), ("r/kept", b"2"), ("r/gone", b"3"), ("r/gone", b""):
        publisher.publish(topic, payload, qos=1, retain=True)
    crash(broker)
    looker = clients(begin())
    looker.connect()
    looker.subscribe("r/#", qos=1)
    assert looker.take(retain=True, topic="r/kept").payload == b"2"
    looker.ping()


@pytest.mark.parametrize("comes_back", (False, True))
def test_delayed_will_after_a_crash(begin, clients, comes_back):
    delay = 30 if comes_back else 1
    broker = begin()
    witness, _ = surviving(clients, broker, "Witness")
    witness.subscribe("wills/#", qos=1)
    will = p.Will("wills/mourned", b"farewell", 1, props=[(p.WILL_DELAY, delay)])
    surviving(clients, broker, "Mourned", will=will)
    crash(broker)
    broker = begin()
    witness, _ = surviving(clients, broker, "Witness")
    if not comes_back:
        assert witness.take(topic="wills/mourned").payload == b"farewell"
        return
    mourned, is_present = surviving(clients, broker, "Mourned")
    assert is_present
    mourned.disconnect()
    witness.ping()


# Places


def refusal(path, *more, prefix=()):
    """The one sentence with which the broker refuses the store at `path`."""
    configuration = path.parent / f"{path.name}.conf"
    configuration.write_text("\n".join([*settings_of(path, *more), ""]))
    os.chmod(configuration, 0o644)
    status, out, err = run([*prefix, PROGRAM, "broker", "-p", "0", "-c", str(configuration)])
    said = [line for line in err if line.startswith("nightjar: ")]
    assert status == 1 and len(said) == 1 and str(path) in said[0], (status, out, err)
    return said[0]


def state_of(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.iterdir() if path.name != "LOCK"}


def test_second_broker_is_refused_and_the_first_goes_on(begin, clients, tmp_path):
    broker = begin()
    client, _ = surviving(clients, broker, "C")
    client.subscribe("t", qos=1)
    assert str(broker.pid) in refusal(tmp_path / "store")
    client.publish("t", b"still there", qos=1)
    assert client.take().payload == b"still there"


def test_newer_format_is_refused_untouched(begin, tmp_path):
    broker = begin()
    assert broker.terminate() == 0
    store = tmp_path / "store"
    text = (store / "FORMAT").read_text()
    (store / "FORMAT").write_text(text.replace("format 1\n", "format 2\n", 1))
    assert (store / "FORMAT").read_text() != text
    before = state_of(store)
    assert "newer" in refusal(store)
    assert state_of(store) == before


def test_missing_parents_are_made(begin, tmp_path):
    broker = Broker(settings_of(tmp_path / "one" / "two" / "store"))
    assert (tmp_path / "one" / "two" / "store" / "FORMAT").exists()
    broker.stop()


def test_file_in_place_of_the_store(tmp_path):
    place = tmp_path / "store"
    place.write_text("mine")
    refusal(place)
    assert place.read_text() == "mine"


@pytest.fixture
def ordinary_user(tmp_path):
    """Words that run a program as somebody without rights, where the tests run as root."""
    if os.geteuid() != 0:
        return []
    for folder in tmp_path, *tmp_path.parents[:-1]:
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            os.chmod(folder, 0o755)
    words = ["setpriv", "--reuid", str(pwd.getpwnam("nobody").pw_uid), "--clear-groups"]
    done = subprocess.run([*words, PROGRAM, "--version"], capture_output=True)
    if done.returncode != 0:
        pytest.skip("another user cannot run the program")
    return words


@pytest.mark.parametrize("mode", (0o555, 0o000))
def test_directory_without_permission(tmp_path, ordinary_user, mode):
    place = tmp_path / "store"
    place.mkdir()
    os.chmod(place, mode)
    refusal(place, "log_type all", prefix=ordinary_user)


def test_parent_without_permission(tmp_path, ordinary_user):
    parent = tmp_path / "parent"
    parent.mkdir()
    os.chmod(parent, 0o555)
    refusal(parent / "store", "log_type all", prefix=ordinary_user)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_store_of_another_user(begin, tmp_path, ordinary_user):
    begin().terminate()
    said = refusal(tmp_path / "store", "user nobody")
    assert "belongs to user 'root'" in said and "chown -R nobody" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_store_with_files_of_another_user(begin, tmp_path, ordinary_user):
    """A broker that ran as root once has left them in a folder of the broker's own user."""
    begin().terminate()
    store = tmp_path / "store"
    for path in (store, store / "FORMAT", store / "LOCK"):
        shutil.chown(path, "nobody")
    said = refusal(store, "user nobody")
    assert "Permission denied" in said and f"chown -R nobody '{store}'" in said


def test_read_only_file_system(tmp_path):
    place = tmp_path / "mounted"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", place],
                             capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        assert "ReadWritePaths=" in refusal(place)
        configuration = tmp_path / "log.conf"
        configuration.write_text(f"log_dest file {place}/log\n")
        status, _, err = run([PROGRAM, "broker", "-p", "0", "-c", str(configuration)])
        assert status == 1 and f"{place}/log" in err[0] and "ReadWritePaths=" in err[0]
    finally:
        subprocess.run(["umount", place], check=True)


# A disk that fails while the broker runs


@pytest.fixture(scope="module")
def faults_library(tmp_path_factory):
    if IS_SANITIZED:
        pytest.skip("a sanitizer must be loaded first")
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-pthread", "-o", library,
                    CRASH / "faults.c", "-ldl"], check=True)
    return library


class FailingDisk:
    def __init__(self, library, folder):
        self.control = folder / "faults"
        self.hits = folder / "faults.hits"
        self.control.write_text("")
        self.store = folder / "store"
        self.store.mkdir(exist_ok=True)
        self.environment = {"LD_PRELOAD": str(library), "FAULTS_STORE": str(self.store),
                            "FAULTS_CONTROL": str(self.control)}

    def say(self, text):
        """What fails from now on; see tests/crash/faults.c."""
        fresh = self.control.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(self.control)

    def has_failed(self):
        return self.hits.exists()

    def wait_for_spare(self):
        """A segment is there to go on in. Without one a broker whose write fails waits for room, as
        on any full disk, before it says anything."""
        eventually(lambda: any(self.store.glob("spare-*")))


@pytest.fixture
def failing(faults_library, tmp_path, monkeypatch):
    """The disk, and brokers that are started while it may fail."""
    disk = FailingDisk(faults_library, tmp_path)
    for name, value in disk.environment.items():
        monkeypatch.setenv(name, value)
    return disk


def publish_until_refused(client, topic, count, first=0):
    """Sends version 5 messages; gives the numbers that were accepted, until one was not."""
    accepted = []
    for number in range(first, first + count):
        answer = client.publish(topic, b"%d" % number + b"." * 500, qos=1)
        if answer.code >= 0x80:
            assert answer.code == QUOTA_EXCEEDED
            return accepted
        accepted.append(number)
    raise AssertionError(f"none of {count} messages was refused")


@pytest.mark.parametrize("fault", ("write EIO", "sync EIO", "write ENOSPC"))
def test_nothing_is_accepted_when_writes_fail(begin, clients, failing, fault):
    broker = begin("on_failure stay")
    subscriber, _ = surviving(clients, broker, "Sub")
    subscriber.subscribe("t", qos=1)
    subscriber.cut()
    publisher = clients(broker)
    publisher.connect("Pub")
    publisher.publish("t", b"before", qos=1)
    failing.wait_for_spare()
    failing.say(fault)
    answer = publisher.publish("t", b"after", qos=1)
    assert answer.code == QUOTA_EXCEEDED and failing.has_failed()
    publisher.ping()
    witness = clients(broker)
    witness.connect("Witness")
    publisher.publish("t", b"lost", qos=0)
    publisher.ping()
    crash(broker)
    failing.say("")
    subscriber, _ = surviving(clients, begin(), "Sub")
    assert subscriber.take().payload == b"before"
    # What was refused may be there, for its write may have been done; QoS 0 never is.
    subscriber.send(p.PING)
    got = subscriber.receive()
    assert got.kind == p.PINGRESP or got.payload == b"after"


def test_failed_write_frees_no_packet_id(begin, clients, failing):
    """What was not acknowledged may be there after all: its id must not be used for another."""
    broker = begin("on_failure stay")
    publisher, _ = surviving(clients, broker, "Pub")
    failing.say("write EIO")
    publisher.send(p.publish("t", b"after", 2, 9))
    got = publisher.receive()
    while got is not None:
        assert got.kind != p.PUBREC
        got = publisher.receive()
    assert failing.has_failed()


def test_failed_disk_ends_the_broker(begin, clients, failing):
    broker = begin()
    publisher = clients(broker)
    publisher.connect("Pub")
    publisher.publish("t", b"before", qos=1, retain=True)
    failing.say("write EIO")
    publisher.send(p.publish("t", b"after", 1, 9, retain=True))
    assert broker.process.wait() == EXIT_DISK_FAILED
    got = publisher.receive()
    while got is not None:
        assert got.kind != p.PUBACK or got.code >= 0x80
        got = publisher.receive()
    failing.say("")
    broker.process = None
    looker = clients(begin())
    looker.connect()
    looker.subscribe("t")
    assert looker.take(retain=True).payload in (b"before", b"after")


@pytest.mark.parametrize("fault", ("write EIO once", "write short once", "sync EIO once"))
def test_one_failed_write_loses_nothing(begin, clients, failing, fault):
    """The broker may write elsewhere, or give up; what it then acknowledges is there."""
    broker = begin("on_failure stay")
    publisher = clients(broker)
    publisher.connect("Pub")
    publisher.publish("t", b"before", qos=1, retain=True)
    failing.say(fault)
    answer = publisher.publish("t", b"after" * 4000, qos=1, retain=True)
    assert failing.has_failed()
    crash(broker)
    looker = clients(begin())
    looker.connect()
    looker.subscribe("t")
    got = looker.take(retain=True).payload
    assert got == b"after" * 4000 or (answer.code >= 0x80 and got == b"before")


# A disk that is full


def test_full_disk_refuses_and_recovers(begin, clients, failing):
    broker = begin()
    subscriber, _ = surviving(clients, broker, "Sub")
    subscriber.subscribe("full/#", qos=1)
    subscriber.cut()
    publisher = clients(broker)
    publisher.connect("Pub")
    failing.say("grow ENOSPC")
    accepted = publish_until_refused(publisher, "full/t", 5000)
    assert broker.process.is_running()
    publisher.publish("other", b"", qos=0)
    publisher.ping()
    drain(clients, broker, accepted)
    failing.say("")
    assert_serves_again(publisher)


def test_storage_limit_refuses_and_recovers(begin, clients):
    broker = begin("storage_limit 1048576")
    subscriber, _ = surviving(clients, broker, "Sub")
    subscriber.subscribe("full/#", qos=1)
    subscriber.cut()
    publisher = clients(broker)
    publisher.connect("Pub")
    accepted = publish_until_refused(publisher, "full/t", 5000)
    crash(broker)
    broker = begin("storage_limit 1048576")
    publisher = clients(broker)
    publisher.connect("Pub")
    drain(clients, broker, accepted)
    assert_serves_again(publisher)


def test_version_3_publisher_waits_while_the_store_is_full(begin, clients):
    broker = begin("storage_limit 1048576")
    subscriber, _ = surviving(clients, broker, "Sub")
    subscriber.subscribe("full/#", qos=1)
    subscriber.cut()
    publisher = clients(broker)
    publisher.connect("Pub")
    accepted = publish_until_refused(publisher, "full/t", 5000)
    patient = clients(broker, 4)
    patient.connect("Patient")
    held = publish_until_held(patient, publisher, accepted)
    drain(clients, broker, accepted)
    patient.expect(p.PUBACK, packet_id=held)


def publish_until_held(patient, publisher, accepted):
    """
    The packet id of a version 3.1.1 message that is not answered while version 5 ones are refused,
    before it and behind it. Now and then the broker finds some room in between.
    """
    for packet_id in range(1, 200):
        accepted += publish_until_refused(publisher, "full/t", 5000, len(accepted))
        patient.send(p.publish("else/t", b"." * 500, 1, packet_id, 4, retain=True))
        accepted += publish_until_refused(publisher, "full/t", 5000, len(accepted))
        patient.send(p.PING)
        if patient.receive().kind == p.PINGRESP:
            return packet_id
        patient.expect(p.PINGRESP)
    raise AssertionError("none was held")


def drain(clients, broker, accepted):
    """The absent subscriber gets all that was accepted, in order."""
    subscriber, is_present = surviving(clients, broker, "Sub")
    assert is_present
    got = [int(subscriber.take().payload.split(b".")[0]) for _ in accepted]
    assert got == accepted
    subscriber.disconnect()


def assert_serves_again(publisher):
    eventually(lambda: publisher.publish("else", b"", qos=1).code < 0x80)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_full_file_system(clients, tmp_path):
    """A small ext4 that others have filled: the same, with the system's own errors."""
    image, place = tmp_path / "image", tmp_path / "mounted"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(8 << 20)
    made = subprocess.run(["mkfs.ext4", "-q", image], capture_output=True)
    mounted = made.returncode == 0 and subprocess.run(["mount", "-o", "loop", image, place],
                                                      capture_output=True)
    if not mounted or mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    broker = None
    try:
        broker = Broker(settings_of(place / "store"))
        subscriber, _ = surviving(clients, broker, "Sub")
        subscriber.subscribe("full/#", qos=1)
        subscriber.cut()
        publisher = clients(broker)
        publisher.connect("Pub")
        accepted = publish_until_refused(publisher, "full/t", 20000)
        drain(clients, broker, accepted)
        assert_serves_again(publisher)
    finally:
        if broker:
            crash(broker)
        subprocess.run(["umount", place], check=True)


# A damaged store


@pytest.mark.parametrize("seed", range(2))
def test_damage_is_never_silent(seed):
    count = "10" if IS_SANITIZED else "25"
    done = subprocess.run([sys.executable, CRASH / "flip.py", "--samples", count, "--seed",
                           str(seed), PROGRAM], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_start_is_possible_again_and_again(begin, clients):
    """Each start leaves something behind; what it leaves must not add up."""
    broker = begin()
    client, _ = surviving(clients, broker, "C")
    client.subscribe("t", qos=1)
    crash(broker)
    for _ in range(12):
        broker = begin()
        crash(broker)
    _, is_present = surviving(clients, begin(), "C")
    assert is_present
