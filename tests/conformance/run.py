#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Checks a broker against the normative statements of MQTT 3.1.1 and 5.0.

Without --host and --port it starts the broker itself: --binary, or $NIGHTJAR, or build/nightjar;
a program called mosquitto is started as mosquitto. Cases that need settings of their own get a
broker of their own then, and are left out (and said to be) when only an address is given.
The last line is "N passed, N failed"; the exit status is 1 when a case failed.
"""

import argparse
import asyncio
import random
import sys

from always import rules
from broker import Broker, CannotStart, is_mosquitto
from cases import Mistake, load
from cleaner import forget_retained
from coverage import check_statements, summary
from drive import Run

# More at a time would only wait for each other.
AT_A_TIME = 64
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def prefix_of(count):
    """A case's own first topic level and client id: four letters and digits."""
    return "k" + "".join(DIGITS[count // 36 ** place % 36] for place in (2, 1, 0))


class Report:
    """One line per case, and the count."""

    def __init__(self, is_verbose, is_brief):
        self.is_verbose = is_verbose
        self.is_brief = is_brief
        self.passed = self.failed = 0

    def tell(self, name, failure, log=()):
        self.passed += failure is None
        self.failed += failure is not None
        if failure is not None or not self.is_brief:
            print(f"{'ok  ' if failure is None else 'FAIL'} {name}")
        if failure is not None:
            print("     " + failure.replace("\n", "\n     "))
        if self.is_verbose:
            print("".join(f"     {line}\n" for line in log), end="", flush=True)


class Suite:
    """All chosen cases, against one broker and those that have settings of their own."""

    def __init__(self, arguments, chosen, report):
        self.arguments = arguments
        self.chosen = chosen
        self.report = report
        self.rules = rules()
        self.brokers = {}
        self.count = random.randrange(36 ** 3)
        self.gate = asyncio.Semaphore(AT_A_TIME)
        self.left_out = []

    def address_for(self, settings):
        if self.arguments.port:
            return None if settings else (self.arguments.host, self.arguments.port)
        if settings not in self.brokers:
            self.brokers[settings] = self.start_broker(settings)
        broker = self.brokers[settings]
        return broker and broker.address

    def start_broker(self, settings):
        """None for settings that another broker than ours does not know."""
        try:
            return Broker(self.arguments.binary, (*self.arguments.settings, *settings))
        except CannotStart:
            if settings and is_mosquitto(self.arguments.binary):
                return None
            raise

    async def run_one(self, case, version):
        address = self.address_for(case.settings)
        if address is None:
            self.left_out.append(case.name(version))
            return
        self.count = (self.count + 1) % 36 ** 3
        prefix = prefix_of(self.count)
        async with self.gate:
            run = Run(case, version, address, prefix, self.rules)
            failure = await run.execute()
        self.report.tell(case.name(version), failure, run.log)

    async def forget_retained(self):
        """What other cases retained would reach those that subscribe to everything."""
        await forget_retained(self.address_for(()))

    async def run(self):
        try:
            together = [self.run_one(case, version) for case, version in self.chosen
                        if not case.is_alone]
            await asyncio.gather(*together)
            alone = [pair for pair in self.chosen if pair[0].is_alone]
            if alone:
                await self.forget_retained()
            for case, version in alone:
                await self.run_one(case, version)
                await self.forget_retained()
        finally:
            for broker in filter(None, self.brokers.values()):
                status = broker.stop()
                if status:
                    self.report.tell("the broker ends well", f"it ended with {status}\n" +
                                     "\n".join(broker.log_text.splitlines()[-30:]))

    def tell_rules(self):
        """The statements that hold for every packet."""
        only = self.arguments.only
        for rule in self.rules:
            for version, ids in rule.ids.items():
                if only and not set(only) & set(ids):
                    continue
                broken = rule.broken[version]
                failure = f"not so in {broken[0].name(version)}" if broken else None
                if not rule.seen[version]:
                    if self.arguments.version or only or self.left_out:
                        continue
                    failure = "no case showed such a packet"
                self.report.tell(f"{version:3} {ids[0]}  everywhere: {rule.title} "
                                 f"({rule.seen[version]} packets)", failure)


def choose(cases, arguments):
    chosen = []
    for case in cases:
        for version, ids in case.ids.items():
            if arguments.version and version != arguments.version:
                continue
            if arguments.only and not any(i == o or i.startswith(o + "/")
                                          for i in ids for o in arguments.only):
                continue
            chosen.append((case, version))
    return chosen


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="of a broker that runs already")
    parser.add_argument("--binary", help="the broker to start")
    parser.add_argument("--with", action="append", default=[], dest="settings", metavar="LINE",
                        help="a line for the configuration of the broker that is started")
    parser.add_argument("--only", action="append", metavar="ID", help="this statement's cases")
    parser.add_argument("--version", choices=("311", "5"))
    parser.add_argument("--show", action="store_true", help="print the cases, run nothing")
    parser.add_argument("--verbose", action="store_true", help="print every packet")
    parser.add_argument("--brief", action="store_true", help="print only what failed")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    cases = load()
    chosen = choose(cases, arguments)
    if arguments.show:
        shown = {id(case): case.show() for case, _ in chosen}
        print("\n\n".join(shown.values()))
        return 0
    report = Report(arguments.verbose, arguments.brief)
    suite = Suite(arguments, chosen, report)
    asyncio.run(suite.run())
    suite.tell_rules()
    if not (arguments.only or arguments.version):
        report.tell("every statement has a case or a reason why not",
                    check_statements(cases, suite.rules))
        print(summary(cases, suite.rules))
    if suite.left_out:
        print(f"{len(suite.left_out)} cases need settings and were left out")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Mistake, CannotStart) as error:
        print(f"conformance: {error}", file=sys.stderr)
        sys.exit(2)
