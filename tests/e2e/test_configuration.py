# SPDX-License-Identifier: Apache-2.0
"""
Configurations on disk: files in several directories, all their mistakes, `nightjar config check`
and `nightjar config show`; and the program called as `mosquitto`, beside Debian's.
"""

import json
import os
import re
import shutil
import signal
import socket
import ssl

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, PROGRAM, Broker, free_port
from support.certificates import Authority
from support.client import Client
from support.process import Process, eventually, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="about our own program, and mosquitto beside")

DEBIANS = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:" + os.environ.get("PATH", ""))


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines))
    return path


# Files in directories

def test_ten_mistakes_in_three_files(tmp_path):
    main = write(tmp_path / "main.conf", "prot 1883", f"include_dir {tmp_path}/conf.d", "max_qos 3",
                 f"include_dir {tmp_path}/none", "log_dest printer")
    first = write(tmp_path / "conf.d" / "A.conf", "listener 99999", "", "lissener 1",
                  f"include_dir {tmp_path}/conf.d")
    second = write(tmp_path / "conf.d" / "b.conf", "allow_anonymous perhaps", "connection north",
                   "address north:1883", "topic # both", "user joe", "user jane")
    write(tmp_path / "conf.d" / "b.conf.bak", "nonsense")
    status, out, err = run([PROGRAM, "broker", "-c", str(main)])
    assert (status, out) == (1, [])
    places = [re.match(r"(.*?: \w+): ", line).group(1) for line in err]
    assert places == [
        f"{main}:1: prot", f"{first}:1: listener", f"{first}:3: lissener",
        f"{first}:4: include_dir", f"{second}:1: allow_anonymous", f"{second}:2: connection",
        f"{second}:6: user", f"{main}:3: max_qos", f"{main}:4: include_dir",
        f"{main}:5: log_dest"]
    assert "did you mean port?" in err[0] and "did you mean listener?" in err[2]


def test_a_directory_that_holds_the_main_file(tmp_path):
    main = write(tmp_path / "main.conf", f"include_dir {tmp_path}", "listener 0 127.0.0.1")
    status, _, err = run([PROGRAM, "broker", "-c", str(main)])
    assert status == 1
    assert err == [f"{main}: is included, but was read already: put it elsewhere"]


def test_an_included_file_without_leave(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    main = write(tmp_path / "main.conf", f"include_dir {tmp_path}/conf.d")
    secret = write(tmp_path / "conf.d" / "a.conf", "max_qos 1")
    secret.chmod(0)
    status, _, err = run([PROGRAM, "broker", "-c", str(main)])
    assert (status, err) == (1, [f"{secret}: cannot be opened: Permission denied"])


def test_included_listeners_are_opened_and_reloaded(tmp_path):
    """The order is mosquitto's; SIGHUP reads the files anew."""
    write(tmp_path / "conf.d" / "b.conf", "listener 0 127.0.0.1", "log_type all")
    write(tmp_path / "conf.d" / "A.conf", "allow_anonymous true", "log_type information")
    with_include = [f"include_dir {tmp_path}/conf.d", "listener 0 127.0.0.1",
                    "user root"]
    broker = Broker(settings=with_include, port=None, verbose=False)
    try:
        line = broker.wait_for_line(r"running, listening on 127\.0\.0\.1:(\d+) and 127\.0\.0\.1:")
        with Client(int(line.group(1)), 5) as client:
            client.connect("c")
        broker.wait_for_line("Sending CONNACK to c")  # log_type all
        before = len(broker.lines())
        write(tmp_path / "conf.d" / "b.conf", "listener 0 127.0.0.1", "nonsense")
        os.kill(broker.pid, signal.SIGHUP)
        broker.wait_for_line(rf"{tmp_path}/conf\.d/b\.conf:2: nonsense: unknown option", before)
    finally:
        broker.stop()


# nightjar config check, --test-config

def check(*arguments):
    status, out, err = run([PROGRAM, "config", "check", *map(str, arguments)])
    assert out == []
    return status, err


def test_check_finds_what_a_start_would(tmp_path):
    authority = Authority(tmp_path / "ca")
    certificate, _ = authority.issue("a")
    _, key = authority.issue("b")
    write(tmp_path / "passwords", "joe:$9$what").chmod(0o640)
    write(tmp_path / "rules", "tropic read a")
    main = write(
        tmp_path / "m.conf", "user root", f"persistence_location {tmp_path}/none/store",
        f"pid_file {tmp_path}/none/pid", f"log_dest file {tmp_path}", "listener 8883 127.0.0.1",
        f"certfile {certificate}", f"keyfile {key}", "listener 1884 no.such.host.invalid",
        "bind_interface none77", f"listener 0 {tmp_path}/none/socket", "socket_owner nobody-here",
        f"listener 0 {tmp_path}/{'s' * 108}",
        f"password_file {tmp_path}/passwords", f"acl_file {tmp_path}/rules")
    status, err = check(main)
    assert status == 1
    for words in [
            f"{main}:2: persistence_location: the folder '{tmp_path}/none' is not there",
            f"{main}:3: pid_file: the folder '{tmp_path}/none' is not there",
            f"{main}:4: log_dest: '{tmp_path}' is a folder, not a file",
            f"{main}:7: keyfile: '{key}': ",
            f"{main}:8: listener: 'no.such.host.invalid' is no address and no name of one",
            f"{main}:9: bind_interface: there is no interface 'none77'",
            f"{main}:10: listener: the folder '{tmp_path}/none' is not there",
            f"{main}:11: socket_owner: there is no user 'nobody-here'",
            f"{main}:12: listener: the path is longer than the 107 bytes",
            f"{tmp_path}/passwords:1: ",
            f"{tmp_path}/rules:1: "]:
        assert [line for line in err if line.startswith(words)], (words, err)
    assert len(err) == 11
    assert run([PROGRAM, "broker", "--test-config", "-c", str(main)]) == (1, [], err)


def test_check_leaves_no_trace(tmp_path):
    """It may run beside a broker, on the same port, and makes no file."""
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("a")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        main = write(tmp_path / "m.conf", "user root", f"persistence_location {tmp_path}/store",
                     f"pid_file {tmp_path}/pid", f"log_dest file {tmp_path}/log",
                     f"listener {taken.getsockname()[1]} 127.0.0.1", f"certfile {certificate}",
                     f"keyfile {key}", f"tls_keylog {tmp_path}/keys", "autosave_interval 30",
                     "allow_anonymous true")
        status, err = check("-c", main)
    assert (status, err) == (0, [
        f"{main}:9: autosave_interval: has no effect: what is acknowledged is stored already, "
        "see durability", "Configuration file is OK."])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ca", "m.conf"]


@pytest.mark.parametrize("arguments,words", [
    (["config", "check"], "name the configuration to be looked at with -c"),
    (["broker", "--test-config"], "name the configuration to be looked at with -c"),
    (["config", "check", "/no/such.conf"], "/no/such.conf: cannot be opened: No such file"),
    (["config", "check", "/a", "-c", "/b"], "a second configuration, /b"),
    (["config", "show", "--json", "--efective"], "unknown option '--efective'"),
    (["config", "sow"], "unknown command 'sow', did you mean 'show'?"),
])
def test_mistakes_on_the_command_line(arguments, words):
    status, out, err = run([PROGRAM, *arguments])
    assert (status, out) == (1, [])
    assert len(err) == 1 and words in err[0]


# nightjar config show

def test_show_can_be_read_again(tmp_path):
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.issue("a")
    write(tmp_path / "psk", "joe:c0ffee")
    write(tmp_path / "conf.d" / "a.conf", "per_listener_settings true", "listener 8883 127.0.0.1",
          f"certfile {certificate}", f"keyfile {key}", "allow_anonymous true")
    main = write(tmp_path / "m.conf", "persistence false",
                 f"include_dir {tmp_path}/conf.d", "log_type all", "max_queued_messages 5",
                 "listener 1884", "psk_hint hint", f"psk_file {tmp_path}/psk",
                 "listener 0 /run/s s", "socket_mode 0660")

    def show(*arguments):
        status, out, err = run([PROGRAM, "config", "show", "--effective", *map(str, arguments)])
        assert (status, err) == (0, [])
        return out

    def values(lines):
        return [line for line in lines if line and not line.startswith("#")]

    first = show(main, "--shards", "3")
    second = show(write(tmp_path / "again.conf", *first))
    assert values(second) == values(first)
    assert "shards 3" in first and "listener 0 /run/s s" in first
    at = first.index(f"# {tmp_path}/conf.d/a.conf:2")
    assert first[at + 1] == "listener 8883 127.0.0.1"
    text = "\n".join(first)
    assert "c0ffee" not in text and "PRIVATE KEY" not in text

    shown = json.loads("\n".join(show(main, "--json", "--shards", "3")))
    options = {one["name"]: one for one in shown["options"]}
    assert options["shards"] == {"name": "shards", "value": "3", "origin": "command line"}
    assert options["absent_queue_messages"]["value"] == "5"
    assert options["connect_timeout"]["origin"] == "default"
    assert [one["listener"] for one in shown["listeners"]] == [
        "8883 127.0.0.1", "1884", "0 /run/s s"]


# Options of mosquitto 2.1, and one of 2.0

def connected_code(port, version):
    with Client(port, version) as client:
        client.send(p.connect("c", version))
        return client.receive().code


def test_versions_of_a_listener():
    """[MQTT-3.1.2-2] 1 in CONNACK of 3.x, 0x84 in that of 5."""
    broker = Broker(settings=["allow_anonymous true", "listener 0 127.0.0.1",
                              "accept_protocol_versions 5", "listener 0 127.0.0.1",
                              "accept_protocol_versions 3, 4", "persistence false"], port=None)
    try:
        match = broker.wait_for_line(r"on 127\.0\.0\.1:(\d+) and 127\.0\.0\.1:(\d+)")
        only_5, only_3 = map(int, match.groups())
        assert [connected_code(only_5, version) for version in (3, 4, 5)] == [1, 1, 0]
        assert [connected_code(only_3, version) for version in (3, 4, 5)] == [0, 0, 0x84]
    finally:
        broker.stop()


def test_anonymous_clients_of_one_listener():
    broker = Broker(settings=["allow_anonymous false", "listener 0 127.0.0.1",
                              "listener 0 127.0.0.1", "listener_allow_anonymous true",
                              "persistence false"], port=None)
    try:
        match = broker.wait_for_line(r"on 127\.0\.0\.1:(\d+) and 127\.0\.0\.1:(\d+)")
        assert [connected_code(int(port), 5) for port in match.groups()] == [0x87, 0]
    finally:
        broker.stop()


def test_expired_certificates_of_clients(tmp_path):
    """Believed only where that is asked for; revoked ones and strangers' are not believed there."""
    authority, stranger = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    certificate, key = authority.issue("server")
    tls = [f"certfile {certificate}", f"keyfile {key}", f"cafile {authority.path}",
           "require_certificate true"]
    authority.issue("late", days=-1)
    authority.issue("revoked", days=-1)
    broker = Broker(settings=["allow_anonymous true", "user root", "persistence false",
                              "listener 0 127.0.0.1", *tls, "listener 0 127.0.0.1", *tls,
                              f"crlfile {authority.revoke('revoked')}",
                              "disable_client_cert_date_checks true"], port=None)

    def is_let_in(port, whose, name):
        context = ssl.create_default_context(cafile=authority.path)
        context.load_cert_chain(whose.certificate(name), whose.key(name))
        try:
            with Client(port, 5, tls=context) as client:
                client.connect("c")
            return True
        except (AssertionError, OSError):
            return False
    try:
        match = broker.wait_for_line(r"on 127\.0\.0\.1:(\d+) and 127\.0\.0\.1:(\d+)")
        strict, lenient = map(int, match.groups())
        stranger.issue("late", days=-1)
        assert not is_let_in(strict, authority, "late")
        assert is_let_in(lenient, authority, "late")
        assert not is_let_in(lenient, authority, "revoked")
        assert not is_let_in(lenient, stranger, "late")
    finally:
        broker.stop()


@pytest.mark.parametrize("version", [4, 5])
def test_payloads_beyond_the_limit(version):
    """Dropped: a version 5 publisher hears 0x97, others that it arrived; nobody is cut off."""
    broker = Broker(settings=["message_size_limit 10", "persistence false"])
    try:
        with Client(broker.port, version) as client, Client(broker.port, version) as reader:
            client.connect("c")
            reader.connect("r")
            reader.subscribe("t", qos=2)
            for qos in 0, 1, 2:
                answer = client.publish("t", b"x" * 11, qos)
                assert qos == 0 or answer.code == (0x97 if version == 5 else 0)
                answer = client.publish("t", b"x" * 10, qos)
                assert qos == 0 or answer.code == 0
                reader.take(topic="t", payload=b"x" * 10, qos=qos)
            reader.ping()
        broker.wait_for_line("payload above message_size_limit")
        with Client(broker.port, version) as client:
            client.send(p.connect("w", version, will=p.Will("t", b"x" * 11)))
            answer = client.receive()
            assert answer is None if version < 5 else answer.code == 0x95
    finally:
        broker.stop()


# Called as mosquitto

@pytest.fixture
def as_mosquitto(tmp_path):
    name = tmp_path / "bin" / "mosquitto"
    name.parent.mkdir()
    name.symlink_to(os.path.abspath(PROGRAM))
    return str(name)


needs_debians = pytest.mark.skipif(not DEBIANS, reason="Debian's mosquitto is not installed")


@needs_debians
@pytest.mark.parametrize("arguments", [
    ["--nonsense"], ["extra"], ["-p"], ["-p", "http"], ["-p", "65536"], ["-c"],
    ["-c", "/no/such.conf"], ["-c", "{bad}"], ["-c", "{taken}"]], ids=" ".join)
def test_same_status_as_mosquitto(as_mosquitto, tmp_path, arguments):
    """3 for a mistake in words, 1 for what the system refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        names = {"bad": write(tmp_path / "bad.conf", "nonsense 1"),
                 "taken": write(tmp_path / "taken.conf", "persistence false",
                                f"listener {taken.getsockname()[1]} 127.0.0.1")}
        words = [word.format(**names) for word in arguments]
        status, _, err = run([as_mosquitto, *words])
        assert err and status == run([DEBIANS, *words])[0]


class Named:
    """Either program, started by the name mosquitto, on the same command line."""

    def __init__(self, program, *arguments, state=None):
        self.process = Process([program, *map(str, arguments)], env={
            **os.environ, "STATE_DIRECTORY": str(state)})

    def __enter__(self):
        self.process.err.wait(r" version \S+ running")
        return self

    def __exit__(self, *_):
        self.process.kill()


def connect_code(port):
    """What CONNECT is answered with; None: nobody listens."""
    try:
        client = Client(port, 4)
    except ConnectionRefusedError:
        return None
    with client:
        client.send(p.connect("c", 4))
        return client.receive().code


@needs_debians
def test_listens_where_mosquitto_listens(as_mosquitto, tmp_path):
    """Alone: for this machine, anonymously. With a listener: nobody without a name; -p beside it is
    ignored. A configuration without one, and -p: as alone."""
    answers = []
    for program in (as_mosquitto, DEBIANS):
        port, other = free_port(), free_port()
        open_conf = write(tmp_path / "open.conf", f"listener {port} 127.0.0.1",
                          "persistence false")
        plain_conf = write(tmp_path / "plain.conf", "persistence false")
        seen = []
        with Named(program, "-p", port, state=tmp_path / "state"):
            seen.append(connect_code(port))
        with Named(program, "-c", open_conf, "-p", other):
            seen += [connect_code(port), connect_code(other)]
        with Named(program, "-c", plain_conf, "-p", port):
            seen.append(connect_code(port))
        answers.append(seen)
    assert answers[0] == answers[1] == [0, 5, None, 0]


@needs_debians
def test_signals_as_mosquitto(as_mosquitto, tmp_path):
    """HUP, USR1 and USR2 are survived, TERM and INT are a clean end."""
    for program in (as_mosquitto, DEBIANS):
        for end in (signal.SIGTERM, signal.SIGINT):
            port = free_port()
            with Named(program, "-p", port, state=tmp_path / "state") as named:
                for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
                    named.process.signal(number)
                assert connect_code(port) == 0
                named.process.signal(end)
                assert named.process.wait() == 0


def test_subscriptions_are_told(tmp_path):
    """SIGUSR2: those of connected clients and of absent ones, shared ones too."""
    broker = Broker(settings=[f"log_dest file {tmp_path}/log", "log_type information",
                              "user root", "log_dest stderr"], verbose=False, shards=2)
    try:
        with Client(broker.port, 5) as absent:
            absent.connect("absent", props=[(p.SESSION_EXPIRY, 60)])
            absent.subscribe("a/#", "$share/g/b", qos=1)
        with Client(broker.port, 4) as here:
            here.connect("here")
            here.subscribe("c/+")
            os.kill(broker.pid, signal.SIGUSR2)
            for line in (r"Subscription of absent: a/# \(QoS 1\)",
                         r"Subscription of absent: \$share/g/b \(QoS 1\)",
                         r"Subscription of here: c/\+ \(QoS 0\)"):
                broker.wait_for_line(line)
        (tmp_path / "log").rename(tmp_path / "moved")
        os.kill(broker.pid, signal.SIGRTMIN)
        eventually((tmp_path / "log").exists)
        assert broker.process.is_running()
    finally:
        broker.stop()


def test_quiet(as_mosquitto, tmp_path):
    """2.1 has -q; nothing is logged, not even that it runs."""
    port = free_port()
    process = Process([as_mosquitto, "-q", "-v", "-p", str(port)],
                      env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "state")})
    try:
        eventually(lambda: connect_code(port) == 0)
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert process.out.all() + process.err.all() == []
    finally:
        process.kill()
