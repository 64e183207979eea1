# SPDX-License-Identifier: Apache-2.0
"""A service is asked by HTTP who a client is: what it is asked, and what its answers do."""

import json
import signal
import ssl
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from support import packets as p
from support.broker import IS_MOSQUITTO, PROGRAM, Broker
from support.certificates import Authority
from support.client import Client
from support.process import eventually, run

pytestmark = pytest.mark.skipif(IS_MOSQUITTO, reason="options of ours")

WRONG, DENIED, UNAVAILABLE = 0x86, 0x87, 0x88


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        service = self.server.service
        service.questions.append((dict(self.headers), body))
        service.ports.add(self.client_address[1])
        status, answer, head = service.answer(self.headers, body)
        answer = answer.encode()
        self.send_response(status)
        for name, value in head.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


class Service:
    """Answers each question as `rule` says: a function of what was asked."""

    def __init__(self, rule, context=None):
        self.rule = rule
        self.questions, self.ports = [], set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.service = self
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.url = f"{scheme}://localhost:{self.server.server_address[1]}/login"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, headers, body):
        if headers["Content-Type"] == "application/json":
            asked = json.loads(body)
        else:
            asked = dict(urllib.parse.parse_qsl(body.decode(), errors="surrogateescape"))
        answer = self.rule(asked)
        if isinstance(answer, int):
            return answer, "", {}
        if isinstance(answer, dict):
            return 200, json.dumps(answer), {"Content-Type": "application/json"}
        return answer


def start(service, *settings, listeners=("listener 0 127.0.0.1",), verbose=False):
    return Broker(["user root", "persistence false", *listeners, f"auth_http_url {service.url}",
                   *map(str, settings)], port=None, verbose=verbose)


def code_of(broker, version=5, client_id="c", **options):
    with Client(broker.port, version) as c:
        c.send(p.connect(client_id, version, **options))
        answer = c.receive()
        assert answer.kind == p.CONNACK
        return answer.code


def test_what_is_asked_and_how():
    with Service(lambda asked: 200) as service:
        broker = start(service, "auth_http_header Authorization: Bearer abc")
        try:
            assert code_of(broker, client_id="lamp", user="lena", password='p"ä\\') == 0
            headers, body = service.questions[0]
            assert json.loads(body) == {"clientid": "lamp", "username": "lena",
                                        "password": 'p"ä\\', "address": "127.0.0.1",
                                        "port": broker.port}
            assert headers["Content-Type"] == "application/json"
            assert headers["Authorization"] == "Bearer abc"
            assert "Expect" not in headers
            # what CONNECT does not have is not asked about
            assert code_of(broker, client_id="lamp", user="olaf") == 0
            assert "password" not in json.loads(service.questions[1][1])
            assert code_of(broker, client_id="lamp", password="x") == 0
            assert "username" not in json.loads(service.questions[2][1])
            # nor who says nothing, nor what JSON cannot carry
            assert code_of(broker) == DENIED
            assert code_of(broker, user="lena", password=b"\xff\xfe") == WRONG
            assert len(service.questions) == 3
            assert len(service.ports) == 1  # by one connection
        finally:
            broker.stop()


def test_form():
    with Service(lambda asked: 200) as service:
        broker = start(service, "auth_http_format form")
        try:
            assert code_of(broker, client_id="l&m=p", user="lena +", password=b"\0\xff%") == 0
            headers, body = service.questions[0]
            assert headers["Content-Type"] == "application/x-www-form-urlencoded"
            asked = urllib.parse.parse_qs(body.decode(), encoding="latin-1", strict_parsing=True)
            assert asked == {"clientid": ["l&m=p"], "username": ["lena +"],
                             "password": ["\0\xff%"], "address": ["127.0.0.1"],
                             "port": [str(broker.port)]}
        finally:
            broker.stop()


PAGE = (200, "<html>please log in</html>", {"Content-Type": "text/html"})
ANSWERS = [(200, 0), (204, 0), ({"result": "allow"}, 0), ({"result": "allow", "more": 1}, 0),
           (401, WRONG), (403, WRONG), ({"result": "deny"}, WRONG), ({"result": "ignore"}, WRONG),
           (404, UNAVAILABLE), (500, UNAVAILABLE), (202, UNAVAILABLE), (PAGE, UNAVAILABLE),
           ({}, UNAVAILABLE), ({"result": True}, UNAVAILABLE), ({"result": "ALLOW"}, UNAVAILABLE),
           ({"result": "allow", "username": 1}, UNAVAILABLE),
           ({"result": "allow", "expire_at": "soon"}, UNAVAILABLE),
           ({"result": "allow", "expire_at": 1}, WRONG),
           ((200, " " * 9000, {}), UNAVAILABLE),
           ((302, "", {"Location": "/other"}), UNAVAILABLE)]


def test_answers():
    current = []
    with Service(lambda asked: current[0]) as service:
        broker = start(service, "auth_http_cache 0", verbose=True)
        try:
            for answer, code in ANSWERS:
                current[:] = [answer]
                assert code_of(broker, user="lena", password="x") == code, answer
            assert len(service.questions) == len(ANSWERS)  # it went nowhere else
            current[:] = [403]
            assert code_of(broker, 4, user="lena", password="x") == 4
            current[:] = [500]
            assert code_of(broker, 4, user="lena", password="x") == 3
            broker.wait_for_line("service of auth_http_url gave no answer .*: status 404")
            assert not any("lena" in line and "HTTP" in line for line in broker.lines())
        finally:
            broker.stop()


def test_name_and_end_come_from_the_service(tmp_path):
    (tmp_path / "acl").write_text("user device-7\ntopic device/7\n")
    end = int(time.time()) + 2
    rule = {"result": "allow", "username": "device-7", "expire_at": end}
    with Service(lambda asked: rule) as service:
        broker = start(service, f"acl_file {tmp_path}/acl")
        try:
            for _ in range(2):  # the second from the cache
                with Client(broker.port) as c:
                    c.connect("c", user="x", password="y")
                    assert c.publish("device/7", qos=1).code in (0, 0x10)
                    assert c.publish("device/8", qos=1).code == DENIED
            with Client(broker.port) as c:
                c.connect("c", user="x", password="y")
                c.expect_close(0xA0)
                assert time.time() >= end
            assert len(service.questions) == 1
            # nor is the answer good for longer than that
            rule["expire_at"] = end + 100
            assert code_of(broker, user="x", password="y") == 0
            assert len(service.questions) == 2
        finally:
            broker.stop()


def test_cache_is_for_the_very_same_question():
    with Service(lambda asked: 200 if asked.get("password") == "good" else 403) as service:
        broker = start(service)
        try:
            for _ in range(5):
                assert code_of(broker, user="lena", password="good") == 0
                assert code_of(broker, user="lena", password="bad") == WRONG
            assert len(service.questions) == 2
            for other in ({"user": "olaf", "password": "good"},
                          {"client_id": "d", "user": "lena", "password": "good"},
                          {"user": "lenag", "password": "ood"}):
                before = len(service.questions)
                assert code_of(broker, **other) in (0, WRONG)
                assert len(service.questions) == before + 1
        finally:
            broker.stop()


def test_slow_answers_hold_up_nobody_else():
    gate = threading.Event()

    def rule(asked):
        if asked["username"] == "slow":
            gate.wait(20)
        return 200
    with Service(rule) as service:
        broker = start(service, "auth_http_connections 8", "auth_http_timeout 30")
        try:
            slow = [Client(broker.port) for _ in range(7)]
            for i, c in enumerate(slow):
                c.send(p.connect(f"slow-{i}", user="slow", password="x"))
            eventually(lambda: len(service.questions) == 7)
            assert code_of(broker, user="quick", password="x") == 0
            # one more than may be asked at a time waits
            slow += [Client(broker.port), Client(broker.port)]
            for i, c in enumerate(slow[7:]):
                c.send(p.connect(f"more-{i}", user="slow", password="x"))
            eventually(lambda: len(service.questions) == 9)
            assert len(service.questions) == 9
            gate.set()
            for c in slow:
                assert c.receive().code == 0
                c.cut()
            assert len(service.questions) == 10
        finally:
            gate.set()
            broker.stop()


def test_no_answer_lets_nobody_in(tmp_path):
    done = run([PROGRAM, "passwd", "-b", "-c", "-H", "sha512", str(tmp_path / "users"), "lena",
                "secret"])
    assert done[0] == 0
    silent = threading.Event()

    def rule(_asked):
        silent.wait(20)
        return 200
    with Service(rule) as service:
        broker = start(service, "auth_http_timeout 1", f"password_file {tmp_path}/users",
                       "allow_anonymous true")
        try:
            began = time.monotonic()
            assert code_of(broker, user="olaf", password="x") == UNAVAILABLE
            assert 0.9 < time.monotonic() - began < 10
            # whom another method knows is let in, and whoever need not be known
            assert code_of(broker, user="lena", password="secret") == 0
            assert code_of(broker) == 0
            broker.wait_for_line("The service of auth_http_url was not asked who a client is, which is refused")
        finally:
            silent.set()
            broker.stop()
    gone = service  # its port is closed
    broker = start(gone)
    try:
        assert code_of(broker, user="olaf", password="x") == UNAVAILABLE
    finally:
        broker.stop()


def test_chain_goes_on_behind_ignore(tmp_path):
    done = run([PROGRAM, "passwd", "-b", "-c", "-H", "sha512", str(tmp_path / "users"), "lena",
                "secret"])
    assert done[0] == 0
    answers = {"lena": "ignore", "olaf": "allow", "ines": "ignore"}
    with Service(lambda asked: {"result": answers[asked["username"]]}) as service:
        broker = start(service, f"password_file {tmp_path}/users",
                       "auth_chain http password_file")
        try:
            for user, password, code in [("lena", "secret", 0), ("lena", "wrong", WRONG),
                                         ("olaf", "any", 0), ("ines", "secret", WRONG)]:
                assert code_of(broker, user=user, password=password) == code
            assert len(service.questions) == 4
        finally:
            broker.stop()


def test_https(tmp_path):
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    authority.issue("service")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate("service"), authority.key("service"))
    with Service(lambda asked: 200, context) as service:
        for ca_file, code in [(authority.path, 0), (other.path, UNAVAILABLE)]:
            broker = start(service, f"auth_http_cafile {ca_file}")
            try:
                assert code_of(broker, user="lena", password="x") == code
            finally:
                broker.stop()


def test_clients_go_with_their_service():
    with Service(lambda asked: 200) as service:
        broker = start(service)
        try:
            with Client(broker.port) as c:
                c.connect("c", user="lena", password="x")
                path = Path(broker.process.command[broker.process.command.index("-c") + 1])
                path.write_text(path.read_text().replace("/login", "/other"))
                broker.process.signal(signal.SIGHUP)
                c.expect_close(DENIED)
            assert code_of(broker, client_id="d", user="lena", password="x") == 0
        finally:
            broker.stop()
