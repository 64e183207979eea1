# SPDX-License-Identifier: Apache-2.0
"""
A server that breaks its promises on order: it forwards every publication to every subscriber, but
what it forwards goes through a rule that may drop, repeat or exchange messages.

It knows just enough MQTT 3.1.1 to satisfy a load generator.
"""

import socket
import threading

CONNECT, PUBLISH, PUBREC, PUBREL, SUBSCRIBE = 1, 3, 5, 6, 8


def keep_all(_number, packet):
    return [packet]


class Faulty:
    """`rule(number, packet)` lists what subscribers get for the publication of that number."""

    def __init__(self, rule=keep_all, connack=b"\x20\x02\x00\x00", close_at=None):
        self._rule = rule
        self._connack = connack
        self._close_at = close_at
        self._count = 0
        self._next_id = 0
        self._subscribers = []
        self._lock = threading.Lock()
        self._sockets = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        with self._lock:
            for one in [self._listener, *self._sockets]:
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # the other end was first
                one.close()

    def _accept(self):
        try:
            while True:
                connection, _ = self._listener.accept()
                with self._lock:
                    self._sockets.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        except OSError:
            pass  # stopped

    def _serve(self, connection):
        try:
            with connection.makefile("rb") as stream:
                while head := stream.read(1):
                    self._take(connection, head[0], stream.read(self._length(stream)))
        except (OSError, ValueError):
            pass  # stopped, or the client has gone
        with self._lock:
            if connection in self._subscribers:
                self._subscribers.remove(connection)

    @staticmethod
    def _length(stream):
        value, shift = 0, 0
        while True:
            byte = stream.read(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def _take(self, connection, first, body):
        with self._lock:
            kind = first >> 4
            if kind == CONNECT:
                connection.sendall(self._connack)
            elif kind == SUBSCRIBE:
                self._subscribers.append(connection)
                connection.sendall(b"\x90\x03" + body[:2] + body[-1:])
            elif kind == PUBLISH:
                self._publish(connection, first >> 1 & 3, body)
            elif kind == PUBREC:
                connection.sendall(b"\x62\x02" + body[:2])
            elif kind == PUBREL:
                connection.sendall(b"\x70\x02" + body[:2])

    def _publish(self, connection, qos, body):
        topic_end = 2 + int.from_bytes(body[:2], "big")
        payload = body[topic_end + (2 if qos else 0):]
        if qos:
            answer = 0x40 if qos == 1 else 0x50
            connection.sendall(bytes([answer, 2]) + body[topic_end:topic_end + 2])
        for message in self._rule(self._count, (body[:topic_end], payload)):
            self._forward(qos, *message)
        self._count += 1
        if self._count == self._close_at:
            for one in self._sockets:
                one.shutdown(socket.SHUT_RDWR)

    def _forward(self, qos, topic, payload):
        self._next_id += 1
        packet_id = self._next_id.to_bytes(2, "big") if qos else b""
        body = topic + packet_id + payload
        assert len(body) < 128
        for subscriber in self._subscribers:
            subscriber.sendall(bytes([PUBLISH << 4 | qos << 1, len(body)]) + body)
