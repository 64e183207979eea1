#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What 100,000 access rules cost: checks per second, processor time of each, and memory, of nightjar
and of Debian's mosquitto in one run. One client publishes at QoS 0, in large writes; each publish
is one check. The same without rules comes first, so that the difference is theirs. Writes a part of
docs/BENCH_DOORS.md.
"""

import argparse
import itertools
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "e2e"))

import doors  # noqa: E402

from support import packets as p  # noqa: E402
from support.broker import free_port  # noqa: E402
from support.client import Client  # noqa: E402
from support.process import Process, eventually  # noqa: E402

MOSQUITTO = "/usr/sbin/mosquitto"
TICKS = os.sysconf("SC_CLK_TCK")
# Patience with a broker that reads rules.
START_S = 60
# Messages in one write, as a busy gateway has them.
BATCH = 200

SHAPES = {
    "no rules": None,
    "topics of one user": lambda i: f"topic write site/{i}/+/data/{i}\n",
    "a topic of each user": lambda i: f"user u{i}\ntopic write site/{i}/+/data/#\n",
    "patterns": lambda i: f"pattern write site/{i}/%c/data/{i}\n",
}


def write_rules(path, shape, count):
    with open(path, "w", encoding="utf-8") as file:
        file.write("user u0\n" if shape == "topics of one user" else "")
        file.writelines(SHAPES[shape](i) for i in range(count))


def start(program, folder, shape, count):
    port = free_port()
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "user root", "persistence false"]
    if SHAPES[shape]:
        write_rules(folder / "rules", shape, count)
        lines.append(f"acl_file {folder / 'rules'}")
    (folder / "conf").write_text("\n".join(lines) + "\n")
    words = [MOSQUITTO, "-c"] if program == MOSQUITTO else [program, "broker", "-c"]
    process = Process([*words, str(folder / "conf")])

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0
    try:
        eventually(answers, timeout=START_S)
    except AssertionError:
        process.kill()
        return None, port
    return process, port


def used_s(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mib(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def load(process, port, user, topics, seconds):
    """Checks made, and the broker's processor time for each."""
    with Client(port) as c:
        c.connect("c1", user=user)
        sent, began, cpu = 0, time.monotonic(), used_s(process.pid)
        for first in itertools.cycle(range(0, len(topics), BATCH)):
            batch = [p.publish(t, b"x") for t in topics[first:first + BATCH]]
            c.send(b"".join(batch))
            c.ping()  # all of them have been judged
            sent += len(batch)
            took = time.monotonic() - began
            if took >= seconds:
                return sent, took, used_s(process.pid) - cpu


def measure(program, shape, count, seconds):
    with tempfile.TemporaryDirectory(prefix="nightjar-acl-") as name:
        process, port = start(program, Path(name), shape, count)
        if not process:
            return None
        try:
            # all over the file; of each user's one topic the last is as good as any
            numbers = [i * 7919 % count for i in range(1000)]
            user = "u0"
            if shape == "a topic of each user":
                user, numbers = f"u{count - 1}", [count - 1] * BATCH
            topics = [f"site/{n}/c1/data/{n}" for n in numbers]
            sent, took, cpu = load(process, port, user, topics, seconds)
            memory = rss_mib(process.pid)
        finally:
            process.kill()
    return {"checks/s": sent / took, "us": cpu / sent * 1e6, "MiB": memory}


def table_of(o):
    """Lines; each is printed as soon as it is known."""
    lines = ["| rules | broker | publishes/s | processor time of each | memory |",
             "| --- | --- | --- | --- | --- |"]
    print("\n".join(lines))
    for shape in SHAPES:
        for title, program in (("nightjar", o.program), ("mosquitto", MOSQUITTO)):
            r = measure(program, shape, o.rules, o.seconds)
            name = shape if SHAPES[shape] is None else f"{o.rules:,} {shape}"
            figures = (f"{r['checks/s']:,.0f} | {r['us']:,.2f} µs | {r['MiB']:.0f} MiB" if r else
                       f"did not listen within {START_S} s | |")
            lines.append(f"| {name} | {title} | {figures} |")
            print(lines[-1], flush=True)
    return lines


def main():
    parser = argparse.ArgumentParser(prog="./nightjar.sh bench --acl",
                                     description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--program", default=str(TOP / "build" / "nightjar"))
    parser.add_argument("--rules", type=int, default=100000)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--no-page", action="store_true", help="print, and write nothing")
    o = parser.parse_args()
    load_text = doors.load_text()
    lines = table_of(o)
    if not o.no_page:
        doors.write_part("acl", "\n".join([
            "## Rules", "",
            f"`./nightjar.sh bench --acl`; {load_text}. One client publishes at QoS 0 in large "
            f"writes; each publish is one check by {o.rules:,} rules, all over which its topics "
            "lie. What it takes without rules comes first: the difference is what rules cost.", "",
            *lines]))


if __name__ == "__main__":
    main()
