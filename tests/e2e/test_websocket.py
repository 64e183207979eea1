# SPDX-License-Identifier: Apache-2.0
"""MQTT over WebSocket, with TLS and without, and what bad peers do; and the PROXY protocol."""

import base64
import os
import re
import socket
import ssl
import struct
from pathlib import Path

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, Broker, command
from support.certificates import Authority
from support.client import Client
from support.process import DEADLINE, Process, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="log lines and options of ours")

HERE = Path(__file__).resolve().parent


class Doors:
    def __init__(self, *listeners, settings=()):
        lines = ["user root", "allow_anonymous true", "persistence false", *settings]
        for listener in listeners:
            lines += ["listener 0 127.0.0.1", *listener]
        self.broker = Broker(lines, port=None)
        running = self.broker.wait_for_line(r"running, listening on (.*), \d+ shard").group(1)
        self.ports = [int(port) for port in re.findall(r":(\d+)", running)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.broker.stop()


def request(*more, protocol="mqtt"):
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /mqtt HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
             "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *more]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def frame(payload, opcode=2, last=True):
    mask = os.urandom(4)
    if len(payload) < 126:
        length = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        length = b"\xfe" + struct.pack(">H", len(payload))
    else:
        length = b"\xff" + struct.pack(">Q", len(payload))
    masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return bytes([(0x80 if last else 0) | opcode]) + length + mask + masked


def open_web_socket(port, *more):
    raw = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    raw.sendall(request(*more))
    head = b""
    while b"\r\n\r\n" not in head:
        head += raw.recv(4096)
    assert head.startswith(b"HTTP/1.1 101 ") and head.endswith(b"\r\n\r\n")
    return raw


def receive(raw, count):
    data = b""
    while len(data) < count:
        more = raw.recv(count - len(data))
        assert more, f"closed after {data!r}"
        data += more
    return data


def receive_frame(raw):
    """Opcode and payload of a short frame; a server masks nothing."""
    first, length = receive(raw, 2)
    assert length < 126
    return first, receive(raw, length)


def answer_to(port, data):
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as raw:
        raw.sendall(data)
        answer = b""
        while True:
            try:
                more = raw.recv(4096)
            except ConnectionResetError:  # for what it was still sending
                more = b""
            if not more:
                return answer.decode()
            answer += more


@pytest.mark.parametrize("scheme", ["ws", "wss", "mqtts"])
def test_mqttjs(tmp_path, scheme):
    assert (HERE / "node_modules" / "mqtt").is_dir(), "run `npm ci` in tests/e2e"
    lines, arguments = ["protocol websockets"] if scheme.startswith("ws") else [], []
    if scheme != "ws":
        authority = Authority(tmp_path / "files")
        certificate, key = authority.issue("server")
        lines += [f"certfile {certificate}", f"keyfile {key}"]
        arguments = [authority.path]
    with Doors(lines) as doors:
        url = f"{scheme}://localhost:{doors.ports[0]}/mqtt"
        status, out, err = run(["node", str(HERE / "websocket.js"), url, *arguments], 60)
        assert status == 0, err
        assert out == ["7 431323"]


@pytest.mark.parametrize("is_secure", [False, True], ids=["ws", "wss"])
def test_our_clients(tmp_path, is_secure):
    lines, options = ["protocol websockets"], ["--ws"]
    if is_secure:
        authority = Authority(tmp_path / "files")
        certificate, key = authority.issue("server")
        lines += [f"certfile {certificate}", f"keyfile {key}"]
        options += ["--cafile", authority.path]
    large = tmp_path / "large"
    large.write_bytes(b"x" * 300000)
    with Doors(lines) as doors:
        where = ["-h", "localhost", "-p", str(doors.ports[0]), *options]
        reader = Process([*command("nightjar", "sub"), *where, "-t", "t", "-q", "2", "-C", "2",
                          "-F", "%l"])
        doors.broker.wait_for_line("Sending SUBACK")
        for what in (["-m", "small"], ["-f", str(large)]):
            status, _out, err = run([*command("nightjar", "pub"), *where, "-t", "t", "-q", "2",
                                     *what])
            assert status == 0, err
        assert reader.wait() == 0
        assert reader.out.all() == ["5", "300000"]


def test_packets_span_frames_and_frames_hold_packets():
    with Doors(["protocol websockets"]) as doors:
        with open_web_socket(doors.ports[0]) as raw:
            data = p.connect("pieces", version=4) + p.subscribe(1, [("t", 0)], version=4)
            for at in range(0, len(data), 3):
                raw.sendall(frame(data[at:at + 3]))
            assert receive_frame(raw) == (0x82, b"\x20\x02\0\0")
            assert receive_frame(raw) == (0x82, b"\x90\x03\0\x01\0")
            publish = p.publish("t", b"x", version=4)
            raw.sendall(frame(publish + publish[:2], last=False))
            raw.sendall(frame(b"are you there", opcode=9))
            raw.sendall(frame(publish[2:] + p.packet(p.PINGREQ), opcode=0))
            got = b""
            pongs = []
            while got.count(publish) < 2 or b"\xd0\0" not in got:
                first, payload = receive_frame(raw)
                pongs.append(payload) if first == 0x8A else None
                got += payload if first == 0x82 else b""
            assert pongs == [b"are you there"]
            raw.sendall(frame(b"\x03\xe8", opcode=8))
            assert receive_frame(raw) == (0x88, b"\x03\xe8")
            assert raw.recv(10) == b""


def test_text_frames_end_it():
    """[MQTT-6.0.0-1]"""
    with Doors(["protocol websockets"]) as doors:
        with open_web_socket(doors.ports[0]) as raw:
            raw.sendall(frame(p.connect("text"), opcode=1))
            assert receive_frame(raw) == (0x88, b"\x03\xeb")
            assert raw.recv(10) == b""
        doors.broker.wait_for_line("refused: WebSocket frame that is not binary")


@pytest.mark.parametrize("data,status,words", [
    (request(protocol=None), 400, "the subprotocol mqtt is not asked for"),
    (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426, "not for pages"),
    (b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "GET opens one"),
    (b"nonsense\r\n\r\n", 400, "the first line is not one of HTTP"),
    (request("Origin: https://evil.example"), 403, "pages of this origin may not connect"),
    (b"GET / HTTP/1.1\r\nCookie: " + b"x" * 2000, 431, "too large"),
], ids=["protocol", "page", "method", "nonsense", "origin", "large"])
def test_refused_requests(data, status, words):
    listener = ["protocol websockets", "websockets_headers_size 1024",
                "websockets_origin https://good.example, https://fine.example"]
    with Doors(listener) as doors:
        answer = answer_to(doors.ports[0], data)
        assert answer.startswith(f"HTTP/1.1 {status} ")
        assert words in answer.split("\r\n\r\n")[1]
        doors.broker.wait_for_line(f"refused: .*{words}")
        open_web_socket(doors.ports[0], "Origin: https://fine.example").close()


def test_slow_head_ends():
    with Doors(["protocol websockets"], settings=["connect_timeout 1"]) as doors:
        with socket.create_connection(("127.0.0.1", doors.ports[0]), timeout=DEADLINE) as slow:
            slow.sendall(request()[:50])
            with open_web_socket(doors.ports[0]) as other:
                other.sendall(frame(p.connect("other", version=4)))
                assert receive_frame(other) == (0x82, b"\x20\x02\0\0")
                assert slow.recv(100) == b""
                other.sendall(frame(p.packet(p.PINGREQ)))
                assert receive_frame(other) == (0x82, b"\xd0\0")
        doors.broker.wait_for_line("refused: no CONNECT within the connect timeout")


def test_address_of_a_proxy_that_speaks_http():
    with Doors(["protocol websockets", "websockets_forwarded true"],
               ["protocol websockets"]) as doors:
        for port, address in zip(doors.ports, (r"203\.0\.113\.9", r"127\.0\.0\.1:\d+")):
            start = len(doors.broker.lines())
            with open_web_socket(port, "X-Forwarded-For: 10.0.0.1, 203.0.113.9") as raw:
                raw.sendall(frame(p.connect("forwarded")))
                doors.broker.wait_for_line(f"connected from {address} as forwarded", start)


@pytest.mark.parametrize("address, other", [("203.0.113.9", "203.0.113.8"),
                                            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:3:3:4:5:6")])
def test_address_of_a_proxy_that_speaks_http_is_banned(address, other):
    with Doors(["protocol websockets", "websockets_forwarded true"],
               settings=["ban_errors 2"]) as doors:

        def come(whence, data):
            with open_web_socket(doors.ports[0], f"X-Forwarded-For: {whence}") as raw:
                raw.sendall(frame(data))
                return receive_frame(raw)
        for _ in range(2):
            come(address, b"\x10\0")  # a CONNECT that is none
        assert come(address, p.connect("banned", version=4)) == (0x82, b"\x20\x02\0\x05")
        doors.broker.wait_for_line("refused: banned for what was done before")
        assert come(other, p.connect("other", version=4)) == (0x82, b"\x20\x02\0\0")


V2 = b"\r\n\r\n\0\r\nQUIT\n"
ADDRESSES = socket.inet_aton("192.0.2.1") + socket.inet_aton("198.51.100.1") + b"\x12\x67\x07\x5b"


def value(kind, data):
    return bytes([kind]) + struct.pack(">H", len(data)) + data


def version_2(*values):
    body = ADDRESSES + b"".join(values)
    return V2 + b"\x21\x11" + struct.pack(">H", len(body)) + body


def test_proxy_protocol(tmp_path):
    authority = Authority(tmp_path / "files")
    certificate, key = authority.issue("server")
    tls = [f"certfile {certificate}", f"keyfile {key}"]
    verified = value(0x20, b"\x03\0\0\0\0" + value(0x22, b"alice"))
    unverified = value(0x20, b"\x03\0\0\0\x01" + value(0x22, b"alice"))
    with Doors(["proxy_protocol true"], ["proxy_protocol true", "use_identity_as_username true"],
               ["proxy_protocol true", *tls]) as doors:
        plain, named, secure = doors.ports
        for header in (b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 1883\r\n", version_2()):
            start = len(doors.broker.lines())
            with Client(plain) as client:
                client.send(header)
                client.connect("proxied")
                doors.broker.wait_for_line(r"connected from 192\.0\.2\.1:4711 as proxied", start)
        with Client(named) as client:
            client.send(version_2(verified))
            client.connect("named")
            doors.broker.wait_for_line(r"as named \(.*u'alice'")
        with Client(named) as client:
            client.send(version_2(unverified))
            client.connect("nobody", code=0x86)
        with socket.create_connection(("127.0.0.1", secure), timeout=DEADLINE) as raw:
            raw.sendall(version_2())
            context = ssl.create_default_context(cafile=authority.path)
            with context.wrap_socket(raw, server_hostname="localhost") as wrapped:
                wrapped.sendall(p.connect("inside", version=4))
                assert wrapped.recv(4) == b"\x20\x02\0\0"
                doors.broker.wait_for_line(r"connected from 192\.0\.2\.1:4711 as inside")
        with Client(plain) as client:
            client.send(p.connect("direct"))
            while client.socket.recv(100):
                pass
        doors.broker.wait_for_line("refused: no header of the PROXY protocol")
