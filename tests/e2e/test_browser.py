# SPDX-License-Identifier: Apache-2.0
"""
A page in Chromium, with MQTT.js: over ws and wss, every QoS both ways, and its sessions go on when
the broker has been started anew.
"""

import base64
import hashlib
import os
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support.broker import IS_MOSQUITTO, IS_SANITIZED, Broker, free_port
from support.certificates import Authority
from support.client import Client
from support.process import Lines

CHROMIUM = next(filter(None, map(shutil.which, (
    "chromium-headless-shell", "chromium", "chromium-browser"))), None)
HERE = Path(__file__).resolve().parent
FILES = {"/": (HERE / "browser.html", "text/html"),
         "/mqtt.min.js": (HERE / "node_modules/mqtt/dist/mqtt.min.js", "text/javascript")}
DOORS = ("ws", "wss")

pytestmark = [
    pytest.mark.skipif(IS_MOSQUITTO or IS_SANITIZED, reason="options of ours; once is enough"),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path, kind = FILES.get(self.path, (None, None))
        self.send_response(200 if path else 404)
        self.send_header("Content-Type", kind or "text/plain")
        self.end_headers()
        if path:
            self.wfile.write(path.read_bytes())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append(body.decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(name="pages")
def fixture_pages():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.told = Lines()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fingerprint(certificate):
    """Of its public key, as Chromium is told whom to believe."""
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True,
                         capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=key, check=True,
                         capture_output=True).stdout
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def test_page(pages, tmp_path):
    certificate, key = Authority(tmp_path / "files").issue("server")
    ports, origin = [free_port(), free_port()], f"http://127.0.0.1:{pages.server_port}"
    settings = ["user root", "allow_anonymous true", "listener 0 127.0.0.1"]
    for port, lines in zip(ports, ([], [f"certfile {certificate}", f"keyfile {key}"])):
        settings += [f"listener {port} 127.0.0.1", "protocol websockets",
                     f"websockets_origin {origin}", *lines]

    def start():
        return Broker(settings, port=None, state=tmp_path / "state")

    def send_to_page(qos):
        for name in DOORS:
            python.publish(f"to/{name}/{qos}", b"x" * (qos + 1), qos=qos)
            pages.told.wait(f"^{name} message to/{name}/{qos} {qos + 1} {qos}$")
    broker = start()
    urls = ",".join(f"{name}://localhost:{port}/mqtt" for name, port in zip(DOORS, ports))
    chromium = subprocess.Popen(
        [CHROMIUM, "--no-sandbox", "--headless", "--disable-gpu", "--no-first-run",
         "--remote-debugging-port=0",  # else it ends when the page is there
         "--host-resolver-rules=MAP localhost 127.0.0.1",
         f"--user-data-dir={tmp_path / 'profile'}",
         f"--ignore-certificate-errors-spki-list={fingerprint(certificate)}",
         f"{origin}/#{urls}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        with Client(broker.port) as python:
            python.connect()
            python.subscribe("from/#", qos=2)
            sizes = {}
            while len(sizes) < 6:
                got = python.take()
                sizes[got.topic] = (len(got.payload), got.qos)
            assert sizes == {f"from/{name}/{qos}": (qos * 40000, qos)
                             for name in DOORS for qos in range(3)}
            for name in DOORS:
                pages.told.wait(f"^{name} connected false")
                for qos in range(3):
                    pages.told.wait(f"^{name} published {qos} well")
            for qos in range(3):
                send_to_page(qos)
        broker.stop()
        for name in DOORS:
            pages.told.wait(f"^{name} closed")
        broker = start()
        for name in DOORS:
            pages.told.wait(f"^{name} connected true")
        with Client(broker.port) as python:
            python.connect()
            before = len(pages.told.all())
            python.publish("to/ws/again", b"12345", qos=1)
            pages.told.wait("^ws message to/ws/again 5 1$", before)
            python.publish("to/wss/again", b"1234", qos=1)
            pages.told.wait("^wss message to/wss/again 4 1$", before)
        assert not [line for line in pages.told.all() if " error " in line]
    finally:
        os.killpg(chromium.pid, signal.SIGKILL)  # it is a script that starts many
        chromium.wait()
        broker.stop()
