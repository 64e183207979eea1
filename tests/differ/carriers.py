# SPDX-License-Identifier: Apache-2.0
"""Ways to carry bytes to a broker: TCP, Unix socket, TLS, shared key, WebSocket."""

import base64
import os
import socket
import ssl
import struct
import subprocess

TIMEOUT = 20
# A broker that does not close a connection which is over.
PATIENCE = 2


class Plain:
    """A socket; receive() gives nothing when the broker has closed."""

    def __init__(self, sock):
        self.socket = sock
        self.socket.settimeout(TIMEOUT)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            pass  # what was answered before is still to be read

    def receive(self):
        try:
            return self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            return b""

    def wait_only(self, seconds):
        self.socket.settimeout(seconds)

    def close(self):
        self.socket.close()


def tcp(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def unix(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


def tls(port, authority, certificate=None):
    context = ssl.create_default_context(cafile=authority.path)
    # else a refusal of the client's certificate would come within MQTT
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_cert_chain(authority.certificate(certificate), authority.key(certificate))
    try:
        return context.wrap_socket(tcp(port), server_hostname="localhost")
    except (ssl.SSLError, ConnectionError):
        return None


class SharedKey:
    """Python's ssl knows no shared keys before 3.13: openssl carries the bytes."""

    def __init__(self, port, identity, key):
        self.program = subprocess.Popen(
            ["openssl", "s_client", "-quiet", "-tls1_2", "-connect", f"127.0.0.1:{port}",
             "-psk_identity", identity, "-psk", key], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)

    def send(self, data):
        try:
            self.program.stdin.write(data)
        except BrokenPipeError:
            pass

    def receive(self):
        return self.program.stdout.read(65536)

    def wait_only(self, seconds):
        pass

    def close(self):
        self.program.kill()
        self.program.communicate()


class WebSocket(Plain):
    """Each send is a binary frame; what comes is taken out of its frames."""

    def __init__(self, sock):
        super().__init__(sock)
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(("GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                      f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            more = sock.recv(4096)
            assert more, head
            head += more
        assert head.startswith(b"HTTP/1.1 101"), head
        self.buffer = head.split(b"\r\n\r\n", 1)[1]

    def send(self, data):
        length = (bytes([0x80 | len(data)]) if len(data) < 126
                  else b"\xfe" + struct.pack(">H", len(data)))
        super().send(b"\x82" + length + b"\0\0\0\0" + data)

    def receive(self):
        while True:
            payload = self.frame()
            if payload is not None:
                return payload
            more = super().receive()
            if not more:
                return b""
            self.buffer += more

    def frame(self):
        """The next binary frame's payload; b"" of a close; None when none is whole."""
        if len(self.buffer) < 2:
            return None
        at, length = 2, self.buffer[1] & 127
        if length == 126:
            at, length = 4, int.from_bytes(self.buffer[2:4], "big")
        elif length == 127:
            at, length = 10, int.from_bytes(self.buffer[2:10], "big")
        if len(self.buffer) < at + length:
            return None
        opcode, payload = self.buffer[0] & 15, self.buffer[at:at + length]
        self.buffer = self.buffer[at + length:]
        return b"" if opcode == 8 else payload
