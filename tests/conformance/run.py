#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Checks a broker, or nightjar's client engine, against the normative statements of MQTT 3.1.1 and
5.0.

Without --host and --port it starts the broker itself: --binary, or $NIGHTJAR, or build/nightjar;
a program called mosquitto is started as mosquitto. Cases that need settings of their own get a
broker of their own then, and are left out (and said to be) when only an address is given.
--engine: nightjar's broker in memory, without sockets and waits; --client: its client.
The last line is "N passed, N failed"; the exit status is 1 when a case failed.
"""

import argparse
import asyncio
import sys

from broker import CannotStart
from cases import Mistake, load
from coverage import check_statements, elsewhere, statements, summary
from report import all_shown, by_statement, citations_for
from results import write_results
from suites import BrokerSuite, ClientSuite, EngineSuite


class Report:
    """One line per case, and the count."""

    def __init__(self, is_verbose, is_brief):
        self.is_verbose = is_verbose
        self.is_brief = is_brief
        self.verdicts = {}  # by name: None or what went wrong
        self.passed = self.failed = 0

    def tell(self, name, failure, log=()):
        self.verdicts[name] = failure
        self.passed += failure is None
        self.failed += failure is not None
        if failure is not None or not self.is_brief:
            print(f"{'ok  ' if failure is None else 'FAIL'} {name}")
        if failure is not None:
            print("     " + failure.replace("\n", "\n     "))
        if self.is_verbose:
            print("".join(f"     {line}\n" for line in log), end="", flush=True)


def tell_rules(suite, arguments, report):
    """The statements that hold for every packet."""
    only = arguments.only
    for rule in suite.rules:
        for version, ids in rule.ids.items():
            if only and not set(only) & set(ids):
                continue
            broken = rule.broken[version]
            failure = f"not so in {broken[0].name(version)}" if broken else None
            if not rule.seen[version]:
                if arguments.version or only or suite.left_out:
                    continue
                failure = "no case showed such a packet"
            report.tell(rule.name(version), failure)


def choose(cases, arguments):
    chosen = []
    for case in cases:
        if case.is_client != arguments.client:
            continue
        for version, ids in case.ids.items():
            if arguments.version and version != arguments.version:
                continue
            if arguments.only and not any(i == o or i.startswith(o + "/")
                                          for i in ids for o in arguments.only):
                continue
            chosen.append((case, version))
    return chosen


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="of a broker that runs already")
    parser.add_argument("--binary", help="the broker to start")
    parser.add_argument("--with", action="append", default=[], dest="settings", metavar="LINE",
                        help="a line for the configuration of the broker that is started")
    parser.add_argument("--engine", action="store_true", help="nightjar's broker in memory")
    parser.add_argument("--shards", type=int, default=2, help="of the broker in memory")
    parser.add_argument("--seed", type=int, default=1, help="that decides on its shards' turns")
    parser.add_argument("--stored", action="store_true",
                        help="the broker in memory stores on a simulated disk")
    parser.add_argument("--client", action="store_true", help="nightjar's client in memory")
    parser.add_argument("--build", help="the folder in which the engines were built")
    parser.add_argument("--only", action="append", metavar="ID", help="this statement's cases")
    parser.add_argument("--version", choices=("311", "5"))
    parser.add_argument("--explain", metavar="ID",
                        help="print a statement, the lines that cite it, its cases")
    parser.add_argument("--show", action="store_true", help="print the cases, run nothing")
    parser.add_argument("--verbose", action="store_true", help="print every packet")
    parser.add_argument("--brief", action="store_true", help="print only what failed")
    parser.add_argument("--record", metavar="FILE", help="write what came out to this file")
    return parser.parse_args()


def explain(name):
    """A statement in the versions that have it."""
    shown = by_statement(all_shown())
    found = [s for s in statements() if s.id == name]
    for statement in found:
        version = "3.1.1" if statement.version == "311" else "5.0"
        print(f"{version} {statement.id}: {statement.requirement}")
        for citation in citations_for(statement):
            print(f"     {citation}")
        for one in shown.get(statement.key, []):
            print(f"     {one.where}: {one.title}")
        for entry in elsewhere():
            if entry.key == statement.key:
                print(f"     {entry.side}: {entry.words}")
    return 0 if found else 2


def main():
    arguments = parse_arguments()
    if arguments.explain:
        return explain(arguments.explain)
    cases = load()
    chosen = choose(cases, arguments)
    if arguments.show:
        shown = {id(case): case.show() for case, _ in chosen}
        print("\n\n".join(shown.values()))
        return 0
    report = Report(arguments.verbose, arguments.brief)
    kind = (ClientSuite if arguments.client else EngineSuite if arguments.engine else BrokerSuite)
    suite = kind(arguments, chosen, report)
    asyncio.run(suite.run())
    tell_rules(suite, arguments, report)
    if not (arguments.only or arguments.version):
        report.tell("every statement has a case or a reason why not", check_statements(cases))
        print(summary(cases))
    if arguments.record:
        write_results(arguments.record, arguments, report, suite.left_out)
    if suite.left_out:
        print(f"{len(suite.left_out)} cases need settings and were left out")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


def command():
    """The exit status: 0 all passed, 1 not all did, 2 nothing could be run."""
    try:
        return main()
    except (Mistake, CannotStart, OSError) as error:
        print(f"conformance: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(command())
