# SPDX-License-Identifier: Apache-2.0
"""
A proxy between a client and the broker that sees whole packets: it records them in order, and a
hook may drop or hold them.
"""

import selectors
import socket
import threading

from .packets import NAMES, Splitter
from .process import Lines


class Proxy:
    """
    Forwards any number of connections to 127.0.0.1:`port`. `hook(direction, kind, whole)` is asked
    for each packet, direction ">" to the broker and "<" from it; it returns "pass", "drop", "cut"
    (closes both sides) or "hold" (keeps it and everything behind it until release()).
    """

    def __init__(self, port, hook=None):
        self._target = port
        self._hook = hook or (lambda direction, kind, whole: "pass")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.record = Lines()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._holds = True
        self._stop = False
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def release(self):
        """Lets held packets go, and holds no more."""
        self._wake_write.send(b"r")

    def cut(self):
        """Closes all connections that there are now; new ones may come."""
        self._wake_write.send(b"c")

    def close(self):
        self._wake_write.send(b"s")
        self._thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _run(self):
        while not self._stop:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._wake_read:
                    self._obey(self._wake_read.recv(1))
                elif key.fileobj.fileno() >= 0:
                    self._read(key.data)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()
        self._wake_write.close()

    def _obey(self, order):
        if order == b"s":
            self._stop = True
            return
        self._holds = self._holds and order != b"r"
        for key in list(self._selector.get_map().values()):
            if key.data is None or key.fileobj.fileno() < 0:
                continue
            if order == b"c":
                self._cut(key.data)
            else:
                self._forward(key.data)

    def _accept(self):
        client, _ = self._listener.accept()
        broker = socket.create_connection(("127.0.0.1", self._target))
        for direction, source, sink in ((">", client, broker), ("<", broker, client)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pipe = _Pipe(direction, source, sink)
            self._selector.register(source, selectors.EVENT_READ, pipe)

    def _read(self, pipe):
        try:
            data = pipe.source.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._cut(pipe)
            return
        pipe.splitter.feed(data)
        self._forward(pipe)

    def _forward(self, pipe):
        while True:
            if pipe.held is None:
                found = pipe.splitter.next()
                if found is None:
                    return
                answer = self._hook(pipe.direction, found[0], found[3])
            else:
                found, answer = pipe.held, "hold"
            if answer == "hold" and self._holds:
                pipe.held = found
                return
            pipe.held = None
            if answer == "cut":
                self._cut(pipe)
                return
            if answer != "drop":
                self.record.append(f"{pipe.direction} {NAMES[found[0]]} {found[3].hex()}")
                try:
                    pipe.sink.sendall(found[3])
                except OSError:
                    self._cut(pipe)
                    return

    def _cut(self, pipe):
        for end in (pipe.source, pipe.sink):
            if end.fileno() >= 0:
                self._selector.unregister(end)
                end.close()


class _Pipe:
    def __init__(self, direction, source, sink):
        self.direction = direction
        self.source = source
        self.sink = sink
        self.splitter = Splitter()
        self.held = None
