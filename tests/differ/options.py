#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Starts Debian's mosquitto and ours with each line of mosquitto.conf(5) and of the shipped
configuration in turn, and writes down who takes it: the table in docs/MIGRATING.md.

    tests/differ/options.py            prints what differs
    tests/differ/options.py --write    writes the table anew
"""
import argparse
import glob
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "e2e"))

from option_rows import file_for, parts  # noqa: E402
from support.certificates import Authority, openssl  # noqa: E402

DOCS = TOP / "docs" / "MIGRATING.md"
BEGIN, END = "<!-- options: begin -->\n", "<!-- options: end -->\n"
MOSQUITTO = "/usr/sbin/mosquitto"
NIGHTJAR = os.environ.get("NIGHTJAR", str(TOP / "build" / "nightjar"))
# The one that Debian ships.
PLUGIN = next(iter(glob.glob("/usr/lib/*/mosquitto_dynamic_security.so")), "/usr/lib/none.so")
PLUGIN_SHOWN = "/usr/lib/mosquitto_dynamic_security.so"
DEADLINE = 20
FILE = "broker.conf"


def make_files(folder):
    """What the lines name. Readable for whomever a broker started by root becomes."""
    authority = Authority(folder)
    authority.issue("server")
    authority.revoke()
    openssl("dhparam", "-dsaparam", "-out", "dh.pem", "2048", cwd=folder)
    (folder / "authorities").mkdir()
    (folder / "authorities" / "ca.crt").write_bytes(Path(authority.path).read_bytes())
    openssl("rehash", "authorities", cwd=folder)
    (folder / "users").write_text("")
    (folder / "acl").write_text("topic readwrite #\npattern write sensor/%u/data\n"
                                "pattern write $SYS/broker/connection/%c/state\n")
    (folder / "psk").write_text("lamp:0123456789abcdef\n")
    for name in ("more", "store"):
        (folder / name).mkdir()
    (folder / "more" / "00.conf").write_text("max_keepalive 600\n")
    (folder / "rights.json").write_text("{}")
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o644)


def free_port():
    """For a broker that takes all addresses; below those that the system gives to connections."""
    while True:
        port = random.SystemRandom().randrange(10000, 32000)
        try:
            with socket.socket() as probe:
                probe.bind(("", port))
                return port
        except OSError:
            pass


def answers(port):
    """To a client: for those whose log says nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as client:
            client.sendall(b"\x10\x0d\0\4MQTT\4\2\0\0\0\1c")
            return client.recv(1) != b""
    except ConnectionError:
        return False


def is_up(said, line, port):
    return answers(port) if line.startswith("log_") else re.search(r"^\d+: .* running", said, re.M)


def outcome(command, folder, line, port):
    """(did it start, what it said)."""
    log = folder / "said"
    with log.open("w") as out, subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            env={**os.environ, "STATE_DIRECTORY": f"{folder}/state"}) as process:
        deadline = time.monotonic() + DEADLINE
        while process.poll() is None and not is_up(log.read_text(), line, port):
            if time.monotonic() > deadline:
                process.kill()
                raise SystemExit(f"neither up nor ended: {command}")
            time.sleep(0.005)
        said = log.read_text()
        end(process)
        return process.returncode in (0, -signal.SIGTERM), said


def end(process):
    """mosquitto forgets a signal that comes before its loop begins; ours takes a second one as
    haste."""
    is_mosquitto = process.args[0] == MOSQUITTO
    for at in range(DEADLINE * 4):
        if process.poll() is None and (is_mosquitto or at == 0):
            process.terminate()
        try:
            process.wait(0.25)
            return
        except subprocess.TimeoutExpired:
            pass
    process.kill()
    raise SystemExit(f"does not end: {process.args}")


def words_of_mosquitto(said):
    """What is wrong with the line; whether a bridge finds its peer is not about it."""
    lines = [re.sub(r"^\d+: ", "", line) for line in said.splitlines()]
    told = [line for line in lines if line.startswith(("Error", "Warning"))]
    told = [line for line in told if "Error found at" not in line
            and "creating bridge" not in line and "saving in-memory" not in line]
    return told[0] if told else ""


def words_of_ours(said, line):
    """Without the file and the line; of several, that about the option."""
    name = line.split()[0]
    lines = [re.sub(r"^\d+: ", "", one).removeprefix("nightjar: ") for one in said.splitlines()]
    told = [m.group(1) for one in lines
            if (m := re.match(rf"\S*{re.escape(FILE)}(?::\d+)?: (.*)", one))]
    told += [one for one in lines if "has no effect" in one and one.startswith(name)]
    told += [one for one in lines if " '" in one and one.startswith(name)]
    about = [one for one in told if one.startswith(f"{name}: ")]
    return (about or told or [""])[0].removeprefix(f"{name}: ")


def shown(line):
    """As the table has it."""
    return line.format(folder="/etc/mosquitto", port=1883, plugin=PLUGIN_SHOWN)


class Tried:
    """One line and what became of it."""

    def __init__(self, line, folder, with_mosquitto=True):
        self.line = line
        own = Path(tempfile.mkdtemp(dir=folder))
        own.chmod(0o777)
        self.port, other = free_port(), free_port()
        config = own / FILE
        text = "\n".join(file_for(line)) + "\n"
        config.write_text(text.format(folder=folder, port=self.port, other=other, plugin=PLUGIN))
        config.chmod(0o644)
        self.folder = folder
        if with_mosquitto:
            self.theirs, said = outcome([MOSQUITTO, "-c", str(config)], own, line, self.port)
            self.their_words = self.neutral(words_of_mosquitto(said))
        self.ours, said = outcome([NIGHTJAR, "broker", "-c", str(config)], own, line,
                                  self.port)
        self.our_words = self.neutral(words_of_ours(said, line))

    def neutral(self, words):
        """Without what differs from run to run."""
        return words.replace(str(self.folder), "/etc/mosquitto").replace(str(self.port), "1883")

    def shown(self):
        return shown(self.line)


def try_all(with_mosquitto=True, wanted=lambda shown: True):
    """[(headline, [Tried])], of those lines that are wanted as they are shown."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="nightjar-differ-", dir=memory) as name:
        folder = Path(name)
        make_files(folder)
        with ThreadPoolExecutor(2) as pool:
            return [(headline, list(pool.map(
                lambda line: Tried(line, folder, with_mosquitto),
                [line for line in lines if wanted(shown(line))])))
                    for headline, lines in parts()]


def cell(text):
    return text.replace("|", "\\|")


def verdict(is_taken, words):
    if is_taken:
        return "yes" + (f": {words}" if words else "")
    return f"no: {words}" if words else "no"


def rows_of(tried):
    """Neighbours with the same outcome share a row."""
    rows = []
    for one in tried:
        result = (verdict(one.theirs, one.their_words), verdict(one.ours, one.our_words))
        if rows and rows[-1][1] == result:
            rows[-1][0].append(one.shown())
        else:
            rows.append(([one.shown()], result))
    return rows


def table(everything):
    out = []
    for headline, tried in everything:
        out += [f"### {headline}", "", "| lines | mosquitto | nightjar |", "| --- | --- | --- |"]
        for lines, result in rows_of(tried):
            out.append("| " + " | ".join(
                ["<br>".join(f"`{cell(line)}`" for line in lines), *map(cell, result)]) + " |")
        out.append("")
    return "\n".join(out)


def documented():
    """What the page says of ours, row by row: (shown lines, verdict)."""
    text = DOCS.read_text()
    found = []
    for row in text[text.index(BEGIN):text.index(END)].splitlines():
        cells = [one.strip() for one in re.split(r"(?<!\\)\|", row)[1:-1]]
        if len(cells) == 3 and cells[0].startswith("`"):
            lines = [line.strip("`").replace("\\|", "|") for line in cells[0].split("<br>")]
            found.append((lines, cells[2].replace("\\|", "|")))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table anew")
    given = parser.parse_args()
    everything = try_all()
    flat = [one for _, tried in everything for one in tried]
    for one in flat:
        if one.theirs != one.ours:
            print(f"{one.shown()}\n    mosquitto: {verdict(one.theirs, one.their_words)}\n"
                  f"    nightjar:  {verdict(one.ours, one.our_words)}")
    both = sum(one.theirs and one.ours for one in flat)
    print(f"{len(flat)} lines: {both} taken by both, "
          f"{sum(one.theirs and not one.ours for one in flat)} by mosquitto alone, "
          f"{sum(one.ours and not one.theirs for one in flat)} by nightjar alone")
    if given.write:
        text = DOCS.read_text()
        before, rest = text.split(BEGIN)
        DOCS.write_text(before + BEGIN + "\n" + table(everything) + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
