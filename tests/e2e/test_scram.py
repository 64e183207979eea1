# SPDX-License-Identifier: Apache-2.0
"""SCRAM-SHA-256: our clients against our broker, and what its challenges tell to strangers."""

import base64
import subprocess

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, PROGRAM, Broker
from support.client import Client
from support.process import run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="mosquitto has no SCRAM")

METHOD = "SCRAM-SHA-256"


def set_password(path, user, password, method):
    create = () if path.exists() else ("-c",)
    subprocess.run([PROGRAM, "passwd", "-b", *create, "-H", method, "-I", "4096", path, user,
                    password], check=True, capture_output=True, timeout=30)


@pytest.fixture(name="users")
def fixture_users(tmp_path):
    path = tmp_path / "users"
    set_password(path, "lena", "secret", "scram-sha-256")
    set_password(path, "n=a,b", "p", "scram-sha-256")
    set_password(path, "olaf", "pass", "sha512-pbkdf2")
    return path


def start(users, *settings):
    return Broker(["user root", "persistence false", "listener 0 127.0.0.1",
                   f"password_file {users}", *settings], port=None)


def publish(port, user, password, *options):
    status, _, lines = run([PROGRAM, "pub", "-h", "127.0.0.1", "-p", str(port), "-t", "t", "-m",
                            "x", "-q", "1", "-V", "5", "-u", user, "-P", password, *options])
    return status, lines


def test_who_comes_in(users):
    broker = start(users)
    try:
        assert publish(broker.port, "lena", "secret", "--scram")[0] == 0
        assert publish(broker.port, "n=a,b", "p", "--scram")[0] == 0
        # its password is shown, and verified against what SCRAM stores
        assert publish(broker.port, "lena", "secret")[0] == 0
        refused = [publish(broker.port, *words) for words in (
            ("lena", "Secret", "--scram"), ("nobody", "secret", "--scram"),
            ("olaf", "pass", "--scram"), ("lena", "Secret"))]
        assert all(status == 134 for status, _ in refused), refused
        assert len({tuple(lines) for _, lines in refused}) == 1, refused
        broker.wait_for_line("New client connected .* u'lena'")
    finally:
        broker.stop()


def test_user_name_as_client_id(users):
    broker = start(users, "use_username_as_clientid true")
    try:
        assert publish(broker.port, "lena", "secret", "--scram", "-i", "other")[0] == 0
        broker.wait_for_line("New client connected .* as lena ")
    finally:
        broker.stop()


def challenge(port, user):
    """The salt and the iterations."""
    name = user.replace("=", "=3D").replace(",", "=2C")
    with Client(port) as c:
        c.send(p.connect("c", props=[(p.AUTH_METHOD, METHOD),
                                     (p.AUTH_DATA, f"n,,n={name},r=abcdef")]))
        auth = c.expect(p.AUTH, code=0x18)
        words = auth.first(p.AUTH_DATA).decode().split(",")
    assert words[0].startswith("r=abcdef") and len(words[0]) >= len("r=abcdef") + 22
    return base64.b64decode(words[1].removeprefix("s=")), words[2]


def test_challenges_do_not_tell_who_is_there(users):
    names = ["lena", "nobody", "olaf", "noone"]
    broker = start(users)
    try:
        first = [challenge(broker.port, name) for name in names]
        assert first == [challenge(broker.port, name) for name in names]
    finally:
        broker.stop()
    assert len(set(first)) == len(names)
    assert {(len(salt), count) for salt, count in first} == {(16, "i=4096")}
    # nor does another process, nor a change of what is not SCRAM's
    set_password(users, "ines", "x", "sha512-pbkdf2")
    broker = start(users)
    try:
        assert first == [challenge(broker.port, name) for name in names]
    finally:
        broker.stop()


def test_changed_password_ends_it(users):
    broker = start(users)
    sub = subprocess.Popen(
        [PROGRAM, "sub", "-h", "127.0.0.1", "-p", str(broker.port), "-t", "t", "-V", "5", "-u",
         "lena", "-P", "secret", "--scram", "-d"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        broker.wait_for_line("New client connected .* u'lena'")
        set_password(users, "lena", "other", "scram-sha-256")
        broker.wait_for_line("disconnected: no longer authorised")
        assert publish(broker.port, "lena", "other", "--scram")[0] == 0
    finally:
        sub.kill()
        sub.communicate()
        broker.stop()


@pytest.mark.parametrize("words, sentence", [
    (("-H", "scram-sha-256", "-I", "4095"), "not between 4096 and 1000000"),
    (("-H", "scram-sha-1"), "none of sha512-pbkdf2, argon2id, scram-sha-256 and sha512"),
])
def test_passwd_says_what_is_wrong(tmp_path, words, sentence):
    done = subprocess.run([PROGRAM, "passwd", "-b", "-c", *words, tmp_path / "f", "lena", "a"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and sentence in done.stderr and not (tmp_path / "f").exists()
    done = subprocess.run([PROGRAM, "passwd", "-b", "-c", "-H", "scram-sha-256", tmp_path / "f",
                           "lena", "a\nb"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "control characters" in done.stderr
