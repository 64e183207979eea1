# SPDX-License-Identifier: Apache-2.0
"""
The other ways of `nightjar bench`: open loop and ramps, scenario files, QoS side by side, reports,
and servers that are killed.
"""

import contextlib
import os
import pty
import re
import shlex
import signal
import subprocess
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from support.bench import bench
from support.broker import OUR_PROGRAM, Broker
from support.process import DEADLINE, eventually

pytestmark = pytest.mark.skipif(OUR_PROGRAM is None, reason="mosquitto has no such command")


# --- open loop ---

def test_latency_counts_from_when_a_message_was_due(faulty):
    """The server sleeps for half a second of one: what was due meanwhile was late, though the
    generator could not see one of them answered late before it sent the next."""
    def sleep_once(number, message):
        if number == 20:
            time.sleep(0.5)
        return [message]
    status, result, _ = bench(faulty(sleep_once).port, "p2p", "-q", 1, "-w", 1, "-r", 200, "-d", 1,
                              "--warmup", 0)
    assert status == 0
    # a machine that has other things to do begins late, and what was not due by the end is not sent
    assert 150 <= result["published"] <= 202
    # 100 of 200 were due in the half second, evenly: a fifth of all waited 0.3 s or longer
    assert result["max_us"] > 450_000
    assert result["p90_us"] > 250_000
    assert result["done_p90_us"] > 250_000
    assert result["lost"] == 0


def test_what_is_due_at_the_end_is_sent_and_measured(faulty):
    def sleep_late(number, message):
        if number == 90:
            time.sleep(0.4)
        return [message]
    status, result, _ = bench(faulty(sleep_late).port, "p2p", "-q", 1, "-w", 1, "-r", 100, "-d", 1,
                              "--warmup", 0)
    assert (status, result["unsent"], result["lost"]) == (0, 0, 0)
    assert result["max_us"] > 350_000
    # due at 0.90 to 1.00 s, and sent at 1.3 s: a tenth of all
    assert result["p95_us"] > 250_000


def test_a_ramp_finds_where_the_server_does_not_keep_up(faulty):
    def slow(_number, message):
        time.sleep(0.005)
        return [message]
    status, result, _ = bench(faulty(slow).port, "--ramp", "40:840:400:1", "-q", 1, "--warmup", 0)
    assert status == 0
    assert [step["rate"] for step in result["steps"]] == [40, 440]  # it takes 200 at most
    assert result["breaks_at"] == 440
    assert result["keeps_up"] is False
    assert [step["lost"] for step in result["steps"]] == [0, 0]
    assert result["steps"][0]["p99_us"] < result["steps"][1]["p99_us"]


# --- QoS side by side ---

def test_each_qos_costs_what_the_standard_says(faulty):
    status, result, _ = bench(faulty().port, "--compare-qos", "-n", 50)
    assert status == 0
    levels = result["levels"]
    assert [level["published"] for level in levels] == [50] * 3
    # PUBLISH on both sides; and PUBACK; or PUBREC, PUBREL, PUBCOMP
    packets = [level["packets_out"] + level["packets_in"] for level in levels]
    assert packets == [50 * n for n in (2, 4, 8)]
    assert [level["answers"] for level in levels] == [0, 50, 100]
    # a packet id in each PUBLISH, and four bytes for each acknowledgement
    sizes = [level["bytes_out"] + level["bytes_in"] for level in levels]
    assert [size - sizes[0] for size in sizes] == [0, 50 * (2 * 2 + 2 * 4), 50 * (2 * 2 + 6 * 4)]


# --- scenario files ---

GROUPS = """\
duration 0.3
warmup 0
publishers sensors
    count 5
    topic bench-ways/%n/temperature
    rate 500
    qos 1
publishers alarms
    topic bench-ways/alarm
    rate 50
    qos 2
    size 100
subscribers all
    count 2
    topic bench-ways/#
    qos 0
subscribers archive      # each message goes to one of them
    count 2
    topic $share/archive/bench-ways/+/temperature
    qos 1
    session persistent
subscribers alert
    topic bench-ways/alarm
    qos 2
"""


def write(folder, text):
    path = folder / "plan.bench"
    path.write_text(text)
    return path


def test_groups_get_what_their_filters_match(start_broker, tmp_path):
    broker = start_broker(verbose=False)
    status, result, said = bench(broker.port, "--file", write(tmp_path, GROUPS))
    assert (status, said) == (0, "")
    assert (result["pubs"], result["subs"]) == (6, 5)
    assert [result[k] for k in ("lost", "duplicates", "misordered", "foreign")] == [0] * 4
    # at these rates in that time; of each both `all`, and `archive` or `alert`
    assert 150 <= result["published"] <= 166


def test_a_loss_in_a_group_is_found(faulty, tmp_path):
    path = write(tmp_path, "publishers p\ntopic t\nrate 100\nqos 1\n"
                           "subscribers s\ntopic t\nqos 1\n")
    server = faulty(lambda number, message: [] if number == 7 else [message])
    status, result, _ = bench(server.port, "--file", path, "-d", 0.3, "--warmup", 0)
    assert (status, result["lost"], result["is_broken"]) == (1, 1, True)


def test_at_qos_0_a_loss_breaks_no_promise(faulty, tmp_path):
    path = write(tmp_path, "publishers p\ntopic t\nrate 100\nsubscribers s\ntopic t\n")
    server = faulty(lambda number, message: [] if number == 7 else [message])
    status, result, _ = bench(server.port, "--file", path, "-d", 0.3, "--warmup", 0)
    assert (status, result["lost"], result["is_broken"]) == (0, 1, False)


@pytest.mark.parametrize("text,line,reason", (
    ("publishers p\ntopic a/+\n", 2, "is no topic to publish to"),
    ("publishers p\nspeed 5\n", 2, "there is no 'speed' for publishers"),
    ("publishers p\ntopic t\n\n", 3, "there are no subscribers"),
))
def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path, text, line, reason):
    path = write(tmp_path, text)
    status, result, said = bench(1, "--file", path)
    assert (status, result) == (1, None)
    assert said.startswith(f"nightjar bench: {path}:{line}: ")
    assert reason in said
    assert "\n" not in said


# --- reports ---

class Page(HTMLParser):
    """What a report is made of; every element that is opened is closed."""
    VOID = {"meta", "path", "circle", "polyline"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.points, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not {"src", "href", "onload"} & dict(attrs).keys()
        if tag == "polyline":
            self.points.append(dict(attrs)["points"].split())
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def report(port, path, *words):
    status, _, said = bench(port, *words, "--html", path)
    assert (status, said) == (0, "")
    text = path.read_text()
    assert "nan" not in re.findall(r'points="([^"]*)"', text) and "-inf" not in text
    assert "http" not in text and "<script" not in text
    return Page(text)


@pytest.mark.parametrize("words,plots,lines", (
    ("p2p -q 1 -r 500 -d 0.4 --warmup 0", 3, 3),    # over time twice, and by percentile
    ("--compare-qos -n 100", 1, 3),                 # by percentile
    ("--ramp 100:200:100:1 --warmup 0", 2, 4 + 2),  # by rate, and by percentile
), ids=("one", "qos", "ramp"))
def test_a_report_stands_alone(start_broker, tmp_path, words, plots, lines):
    broker = start_broker(verbose=False)
    page = report(broker.port, tmp_path / "a&b<c>.html", *words.split())
    assert page.tags.count("svg") == plots
    assert len(page.points) == lines
    for points in page.points:
        assert len(points) >= 2
        for point in points:
            x, y = map(float, point.split(","))
            assert 0 <= x <= 760 and 0 <= y <= 340
    assert any("a&b<c>.html" in text for text in page.text)


def test_a_report_that_cannot_be_written_is_told(faulty):
    status, _, said = bench(faulty().port, "p2p", "-n", 5, "--html", "/nonexistent/x.html")
    assert status == 1
    assert said == "nightjar bench: cannot write '/nonexistent/x.html': No such file or directory."


def test_a_terminal_sees_how_it_goes(faulty):
    ours, theirs = pty.openpty()
    server = faulty()
    with subprocess.Popen([OUR_PROGRAM, "bench", "p2p", "-r", "100", "-d", "0.8", "--warmup", "0",
                           "-p", str(server.port), "-h", "127.0.0.1"],
                          stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # the other end is closed: it has ended
            while more := os.read(ours, 4096):
                seen += more
        out = process.stdout.read()
        assert process.wait(DEADLINE) == 0
    os.close(ours)
    assert re.search(rb"\rp2p 0\.\d s: \d+ delivered, \d+ a second, longest latency \d", seen)
    assert seen.endswith(b"\r\x1b[K")
    assert b"\r" not in out


# --- servers that are killed ---

class Victim:
    """A broker that is killed, and started again by a command of the shell."""

    def __init__(self, folder, *settings):
        self.folder = folder
        settings = ["user root", "allow_anonymous true", *settings]
        self.broker = Broker(settings, verbose=False, state=folder / "state")
        # the broker's own configuration goes with it
        path = folder / "again.conf"
        path.write_text("\n".join([f"listener {self.broker.port} 127.0.0.1", *settings]) + "\n")
        self.pid_path = folder / "pid"
        self.command = (f"STATE_DIRECTORY={shlex.quote(str(self.broker.state))} "
                        f"{shlex.quote(OUR_PROGRAM)} broker -c {shlex.quote(str(path))} "
                        f">/dev/null 2>&1 & echo $! >{shlex.quote(str(self.pid_path))}")

    def verify(self, *words):
        return bench(self.broker.port, "--verify-durability", "--kill", self.broker.pid,
                     "--restart", self.command, "-d", 0.5, *words)

    def stop(self):
        self.broker.process.kill()
        with contextlib.suppress(AssertionError):  # it was killed
            self.broker.stop()
        if not self.pid_path.exists():
            return
        pid = int(self.pid_path.read_text())
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        eventually(lambda: not Path(f"/proc/{pid}/exe").exists() or None)


@pytest.fixture
def victim(tmp_path):
    victims = []

    def start(*settings):
        victims.append(Victim(tmp_path, *settings))
        return victims[-1]
    yield start
    for one in victims:
        one.stop()


@pytest.mark.parametrize("words", ("-q 1 -V 5", "-q 2", "-q 2 -V 5 --away"))
def test_a_broker_with_a_store_keeps_what_it_acknowledged(victim, words):
    status, result, said = victim().verify(*words.split())
    assert (status, said) == (0, "")
    assert result["acknowledged_before"] > 0
    assert (result["lost"], result["session_lost"]) == (0, False)
    assert result["arrived"] >= result["acknowledged"]


def test_a_broker_without_a_store_is_found_out(victim):
    status, result, said = victim("persistence false").verify("-q", 1, "--away")
    assert (status, said) == (1, "")
    assert result["lost"] >= result["acknowledged_before"] > 0
    assert result["session_lost"]


def test_a_server_that_cannot_be_started_again_is_told(victim):
    one = victim()
    one.command = "exit 3"
    status, result, said = one.verify()
    assert (status, result) == (1, None)
    assert said == "nightjar bench: the command of --restart failed."
