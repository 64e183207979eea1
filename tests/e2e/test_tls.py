# SPDX-License-Identifier: Apache-2.0
"""TLS: who may come in by it, what is spoken, and what bad peers and bad files do."""

import re
import signal
import socket
import ssl
import subprocess

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, PROGRAM, Broker, command
from support.certificates import Authority
from support.client import Client, unique
from support.process import DEADLINE, Process, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines and options of ours")

PSK = "0123456789abcdef"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = Authority(tmp_path_factory.mktemp("tls") / "files")
    made.issue("server")
    made.issue("alice")
    made.issue("mallory")
    made.issue("other", alternative="DNS:other.example")
    made.issue("expired", days=-1)
    made.revoke("mallory")
    (made.folder / "psk").write_text(f"lamp:{PSK}\n")
    return made


def server(authority, *more):
    """Lines of a listener that speaks TLS."""
    return ["listener 0 127.0.0.1", f"certfile {authority.certificate('server')}",
            f"keyfile {authority.key('server')}", *more]


def mutual(authority, *more):
    return server(authority, f"cafile {authority.path}", "require_certificate true", *more)


class Doors:
    """A broker with several listeners, in order; the first is plain."""

    def __init__(self, *listeners, settings=()):
        lines = ["user root", "allow_anonymous true", "persistence false", *settings,
                 "listener 0 127.0.0.1"]
        for listener in listeners:
            lines += listener
        self.broker = Broker(lines, port=None)
        running = self.broker.wait_for_line(r"running, listening on (.*), \d+ shard").group(1)
        self.ports = [int(port) for port in re.findall(r":(\d+)", running)]
        assert len(self.ports) == len(listeners) + 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.broker.stop()

    def refused(self, why):
        return self.broker.wait_for_line(f"refused: {why}")


def believing(authority, certificate=None, **options):
    context = ssl.create_default_context(cafile=authority.path)
    if certificate:
        context.load_cert_chain(authority.certificate(certificate), authority.key(certificate))
    for name, value in options.items():
        setattr(context, name, value)
    return context


def mosquitto_pub(port, *more):
    return run(["mosquitto_pub", "-h", "localhost", "-p", str(port), "-t", "t", "-m", "m", "-q",
                "2", *more])


def s_client(port, *more):
    return subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *more], input="",
        capture_output=True, text=True, timeout=DEADLINE, check=False).stdout


@pytest.mark.parametrize("origin", ["mosquitto", "nightjar"])
def test_clients_over_every_kind(authority, origin):
    psk = ["listener 0 127.0.0.1", "psk_hint hello", "use_identity_as_username true"]
    with Doors(server(authority), mutual(authority, "use_identity_as_username true"),
               mutual(authority, "use_subject_as_username true"), psk,
               settings=[f"psk_file {authority.folder / 'psk'}"]) as doors:
        _plain, tls, named, subject, shared = doors.ports
        ca = ["--cafile", authority.path]
        alice = [*ca, "--cert", authority.certificate("alice"), "--key", authority.key("alice")]
        topic = unique("all")
        reader = Process([*command(origin, "sub"), "-h", "localhost", "-p", str(tls), *ca, "-t", topic,
                          "-q", "2", "-C", "4"])
        doors.broker.wait_for_line("Sending SUBACK")
        for port, options in ((tls, ca), (named, alice), (subject, alice),
                              (shared, ["--psk", PSK, "--psk-identity", "lamp"])):
            status, _out, err = run([*command(origin, "pub"), "-h", "localhost", "-p",
                                     str(port), "-t", topic, "-m", str(port), "-q", "2", *options])
            assert status == 0, err
        assert reader.wait() == 0
        assert reader.out.all() == [str(port) for port in (tls, named, subject, shared)]
        doors.broker.wait_for_line(r"u'alice'")
        doors.broker.wait_for_line(r"u'O=nightjar,CN=alice'")
        doors.broker.wait_for_line(r"u'lamp'")


def test_who_is_refused(authority):
    stranger = Authority(authority.folder.parent / "stranger")
    stranger.issue("alice")
    with Doors(mutual(authority, f"crlfile {authority.folder / 'ca.crl'}"),
               ["listener 0 127.0.0.1", "psk_hint hello"],
               settings=[f"psk_file {authority.folder / 'psk'}"]) as doors:
        _plain, port, shared = doors.ports
        ca = ["--cafile", authority.path]

        def with_certificate(whose, name):
            return mosquitto_pub(port, *ca, "--cert", whose.certificate(name), "--key",
                                 whose.key(name))[0]
        assert with_certificate(authority, "alice") == 0
        assert mosquitto_pub(port, *ca)[0] != 0
        doors.refused("TLS handshake failed: peer did not return a certificate")
        assert with_certificate(stranger, "alice") != 0
        doors.refused("TLS handshake failed: unable to get local issuer certificate")
        assert with_certificate(authority, "expired") != 0
        doors.refused("TLS handshake failed: certificate has expired")
        assert with_certificate(authority, "mallory") != 0
        doors.refused("TLS handshake failed: certificate revoked")
        assert mosquitto_pub(shared, "--psk", "00", "--psk-identity", "lamp")[0] != 0
        assert mosquitto_pub(shared, "--psk", PSK, "--psk-identity", "cat")[0] != 0


def test_wrong_port_is_named(authority):
    with Doors(server(authority)) as doors:
        plain, tls = doors.ports
        for port, data, why in (
                (tls, p.connect("c"), "plain MQTT on a port that wants TLS"),
                (tls, b"GET / HTTP/1.1\r\n\r\n", "plain HTTP on a port that wants TLS"),
                (plain, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                 "TLS on a port that is without it"),
                (plain, b"GET /mqtt HTTP/1.1\r\n", "HTTP on a port for MQTT without WebSocket")):
            with Client(port) as client:
                client.send(data)
                while client.socket.recv(4096):
                    pass  # an alert, perhaps
            doors.refused(why)


def test_our_client_says_what_tls_found(authority, tmp_path):
    stranger = Authority(tmp_path / "stranger")
    other = ["listener 0 127.0.0.1", f"certfile {authority.certificate('other')}",
             f"keyfile {authority.key('other')}"]
    with Doors(server(authority), mutual(authority), other) as doors:
        plain, tls, mutually, elsewhere = doors.ports

        def publish(host, port, *more):
            status, _out, err = run([*command("nightjar", "pub"), "-h", host, "-p", str(port),
                                     "-t", "t", "-m", "m", *more])
            return status, err[0] if err else ""
        ca = ["--cafile", authority.path]
        assert publish("127.0.0.1", tls, *ca)[0] == 0
        assert publish("127.0.0.1", tls, "--cafile", stranger.path) == (
            8, "Error: TLS handshake failed: unable to get local issuer certificate.")
        assert publish("localhost", elsewhere, *ca) == (
            8, "Error: TLS handshake failed: hostname mismatch.")
        assert publish("127.0.0.1", elsewhere, *ca) == (
            8, "Error: TLS handshake failed: IP address mismatch.")
        assert publish("localhost", elsewhere, *ca, "--insecure")[0] == 0
        assert publish("127.0.0.1", plain, *ca)[0] == 8
        status, error = publish("127.0.0.1", mutually, *ca)
        assert status in (7, 8) and "certificate required" in error


def test_versions_and_ciphers(authority):
    with Doors(server(authority, "ciphers ECDHE-ECDSA-AES128-GCM-SHA256",
                      "ciphers_tls1.3 TLS_CHACHA20_POLY1305_SHA256", "tls_curves P-256"),
               server(authority, "tls_version tlsv1.3")) as doors:
        _plain, both, new = doors.ports
        assert "Cipher is TLS_CHACHA20_POLY1305_SHA256" in s_client(both)
        assert "ECDH, prime256v1" in s_client(both)
        assert "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256" in s_client(both, "-tls1_2")
        assert "Cipher is (NONE)" in s_client(both, "-tls1_2", "-cipher", "AES256-SHA256")
        assert "Cipher is (NONE)" in s_client(new, "-tls1_2")
        assert "TLSv1.3, Cipher is" in s_client(new)
        for old in ("-tls1", "-tls1_1"):
            assert "Cipher is (NONE)" in s_client(both, old, "-cipher", "ALL@SECLEVEL=0")
        assert "ALPN protocol: mqtt" in s_client(both, "-alpn", "x-foo,mqtt")
        assert "No ALPN negotiated" in s_client(both, "-alpn", "x-foo")
        assert "Secure Renegotiation IS supported" in s_client(both, "-tls1_2")


def test_a_shared_key_that_is_not_used_proves_nothing(authority):
    """TLS 1.3 passes over a key whose hash fits no cipher, before anybody shows that he has it."""
    both = server(authority, "psk_hint hello", "use_identity_as_username true")
    with Doors(both, server(authority), settings=[f"psk_file {authority.folder / 'psk'}"]) as doors:
        _plain, port, without = doors.ports
        stranger = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"localhost:{port}", "-quiet", "-tls1_3",
             "-ciphersuites", "TLS_AES_256_GCM_SHA384", "-psk_identity", "lamp", "-psk", "00"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with stranger:
            stranger.stdin.write(p.connect("stranger"))
            stranger.stdin.flush()
            doors.refused("its certificate holds no name that could be a user's")
            stranger.stdin.close()
        # a server that has no key is not believed, whatever its certificate
        for version in ("tlsv1.2", "tlsv1.3"):
            status, _out, err = run([PROGRAM, "pub", "-h", "localhost", "-p", str(without), "-t",
                                     "t", "-m", "m", "--tls-version", version, "--psk", PSK,
                                     "--psk-identity", "lamp"])
            assert status != 0
            assert "the server does not use the shared key" in err[0]


def test_shared_keys_of_each_listener(authority):
    """As with mosquitto: below a listener they are for that one alone."""
    (authority.folder / "other-psk").write_text(f"bell:{PSK}\n")

    def sharing(name):
        return ["listener 0 127.0.0.1", "allow_anonymous true", "psk_hint hint",
                f"psk_file {authority.folder / name}"]
    lines = ["user root", "persistence false", "per_listener_settings true",
             *sharing("psk"), *sharing("other-psk")]
    broker = Broker(lines, port=None)
    try:
        running = broker.wait_for_line(r"running, listening on (.*), \d+ shard").group(1)
        ports = re.findall(r":(\d+)", running)
        for port, right, wrong in ((ports[0], "lamp", "bell"), (ports[1], "bell", "lamp")):
            assert mosquitto_pub(port, "--psk", PSK, "--psk-identity", right)[0] == 0
            assert mosquitto_pub(port, "--psk", PSK, "--psk-identity", wrong)[0] != 0
    finally:
        broker.stop()


def test_names_choose_certificates(authority):
    more = f"tls_certificate {authority.certificate('other')} {authority.key('other')}"
    with Doors(server(authority, more)) as doors:
        def subject(*name):
            return re.search(r"subject=CN = (\w+)", s_client(doors.ports[1], *name)).group(1)
        assert subject("-servername", "localhost") == "server"
        assert subject("-servername", "other.example") == "other"
        assert subject("-servername", "unknown.example") == "server"
        assert subject("-noservername") == "server"


def test_whoever_is_asked_for_clients_prove_who_they_are(authority):
    more = f"tls_certificate {authority.certificate('other')} {authority.key('other')}"
    with Doors(mutual(authority, more, "use_identity_as_username true")) as doors:
        for asked, found in (("localhost", "server"), ("other.example", "other")):
            with socket.create_connection(("localhost", doors.ports[1]), DEADLINE) as bare:
                context = believing(authority, "alice")
                context.set_alpn_protocols(["mqtt"])
                with context.wrap_socket(bare, server_hostname=asked) as tls:
                    assert dict(pair[0] for pair in tls.getpeercert()["subject"])[
                        "commonName"] == found
                    tls.sendall(p.connect(f"of-{found}"))
                    assert tls.recv(1) == b"\x20"
                    assert tls.selected_alpn_protocol() == "mqtt"


def test_key_log_and_tickets(authority, tmp_path):
    log = tmp_path / "keys"
    with Doors(server(authority, f"tls_keylog {log}"),
               server(authority, "tls_no_tickets true")) as doors:
        _plain, port, without = doors.ports
        saved = tmp_path / "session"
        assert "New, TLSv1.2" in s_client(port, "-tls1_2", "-sess_out", saved)
        assert "Reused, TLSv1.2" in s_client(port, "-tls1_2", "-sess_in", saved)
        assert "New, TLSv1.2" in s_client(without, "-tls1_2", "-sess_out", saved)
        assert "New, TLSv1.2" in s_client(without, "-tls1_2", "-sess_in", saved)
        assert re.search(r"^CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}$", log.read_text(), re.M)
        assert log.stat().st_mode & 0o077 == 0


def test_staple(authority, tmp_path):
    staple = tmp_path / "staple.der"
    ca = authority.path
    subprocess.run(["openssl", "ocsp", "-index", authority.folder / "ca.index", "-rsigner", ca,
                    "-rkey", authority.key("ca"), "-CA", ca, "-issuer", ca, "-cert",
                    authority.certificate("server"), "-respout", staple, "-noverify"],
                   check=True, capture_output=True, timeout=DEADLINE)
    more = [f"tls_certificate {authority.certificate(name)} {authority.key(name)} {answer}"
            for name, answer in (("other", staple), ("alice", ""))]
    with Doors(server(authority, f"tls_ocsp_file {staple}"), server(authority, more[0]),
               server(authority, more[1])) as doors:
        assert "OCSP Response Status: successful" in s_client(doors.ports[1], "-status")
        for port in doors.ports[2:]:
            assert "OCSP response: no response sent" in s_client(port, "-status")
        named = s_client(doors.ports[2], "-status", "-servername", "other.example")
        assert "OCSP Response Status: successful" in named


def large_exchange(port, tls, count=300, size=5000):
    topic = unique("large")
    with Client(port, tls=tls) as reader, Client(port, tls=tls) as writer:
        reader.connect()
        writer.connect()
        reader.subscribe(topic, qos=1)
        for i in range(count):
            writer.send_publish(topic, bytes([i % 251]) * (size + i), qos=0)
        for i in range(count):
            assert reader.take(topic=topic).payload == bytes([i % 251]) * (size + i)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_many_large_messages(authority, version):
    with Doors(server(authority)) as doors:
        context = believing(authority)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        large_exchange(doors.ports[1], context)


class Slow:
    """A TLS client whose bytes go out one by one, or not at all from some point on."""

    def __init__(self, port, context):
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def flight(self):
        """What it would send now."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.outgoing.read()

    def send_singly(self, data):
        for at in range(len(data)):
            self.socket.sendall(data[at:at + 1])

    def hear(self):
        data = self.socket.recv(65536)
        self.incoming.write(data) if data else self.incoming.write_eof()


def test_one_byte_at_a_time(authority):
    with Doors(server(authority)) as doors:
        client = Slow(doors.ports[1], believing(authority))
        client.send_singly(client.flight())
        while True:
            client.hear()
            last = client.flight()
            if last:
                break
        client.send_singly(last)
        client.tls.write(p.connect("slowly"))
        client.send_singly(client.outgoing.read())
        while True:
            try:
                assert client.tls.read(1) == b"\x20"
                break
            except ssl.SSLWantReadError:
                client.hear()
        client.socket.close()


@pytest.mark.parametrize("stage", ["nothing", "part of hello", "hello", "part of finished",
                                   "finished"])
def test_silence_at_every_stage_ends(authority, stage):
    """Others are served meanwhile, and the silent one is told off."""
    with Doors(server(authority), settings=["connect_timeout 1"]) as doors:
        silent = Slow(doors.ports[1], believing(authority))
        hello = silent.flight()
        sent = {"nothing": b"", "part of hello": hello[:100]}.get(stage, hello)
        silent.socket.sendall(sent)
        if "finished" in stage:
            last = b""
            while not last:
                silent.hear()
                last = silent.flight()
            silent.socket.sendall(last[:-10] if stage.startswith("part") else last)
        with Client(doors.ports[1], tls=believing(authority)) as other:
            other.connect()
            other.ping()
            while silent.socket.recv(65536):
                pass
            other.ping()
        doors.refused("no CONNECT within the connect timeout")


def test_cut_in_the_middle_of_a_record(authority):
    with Doors(server(authority)) as doors:
        client = Slow(doors.ports[1], believing(authority))
        client.socket.sendall(client.flight())
        last = b""
        while not last:
            client.hear()
            last = client.flight()
        client.tls.write(p.connect("cut"))
        client.socket.sendall(last + client.outgoing.read()[:-5])
        client.socket.shutdown(socket.SHUT_WR)
        while client.socket.recv(65536):
            pass
        doors.broker.wait_for_line("refused: connection closed by the client")


def test_renegotiation_is_refused(authority):
    with Doors(server(authority)) as doors:
        client = Process(["openssl", "s_client", "-connect", f"127.0.0.1:{doors.ports[1]}",
                          "-tls1_2"], stdin=subprocess.PIPE)
        client.out.wait("Verify return code")
        client.popen.stdin.write(b"R\n")
        client.popen.stdin.flush()
        client.err.wait("no renegotiation|RENEGOTIATING")
        client.err.wait("no renegotiation")
        client.kill()


class Updater(Process):
    """OpenSSL's client, which changes its keys (k), or asks for ours in exchange (K)."""

    def __init__(self, port, *more):
        super().__init__(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", *more],
                         stdin=subprocess.PIPE)
        self.out.wait("Verify return code")

    def say(self, what):
        self.popen.stdin.write(what)
        self.popen.stdin.flush()

    def update(self, count):
        for number in range(count):
            seen = len(self.err.all())
            self.say(b"K\n" if number % 2 else b"k\n")
            self.err.wait("KEYUPDATE", seen)  # or it would take both for one


@pytest.mark.parametrize("cipher", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                    "TLS_CHACHA20_POLY1305_SHA256"])
def test_key_updates(authority, cipher):
    with Doors(server(authority)) as doors, Client(doors.ports[0]) as other:
        other.connect()
        other.subscribe("up")
        client = Updater(doors.ports[1], "-ciphersuites", cipher)
        client.say(p.connect("updater", keep_alive=0) + p.subscribe(1, [("down", 0)]))
        doors.broker.wait_for_line("updater")
        for number in range(3):
            client.update(10)
            client.say(p.publish("up", b"%d" % number))
            assert other.take(topic="up").payload == b"%d" % number
            other.publish("down", b"\nand down %d\n" % number)
            client.out.wait(f"and down {number}")
        client.kill()


def test_records_of_openssl(authority):
    """More than 32 key updates in a row are too much for ours, and nothing to OpenSSL's."""
    with Doors(server(authority), server(authority, "tls_openssl_records true")) as doors, \
            Client(doors.ports[0]) as other:
        other.connect()
        other.subscribe("up")
        ours, openssls = (Updater(port) for port in doors.ports[1:])
        openssls.say(p.connect("updater", keep_alive=0))
        doors.broker.wait_for_line("updater")
        openssls.update(40)
        openssls.say(p.publish("up", b"well"))
        assert other.take(topic="up").payload == b"well"
        ours.update(33)
        doors.broker.wait_for_line("too many key updates")
        ours.kill()
        openssls.kill()


def test_new_certificate_for_new_connections(authority, tmp_path):
    """The file is noticed by itself; who is connected stays; a bad file changes nothing."""
    mine = Authority(tmp_path / "mine")
    mine.issue("server", common_name="before")
    with Doors(server(mine)) as doors:
        port = doors.ports[1]
        context = believing(mine)

        def name():
            with Client(port, tls=context) as other:
                subject = dict(pair[0] for pair in other.socket.getpeercert()["subject"])
                return subject["commonName"]
        with Client(port, tls=context) as stays:
            stays.connect()
            assert name() == "before"
            mine.issue("server", common_name="after")
            doors.broker.wait_for_line("Reloaded: certificates and keys of 1 listener")
            assert name() == "after"
            stays.ping()
            (mine.folder / "server.pem").write_text("no certificate")
            doors.broker.wait_for_line(r"Not reloaded: certfile '.*server\.pem': holds no "
                                       r"certificate in the form PEM\. The old one stays in use")
            assert name() == "after"
            start = len(doors.broker.lines())
            mine.issue("server", common_name="again")
            doors.broker.process.signal(signal.SIGHUP)
            doors.broker.wait_for_line("Reloaded: certificates", start)
            assert name() == "again"
            stays.ping()


def test_who_lost_the_right_goes_and_nobody_else(tmp_path):
    """A certificate is revoked, a shared key taken out of its file: of those who are connected."""
    mine = Authority(tmp_path / "mine")
    for name in ("server", "alice", "bob"):
        mine.issue(name)
    crl = mine.revoke()
    psk = mine.folder / "psk"
    psk.write_text(f"lamp:{PSK}\nbell:{PSK}\n")
    shared = ["listener 0 127.0.0.1", "psk_hint hello", "use_identity_as_username true"]
    with Doors(mutual(mine, f"crlfile {crl}"), shared, settings=[f"psk_file {psk}"]) as doors:
        _plain, port, shared_port = doors.ports
        readers = {}
        for name in ("alice", "bob", "lamp", "bell"):
            options = ["-p", str(shared_port), "--psk", PSK, "--psk-identity", name]
            if name in ("alice", "bob"):
                options = ["-p", str(port), "--cafile", mine.path, "--cert",
                           mine.certificate(name), "--key", mine.key(name)]
            readers[name] = Process(["mosquitto_sub", "-h", "localhost", "-i", name, "-t", "t",
                                     "-V", "mqttv5", *options])
            doors.broker.wait_for_line(f"Sending SUBACK to {name}")
        mine.revoke("alice")
        doors.broker.wait_for_line("Client alice .*its certificate or key is no longer good")
        psk.write_text(f"lamp:{PSK}\n")
        doors.broker.wait_for_line("Client bell .*its certificate or key is no longer good")
        with Client(doors.ports[0]) as writer:
            writer.connect()
            writer.publish("t", b"still here", qos=1)
        for name in ("bob", "lamp"):
            readers[name].out.wait("still here")
        for reader in readers.values():
            reader.kill()


def test_who_lost_the_right_in_the_middle_of_the_handshake(tmp_path):
    """Begun by the old list, finished when the new one is there and all who were in are judged."""
    mine = Authority(tmp_path / "mine")
    mine.issue("server")
    mine.issue("alice")
    with Doors(mutual(mine, f"crlfile {mine.revoke()}")) as doors:
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = believing(mine, "alice").wrap_bio(came, goes, server_hostname="localhost")
        with socket.create_connection(("localhost", doors.ports[1]), DEADLINE) as bare:
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            bare.sendall(goes.read())
            came.write(bare.recv(1))
            mine.revoke("alice")
            doors.broker.wait_for_line("Reloaded: certificates and keys")
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    came.write(bare.recv(65536))
            tls.write(p.connect("alice"))
            bare.sendall(goes.read())
            doors.refused("its certificate or key is no longer good")


def test_bad_files_are_named_at_start(authority, tmp_path):
    def started_with(*lines):
        config = tmp_path / "broker.conf"
        config.write_text("\n".join(["persistence false", "listener 0 127.0.0.1", *lines]))
        status, _out, err = run([PROGRAM, "broker", "-c", str(config)])
        assert status == 1
        return err[-1]
    certificate, key = authority.certificate("server"), authority.key("server")
    assert started_with(f"certfile {tmp_path}/none", f"keyfile {key}") == \
        f"nightjar: certfile '{tmp_path}/none': No such file or directory"
    assert started_with(f"certfile {certificate}", f"keyfile {authority.key('alice')}") == \
        f"nightjar: keyfile '{authority.key('alice')}': is not the key of the certificate"
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:x", "-out",
                    locked], check=True, capture_output=True, timeout=DEADLINE)
    assert "is protected by a password" in \
        started_with(f"certfile {certificate}", f"keyfile {locked}")


def test_idle_connection_is_small(authority):
    """What waits for nothing holds its keys, MQTT's connection and session, and none of OpenSSL's."""
    count = 500
    with Doors(server(authority), settings=["max_keepalive 0"]) as doors:
        context = believing(authority)
        clients = []

        def connect_some(number):
            for _ in range(number):
                clients.append(Client(doors.ports[1], tls=context))
                clients[-1].connect(keep_alive=0)
        connect_some(100)
        before = doors.broker.rss_bytes()
        connect_some(count)
        doors.broker.assert_grew_less(before, count * 4 * 1024)
        for client in clients:
            client.cut()
