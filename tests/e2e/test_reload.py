# SPDX-License-Identifier: Apache-2.0
"""
A configuration that changes while clients are connected: on SIGHUP and when its file changes. Who
is connected stays, and what was said to them in CONNACK holds for them.
"""

import os
import re
import signal
import socket
import threading

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, Broker, free_port
from support.client import Client, unique
from support.process import eventually

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines and options of ours")


class Reloading:
    """A broker whose configuration is written anew. `port` is of the listener that it begins with."""

    def __init__(self, *lines, shards=None):
        self.port = free_port()
        self.base = ["user root", "persistence false", "allow_anonymous true",
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
        taken.close()
        r.change(base=[*r.base[:-1], f"listener {port} 127.0.0.1"])
        eventually(lambda: not refuses(port))
        eventually(lambda: refuses(r.port) and refuses(other))


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
            while not stop.is_set() or count < 20:
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
        for i in range(30):
            r.change(*goods[i % len(goods)])
            r.change(*bads[i % len(bads)], result="^Not reloaded: (all|the conf)")
        stop.set()
        for thread in threads:
            thread.join()
        assert not failures, failures[0]
        assert r.client().ping() is None
