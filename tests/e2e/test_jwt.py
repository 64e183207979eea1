# SPDX-License-Identifier: Apache-2.0
"""Tokens in the place of a password, and the order in which ways to know a client are asked."""

import json
import time

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, PROGRAM, Broker
from support.client import Client
from support.process import eventually, run
from support.tokens import ALGORITHMS, KINDS, Key, encode, secret_token

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="options of ours")

SECRET = b"0123456789abcdef" * 4  # as long as HS512 asks for
REASON_STRING = 0x1F


@pytest.fixture(scope="module", name="folder")
def fixture_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("jwt")


@pytest.fixture(scope="module", name="keys")
def fixture_keys(folder):
    made = {kind: Key(folder, kind) for kind in KINDS}
    (folder / "keys.pem").write_bytes(b"".join(k.public.read_bytes() for k in made.values()))
    (folder / "secret").write_bytes(SECRET + b"\n")
    (folder / "secret").chmod(0o600)
    return made


def start(*settings, listeners=("listener 0 127.0.0.1",), verbose=False):
    return Broker(["user root", "persistence false", *listeners, *map(str, settings)], port=None,
                  verbose=verbose)


@pytest.fixture(scope="module", name="broker")
def fixture_broker(folder, keys):
    assert keys
    (folder / "acl").write_text("user lena\ntopic lena/#\n")
    broker = start(f"jwt_key_file {folder}/keys.pem", f"jwt_secret_file {folder}/secret",
                   f"acl_file {folder}/acl", verbose=True)
    yield broker
    broker.stop()


def reason_of(broker, token, version=5, **options):
    """What CONNACK says: the code and the sentence."""
    with Client(broker.port, version) as c:
        c.send(p.connect("", version, password=token, **options))
        answer = c.receive()
        assert answer.kind == p.CONNACK
        return answer.code, answer.first(REASON_STRING) if version == 5 else None


def expect_refused(broker, token, code, words, **options):
    found, text = reason_of(broker, token, **options)
    assert (found, words in (text or "")) == (code, True), text


def comes_in(broker, token, version=5, user="lena"):
    with Client(broker.port, version) as c:
        c.connect(user=user, password=token)
        c.ping()


def test_every_algorithm(broker, keys):
    claims = {"sub": "lena", "exp": time.time() + 60}
    tokens = [keys[kind].token(name, claims) for name, (kind, _) in ALGORITHMS.items()]
    tokens += [keys[kind].token("EdDSA", claims) for kind in ("ed25519", "ed448")]
    tokens += [secret_token(SECRET, claims, name) for name in ("HS256", "HS384", "HS512")]
    for token in tokens:
        comes_in(broker, token)
        head, payload, signature = token.split(".")
        other = encode({**claims, "sub": "olaf"})
        expect_refused(broker, f"{head}.{other}.{signature}", 0x86, "signature", user="olaf")
        flipped = ("B" if signature[0] == "A" else "A") + signature[1:]
        expect_refused(broker, f"{head}.{payload}.{flipped}", 0x86, "signature", user="lena")
    comes_in(broker, tokens[0], version=4)
    comes_in(broker, tokens[0], version=3)


def test_what_is_not_believed(broker, keys):
    good = {"sub": "lena", "exp": time.time() + 60}
    public = keys["rsa"].public.read_bytes()
    unsecured = f"{encode({'alg': 'none'})}.{encode(good)}."
    for token, words in [
            (unsecured, "algorithm"),
            # a public key is no secret, whatever the token says
            (secret_token(public, good), "signature"),
            (secret_token(SECRET, good, crit=["b64"], b64=True), "crit"),
            (secret_token(SECRET, {**good, "exp": time.time() - 60}), "expired"),
            (secret_token(SECRET, {**good, "nbf": time.time() + 60}), "not valid yet"),
            (secret_token(SECRET, {**good, "aud": "elsewhere"}), "audience"),
            (secret_token(SECRET, {"exp": good["exp"]}), "user name"),
            (secret_token(SECRET, {**good, "x": "y" * 8192}), "longer than 8 KiB")]:
        expect_refused(broker, token, 0x86, words, user="lena")
    expect_refused(broker, secret_token(SECRET, good), 0x87, "another user's", user="olaf")
    # 3.x has two codes for all of this
    assert reason_of(broker, unsecured, version=4, user="lena")[0] == 4
    assert reason_of(broker, secret_token(SECRET, good), version=4, user="olaf")[0] == 5
    # nothing else would know a password
    assert reason_of(broker, "secret", user="lena")[0] == 0x86


def test_name_comes_from_the_token(broker):
    token = secret_token(SECRET, {"sub": "lena"})
    with Client(broker.port) as c:
        c.connect("nameless", password=token)
        c.subscribe("#")
        c.publish("lena/1", b"in")
        assert c.publish("olaf/1", b"denied", qos=1).code == 0x87
        c.take(topic="lena/1")
    broker.wait_for_line(r"connected from .* as nameless .*u'lena'")


@pytest.mark.parametrize("version", [4, 5])
def test_end_of_the_token_ends_the_connection(folder, keys, version):
    assert keys
    broker = start(f"jwt_secret_file {folder}/secret", "jwt_leeway 0")
    try:
        with Client(broker.port, version) as c, Client(broker.port, version) as other:
            end = int(time.time()) + 2
            c.connect(user="lena", password=secret_token(SECRET, {"sub": "lena", "exp": end}))
            other.connect(user="lena", password=secret_token(SECRET, {"sub": "lena"}))
            if version == 5:
                c.expect_close(0xA0)
            else:
                assert c.receive() is None
            assert end <= time.time() < end + 2
            other.ping()
    finally:
        broker.stop()


def jwks(**secrets):
    keys = [{"kty": "oct", "kid": kid, "k": encode(secret)} for kid, secret in secrets.items()]
    return json.dumps({"keys": keys + [{"kty": "RSA", "use": "enc", "n": "AQAB", "e": "AQAB"}]})


def test_key_that_goes_takes_its_clients_along(tmp_path):
    path = tmp_path / "jwks.json"
    old, new = b"o" * 32, b"n" * 32
    path.write_text(jwks(old=old, new=new))
    path.chmod(0o600)
    broker = start(f"jwt_jwks_file {path}", "jwt_replaces_username true")
    try:
        with Client(broker.port) as leaves, Client(broker.port) as stays:
            leaves.connect(user="x", password=secret_token(old, {"sub": "lena"}, kid="old"))
            stays.connect(user="x", password=secret_token(new, {"sub": "lena"}, kid="new"))
            expect_refused(broker, secret_token(new, {"sub": "lena"}, kid="other"), 0x86, "kid")
            # a file of no use changes nothing
            path.write_text("{")
            broker.wait_for_line("jwks.json:1: is no JSON")
            leaves.ping()
            changed = time.monotonic()
            path.write_text(jwks(new=new))
            leaves.expect_close(0x87)
            assert time.monotonic() - changed < 2
            stays.ping()
            expect_refused(broker, secret_token(old, {"sub": "lena"}, kid="old"), 0x86, "kid")
    finally:
        broker.stop()


def test_client_id_claim_and_parties(folder, keys):
    assert keys
    broker = start(f"jwt_secret_file {folder}/secret", "jwt_clientid_claim cid",
                   "jwt_issuer https://id.example", "jwt_audience mqtt",
                   "jwt_username_claim name")
    good = {"name": "lena", "cid": "lamp", "iss": "https://id.example", "aud": ["web", "mqtt"]}
    try:
        with Client(broker.port) as c:
            c.connect("lamp", user="lena", password=secret_token(SECRET, good))
        for change, code, words in [({"cid": "other"}, 0x87, "client id"),
                                    ({"iss": "https://other.example"}, 0x86, "issuer"),
                                    ({"aud": "web"}, 0x86, "audience")]:
            token = secret_token(SECRET, {**good, **change})
            expect_refused(broker, token, code, words, user="lena")
        broker.wait_for_line("of another issuer")
    finally:
        broker.stop()


def passwords(path):
    done = run([PROGRAM, "passwd", "-b", "-c", "-H", "sha512", str(path), "lena", "secret"])
    assert done[0] == 0


def test_chain_takes_one_method_after_the_other(tmp_path, folder, keys):
    assert keys
    passwords(tmp_path / "users")
    broker = start(f"jwt_secret_file {folder}/secret", f"password_file {tmp_path}/users",
                   "allow_anonymous true")
    token = secret_token(SECRET, {"sub": "ines"})
    try:
        comes_in(broker, "secret")
        comes_in(broker, token, user="ines")
        with Client(broker.port) as c:
            c.connect()
        # the first that knows it decides: a token that is wrong is no password
        expect_refused(broker, token[:-4] + "AAAA", 0x86, "signature", user="lena")
        expect_refused(broker, "wrong", 0x86, "wrong user name", user="lena")
        # nobody knows it, and there are ways to know users
        expect_refused(broker, "secret", 0x86, "wrong user name", user="olaf")
        # one that has two dots
        expect_refused(broker, "egg.and.ham", 0x86, "wrong user name", user="lena")
    finally:
        broker.stop()


def test_chain_of_each_listener(tmp_path, folder, keys):
    assert keys
    passwords(tmp_path / "users")
    both = (f"jwt_secret_file {folder}/secret", f"password_file {tmp_path}/users")
    listeners = ["per_listener_settings true",
                 "listener 0 127.0.0.1", *both, "auth_chain password_file",
                 "listener 0 127.0.0.1", *both, "auth_chain jwt"]
    broker = start(listeners=listeners)
    running = broker.wait_for_line(r"listening on 127.0.0.1:(\d+) and 127.0.0.1:(\d+)")
    ports = [int(running.group(i)) for i in (1, 2)]
    token = secret_token(SECRET, {"sub": "lena"})
    try:
        for port, password, code in [(ports[0], "secret", 0), (ports[0], token, 0x86),
                                     (ports[1], "secret", 0x86), (ports[1], token, 0)]:
            with Client(port) as c:
                c.connect(user="lena", password=password, code=code)
    finally:
        broker.stop()


@pytest.mark.parametrize("chain, codes", [
    ("", (0, 0x86)),  # as mosquitto: who has no certificate has no name
    ("auth_chain certificate password_file", (0, 0)),
    ("auth_chain password_file", (0x86, 0))])
def test_certificate_else_password(tmp_path, chain, codes):
    passwords(tmp_path / "users")
    broker = start("proxy_protocol true", "use_identity_as_username true",
                   f"password_file {tmp_path}/users", chain)
    name = b"\x20\0\x0c\x03\0\0\0\0\x22\0\x04lamp"  # verified by the proxy
    addresses = b"\x7f\0\0\1\x7f\0\0\1\x10\0\x10\1"
    try:
        for more, password, code in [(name, "wrong", codes[0]), (b"", "secret", codes[1])]:
            header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + p.u16(12 + len(more)) + addresses + more
            with Client(broker.port) as c:
                c.send(header)
                c.connect(user="lena", password=password, code=code)
    finally:
        broker.stop()


def refusal(tmp_path, *settings):
    """What the broker says of a configuration that it does not start with."""
    path = tmp_path / "bad.conf"
    path.write_text("\n".join(["user root", "persistence false", "listener 0 127.0.0.1",
                               *map(str, settings), ""]))
    code, _, errors = run([PROGRAM, "broker", "-c", str(path)])
    assert code == 1
    return "\n".join(errors)


def test_files_of_no_use(tmp_path, folder, keys):
    short, empty, small = tmp_path / "short", tmp_path / "empty", tmp_path / "small.json"
    short.write_text("secret")
    empty.write_text("")
    small.write_text('{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"x"}]}')
    for option, path, words in [
            ("jwt_key_file", tmp_path / "missing", "cannot be read: No such file"),
            ("jwt_key_file", empty, "holds no public key in PEM"),
            ("jwt_key_file", keys["rsa"].private, "holds a private key"),
            ("jwt_key_file", folder / "secret", "holds no public key in PEM"),
            ("jwt_secret_file", short, "shorter than 32 bytes"),
            ("jwt_jwks_file", empty, "is no JSON"),
            ("jwt_jwks_file", small, "holds no key (JWK)")]:
        said = refusal(tmp_path, f"{option} {path}")
        assert f"{path}" in said and words in said, said


def test_chains_of_no_use(tmp_path, folder, keys):
    assert keys
    secret = f"jwt_secret_file {folder}/secret"
    for settings, words in [
            (["auth_chain jwt"], ":4: auth_chain: names jwt, but there is no jwt_key_file"),
            ([secret, "auth_chain jwt jwt"], ":5: auth_chain: names jwt twice"),
            ([secret, "auth_chain jwt peer"], "names peer behind jwt"),
            ([secret, "auth_chain anonymous jwt"], "names anonymous, but allow_anonymous"),
            ([secret, "auth_chain tokens"], "'tokens' is none of certificate, peer, jwt"),
            (["jwt_issuer x"], ":4: jwt_issuer: is about tokens, and there is no jwt_key_file")]:
        said = refusal(tmp_path, *settings)
        assert words in said, said


def test_hundred_wrong_tokens_are_few_lines(folder, keys):
    assert keys
    broker = Broker(["user root", "persistence false", "listener 0 127.0.0.1",
                     f"jwt_secret_file {folder}/secret"], port=None, shards=1)
    token = secret_token(b"x" * 32, {"sub": "lena"})
    try:
        for _ in range(100):
            assert reason_of(broker, token, user="lena")[0] == 0x86
        eventually(lambda: told(broker) >= 10)
        assert told(broker) <= 20  # ten in ten seconds, should that begin anew meanwhile
    finally:
        broker.stop()


def told(broker):
    return sum("signature is wrong" in line for line in broker.lines())
