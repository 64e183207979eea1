# SPDX-License-Identifier: Apache-2.0
"""libnightjar as programs use it: C programs of the public header alone, built against the library
that stands beside the program under test, and run against our broker and Debian's mosquitto."""

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, Broker, free_port
from support.client import Client
from support.library import LIBRARY, compiled
from support.process import Process, eventually

pytestmark = pytest.mark.skipif(not LIBRARY.exists(),
                                reason="beside this program stands no library")


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    sources = ["tests/e2e/library.c", "tests/e2e/library_survive.c", *(f"examples/{name}.c"
                                        for name in ("publish", "subscribe", "own_loop"))]
    return {Path(source).stem: compiled(folder, source) for source in sources}


class Mosquitto:
    """Debian's, with its defaults, on 127.0.0.1."""

    def __init__(self):
        self.port = free_port()
        self.process = Process([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-v",
                                "-p", str(self.port)])
        eventually(lambda: any("running" in line for line in
                               self.process.out.all() + self.process.err.all()))

    def stop(self):
        self.process.signal(signal.SIGTERM)
        self.process.wait()


@pytest.fixture(scope="module", params=["ours", "mosquitto"])
def port(request):
    if request.param == "ours":
        yield request.getfixturevalue("broker").port
        return
    instance = Mosquitto()
    yield instance.port
    instance.stop()


@pytest.mark.parametrize("version", ["3", "4", "5"])
@pytest.mark.parametrize("driver", ["calls", "thread", "loop"])
def test_messages_to_oneself(programs, port, driver, version):
    """Each message once at QoS 0, 1 and 2, in order, properties and all."""
    done = subprocess.run([programs["library"], f"127.0.0.1:{port}", driver, version],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "all is well\n", done.stderr
    assert done.returncode == 0


def test_example_publish(programs, port):
    with Client(port) as watcher:
        watcher.connect()
        watcher.subscribe("sensor/1")
        done = subprocess.run([programs["publish"], f"mqtt://127.0.0.1:{port}", "sensor/1", "one",
                               "two"], capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "one: acknowledged\ntwo: acknowledged\n", done.stderr
        assert done.returncode == 0
        for text in (b"one", b"two"):
            watcher.expect(p.PUBLISH, payload=text)


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def test_example_subscribe_stores_before_it_acknowledges(programs, port, tmp_path):
    """Killed in the middle, it finds the rest when it comes back: none is lost."""
    stored = tmp_path / "messages.txt"
    command = [programs["subscribe"], f"127.0.0.1:{port}", "logger", "log/#", stored]
    texts = [str(i) for i in range(40)]
    first = Process(command)
    first.out.wait("subscribed")
    publisher = subprocess.Popen([programs["publish"], f"127.0.0.1:{port}", "log/1", *texts],
                                 stdout=subprocess.DEVNULL)
    eventually(lambda: len(lines_of(stored)) >= 5)
    first.kill()
    assert publisher.wait(timeout=60) == 0
    second = Process(command)
    second.out.wait("subscribed")
    eventually(lambda: f"log/1 {texts[-1]}" in lines_of(stored))
    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    assert {line.split()[1] for line in lines_of(stored)} == set(texts)


def test_example_own_loop(programs, port):
    with Client(port) as watcher:
        watcher.connect()
        watcher.subscribe("kitchen/reading")
        done = subprocess.run([programs["own_loop"], f"127.0.0.1:{port}", "kitchen", "1", "20"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        for i in range(20):
            watcher.expect(p.PUBLISH, payload=str(i).encode())


@pytest.mark.skipif(IS_MOSQUITTO, reason="it keeps no sessions over a crash")
@pytest.mark.parametrize("qos", ["1", "2"])
def test_messages_survive_the_broker(programs, tmp_path, qos):
    """The broker is killed at three points and started again on its store."""
    port = free_port()
    broker = Broker(port=port, state=tmp_path / "store")
    process = Process([programs["library_survive"], f"127.0.0.1:{port}", qos, "1000"])
    try:
        for come in (200, 500, 800):
            process.out.wait(f"^{come} have come")
            broker.process.kill()
            broker = Broker(port=port, state=tmp_path / "store")
        assert process.wait() == 0, "\n".join(process.err.all())
        assert process.out.all()[-1] == "all is well"
    finally:
        process.kill()
        broker.stop()
