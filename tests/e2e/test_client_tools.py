# SPDX-License-Identifier: Apache-2.0
"""pub and sub beside mosquitto's clients: the same arguments against the same scripted server give
the same output, the same exit status and the same bytes on the wire."""

import re
import signal
import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.broker import OUR_PROGRAM, command
from support.process import DEADLINE, Process

pytestmark = pytest.mark.skipif(OUR_PROGRAM is None, reason="compares our own clients")

CONNECT, PUBLISH, PUBREC, PUBREL = 1, 3, 5, 6
SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 8, 10, 12, 14


def packet(first, body):
    assert len(body) < 128
    return bytes([first, len(body)]) + body


def read_exactly(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def read_packet(connection):
    first = read_exactly(connection, 1)
    length = shift = 0
    while True:
        byte = read_exactly(connection, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return first[0], read_exactly(connection, length)


class Script:
    """What the server does: a CONNACK, answers to the rest, bytes of its own, an early end."""

    def __init__(self, version=4, code=0, properties=b"", suback=b"\0", ack=b"", then=b"",
                 ends_after=None, connections=1, connack=None, response=b""):
        self.is_5 = version == 5
        self.connack = connack or packet(0x20, bytes([0, code]) + (
            bytes([len(properties)]) + properties if self.is_5 else b""))
        self.suback, self.ack, self.then = suback, ack, then
        self.response = response  # follows each PUBLISH
        self.ends_after = ends_after  # a packet type: the connection ends when it has come
        self.connections = connections

    def answer(self, first, body):
        kind, qos = first >> 4, first >> 1 & 3
        none = b"\0" if self.is_5 else b""
        if kind == CONNECT:
            return self.connack
        if kind == SUBSCRIBE:
            return packet(0x90, body[:2] + none + self.suback) + self.then
        if kind == UNSUBSCRIBE:
            return packet(0xB0, body[:2] + (none + b"\0" if self.is_5 else b""))
        if kind == PUBLISH and qos:
            topic_length = int.from_bytes(body[:2], "big")
            identifier = body[2 + topic_length:4 + topic_length]
            return packet(0x40 if qos == 1 else 0x50, identifier + self.ack) + self.response
        if kind == PUBLISH:
            return self.response
        if kind == PUBREL:
            return packet(0x70, body[:2])
        return packet(0xD0, b"") if kind == PINGREQ else b""


class Server:
    """Plays a script to whoever connects and notes all packets."""

    def __init__(self, script):
        self.script = script
        self.packets = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(DEADLINE)
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        for number in range(self.script.connections):
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(DEADLINE)
                is_last = number + 1 == self.script.connections
                self._serve(connection, None if is_last and number else self.script.ends_after)

    def _serve(self, connection, ends_after):
        try:
            while True:
                first, body = read_packet(connection)
                self.packets.append((first, body.hex()))
                if first >> 4 == ends_after:
                    return
                connection.sendall(self.script.answer(first, body))
        except (EOFError, OSError):
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for nobody
        self.thread.join(DEADLINE)
        self.listener.close()


def play(origin, what, arguments, script, stdin=None, stop_after=None):
    """Runs one client: exit status, output, errors, packets."""
    server = Server(script)
    address = ["-h", "127.0.0.1", "-p", str(server.port)]
    process = Process(command(origin, what) + address + arguments,
                      stdin=subprocess.PIPE if stdin is not None else None)
    try:
        if stdin is not None:
            process.popen.stdin.write(stdin)
            process.popen.stdin.close()
        if stop_after:
            deadline = time.monotonic() + DEADLINE
            while len(server.packets) < stop_after:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            # The server's answer is on its way; it is read before the signal is looked at.
            time.sleep(0.2)
            process.signal(signal.SIGTERM)
        status = process.wait()
    finally:
        process.kill()
        server.close()
    errors = [line.replace(f"nightjar {what}", f"mosquitto_{what}") for line in process.err.all()]
    return {"status": status, "out": process.out.all(), "err": errors, "packets": server.packets}


def compare(outcome):
    """What `outcome` gives for both programs, which run side by side, must be the same."""
    with ThreadPoolExecutor(2) as pool:
        ours, theirs = pool.map(outcome, ["nightjar", "mosquitto"])
    assert ours == theirs
    return ours


def assert_same(what, arguments, script, **options):
    return compare(lambda origin: play(origin, what, arguments, script, **options))


def assert_same_output(what, arguments, script):
    """For clients that end with input unread: mosquitto's close is then a reset, and its last
    packets may never arrive."""
    def outcome(origin):
        end = play(origin, what, arguments, script)
        return end["status"], end["out"], end["err"]
    compare(outcome)


def words(line):
    return line.split()


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("source", ["-m text", "-n", "-m text -r"])
def test_publish(version, qos, source):
    script = Script(version=5 if version == "mqttv5" else 4)
    arguments = words(f"-d -i c -t a/b {source} -q {qos} -V {version}")
    assert assert_same("pub", arguments, script)["status"] == 0


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("text", [b"", b"one\n", b"one\n\ntwo\r\nlast", b"x\n" * 15])
def test_publish_lines(qos, text):
    """Answers come while lines are still read, so only the lines of one kind have an order."""
    def outcome(origin):
        end = play(origin, "pub", words(f"-d -i c -t a -l -q {qos}"), Script(), stdin=text)
        return (end["status"], end["err"], sorted(end["out"]), sorted(end["packets"]),
                [body for first, body in end["packets"] if first >> 4 == PUBLISH])
    compare(outcome)


def test_publish_standard_input():
    assert_same("pub", words("-d -i c -t a -s"), Script(), stdin=b"x\n\0y\n")


def test_publish_file(tmp_path):
    (tmp_path / "file").write_bytes(b"a\0b\n")
    assert_same("pub", words(f"-d -i c -t a -q 1 -f {tmp_path}/file"), Script())


@pytest.mark.parametrize("line", [
    "-V 5 -u user -P word -x 30 -k 9 -i i -c --will-topic w --will-payload p --will-qos 1 "
    "--will-retain",
    "-u user -i i -c -k 9 --will-topic w",
    "-V 5 -i i -c",
    "-V 5 -i i -D connect receive-maximum 5 -D connect topic-alias-maximum 3 "
    "-D connect user-property n v -D publish message-expiry-interval 9 "
    "-D publish response-topic r -D publish user-property n v "
    "-D disconnect session-expiry-interval 0",
    "-i i --repeat 3 -q 2",
])
def test_publish_options(line):
    script = Script(version=5 if "-V 5" in line else 4)
    assert_same("pub", words(f"-d -t a -m x {line}"), script)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("what", ["pub -m x", "sub", "pub -m x --quiet"])
def test_refused(code, what):
    name, *more = words(what)
    end = assert_same(name, ["-d", "-i", "c", "-t", "a"] + more, Script(code=code))
    assert end["status"] == code


@pytest.mark.parametrize("code", [0x80, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x95, 0x97,
                                  0x9B, 0x9D, 0x9F])
@pytest.mark.parametrize("what", ["pub -m x", "sub"])
def test_refused_5(code, what):
    name, *more = words(what)
    arguments = ["-d", "-i", "c", "-t", "a", "-V", "5"] + more
    assert assert_same(name, arguments, Script(version=5, code=code))["status"] == code


def test_old_server_refuses_version_5():
    script = Script(version=5, connack=b"\x20\x02\0\x01")
    assert_same("sub", words("-i c -t a -V 5"), script)


@pytest.mark.parametrize("qos", [1, 2])
def test_message_refused(qos):
    arguments = words(f"-d -i c -t a -m x -V 5 -q {qos}")
    assert_same("pub", arguments, Script(version=5, ack=b"\x87\0"))


@pytest.mark.parametrize("ends_after", [CONNECT, PUBLISH, PUBREL])
def test_connection_lost_while_publishing(ends_after):
    arguments = words("-d -i c -t a -m x -q 2")
    assert assert_same("pub", arguments, Script(ends_after=ends_after))["status"] == 7


def test_server_limits_it_honours():
    limits = b"\x25\x00\x13\x00\x05\x21\x00\x02"
    arguments = words("-d -i c -t a -V 5 -q 1 -r -l")
    # One line: of two, the second may leave before or after the first one's PUBACK.
    assert_same("pub", arguments, Script(version=5, properties=limits), stdin=b"a\n")


@pytest.mark.parametrize("version", ["mqttv31", "mqttv311", "mqttv5"])
@pytest.mark.parametrize("line", ["-t a", "-t a -t b -t c/# -q 2", "-t a -U b -U c"])
def test_subscribe(version, line):
    script = Script(version=5 if version == "mqttv5" else 4, suback=bytes(line.count("-t")))
    end = assert_same("sub", words(f"-d -i c -W 1 -V {version} {line}"), script)
    assert end["status"] == 27


MESSAGES = (b"\x31\x04\0\1ax" + b"\x30\x03\0\1b" + b"\x3b\x06\0\1b\0\5y" + b"\x34\x06\0\1c\0\6z"
            + b"\x62\x02\0\x06" + b"\x62\x02\0\x09" + b"\x34\x06\0\1d\0\7w" + b"\x62\x02\0\7")


@pytest.mark.parametrize("line", ["", "-d", "-v", "-v -N", "-N", "-v -R", "-v -T a -T b",
                                  "-d --retained-only"])
def test_messages_are_printed(line):
    assert_same_output("sub", words(f"-i c -t # -W 1 {line}"), Script(then=MESSAGES))


def test_retained_messages_are_removed():
    """Ours prints the message before it shows the PUBLISH that removes it, theirs after that: so
    packets and messages are compared apart."""
    def outcome(origin):
        end = play(origin, "sub", words("-i c -t # -W 1 -d --remove-retained"), script)
        packets = [line for line in end["out"] if " " in line]
        return end["status"], packets, [line for line in end["out"] if " " not in line], end["err"]
    script = Script(then=MESSAGES)
    status, packets, messages, _ = compare(outcome)
    assert status == 27 and messages == ["x", "y", "z", "w"]
    assert len([line for line in packets if "sending PUBLISH" in line]) == 2


FULL = packet(0x33, b"\0\3a/b\0\7\x26\x01\x01\x02\0\0\0\x09\x03\0\2ct\x08\0\2rt\x09\0\2cd\x0b\5"
              b"\x26\0\1n\0\1v\x26\0\1m\0\1w" + b"hello")


@pytest.mark.parametrize("text", [
    "%t|%p|%q|%r|%m|%l|%%|%x|%X", "%5q|%-5q|%3r", "%5m|%-5m|%05m|%8l|%-8l|%08l",
    "%8t|%-8t|%08t|%.2t|%8.2t|%-8.2t", "%8p|%-8p|%08p|%.2p|%8.2p|%2p|%-2p", "%4x|%-4x|%.2x",
    "%A|%C|%D|%E|%F|%P|%R|%S", "%3A|%5C|%-5C|%.1C|%4E|%-4E|%04E|%3F|%3S|%5D|%12P|%5R",
    r"\t\n\r\\|@@|@Y", "%", "%5", "%z", "\\", r"\q", "x@",
])
def test_format(text):
    arguments = ["-i", "c", "-t", "#", "-C", "1", "-V", "5", "-F", text]
    assert_same("sub", arguments, Script(version=5, then=FULL))


def without_time(lines):
    """mosquitto 2.0.11 has a Z in front of its time zone; 2.0.13 has mended that."""
    return [re.sub(r'("tst":\s*")[-0-9T:.]+Z?[-+]\d{4}"', r'\1"', line) for line in lines]


@pytest.mark.parametrize("style", ["%j", "%J", "%j --pretty", "%J --pretty", "<%t|%j>"])
@pytest.mark.parametrize("payload", [b"hello", b"", b"12", b'{"b":1,"a":[1,{"c":null}]}', b'"x"',
                                     b"say \"x\"\n", "ä".encode(), b"[true,false]", b"{]"])
def test_json(style, payload):
    """What is JSON in mosquitto's output is the same in ours. That %J keeps each digit of a number
    and %j what mosquitto cuts (NUL) or writes as broken JSON (no UTF-8) is the unit test's."""
    def outcome(origin):
        end = play(origin, "sub", words("-i c -t # -C 1 -F " + style), script)
        return end["status"], without_time(end["out"]), end["err"]
    script = Script(then=packet(0x31, b"\0\3a/b" + payload))
    compare(outcome)


def test_json_properties():
    def outcome(origin):
        end = play(origin, "sub", words("-i c -t # -C 1 -V 5 -F %j"), Script(version=5, then=FULL))
        return end["status"], without_time(end["out"]), end["err"]
    compare(outcome)


@pytest.mark.parametrize("what", ["pub", "pub -t z -q 0 -V 5 -i me", "sub -E -i c"])
@pytest.mark.parametrize("text", [
    "-m hello big  world\n-t a\n", "# c\n\n-t a/b\n-d\n-q 1\n", "  -t a b\n", "-bogus\n", "-q 5\n",
    "-q\n", "-i x\r\n", "i x\n", "-u me\n-P secret\n",
])
def test_options_file(what, text, tmp_path, monkeypatch):
    """Ours says beyond that which line it is."""
    name, *arguments = words(what)
    (tmp_path / f"mosquitto_{name}").write_text(text)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def outcome(origin):
        end = play(origin, name, arguments, Script(version=5 if "-V 5" in what else 4))
        end["err"] = [line for line in end["err"] if not line.startswith("This is line ")]
        return {**end, "out": end["out"] if end["status"] == 0 else "help, perhaps"}
    compare(outcome)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_count_of_messages(count):
    assert_same_output("sub", words(f"-d -v -i c -t # -C {count}"), Script(then=MESSAGES))


@pytest.mark.parametrize("suback", [b"\x80", b"\x87"])
def test_all_subscriptions_denied(suback):
    script = Script(version=5, suback=suback)
    assert_same("sub", words("-d -i c -t a -V 5"), script)


def test_some_subscriptions_denied():
    script = Script(suback=b"\x80\x01")
    assert assert_same("sub", words("-d -i c -t a -t b -W 1"), script)["status"] == 27


@pytest.mark.parametrize("line", ["-E", "-E -V 5", "-E -V 5 --retain-as-published",
                                  "-E -V 5 -D subscribe subscription-identifier 7",
                                  "-E -V 5 -x 77", "-E --retain-as-published"])
def test_subscribe_options(line):
    script = Script(version=5 if "-V 5" in line else 4)
    assert assert_same("sub", words(f"-d -i c -t a {line}"), script)["status"] == 0


@pytest.mark.parametrize("version", [4, 5])
def test_signal_ends_sub(version):
    arguments = words(f"-d -i c -t a -V {'5' if version == 5 else '311'}")
    end = assert_same("sub", arguments, Script(version=version), stop_after=2)
    assert end["status"] == 0
    assert end["packets"][-1][0] >> 4 == DISCONNECT


def test_sub_connects_again():
    script = Script(ends_after=SUBSCRIBE, connections=2)
    end = assert_same("sub", words("-d -i c -t a -E"), script)
    assert [first >> 4 for first, _ in end["packets"]] == [
        CONNECT, SUBSCRIBE, CONNECT, SUBSCRIBE, DISCONNECT]


def test_sub_ends_with_the_server():
    script = Script(version=5, then=b"\xe0\x02\x8b\0")
    assert_same("sub", words("-d -i c -t a -V 5"), script)


def test_answers_to_nothing():
    script = Script(then=b"\x50\x02\0\x05\x40\x02\0\x07\x70\x02\0\x07")
    assert_same("sub", words("-d -i c -t a -W 1"), script)


@pytest.mark.parametrize("line", [
    "pub -t a", "pub -m a", "pub -t a -m b -n", "pub -t a -n -q 3", "pub -x", "pub --bogus",
    "pub -t a -m b -k 4", "pub -t a -m b -V 6", "pub -t a -m b -p 70000", "pub -t a -m b -c",
    "pub -t a/+ -m b", "pub -t a -m b -i x -I y", "pub -t a -m b --will-payload p",
    "pub -t a -m b --will-retain", "pub -t a -m b --will-topic a/#", "pub -t a -m b -P p",
    "pub -t a -m b --will-topic w --will-qos 3", "pub -t a -m b -W 1", "pub -t a -m b -M 0",
    "pub -t a -m b --repeat 0", "pub -t a -m b --repeat 2 --repeat-delay -1",
    "pub -t a -m b -x abc", "pub -t a -m b -x 4294967299", "pub -L http://h/t -m b",
    "pub -L mqtt://h -m b", "pub -t a -m b -D", "pub -t a -m b -D foo bar baz",
    "pub -t a -m b -D publish bar baz", "pub -t a -m b -D publish session-expiry-interval 3",
    "pub -t a -m b -D publish user-property 3", "pub -t a -m b -D publish topic-alias 70000",
    "pub -t a -m b -D pubrec reason-string x", "pub -t a -f /no/such/file", "pub -t a -s",
    "sub", "sub -t a#", "sub -t a -W 0", "sub -t a -C 0", "sub -t a -c", "sub -t a -m x",
    "sub -t a -T b#", "sub -t a -U b#", "sub -h", "sub -t a --cert x", "sub -t a --key x",
    "sub -t a --keyform pem", "sub -t a --psk 01", "sub -t a --psk 01 --psk-identity i --cafile x",
    "rr -t q -m x", "rr -e r -m x", "rr -t q -e r", "rr -t q -e +/r -m x", "rr -t q/# -e r -m x",
    "rr -t q -e r -m x -n", "rr -t q -e r -C 1", "rr -t q -e r -l", "rr -t q -e r -m x -M 0",
    "rr -t q -e r -m x -q 3", "rr -t q -e r -m x -W 0", "rr -t q -e r -m x -T a", "rr -h",
    "sub -t a --cafile", "sub -t a --random-filter 0", "sub -t a --random-filter x",
    "pub -t a -m b --random-filter 10", "pub -t a -m b --pretty", "sub -t a -R --retained-only",
])
def test_bad_arguments(line):
    def outcome(origin):
        what, *arguments = words(line)
        process = Process(command(origin, what) + arguments)
        status = process.wait()
        return status, [error.replace(f"nightjar {what}", f"mosquitto_{what}")
                        for error in process.err.all()]
    compare(outcome)


def respond(origin, line, version=5, **options):
    """mosquitto_rr ends without DISCONNECT, so that the broker publishes its will: ours does not."""
    none = b"\0" if version == 5 else b""
    script = Script(version=version, response=packet(0x30, b"\0\1r" + none + b"pong"), **options)
    end = play(origin, "rr", words(f"-i c {line}"), script)
    end["out"] = [text for text in end["out"] if not text.endswith("sending DISCONNECT")]
    end["packets"] = [pair for pair in end["packets"] if pair[0] >> 4 != DISCONNECT]
    return end


@pytest.mark.parametrize("line", [
    "-d -m ping", "-d -n -q 1", "-d -m ping -q 2", "-v -m ping", "-N -m ping", "-F %t:%p -m ping",
    "-m ping -D publish correlation-data cd -D publish user-property n v", "-m ping -W 5 -x 30",
    "-m ping -k 9 -u user -P word --will-topic w --will-payload p", "-m ping -R",
])
def test_request_and_response(line):
    assert compare(lambda origin: respond(origin, f"-t q -e r {line}"))["status"] == 0


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", [3, 4])
def test_request_and_response_3(version, qos):
    line = f"-d -t q -e r -m ping -q {qos} -V {'31' if version == 3 else '311'}"
    assert compare(lambda origin: respond(origin, line, version))["status"] == 0


@pytest.mark.parametrize("code", [0x80, 0x87, 0x8A])
def test_request_refused_5(code):
    end = compare(lambda origin: respond(origin, "-t q -e r -m ping", code=code))
    assert end["status"] == code


def test_request_without_a_response():
    assert assert_same("rr", words("-i c -t q -e r -m ping -W 1"), Script(version=5))["status"] == 27


def test_request_and_a_connection_that_is_lost():
    end = compare(lambda origin: respond(origin, "-t q -e r -m ping", ends_after=PUBLISH))
    assert end["status"] == 7


@pytest.mark.parametrize("what", ["pub -t a -m x", "sub -t a", "rr -t a -e b -m x"])
def test_nobody_listens(what):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    def outcome(origin):
        name, *arguments = words(what)
        process = Process(command(origin, name) + ["-h", "127.0.0.1", "-p", str(port)] + arguments)
        return process.wait(), process.out.all(), process.err.all()
    assert compare(outcome) == (1, [], ["Error: Connection refused"])


# Where we differ on purpose

def test_duplicate_is_printed_once():
    """mosquitto_sub 2.0 prints a QoS 2 message again when its PUBLISH came twice."""
    twice = b"\x34\x06\0\1c\0\6z" + b"\x3c\x06\0\1c\0\6z" + b"\x62\x02\0\6" * 2
    end = play("nightjar", "sub", words("-i c -t # -W 1"), Script(then=twice))
    assert end["out"] == ["z"]


@pytest.mark.parametrize("properties,status", [(b"\x24\x01", 24), (b"\x27\0\0\0\x10", 25)])
def test_message_that_was_not_sent_is_an_error(properties, status):
    """mosquitto_pub 2.0 ends with 0."""
    arguments = words("-i c -t a -V 5 -q 2 -m 12345678901234567890")
    end = play("nightjar", "pub", arguments, Script(version=5, properties=properties))
    assert end["status"] == status and len(end["err"]) == 1
    assert [first >> 4 for first, _ in end["packets"]] == [CONNECT, DISCONNECT]


def test_lines_survive_a_lost_connection():
    """Without a session they are sent as new messages, not as duplicates of something unknown."""
    script = Script(ends_after=PUBLISH, connections=2)
    end = play("nightjar", "pub", words("-i c -t a -l -q 1"), script, stdin=b"one\ntwo\n")
    assert end["status"] == 0
    sent = [(first, bytes.fromhex(body)[5:]) for first, body in end["packets"]
            if first >> 4 == PUBLISH]
    assert sent[-2:] == [(0x32, b"one"), (0x32, b"two")]


def test_session_resumes_duplicates():
    """With a session on both sides the same messages go out again, with DUP and their ids."""
    script = Script(ends_after=PUBLISH, connections=2, connack=b"\x20\x02\x01\x00")
    end = play("nightjar", "pub", words("-i c -c -t a -l -q 2"), script, stdin=b"one\n")
    sent = [(first, body) for first, body in end["packets"] if first >> 4 == PUBLISH]
    assert sent == [(0x34, b"\0\1a\0\1one".hex()), (0x3C, b"\0\1a\0\1one".hex())]
    assert end["status"] == 0
