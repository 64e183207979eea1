# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests, and the marker for what mosquitto is known to do otherwise."""

import os
import shutil
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from support.broker import IS_MOSQUITTO, PROGRAM, Broker  # noqa: E402
from support.client import Client  # noqa: E402
from support.faulty import Faulty  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "mosquitto_differs(reason): Debian's mosquitto fails this, for that reason")


def pytest_collection_modifyitems(items):
    for item in items:
        mark = item.get_closest_marker("mosquitto_differs")
        if mark and IS_MOSQUITTO:
            item.add_marker(pytest.mark.xfail(reason=mark.args[0], strict=False))


def pytest_report_header():
    return f"broker under test: {PROGRAM}"


def pytest_sessionstart():
    if shutil.which(PROGRAM) is None:
        pytest.exit(f"no broker at {PROGRAM}: build it, or name one in NIGHTJAR", returncode=1)


@pytest.fixture(autouse=True)
def state_directory(tmp_path_factory, monkeypatch):
    """Where brokers that a test starts by themselves keep what they store."""
    path = tmp_path_factory.mktemp("state") / "nightjar"
    monkeypatch.setenv("STATE_DIRECTORY", str(path))
    return path


@pytest.fixture
def start_broker():
    """Starts brokers; each must still run, and end well, when the test is over."""
    brokers = []

    def start(*settings, **options):
        brokers.append(Broker(settings, **options))
        return brokers[-1]
    yield start
    _stop_all(brokers)


@pytest.fixture
def faulty():
    """Starts servers that break their promises."""
    servers = []

    def start(*arguments, **options):
        servers.append(Faulty(*arguments, **options))
        return servers[-1]
    yield start
    for server in servers:
        server.stop()


def _stop_all(brokers):
    failure = None
    for broker in brokers:
        try:
            broker.stop()
        except AssertionError as error:
            failure = error
    if failure:
        raise failure


@pytest.fixture(scope="module")
def broker():
    """One broker for a module, with default settings."""
    instance = Broker()
    yield instance
    instance.stop()


@pytest.fixture(scope="module", params=[1, 8], ids=["1shard", "8shards"])
def sharded(request):
    """One broker for a module, with one shard and then with eight."""
    if IS_MOSQUITTO and request.param != 1:
        pytest.skip("mosquitto has no shards")
    instance = Broker(shards=request.param)
    yield instance
    instance.stop()


@pytest.fixture
def clients():
    """Opens raw clients, and cuts them at the end of the test."""
    opened = []

    def open_client(broker, version=5, **options):
        opened.append(Client(broker.port, version, **options))
        return opened[-1]
    yield open_client
    for client in opened:
        client.cut()
