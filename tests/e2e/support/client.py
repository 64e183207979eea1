# SPDX-License-Identifier: Apache-2.0
"""A raw MQTT client: it does exactly what the test says, never more."""

import collections
import itertools
import socket
import time

from . import packets as p
from .process import DEADLINE

_numbers = itertools.count(1)


def unique(prefix):
    """A name that no other test of this run uses."""
    return f"{prefix}-{next(_numbers)}"


class Closed(AssertionError):
    """The broker closed the connection where a packet was expected."""


class Client:
    def __init__(self, port, version=5, tls=None):
        """`tls`: an ssl.SSLContext, for a port that speaks TLS."""
        self.version = version
        self.client_id = None
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.address = "%s:%d" % self.socket.getsockname()
        self._splitter = p.Splitter()
        self._passed_over = collections.deque()
        self._packet_ids = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.cut()

    # Sending

    def send(self, data):
        self.socket.sendall(data)

    def send_if_open(self, data):
        """For bytes that the broker may refuse while they are still being sent."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def cut(self):
        """Closes the connection without DISCONNECT."""
        self.socket.close()

    def reset(self):
        """Closes with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    # Receiving

    def receive(self, timeout=DEADLINE):
        """The next packet; None when the broker has closed the connection."""
        if self._passed_over:
            return self._passed_over.popleft()
        deadline = time.monotonic() + timeout
        while True:
            found = self._splitter.next()
            if found:
                return p.parse(*found[:3], self.version)
            left = deadline - time.monotonic()
            assert left > 0, f"{self.client_id}: nothing received for {timeout} s"
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                data = b""
            except socket.timeout:
                continue
            if not data:
                assert not self._splitter.buffer, "the broker closed inside a packet"
                return None
            self._splitter.feed(data)

    def has_closed(self):
        """Reads what is there, without waiting; what it was stays to be received."""
        self.socket.setblocking(False)
        try:
            while True:
                data = self.socket.recv(65536)
                if not data:
                    return True
                self._splitter.feed(data)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        finally:
            self.socket.settimeout(DEADLINE)

    def expect(self, kind, **fields):
        """The next packet is of this kind and has these fields."""
        got = self.receive()
        if got is None:
            raise Closed(f"{self.client_id}: closed instead of {p.NAMES[kind]} {fields}")
        assert got.kind == kind, f"{self.client_id}: {got}, expected {p.NAMES[kind]} {fields}"
        for name, value in fields.items():
            assert getattr(got, name) == value, f"{self.client_id}: {got}, expected {name}={value}"
        return got

    def expect_close(self, *codes):
        """
        The broker closes; a version 5 client is told one of `codes` before. Returns the
        DISCONNECT, None for the older versions.
        """
        got = self.receive()
        if self.version < 5:
            assert got is None, f"{got}, expected the end of the connection"
            return None
        assert got is not None, f"closed without DISCONNECT {[hex(c) for c in codes]}"
        assert got.kind == p.DISCONNECT, f"{got}, expected DISCONNECT {[hex(c) for c in codes]}"
        assert got.code in codes, f"{got}, expected {[hex(c) for c in codes]}"
        assert self.receive() is None
        return got

    # Whole exchanges

    def connect(self, client_id=None, code=0, **options):
        """Sends CONNECT, returns CONNACK."""
        self.client_id = client_id if client_id is not None else unique("client")
        self.send(p.connect(self.client_id, self.version, **options))
        return self.expect(p.CONNACK, code=code)

    def subscribe(self, *filters, qos=0, options=None, props=()):
        """Returns the SUBACK's codes."""
        packet_id = next(self._packet_ids)
        bits = qos if options is None else options
        self.send(p.subscribe(packet_id, [(f, bits) for f in filters], self.version, props))
        return self._pass_over_until(p.SUBACK, packet_id).codes

    def unsubscribe(self, *filters):
        packet_id = next(self._packet_ids)
        self.send(p.unsubscribe(packet_id, filters, self.version))
        return self._pass_over_until(p.UNSUBACK, packet_id).codes

    def send_publish(self, topic, payload=b"", qos=0, **options):
        """Sends PUBLISH; returns the packet id, None at QoS 0."""
        packet_id = next(self._packet_ids) if qos else None
        self.send(p.publish(topic, payload, qos, packet_id, self.version, **options))
        return packet_id

    def publish(self, topic, payload=b"", qos=0, **options):
        """Publishes and finishes the handshake; returns the PUBACK or PUBREC, None at QoS 0."""
        packet_id = self.send_publish(topic, payload, qos, **options)
        if qos == 0:
            return None
        if qos == 1:
            return self._pass_over_until(p.PUBACK, packet_id)
        answer = self._pass_over_until(p.PUBREC, packet_id)
        if answer.code < 0x80:
            self.send(p.ack(p.PUBREL, packet_id))
            self._pass_over_until(p.PUBCOMP, packet_id)
        return answer

    def take(self, **fields):
        """Receives a PUBLISH and finishes its handshake."""
        got = self.expect(p.PUBLISH, **fields)
        if got.qos == 1:
            self.send(p.ack(p.PUBACK, got.packet_id))
        elif got.qos == 2:
            self.send(p.ack(p.PUBREC, got.packet_id))
            self._pass_over_until(p.PUBREL, got.packet_id)
            self.send(p.ack(p.PUBCOMP, got.packet_id))
        return got

    def _pass_over_until(self, kind, packet_id):
        """Waits for an answer; what comes before it stays to be received, in its order."""
        passed_over = []
        while True:
            got = self.receive()
            if got is None:
                raise Closed(f"{self.client_id}: closed instead of {p.NAMES[kind]}")
            if got.kind == kind and got.packet_id == packet_id:
                self._passed_over.extendleft(reversed(passed_over))
                return got
            passed_over.append(got)

    def ping(self):
        """The broker answers, and sends nothing else before."""
        self.send(p.PING)
        self.expect(p.PINGRESP)

    def taken_without_waiting(self):
        """The messages that are there, acknowledged; QoS 0 and 1 only."""
        got = []
        while True:
            found = self._splitter.next()
            if not found:
                return got
            got.append(p.parse(*found[:3], self.version))
            assert got[-1].kind == p.PUBLISH and got[-1].qos < 2, got[-1]
            if got[-1].qos:
                self.send(p.ack(p.PUBACK, got[-1].packet_id))

    def disconnect_without_looking(self):
        """Says goodbye; what was still on its way is not read."""
        self.send(p.disconnect(self.version))
        self.socket.close()

    def disconnect(self, code=None, props=None):
        """Says goodbye; the broker has closed when this returns."""
        self.send(p.disconnect(self.version, code, props))
        assert self.receive() is None
        self.socket.close()
