# SPDX-License-Identifier: Apache-2.0
"""What our tools can beyond mosquitto's, and all of them against both brokers: ours and Debian's."""

import base64
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.broker import OUR_PROGRAM, free_port
from support.process import DEADLINE, Process, eventually, run

pytestmark = pytest.mark.skipif(OUR_PROGRAM is None, reason="tests our own clients")


@pytest.fixture(scope="module", params=["ours", "mosquitto"])
def any_port(request, tmp_path_factory):
    """The port of a running broker."""
    folder = tmp_path_factory.mktemp("broker")
    port = free_port()
    if request.param == "mosquitto":
        (folder / "conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        process = Process(["mosquitto", "-c", str(folder / "conf")])
    else:
        process = Process([OUR_PROGRAM, "broker", "-p", str(port)],
                          env={**os.environ, "STATE_DIRECTORY": str(folder / "state")})
    eventually(lambda: run(tool("pub", port, "-t", "ready", "-n"))[0] == 0)
    yield port
    process.kill()


@pytest.fixture
def port(broker):
    return broker.port


def tool(what, port, *arguments):
    return [OUR_PROGRAM, what, "-h", "127.0.0.1", "-p", str(port), *arguments]


def publish(port, text, *arguments):
    """Runs pub with `text` on its standard input: status, errors."""
    done = subprocess.run(tool("pub", port, *arguments), input=text.encode(), timeout=DEADLINE,
                          capture_output=True, check=False)
    return done.returncode, done.stderr.decode().splitlines()


class Subscriber:
    """A sub that stands: with -d its output says when."""

    def __init__(self, port, *arguments):
        self.process = Process(tool("sub", port, "-d", *arguments))
        self.process.out.wait("^Subscribed")

    def end(self):
        try:
            status = self.process.wait()
        finally:
            self.process.kill()
        return status, self.messages(), self.process.err.all()

    def messages(self):
        return [line for line in self.process.out.all()
                if not re.match(r"Client |Subscribed |Received ", line)]


def numbers(first, last):
    return "".join(f"{number}\n" for number in range(first, last + 1))


@pytest.mark.parametrize("version,qos", [("31", 2), ("311", 0), ("311", 1), ("5", 1), ("5", 2)])
def test_every_message_once_and_in_order(any_port, version, qos):
    topic = f"interop/{version}/{qos}"
    subscriber = Subscriber(any_port, "-V", version, "-q", str(qos), "-t", topic, "--assert",
                            "--until", "200")
    assert publish(any_port, numbers(1, 200), "-V", version, "-q", str(qos), "-t", topic,
                   "-l") == (0, [])
    status, messages, errors = subscriber.end()
    assert (status, len(messages), errors[:-1]) == (0, 200, [])
    assert errors == ["Right: 200 different messages, 0 missing, 0 duplicates, 0 out of order, "
                      "0 without a number."]


def test_copy_as_json(any_port):
    """What sub --json prints, pub --json-lines publishes: the same messages, with properties."""
    lines = ['{"topic":"copy/from","payload":"hi","qos":1,"properties":{"content-type":"t",'
             '"message-expiry-interval":60,"user-properties":{"n":"v"}}}',
             '{"topic":"copy/from","payload-base64":"//4A"}',
             '{"topic":"copy/from","payload":{"t": 21.50}}', '{"topic":"copy/from"}']
    subscriber = Subscriber(any_port, "-V", "5", "-q", "1", "-t", "copy/from", "--json", "-C", "4")
    assert publish(any_port, "\n".join(lines), "-V", "5", "--json-lines") == (0, [])
    _, first, _ = subscriber.end()
    seen = [json.loads(line) for line in first]
    assert [message.get("payload") for message in seen] == ["hi", None, '{"t": 21.50}', None]
    assert seen[1]["payload-base64"] == "//4A"
    assert seen[0]["properties"] == {"content-type": "t", "message-expiry-interval": 60,
                                     "user-properties": {"n": "v"}}
    again = Subscriber(any_port, "-V", "5", "-q", "1", "-t", "copy/#", "--json", "-C", "4")
    assert publish(any_port, "\n".join(first), "-V", "5", "--json-lines") == (0, [])
    _, second, _ = again.end()
    for left, right in zip(seen, [json.loads(line) for line in second]):
        assert {**left, "tst": "", "mid": 0} == {**right, "tst": "", "mid": 0}


@pytest.mark.parametrize("version", ["311", "5"])
def test_latencies(any_port, version):
    status, out, err = run(tool("rr", any_port, "-V", version, "-t", "echo", "-e", "echo", "-m",
                                "ping", "--count", "50"))
    assert (status, err, out[0]) == (0, [], "50 requests, 50 responses")
    times = [float(number) for number in re.findall(r" ([0-9]+\.[0-9]{3})", out[1])]
    assert re.sub(r" [0-9]+\.[0-9]{3}", "", out[1]) == \
        "latency in ms: least, p50, p90, p95, p99, p99.9, p99.99, most"
    assert times == sorted(times) and 0 < times[0] and times[-1] < DEADLINE * 1000


def test_response_to_another_request_is_passed_over(port):
    """A responder that answers each request twice, the first time with another's number."""
    responder = Subscriber(port, "-V", "5", "-t", "ask", "-F", "%D", "-C", "3")
    asking = Process(tool("rr", port, "-t", "ask", "-e", "answer", "-m", "x", "--count", "3",
                          "-v", "-d"))
    for number in range(3):
        eventually(lambda n=number: len(responder.messages()) > n)
        for text in ("wrong", "right"):
            data = responder.messages()[number] if text == "right" else "12345678"
            line = json.dumps({"topic": "answer", "payload": text, "properties": {
                "correlation-data-base64": to_base64(data)}})
            assert publish(port, line, "-V", "5", "--json-lines")[0] == 0
    assert asking.wait() == 0
    assert [line for line in asking.out.all() if line.startswith("answer")] == ["answer right"] * 3
    responder.end()


def to_base64(text):
    return base64.b64encode(text.encode()).decode()


def test_line_that_is_no_message(port):
    subscriber = Subscriber(port, "-t", "lines/#", "-C", "1")
    status, errors = publish(port, '{"topic":"lines/1","payload":1}\n{"qos":9}\n{}\n',
                             "-t", "lines/2", "--json-lines", "-q", "1")
    assert (status, errors) == (1, ['Error: Line 2: "qos" is not 0, 1 or 2.'])
    assert subscriber.end()[1] == ["1"]


@pytest.mark.parametrize("source", [["-l"], ["-m", "1", "--repeat", "5"]])
def test_rate(port, source):
    """Five messages at 20 a second: four times 50 ms lie between them, and not much more."""
    start = time.monotonic()
    assert publish(port, numbers(1, 5), "-t", "rate", "--rate", "20", *source)[0] == 0
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("text,wrong", [
    ("1\n2\n4\n", "1 missing"), ("1\n2\n2\n3\n", "1 duplicates"), ("1\n3\n2\n", "1 out of order"),
    ("1\nx\n2\n", "1 without a number"),
])
def test_assert_finds(port, text, wrong):
    subscriber = Subscriber(port, "-t", "wrong", "--assert", "-C", str(text.count("\n")), "-q", "2")
    assert publish(port, text, "-t", "wrong", "-l", "-q", "2")[0] == 0
    status, _, errors = subscriber.end()
    assert status == 1
    assert errors[0].startswith("Wrong: ") and f" {wrong}" in errors[0]


def test_assert_wants_all(port):
    subscriber = Subscriber(port, "-t", "few", "--assert", "--until", "5", "-W", "1")
    assert publish(port, numbers(1, 3), "-t", "few", "-l")[0] == 0
    status, _, errors = subscriber.end()
    assert status == 1
    assert errors[0] == "Timed out"
    assert errors[1].startswith("Wrong: 3 different messages instead of 5")


# Commands that acknowledge

def test_command_gets_the_message(port, tmp_path):
    subscriber = Subscriber(
        port, "-V", "5", "-q", "1", "-t", "job/#", "--until", "2", "--manual-ack", "exec",
        f"printf '%s %s %s %s ' $MQTT_TOPIC $MQTT_QOS $MQTT_PAYLOAD_LENGTH $MQTT_CONTENT_TYPE"
        f" >>{tmp_path}/log; cat >>{tmp_path}/log; echo >>{tmp_path}/log")
    assert publish(port, "", "-V", "5", "-t", "job/1", "-q", "1", "-m", "hello world",
                   "-D", "publish", "content-type", "text")[0] == 0
    assert publish(port, "", "-t", "job/2", "-q", "0", "-n")[0] == 0
    assert subscriber.end()[0] == 0
    assert (tmp_path / "log").read_text() == "job/1 1 11 text hello world\njob/2 0 0  \n"


def test_message_is_acknowledged_when_the_command_succeeds(port, tmp_path):
    """Until then the broker would send it again; after that it does not."""
    session = ["-i", "worker", "-c", "-q", "1", "-t", "work"]
    first = Subscriber(port, *session, "--manual-ack", "exec", f"cat >>{tmp_path}/1; exit 1")
    assert publish(port, numbers(1, 2), "-t", "work", "-q", "1", "-l")[0] == 0
    first.process.err.wait("ended with status 1 for a message on work; again in 1 s")
    first.process.signal(signal.SIGTERM)
    assert first.end()[0] == 0
    second = Process(tool("sub", port, *session, "--until", "2", "--manual-ack", "exec",
                          f"cat >>{tmp_path}/2"))
    assert second.wait() == 0
    assert (tmp_path / "2").read_text() == "12"
    third = Process(tool("sub", port, *session, "-W", "1", "-v"))
    assert third.wait() == 27 and third.out.all() == []


def test_failed_command_gets_the_message_again(port, tmp_path):
    subscriber = Subscriber(port, "-q", "2", "-t", "again", "--until", "1", "--manual-ack", "exec",
                            f"cat >>{tmp_path}/log; test -e {tmp_path}/tried || "
                            f"{{ touch {tmp_path}/tried; kill -9 $$; }}")
    assert publish(port, "", "-t", "again", "-q", "2", "-m", "x")[0] == 0
    status, _, errors = subscriber.end()
    assert status == 0 and (tmp_path / "log").read_text() == "xx"
    assert errors == ["Warning: The command was ended by signal 9 for a message on again; again "
                      "in 1 s."]


def test_end_waits_for_the_command(port, tmp_path):
    subscriber = Subscriber(port, "-q", "1", "-t", "slow", "--manual-ack", "exec",
                            f"touch {tmp_path}/began; until test -e {tmp_path}/go; do sleep 0.01; "
                            f"done; touch {tmp_path}/done")
    assert publish(port, "", "-t", "slow", "-q", "1", "-m", "x")[0] == 0
    eventually((tmp_path / "began").exists)
    subscriber.process.signal(signal.SIGTERM)
    (tmp_path / "go").touch()
    assert subscriber.end()[0] == 0
    assert (tmp_path / "done").exists()
    lines = subscriber.process.out.all()
    assert any("sending PUBACK" in line for line in lines)
    assert "sending DISCONNECT" in lines[-1]


# The outbox

def test_outbox_keeps_what_cannot_be_sent(start_broker, tmp_path):
    outbox = ["--outbox", str(tmp_path / "outbox")]
    for text, qos in (("one", "2"), ("two", "2"), ("three", "2")):
        status, errors = publish(1, "", "-t", "kept", "-m", text, "-q", qos, *outbox)
        assert status == 1
        assert re.fullmatch(r"Messages that stay in .*/outbox for the next run: \d\.", errors[-1])
    broker = start_broker()
    subscriber = Subscriber(broker.port, "-t", "kept", "-q", "2", "-C", "4")
    assert publish(broker.port, "", *outbox) == (0, [])
    assert publish(broker.port, "", "-t", "kept", "-m", "four", *outbox) == (0, [])
    assert subscriber.end()[1] == ["one", "two", "three", "four"]


def test_outbox_survives_a_kill(start_broker, tmp_path):
    """Lines that were taken while there was no broker, by a program that was killed."""
    outbox = ["-t", "killed", "-q", "2", "--outbox", str(tmp_path / "outbox")]
    process = Process(tool("pub", 1, "-l", *outbox), stdin=subprocess.PIPE)
    process.popen.stdin.write(numbers(1, 100).encode())
    process.popen.stdin.flush()
    eventually(lambda: stored_count(tmp_path / "outbox", b"killed") >= 100)
    process.kill()
    broker = start_broker()
    subscriber = Subscriber(broker.port, "-t", "killed", "-q", "2", "--assert", "--until", "100")
    assert publish(broker.port, "", *outbox[2:]) == (0, [])
    assert subscriber.end()[0] == 0


def stored_count(folder, topic):
    return sum(path.read_bytes().count(topic) for path in folder.rglob("*") if path.is_file())


def test_outbox_of_another(tmp_path):
    """A sentence for a directory that cannot be one."""
    (tmp_path / "file").touch()
    status, errors = publish(1, "", "-t", "a", "-m", "b", "--outbox", str(tmp_path / "file"))
    assert status == 1 and len(errors) == 1 and "file" in errors[0]


# On a terminal

def screen_of(command, until, stdin=None):
    """What a program shows on a terminal, from its start to the bytes `until`."""
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=stdin or subprocess.DEVNULL, stdout=slave,
                               stderr=slave)
    os.close(slave)
    shown, deadline = b"", time.monotonic() + DEADLINE
    try:
        while until not in shown and time.monotonic() < deadline:
            if select.select([master], [], [], 0.1)[0]:
                shown += os.read(master, 4096)
        return shown, process
    finally:
        os.close(master)
        process.terminate()
        process.wait(DEADLINE)


def test_watch_draws_topics_in_place(port):
    for topic, text in (("watch/a", "first"), ("watch/b", "second")):
        assert publish(port, "", "-t", topic, "-m", text, "-r")[0] == 0
    shown, _ = screen_of(tool("sub", port, "-t", "watch/#", "--watch"), b"second")
    assert shown.startswith(b"\033[H")
    assert b"1  watch/a  first\033[K" in shown.replace(b"\r", b"")


def test_watch_elsewhere_prints(port):
    assert publish(port, "", "-t", "plain", "-m", "text", "-r")[0] == 0
    status, out, _ = run(tool("sub", port, "-t", "plain", "--watch", "-C", "1", "-v"))
    assert (status, out) == (0, ["plain text"])


def test_progress_on_a_terminal(port, tmp_path):
    (tmp_path / "lines").write_text(numbers(1, 1000))
    with open(tmp_path / "lines", "rb") as lines:
        shown, _ = screen_of(tool("pub", port, "-t", "p", "-l", "--rate", "100"), b"left", lines)
    assert re.search(rb"\r\[=*>? *\] +\d+ %  \d+ messages, \d+/s, \d+ s left", shown)


def test_no_progress_elsewhere(port):
    assert publish(port, numbers(1, 3), "-t", "p", "-l", "--rate", "2") == (0, [])


# Other brokers

@pytest.mark.parametrize("what", [["pub", "-m", "x"], ["pub", "-l"], ["sub", "-E"],
                                  ["rr", "-e", "b", "-m", "x"]])
def test_fallback(port, what):
    name, *arguments = what
    if name == "rr":
        arguments += ["-t", "b"]
    dead = [*tool(name, 1, "-t", "b", *arguments), "--fallback", "127.0.0.1:1"]
    status, _, err = run(dead)
    assert (status, err) == (1, ["Error: Connection refused"])
    assert run([*dead, "--fallback", f"mqtt://127.0.0.1:{port}"])[0] == 0


def test_websocket(start_broker):
    broker = start_broker("listener 0 127.0.0.1", "protocol websockets", "allow_anonymous true",
                          port=None)
    subscriber = Subscriber(broker.port, "--ws", "-t", "ws", "-q", "2", "-C", "1")
    assert run([OUR_PROGRAM, "pub", "-L", f"ws://127.0.0.1:{broker.port}/ws", "-m", "hello",
                "-q", "2"]) == (0, [], [])
    assert subscriber.end()[:2] == (0, ["hello"])


# Other names

@pytest.mark.parametrize("name", ["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"])
def test_called_as_mosquittos(port, tmp_path, name):
    link = tmp_path / name
    link.symlink_to(Path(OUR_PROGRAM).resolve())
    status, out, err = run([str(link), "--bogus"])
    assert (status, out) == (1, [])
    assert err == ["Error: Unknown option '--bogus'.", "",
                   f"Use '{link}' --help' to see usage.".replace("' --", " --")]
    arguments = {"mosquitto_pub": ["-t", "a", "-m", "x"], "mosquitto_sub": ["-t", "a", "-E"],
                 "mosquitto_rr": ["-t", "a", "-e", "a", "-m", "x"]}[name]
    status, out, err = run([str(link), "-h", "127.0.0.1", "-p", str(port), *arguments])
    assert (status, err) == (0, [])
    assert out == (["x"] if name == "mosquitto_rr" else [])


# Completion

def options_of(what):
    """Those that --help lists, but not those that it refuses."""
    out = "\n".join(run([OUR_PROGRAM, what, "--help"])[1])
    return set(re.findall(r"^ +(-\w)\b", out, re.M)) | set(re.findall(r"^ .{0,6}(--[\w-]+)", out, re.M))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_has_each_option(shell):
    status, out, err = run([OUR_PROGRAM, "completion", shell])
    assert (status, err) == (0, [])
    for what in ("pub", "sub", "rr"):
        lines = part_of("\n".join(out), shell, what)
        for option in options_of(what):
            name = option.lstrip("-")
            wanted = {"bash": rf"(^|[ '|\t]){option}[ )|]", "zsh": rf"'\*{option}\[",
                      "fish": rf" -{'s' if len(option) == 2 else 'l'} {name} "}[shell]
            assert re.search(wanted, lines, re.M), (what, option)


def part_of(text, shell, what):
    if shell == "fish":
        return "\n".join(line for line in text.splitlines() if f"from {what}'" in line)
    return text.split(f"\t{what})\n", 1)[1].split(";;\n\t" if shell == "zsh" else "' ;;\n", 1)[0]


@pytest.mark.parametrize("line,wanted", [
    ("nightjar s", ["sub", "simulate"]), ("nightjar pub --js", ["--json-lines"]),
    ("nightjar sub -q ", ["0", "1", "2"]), ("nightjar rr --lat", ["--latency"]),
    ("nightjar sub --cafile /etc/host", ["/etc/host.conf", "/etc/hostname", "/etc/hosts"]),
    ("nightjar pub --watch", []), ("nightjar sub -t ", []),
])
def test_bash_completes(line, wanted):
    cut = line.split(" ")
    script = (f"source <('{OUR_PROGRAM}' completion bash); COMP_WORDS=({' '.join(map(repr, cut))}); "
              f"COMP_CWORD={len(cut) - 1}; _nightjar; printf '%s\\n' \"${{COMPREPLY[@]}}\"")
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    found = [word for word in done.stdout.splitlines() if word]
    assert done.stderr == ""
    if "/etc/host" in line:
        assert found and all(word.startswith("/etc/host") for word in found)
    else:
        assert sorted(found) == sorted(wanted)


def test_completion_of_an_unknown_shell():
    assert run([OUR_PROGRAM, "completion", "tcsh"])[0] == 1


# Help

@pytest.mark.parametrize("what", ["pub", "sub", "rr"])
def test_help_has_examples_and_statuses(what):
    status, out, err = run([OUR_PROGRAM, what, "--help"])
    assert (status, err) == (0, [])
    text = "\n".join(out)
    assert "\033" not in text
    assert "\nExamples\n  nightjar " + what in text and "\nExit status\n  0 " in text


def test_help_has_colours_on_a_terminal(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert b"\033[1mExamples\033[0m" in screen_of([OUR_PROGRAM, "pub", "--help"], b"man ")[0]
    monkeypatch.setenv("NO_COLOR", "1")
    assert b"\033" not in screen_of([OUR_PROGRAM, "pub", "--help"], b"man ")[0]


# The page that compares

PAGE = Path(__file__).resolve().parents[2] / "docs" / "TOOLS.md"


def rows_of_page():
    """{option: (tools, verdict, words)} of the table."""
    rows = {}
    for line in PAGE.read_text().splitlines():
        match = re.fullmatch(r"\| (`-.*`) \| ([a-z ]+) \| (\w+) \| ?(.*)\|", line)
        if match:
            for option in re.findall(r"`(-[^`]+)`", match.group(1)):
                rows[option] = (match.group(2).split(), match.group(3), match.group(4).strip())
    return rows


def options_of_mosquitto(what):
    """What its --help and its manual page describe."""
    usage = "\n".join(run([f"mosquitto_{what}", "--help"])[1])
    described = set(re.findall(r"^ (-\w|--[\w-]+) :", usage, re.M))
    page = subprocess.run(f"zcat -f /usr/share/man/man1/mosquitto_{what}.1.gz", shell=True,
                          capture_output=True, text=True, check=False).stdout
    for line in page.splitlines():
        if re.fullmatch(r"(\\fB\\-[\w\\-]+\\fR(, )?)+", line):
            described |= set(re.findall(r"-[\w-]+", line.replace("\\-", "-").replace("\\fB", " ")
                                        .replace("\\fR", "")))
    assert len(described) > 30
    return described


@pytest.mark.parametrize("what", ["pub", "sub", "rr"])
def test_page_has_each_option_of_mosquitto(what):
    rows = rows_of_page()
    missing = [option for option in options_of_mosquitto(what)
               if option not in rows or what not in rows[option][0]]
    assert missing == []


@pytest.mark.parametrize("what", ["pub", "sub", "rr"])
def test_page_says_what_the_program_does(what):
    """Same and better: --help has it. Refused: one sentence, and not in --help."""
    offered = options_of(what)
    for option, (tools, verdict, reason) in rows_of_page().items():
        if what not in tools:
            assert option not in offered, option
            continue
        assert verdict in ("same", "better", "refused")
        assert (option in offered) == (verdict != "refused"), option
        if verdict != "same":
            assert reason, option
        if verdict == "refused":
            status, _, err = run([OUR_PROGRAM, what, option, "value"])
            assert status == 1 and err[0].startswith(f"Error: {option} is not supported: "), err
