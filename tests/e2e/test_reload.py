# SPDX-License-Identifier: Apache-2.0
"""
A configuration that changes while clients are connected: on SIGHUP and when its file changes. Who
is connected stays, and what was said to them in CONNACK holds for them.
"""

import os
import re
import signal
import socket
import ssl
import threading
from pathlib import Path

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, Broker, free_port
from support.certificates import Authority
from support.client import Client, unique
from support.process import eventually

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines and options of ours")


class Reloading:
    """A broker whose configuration is written anew. `port` is of the listener that it begins with."""

    def __init__(self, *lines, shards=None, head=("user root",)):
        self.port = free_port()
        self.base = [*head, "persistence false", "allow_anonymous true",
                     f"listener {self.port} 127.0.0.1"]
        self.broker = Broker([*self.base, *lines], port=None, shards=shards, verbose=False)
        command = self.broker.process.command
        self.path = command[command.index("-c") + 1]
        self.seen = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.broker.stop()

    def write(self, *lines, base=None):
        """Another file in its place, as editors and package managers do it."""
        self.seen = len(self.broker.lines())
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            file.write("\n".join([*(self.base if base is None else base), *lines]) + "\n")
        os.replace(self.path + ".new", self.path)

    def change(self, *lines, base=None, result=r"Reloaded: (\d+) changed"):
        """The same, and SIGHUP; the lines of the log that followed."""
        self.write(*lines, base=base)
        self.broker.process.signal(signal.SIGHUP)
        self.broker.wait_for_line(result, self.seen)
        return self.broker.lines()[self.seen:]

    def client(self, version=5, **options):
        c = Client(self.port, version)
        c.connack = c.connect(**options)
        return c


def refuses(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return False
    except ConnectionRefusedError:
        return True


def test_what_was_told_holds_until_the_client_leaves():
    with Reloading("receive_maximum 5") as r:
        old = r.client()
        assert old.connack.first(p.RECEIVE_MAXIMUM) == 5
        lines = r.change("receive_maximum 7", "max_qos 1", "max_packet_size 100")
        assert f"max_qos of listener {r.port} 127.0.0.1: 2 -> 1" in lines
        assert "max_packet_size: 2000000 -> 100" in lines
        assert "receive_maximum: 5 -> 7" in lines
        new = r.client()
        assert new.connack.first(p.RECEIVE_MAXIMUM) == 7
        assert new.connack.first(p.MAXIMUM_QOS) == 1
        assert new.connack.first(p.MAXIMUM_PACKET) == 100
        old.publish("t", b"x" * 200, qos=2)
        new.send(p.publish("t", b"x" * 200))
        assert new.expect_close(0x95)
        old.ping()


def told(name, **options):
    """What a client is told in CONNACK by that property."""
    def probe(r):
        with Client(r.port) as c:
            return c.connect(**options).first(name)
    return probe


def answer(*packets, version=5, **options):
    """The code of the last answer to these packets: of CONNACK when there are none."""
    def probe(r):
        with Client(r.port, version) as c:
            c.send(p.connect(options.get("client_id", unique("c")), version,
                             props=options.get("props", ())))
            got = c.receive()
            for packet in packets:
                c.send(packet)
                got = c.receive()
            return got.codes or got.code
    return probe


def delivered(payload=b"x", qos=0):
    """The QoS by which a subscriber gets a message; None: it does not."""
    def probe(r):
        with Client(r.port) as c:
            c.connect()
            c.subscribe("t/u", qos=1)
            c.publish("t/u", payload, qos=qos)
            c.send(p.PING)
            got = c.receive()
            return got.qos if got.kind == p.PUBLISH else None
    return probe


def retained(r):
    """How many of two retained messages stay."""
    with Client(r.port) as c:
        c.connect()
        for topic in "ab":
            c.publish(f"kept/{topic}", b"x", qos=1, retain=True)
        c.subscribe("kept/+")
        c.send(p.PING)
        count = 0
        while c.receive().kind == p.PUBLISH:
            count += 1
        for topic in "ab":
            c.publish(f"kept/{topic}", b"", qos=1, retain=True)
        return count


def waiting(qos):
    """How many of three messages of 100 bytes wait for a client that is away; behind those of
    QoS 0 one more does."""
    def probe(r):
        name = unique("away")
        with Client(r.port) as c:
            c.connect(name, props=[(p.SESSION_EXPIRY, 100)])
            c.subscribe(name, qos=1)
            c.disconnect()
        with Client(r.port) as c:
            c.connect()
            for _ in range(3):
                c.publish(name, b"x" * 100, qos=qos)
            if qos == 0:
                c.publish(name, b"the last", qos=1)  # when it is there, so are the others
        with Client(r.port) as c:
            c.connect(name, clean=False, props=[(p.SESSION_EXPIRY, 0)])
            c.send(p.PING)
            got = [c.receive()]
            while got[-1].kind == p.PUBLISH:
                got.append(c.receive())
            return len(got) - 1
    return probe


LONG = p.publish("t", b"x" * 3000, 1, 1)
# Of each option a line, what is seen before, and what is seen after the reload.
EFFECTS = [
    ("receive_maximum 17", told(p.RECEIVE_MAXIMUM), 1000, 17),
    ("max_packet_size 1234", told(p.MAXIMUM_PACKET), 2000000, 1234),
    ("max_packet_size 2000", answer(LONG), 0x10, 0x95),
    ("max_keepalive 33", told(p.SERVER_KEEP_ALIVE), None, 33),
    ("max_topic_alias 7", told(p.ALIAS_MAXIMUM), 100, 7),
    ("max_qos 1", told(p.MAXIMUM_QOS), None, 1),
    ("maximum_qos 0", told(p.MAXIMUM_QOS), None, 0),
    ("retain_available false", told(p.RETAIN_AVAILABLE), None, 0),
    ("persistent_client_expiration 1h",
     told(p.SESSION_EXPIRY, props=[(p.SESSION_EXPIRY, 9999)]), None, 3600),
    ("response_information some/where",
     told(p.RESPONSE_INFORMATION, props=[(p.REQUEST_RESPONSE, 1)]), None, "some/where"),
    ("allow_zero_length_clientid false", answer(client_id=""), 0, 0x85),
    ("allow_anonymous false", answer(), 0, 0x87),
    ("clientid_prefixes lamp-", answer(), 0, 0x87),
    ("use_username_as_clientid true", answer(), 0, 0x87),
    ("connections_max 1", answer(), 0, 0x97),
    ("sessions_max 1", answer(), 0, 0x97),
    ("topic_levels_max 2", answer(p.publish("a/b/c", b"", 1, 1)), 0x10, 0x90),
    ("subscriptions_per_client_max 1", answer(p.subscribe(1, [("a", 0), ("b", 0)])),
     [0, 0], [0, 0x97]),
    ("upgrade_outgoing_qos true", delivered(), 0, 1),
    ("memory_limit 1", delivered(b"x" * 100), 0, None),
    ("retained_messages_max 1", retained, 2, 1),
    ("retained_bytes_max 1", retained, 2, 1),
    ("absent_queue_messages 1", waiting(1), 3, 1),
    ("max_queued_messages 2", waiting(1), 3, 2),
    ("absent_queue_bytes 200", waiting(1), 3, 1),
    ("queue_qos0_messages true", waiting(0), 1, 4),
]


def test_changes_take_effect():
    with Reloading() as r:
        for line, probe, before, after in EFFECTS:
            name = line.split()[0]
            assert probe(r) == before, line
            with r.client():  # limits of one are met
                lines = r.change(line, base=[b for b in r.base if b.split()[0] != name])
                assert any(told.startswith(name.replace("maximum_qos", "max_qos"))
                           for told in lines), lines
                assert probe(r) == after, line
            r.change()


def test_a_file_that_changes_is_read_by_itself(tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("topic #\n")
    with Reloading(f"acl_file {acl}") as r:
        r.write(f"acl_file {acl}", "max_keepalive 55")
        r.broker.wait_for_line("max_keepalive: 0 -> 55", r.seen)
        r.broker.wait_for_line("Reloaded: 1 changed option,", r.seen)
        assert r.client().connack.first(p.SERVER_KEEP_ALIVE) == 55
        r.change(f"acl_file {acl}", "max_keepalive 55", "reload_on_change false")
        # another file, which changed later, is noticed
        r.write("max_keepalive 56")
        acl.write_text("topic read #\n")
        r.broker.wait_for_line("was read anew", r.seen)
        assert r.client().connack.first(p.SERVER_KEEP_ALIVE) == 55


def test_bad_files_are_refused_whole_with_all_mistakes():
    with Reloading("max_keepalive 9") as r:
        c = r.client()
        lines = r.change("max_keepalive 10", "max_qoss 1", "shards x",
                         result="^Not reloaded: the configuration has mistakes")
        number = len(r.base)
        assert any(f"{r.path}:{number + 2}: max_qoss: unknown option" in line for line in lines)
        assert any(f"{r.path}:{number + 3}: shards: 'x'" in line for line in lines)
        assert r.client().connack.first(p.SERVER_KEEP_ALIVE) == 9
        os.unlink(r.path)
        r.broker.wait_for_line("cannot be opened: No such file", r.seen)
        r.write("max_keepalive 11")
        r.broker.wait_for_line("max_keepalive: 9 -> 11", r.seen)
        r.change("password_file /nonexistent", result="^Not reloaded: all stays as it was")
        assert r.client().connack.first(p.SERVER_KEEP_ALIVE) == 11
        c.ping()


def test_what_takes_a_restart_says_so():
    with Reloading() as r:
        lines = r.change("shards 5", "pid_file /nonexistent/x", "max_queued_bytes 7")
        assert "shards: 0 -> 5 takes a restart; until then the first holds" in lines
        assert "pid_file: not set -> /nonexistent/x takes a restart; until then the first holds" \
            in lines
        assert "max_queued_bytes: 67108864 -> 7" in lines
        lines = r.change("shards 5")
        assert "shards: 0 -> 5 takes a restart; until then the first holds" in lines


def test_listeners_come_and_go():
    with Reloading() as r:
        other = free_port()
        c = r.client()
        c.subscribe("t")
        lines = r.change(f"listener {other} 127.0.0.1", "protocol mqtt")
        assert f"listener {other} 127.0.0.1: is opened" in lines
        eventually(lambda: not refuses(other))
        with Client(other) as d:
            d.connect()
            d.publish("t", b"1", qos=1)
            c.take(payload=b"1")
            # its own listener goes, and the client stays
            lines = r.change(base=[*r.base[:-1], f"listener {other} 127.0.0.1"])
            assert f"listener {r.port} 127.0.0.1: is closed" in lines
            eventually(lambda: refuses(r.port))
            d.publish("t", b"2", qos=1)
            c.take(payload=b"2")
            r.change()
            eventually(lambda: not refuses(r.port))
            r.client().ping()
            d.ping()
            c.ping()


def test_a_listener_moves_on_its_port():
    """The old one stands where the new one wants to be."""
    with Reloading() as r:
        c = r.client()
        r.change(base=[*r.base[:-1], f"listener {r.port}"])
        eventually(lambda: not refuses(r.port))
        r.client().ping()
        r.change()
        eventually(lambda: not refuses(r.port))
        r.client().ping()
        c.ping()


def test_a_listener_that_cannot_be_opened():
    with socket.socket() as taken, Reloading() as r:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port, other = taken.getsockname()[1], free_port()
        lines = r.change(f"listener {port} 127.0.0.1", f"listener {other} 127.0.0.1")
        assert any(line.startswith(f"Not reloaded: listener {port} 127.0.0.1: cannot listen on "
                                   f"127.0.0.1:{port}: Address already in use") for line in lines)
        eventually(lambda: not refuses(other))
        # nor is the one closed that it may stand for
        r.change(base=[*r.base[:-1], f"listener {port} 127.0.0.1"])
        r.client().ping()
        # nor does anything happen when the line goes again
        r.change()
        r.client().ping()
        taken.close()
        r.change(base=[*r.base[:-1], f"listener {port} 127.0.0.1"])
        eventually(lambda: not refuses(port))
        eventually(lambda: refuses(r.port) and refuses(other))


def certificate_of(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port)) as plain, \
            context.wrap_socket(plain) as secure:
        return secure.getpeercert(binary_form=True)


def believing(authority):
    return ssl.create_default_context(cafile=authority.path)


def http_answer(port, origin):
    request = ("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
               f"Sec-WebSocket-Protocol: mqtt\r\nOrigin: {origin}\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), 5) as s:
        s.sendall(request.encode())
        return int(s.recv(4096).split()[1])


def test_what_a_listener_is_changes_for_new_connections(tmp_path):
    authority = Authority(tmp_path / "files")
    for name in ("one", "two"):
        authority.issue(name)
    other, path = free_port(), tmp_path / "socket"

    def lines(protocol, certificate, origin, mode):
        tls = [f"certfile {authority.certificate(certificate)}",
               f"keyfile {authority.key(certificate)}"]
        return [*(tls if protocol == "mqtt" else []), f"listener {other} 127.0.0.1",
                "protocol websockets", f"websockets_origin {origin}", f"listener 0 {path}",
                f"socket_mode {mode}"]

    with Reloading(*lines("mqtt", "one", "https://a.example", "0600")) as r:
        first = certificate_of(r.port)
        c = Client(r.port, tls=believing(authority))
        c.connect()
        assert http_answer(other, "https://a.example") == 101
        assert http_answer(other, "https://b.example") == 403
        said = r.change(*lines("mqtt", "two", "https://b.example", "0666"))
        assert f"socket_mode of listener 0 {path}: 0600 -> 0666" in said
        assert path.stat().st_mode & 0o777 == 0o666
        assert certificate_of(r.port) not in (None, first)
        assert http_answer(other, "https://a.example") == 403
        assert http_answer(other, "https://b.example") == 101
        # without TLS at all, and c speaks it on
        r.change(*lines("plain", None, "https://b.example", "0666"))
        r.client().ping()
        c.ping()
        # a key that is not there: the listener stays as it was
        said = r.change(*lines("mqtt", "none", "https://b.example", "0666"))
        assert any(line.startswith(f"Not reloaded: listener {r.port} 127.0.0.1: certfile")
                   and line.endswith("The old one stays in use") for line in said), said
        r.client().ping()
        c.ping()
    assert not path.exists()


UNPRIVILEGED = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
def test_rights_that_were_given_up():
    with Reloading(head=()) as r:
        r.change("max_keepalive 9", result="must be allowed to read it")  # its folder is root's
        assert r.broker.lines()[r.seen:][0] == f"{r.path}: cannot be opened: Permission denied"
        os.chmod(os.path.dirname(r.path), 0o755)
        other = free_port()
        lines = r.change("max_keepalive 9", "listener 1 127.0.0.1", f"listener {other} 127.0.0.1")
        assert "max_keepalive: 0 -> 9" in lines
        eventually(lambda: not refuses(other))
        if UNPRIVILEGED > 1:
            assert any("127.0.0.1:1: Permission denied (ports below 1024 need privileges)" in line
                       and line.endswith("takes a restart") for line in lines), lines


def test_rules_of_each_listener_follow_it(tmp_path):
    """Realms are of places: an order that changes, and listeners that go, mix nothing up."""
    acl = {name: tmp_path / name for name in "abc"}
    for name, path in acl.items():
        path.write_text(f"topic readwrite {name}\n")
    ports = {"a": free_port(), "b": free_port(), "c": free_port()}

    def section(name):
        return [f"listener {ports[name]} 127.0.0.1", "allow_anonymous true",
                f"acl_file {acl[name]}"]

    def check(c, allowed):
        for name in "abc":
            assert (c.publish(name, b"x", qos=1).code in (0, 0x10)) == (name == allowed), name

    head = ["user root", "persistence false", "per_listener_settings true"]
    with Reloading() as r:
        first = r.client()
        r.change(base=[*head, *section("a"), *section("b")])
        clients = {}
        for name in "ab":
            eventually(lambda name=name: not refuses(ports[name]))
            clients[name] = Client(ports[name])
            clients[name].connect()
            check(clients[name], name)
        r.change(base=[*head, *section("c"), *section("b")])
        eventually(lambda: not refuses(ports["c"]) and refuses(ports["a"]))
        clients["c"] = Client(ports["c"])
        clients["c"].connect()
        for name, c in clients.items():
            check(c, name)
        # those of a closed listener go on to follow its file, and its loss
        acl["a"].write_text("topic readwrite b\n")
        r.change(base=[*head, *section("c"), *section("b")])
        check(clients["a"], "b")
        acl["a"].unlink()
        r.change(base=[*head, *section("c"), *section("b")])
        assert clients["a"].expect_close(0x87)
        check(clients["b"], "b")
        first.ping()
        r.change(base=[*head[:2], "allow_anonymous true", f"acl_file {acl['c']}",
                       f"listener {ports['b']} 127.0.0.1"])
        check(clients["b"], "c")
        check(clients["c"], "c")


def test_links_that_are_swapped(tmp_path):
    """As Kubernetes does with a ConfigMap: the file is a link to a link that changes."""
    for name, seconds in (("one", 11), ("two", 22)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "extra.conf").write_text(f"max_keepalive {seconds}\n")
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "extra.conf").symlink_to("../data/extra.conf")
    with Reloading(f"include_dir {tmp_path}/conf.d") as r:
        assert r.client().connack.first(p.SERVER_KEEP_ALIVE) == 11
        (tmp_path / "data.new").symlink_to("two")
        os.replace(tmp_path / "data.new", tmp_path / "data")
        r.broker.wait_for_line("max_keepalive: 11 -> 22", r.seen)
        # a file more in the directory, and one that is broken, and mended
        (tmp_path / "conf.d" / "more.conf").write_text("max_qos 9\n")
        r.broker.wait_for_line("^Not reloaded", r.seen)
        (tmp_path / "conf.d" / "more.conf").write_text("max_queued_messages 9\n")
        r.broker.wait_for_line("max_queued_messages: 10000 -> 9", r.seen)


def test_log_moves(tmp_path):
    with Reloading(f"log_dest file {tmp_path}/one", "log_dest stderr") as r:
        r.change(f"log_dest file {tmp_path}/two", "log_dest stderr", "log_type information",
                 "log_timestamp_format at %Y")
        r.client(client_id="somebody").disconnect()
        text = eventually(lambda: (tmp_path / "two").exists() and (tmp_path / "two").read_text())
        assert re.search(r"^at \d{4}: Reloaded", text, re.M)
        assert "Reloaded" not in (tmp_path / "one").read_text()
        r.change("log_dest file /nonexistent/log", "log_dest stderr", "log_type all",
                 result="Not reloaded: cannot open the log file '/nonexistent/log': No such file")
        eventually(lambda: "Lines go to where they went" in (tmp_path / "two").read_text())


def test_no_client_notices_many_changes(tmp_path):
    """Good and bad files in turn, under traffic on all listeners: nothing lost, nobody cut."""
    other = free_port()
    goods = [["max_qos 1", "receive_maximum 3"], [f"listener {other} 127.0.0.1"],
             ["max_queued_messages 50", "upgrade_outgoing_qos true", "cached_topics_max 0"],
             ["input_bytes_per_turn 1048576", "memory_limit 99999999", "log_type all"],
             [f"listener {other} 127.0.0.1", "protocol websockets"], []]
    bads = [["max_qos 7"], ["password_file /nonexistent"], ["listener 99999"]]
    failures, stop = [], threading.Event()

    def exchange(c, topic):
        try:
            c.subscribe(topic, qos=2)
            count = 0
            while not stop.is_set() or count < 10:
                count += 1
                c.publish(topic, str(count).encode(), qos=count % 3)
                c.take(payload=str(count).encode())
        except AssertionError as error:
            failures.append(error)

    with Reloading(shards=3) as r:
        threads = [threading.Thread(target=exchange, args=(r.client(), unique("t")))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        for i in range(12):
            r.change(*goods[i % len(goods)])
            r.change(*bads[i % len(bads)], result="^Not reloaded: (all|the conf)")
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]
        assert r.client().ping() is None
