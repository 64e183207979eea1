# SPDX-License-Identifier: Apache-2.0
"""
Who may come in, and what they may do: password files, ACL files, what changes while running; and
the same rules and actions on Debian's mosquitto beside ours.
"""

import os
import shutil
import signal
import statistics
import subprocess
import threading
import time

import paho.mqtt.client as paho
import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, PROGRAM, Broker, free_port
from support.client import Client, unique
from support.process import Process, eventually, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="both brokers run beside each other here")

MOSQUITTO = "/usr/sbin/mosquitto"
USERS = {"lena": "secret", "olaf": "p:w d", "ines": "üñí"}
# mosquitto before 2.1 has no argon2id.
HASHES = ["sha512-pbkdf2", "sha512", "argon2id"]


def passwd(*words, text=None):
    return subprocess.run([PROGRAM, "passwd", *map(str, words)], input=text, text=True,
                          capture_output=True, timeout=30)


def set_password(path, user, password, *options):
    done = passwd("-b", *(() if path.exists() else ("-c",)), *options, path, user, password)
    assert done.returncode == 0, done.stderr


@pytest.fixture(name="users")
def fixture_users(tmp_path):
    path = tmp_path / "users"
    for user, method in zip(USERS, HASHES):
        set_password(path, user, USERS[user], "-H", method)
    return path


def start(*settings, verbose=False, listeners=("listener 0 127.0.0.1",)):
    """As root it stays root, which may read what the test wrote."""
    return Broker(["user root", "persistence false", *listeners, *map(str, settings)], port=None,
                  verbose=verbose)


# Passwords


def test_every_hash_and_version(users):
    broker = start(f"password_file {users}")
    try:
        for version in (3, 4, 5):
            for user, password in USERS.items():
                with Client(broker.port, version) as c:
                    c.connect(user=user, password=password)
                    c.ping()
    finally:
        broker.stop()


@pytest.mark.parametrize("version, wrong, denied", [(3, 4, 5), (4, 4, 5), (5, 0x86, 0x87)])
def test_codes_of_refusals(users, version, wrong, denied):
    broker = start(f"password_file {users}")
    try:
        for user, password, code in [("lena", "Secret", wrong), ("nobody", "secret", wrong),
                                     ("lena", None, wrong), (None, None, denied)]:
            with Client(broker.port, version) as c:
                c.connect(user=user, password=password, code=code)
                assert c.receive() is None
    finally:
        broker.stop()


def test_mosquittos_clients_and_paho(users):
    broker = start(f"password_file {users}")
    try:
        words = ["mosquitto_pub", "-p", str(broker.port), "-t", "t", "-m", "x", "-q", "1"]
        assert run([*words, "-u", "olaf", "-P", USERS["olaf"]])[0] == 0
        assert run([*words, "-u", "olaf", "-P", "x"])[0] == 4
        assert run([*words, "-V", "5", "-u", "olaf", "-P", "x"])[0] == 0x86
        assert run(words)[0] == 5
        results = []
        for password in (USERS["ines"], "wrong"):
            client = paho.Client(unique("paho"))
            client.username_pw_set("ines", password)
            client.on_connect = lambda _c, _u, _f, code: results.append(code)
            client.connect("127.0.0.1", broker.port)
            count = len(results)
            eventually(lambda: client.loop(0.1) or len(results) > count)
            client.disconnect()
        assert results == [0, 4]
    finally:
        broker.stop()


@pytest.mark.skipif(not shutil.which("mosquitto_passwd"), reason="no mosquitto_passwd")
def test_files_go_both_ways(tmp_path):
    path = tmp_path / "users"
    set_password(path, "ours", "1")
    set_password(path, "old", "2", "-H", "sha512")
    subprocess.run(["mosquitto_passwd", "-b", path, "theirs", "3"], check=True)
    set_password(path, "ours", "4")
    path.chmod(0o644)
    expected = {"ours": "4", "old": "2", "theirs": "3"}
    port = free_port()
    (tmp_path / "m.conf").write_text(f"listener {port} 127.0.0.1\nuser root\n"
                                     f"password_file {path}\n")
    ours = start(f"password_file {path}")
    theirs = Process([MOSQUITTO, "-c", str(tmp_path / "m.conf")])
    try:
        theirs.err.wait("running")
        for at in (ours.port, port):
            for user, password in expected.items():
                words = ["mosquitto_pub", "-p", str(at), "-t", "t", "-m", "x", "-u", user, "-P"]
                assert run([*words, password])[0] == 0, (at, user)
                assert run([*words, password + "x"])[0] in (4, 5), (at, user)
    finally:
        theirs.kill()
        ours.stop()


def test_listeners_with_settings_of_their_own(users, tmp_path):
    other = tmp_path / "others"
    set_password(other, "max", "m")
    ports = [free_port(), free_port()]
    broker = start(listeners=(
        "per_listener_settings true", f"listener {ports[0]} 127.0.0.1", f"password_file {users}",
        "use_username_as_clientid true", f"listener {ports[1]} 127.0.0.1",
        f"password_file {other}", "allow_anonymous true"))
    try:
        def code_at(port, **options):
            with Client(port) as c:
                c.send(p.connect(unique("c"), 5, **options))
                return c.receive().code
        assert code_at(ports[0], user="lena", password="secret") == 0
        assert code_at(ports[0]) == 0x87
        assert code_at(ports[0], user="max", password="m") == 0x86
        assert code_at(ports[1], user="max", password="m") == 0
        assert code_at(ports[1]) == 0
        assert code_at(ports[1], user="lena", password="secret") == 0x86
        # whatever they call themselves, they have one session
        with Client(ports[0]) as a, Client(ports[0]) as b:
            a.connect("a", user="lena", password="secret")
            # who names none is told which he has got [MQTT-3.1.3-7]
            got = b.connect("", user="lena", password="secret")
            assert got.first(p.ASSIGNED_ID) == "lena"
            a.expect_close(0x8E)
    finally:
        broker.stop()


def test_one_prefix_for_all_listeners():
    """Below whichever listener it stands, as with mosquitto."""
    port = free_port()
    broker = start(listeners=(
        "per_listener_settings true", "listener 0 127.0.0.1", "allow_anonymous true",
        "clientid_prefixes lamp", f"listener {port} 127.0.0.1", "allow_anonymous true"))
    try:
        for at in (broker.port, port):
            with Client(at) as good, Client(at) as bad:
                good.connect("lamp1")
                bad.connect("bell1", code=0x87)
    finally:
        broker.stop()


# `nightjar passwd`


def test_passwd_keeps_everything_else(tmp_path):
    path = tmp_path / "users"
    path.write_text("# ours\n\nlena:$7$1$a$b\nolaf:x\n")
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    done = passwd(link, "lena", text="new\nnew\n")
    assert (done.returncode, done.stdout) == (0, "Updating password for user lena\n")
    lines = path.read_text().split("\n")
    assert lines[:2] == ["# ours", ""] and lines[3:] == ["olaf:x", ""]
    assert lines[2].startswith("lena:$7$")
    assert link.is_symlink() and path.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link", "users"]


def test_passwd_upgrades_what_is_not_hashed(tmp_path):
    path = tmp_path / "users"
    set_password(path, "lena", "a")
    before = path.read_text()
    path.write_text(before + "olaf:plain\n")
    assert passwd("-U", path).stdout == "1 password hashed\n"
    after = path.read_text()
    assert after.startswith(before) and "plain" not in after
    assert passwd("-U", path).stdout == "0 passwords hashed\n"
    assert path.read_text() == after


@pytest.mark.parametrize("words, text, sentence", [
    (("F", "lena"), "a\nb\n", "the second line is not the password of the first"),
    (("F", "lena"), "", "no password was given"),
    (("-D", "F", "nobody"), None, "there is no such user"),
    (("-b", "F", "a:b", "c"), None, "holds no ':'"),
    (("-b", "F", "lena", ""), None, "an empty password"),
    (("-b", "missing", "lena", "x"), None, "-c creates it"),
    (("-H", "md5", "F", "lena"), None, "none of sha512-pbkdf2, argon2id, scram-sha-256 and sha512"),
    (("-c", "-D", "F", "lena"), None, "exclude each other"),
    (("F",), None, "the user name is missing"),
    (("F", "lena", "x"), None, "unexpected argument"),
    (("-U", "F", "lena"), None, "unexpected argument 'lena'"),
    (("-x",), None, "unknown option '-x'"),
])
def test_passwd_says_what_is_wrong(tmp_path, words, text, sentence):
    path = tmp_path / "users"
    path.write_text("old:x\n")
    done = passwd(*(path if w == "F" else w for w in words), text=text)
    assert done.returncode == 1 and sentence in done.stderr, done
    assert path.read_text() == "old:x\n"


def test_passwd_at_a_terminal_shows_nothing(tmp_path):
    path = tmp_path / "users"
    leader, follower = os.openpty()
    program = subprocess.Popen([PROGRAM, "passwd", "-c", str(path), "lena"], stdin=follower,
                               stdout=follower, stderr=follower, start_new_session=True)
    os.close(follower)
    shown = b""

    def wait_for(words):
        nonlocal shown
        while words not in shown:
            shown += os.read(leader, 4096)
    try:
        wait_for(b"Password: ")
        os.write(leader, b"hush-hush\n")
        wait_for(b"Reenter password: ")
        os.write(leader, b"hush-hush\n")
        wait_for(b"Adding password for user lena")
        assert program.wait(30) == 0
    finally:
        program.kill()
        program.wait()
        os.close(leader)
    assert b"hush" not in shown
    assert path.stat().st_mode & 0o777 == 0o600


# Changes while running


def test_changed_files_hold_at_once(users, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("user lena\ntopic #\nuser olaf\ntopic read #\n")
    broker = start(f"password_file {users}", f"acl_file {acl}")
    try:
        lena, olaf, ines = (Client(broker.port) for _ in range(3))
        for c, user in ((lena, "lena"), (olaf, "olaf"), (ines, "ines")):
            c.connect(user=user, password=USERS[user])
        olaf.subscribe("#")
        lena.publish("a", b"1", qos=1)
        olaf.take(topic="a")
        before = len(broker.lines())
        acl.write_text("user lena\ntopic #\nuser olaf\ntopic read b\n")
        began = time.monotonic()
        broker.wait_for_line("was read anew", before)
        assert time.monotonic() - began < 2
        lena.publish("a", b"2", qos=1)
        lena.publish("b", b"3", qos=1)
        olaf.take(topic="b")  # its subscription stays, and brings what it may read
        before = len(broker.lines())
        passwd("-D", users, "ines")
        set_password(users, "olaf", "other")
        assert ines.expect_close(0x87) and olaf.expect_close(0x87)
        lena.ping()
        broker.wait_for_line("disconnected: no longer authorised", before)

        def may_come():
            with Client(broker.port) as c:
                c.send(p.connect(unique("c"), 5, user="olaf", password="other"))
                return c.receive().code == 0
        eventually(may_come)  # each shard changes over at its own next turn
    finally:
        broker.stop()


def test_bad_files_are_refused_and_the_old_stay(users, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("user lena\ntopic #\n")
    broker = start(f"password_file {users}", f"acl_file {acl}")
    try:
        with Client(broker.port) as lena:
            lena.connect(user="lena", password="secret")
            acl.write_text("user lena\n\ntopc #\n")
            broker.wait_for_line(f"{acl}:3: 'topc' is none of")
            broker.wait_for_line("stays as it was")
            before = len(broker.lines())
            acl.unlink()
            broker.process.signal(signal.SIGHUP)
            broker.wait_for_line("cannot be read: No such file", before)
            assert lena.publish("a", b"x", qos=1).code in (0, 0x10)
    finally:
        broker.stop()


def test_start_with_bad_files_says_all(tmp_path):
    acl, users = tmp_path / "acl", tmp_path / "users"
    acl.write_text("topic\nuser\n")
    (tmp_path / "c").write_text(f"listener 0 127.0.0.1\nuser root\npersistence false\n"
                                f"acl_file {acl}\npassword_file {users}\n")
    status, _, lines = run([PROGRAM, "broker", "-c", str(tmp_path / "c")])
    assert status == 1
    for words in (f"{acl}:1: the topic is missing", f"{acl}:2: the name is missing",
                  f"{users}: cannot be read: No such file"):
        assert any(words in line for line in lines), lines


def test_sighup_takes_other_files(users, tmp_path):
    acl = tmp_path / "acl"
    acl.write_text("topic read none\n")
    broker = start("allow_anonymous true")
    try:
        with Client(broker.port) as c:
            c.connect()
            assert c.publish("a", b"x", qos=1).code == 0x10
            path = broker.process.command[broker.process.command.index("-c") + 1]
            with open(path, "a", encoding="utf-8") as conf:
                conf.write(f"acl_file {acl}\n")
            broker.process.signal(signal.SIGHUP)
            broker.wait_for_line("Reloaded: .*what they may do")
            assert c.publish("a", b"x", qos=1).code == 0x87
    finally:
        broker.stop()


# A flood of wrong passwords


def guess(port, count, done):
    for _ in range(count):
        with Client(port, 4) as c:
            c.send(p.connect(unique("g"), 4, user="lena", password="wrong"))
            got = c.receive()
            done.append(got.code if got else None)


def test_guessing_harms_nobody(tmp_path):
    users = tmp_path / "users"
    for user in ("lena", "olaf"):
        set_password(users, user, "right", "-H", "argon2id")
    broker = start(f"password_file {users}")
    try:
        with Client(broker.port) as c:
            c.connect(user="olaf", password="right")
            c.subscribe("t")

            def latency():
                began = time.monotonic()
                c.publish("t", b"x")
                c.take(topic="t")
                return time.monotonic() - began
            before = statistics.median(latency() for _ in range(50))
            memory = broker.rss_bytes()
            done = []
            guessers = [threading.Thread(target=guess, args=(broker.port, 6, done))
                        for _ in range(6)]
            for g in guessers:
                g.start()
            during = []
            while any(g.is_alive() for g in guessers):
                during.append(latency())
            for g in guessers:
                g.join()
            assert len(done) == 36 and set(done) <= {3, 4}
            # each verification alone takes longer than that
            assert statistics.median(during) < before + 0.02
            broker.assert_grew_less(memory, 64 << 20)
            # ten lines in ten seconds say it, not one for each
            refused = [line for line in broker.lines() if "wrong user name" in line]
            assert 1 <= len(refused) <= 40
    finally:
        broker.stop()


# Beside mosquitto

ACL = """\
topic read open/#
topic write in
topic read end

user lena
topic read end
topic home/+/light
topic deny home/cellar/light
topic read news/#
topic write out/lena
topic read $SYS/broker/#

user olaf
topic readwrite #
topic deny secret/#
topic read secret/open

user +
topic read end
topic read own

# for everybody
pattern write dev/%c/up
pattern read dev/%c/down
pattern readwrite users/%u/#
pattern read x%c-%u/y
pattern deny users/%u/locked
pattern read end
"""
ACTORS = [(None, "anon"), ("lena", "c1"), ("olaf", "c2"), ("ines", "c3"), ("+", "c4"),
          ("lena", "c+")]
TOPICS = ["open/a", "open", "in", "home/kitchen/light", "home/cellar/light", "home/x/y/light",
          "news/a/b", "out/lena", "secret/x", "secret/open", "dev/c1/up", "dev/c1/down",
          "dev/c3/up", "users/lena/a", "users/lena", "users/lena/locked", "users/ines/a",
          "users/+x", "xc1-lena/y", "own", "$other/x"]


def actions(port, prefix):
    """What each actor may write (the codes) and read (the topics): 6 × 21 × 2 answers."""
    answers = {}
    with Client(port) as boss:
        boss.connect(prefix + "boss", user="boss")
        for user, client_id in ACTORS:
            with Client(port) as c:
                c.connect(client_id, user=user, password=None if user is None else "x")
                for topic in (t for t in TOPICS if "+" not in t):
                    code = c.publish(topic, b"w", qos=1).code
                    answers[user, client_id, "write", topic] = code == 0x87
                c.subscribe("#", "$other/#")
                for topic in (t for t in TOPICS if "+" not in t):
                    boss.publish(topic, b"r", qos=1)
                boss.publish("end", b"", qos=1)
                while True:
                    got = c.take()
                    if got.topic == "end":
                        break
                    answers[user, client_id, "read", got.topic] = True
    return answers


@pytest.mark.skipif(not os.path.exists(MOSQUITTO), reason="no mosquitto")
def test_same_answers_as_mosquitto(tmp_path):
    acl = tmp_path / "acl"
    acl.write_text(ACL + "user boss\ntopic readwrite #\ntopic readwrite $other/#\n")
    port = free_port()
    (tmp_path / "m.conf").write_text(f"listener {port} 127.0.0.1\nuser root\n"
                                     f"allow_anonymous true\nacl_file {acl}\n")
    ours = start(f"acl_file {acl}", "allow_anonymous true")
    theirs = Process([MOSQUITTO, "-c", str(tmp_path / "m.conf")])
    try:
        theirs.err.wait("running")
        mine, other = actions(ours.port, "o"), actions(port, "m")
        assert len(mine) > 120
        assert mine == other, {k: (mine.get(k), other.get(k)) for k in mine.keys() | other.keys()
                               if mine.get(k) != other.get(k)}
    finally:
        theirs.kill()
        ours.stop()
