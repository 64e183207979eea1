# SPDX-License-Identifier: Apache-2.0
"""The chosen cases, run against one kind of thing: a process or address, an engine in memory."""

import asyncio
import random
from pathlib import Path

from always import rules
from always_client import client_rules
from broker import TOP, Broker, CannotStart, is_mosquitto
from cases import Mistake
from cleaner import forget_retained
from client import ClientRun, ClientWorld
from connection import Failure, TcpWorld
from drive import Run
from engine import EngineWorld, Program

# More at a time would only wait for each other.
AT_A_TIME = 64
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Where a build leaves the engines: nightjar.sh's for tests, and one made by hand.
BUILDS = ("build-test/gcc", "build")


def prefix_of(count):
    """A case's own first topic level and client id: four letters and digits."""
    return "k" + "".join(DIGITS[count // 36 ** place % 36] for place in (2, 1, 0))


def engine_path(arguments, name):
    folders = [arguments.build] if arguments.build else [TOP / build for build in BUILDS]
    for folder in folders:
        path = Path(folder) / "tests" / "conformance" / name
        if path.exists():
            return path
    raise Mistake(f"no {name} in {' or '.join(map(str, folders))}: build it, or give --build")


class BrokerSuite:
    """Against one broker at an address, and those that have settings of their own."""

    def __init__(self, arguments, chosen, report):
        self.arguments = arguments
        self.chosen = chosen
        self.report = report
        self.rules = rules()
        self.brokers = {}
        self.count = random.randrange(36 ** 3)
        self.gate = asyncio.Semaphore(AT_A_TIME)
        self.left_out = []

    def world_for(self, settings):
        if self.arguments.port:
            return None if settings else TcpWorld((self.arguments.host, self.arguments.port))
        if settings not in self.brokers:
            self.brokers[settings] = self.start_broker(settings)
        broker = self.brokers[settings]
        return broker and TcpWorld(broker.address)

    def start_broker(self, settings):
        """None for settings that another broker than ours does not know."""
        try:
            return Broker(self.arguments.binary, (*self.arguments.settings, *settings))
        except CannotStart:
            if settings and is_mosquitto(self.arguments.binary):
                return None
            raise

    async def run_one(self, case, version):
        world = self.world_for(case.settings)
        if world is None:
            self.left_out.append(case.name(version))
            return
        self.count = (self.count + 1) % 36 ** 3
        prefix = prefix_of(self.count)
        async with self.gate:
            run = Run(case, version, world, prefix, self.rules)
            failure = await run.execute()
        self.report.tell(case.name(version), failure, run.log)

    async def forget_retained(self):
        """What other cases retained would reach those that subscribe to everything."""
        await forget_retained(self.world_for(()))

    async def find(self):
        """Somebody must be there: one line is told better than a thousand."""
        arguments = self.arguments
        if arguments.port:
            _, writer = await asyncio.open_connection(arguments.host, arguments.port)
            writer.close()

    async def run(self):
        await self.find()
        try:
            for case, _ in self.chosen:
                self.world_for(case.settings)  # started before any connection has to wait
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


class EngineSuite:
    """Against the broker engine in memory: one case after the other, each with its own broker."""

    def __init__(self, arguments, chosen, report):
        self.arguments = arguments
        self.chosen = chosen
        self.report = report
        self.rules = rules()
        self.left_out = []
        self.path = engine_path(arguments, "broker_engine")

    async def run(self):
        program = Program(self.path)
        for case, version in self.chosen:
            if not program.is_alive():
                program = Program(self.path)
            self.report.tell(case.name(version), *await self.run_one(program, case, version))
        status = program.stop()
        if status:
            self.report.tell("the engine ends well", f"it ended with {status}")

    async def run_one(self, program, case, version):
        """What went wrong, or None, and what was said."""
        arguments = self.arguments
        try:
            world = EngineWorld(program, (*arguments.settings, *case.settings), arguments.shards,
                                arguments.seed, arguments.stored)
            run = Run(case, version, world, prefix_of(0), self.rules)
            failure = await run.execute()
            world.stop()
            return failure, run.log
        except Failure as error:
            return str(error), ()


class ClientSuite:
    """Against the client engine, with the case in the server's place."""

    def __init__(self, arguments, chosen, report):
        self.chosen = chosen
        self.report = report
        self.rules = client_rules()
        self.left_out = []
        self.path = engine_path(arguments, "client_engine")

    async def run(self):
        world = ClientWorld(self.path)
        for case, version in self.chosen:
            run = ClientRun(case, version, world, prefix_of(0), self.rules)
            failure = await run.execute()
            self.report.tell(case.name(version), failure or world.forget(), run.log)
        for failure in world.stop():
            self.report.tell("the engine ends well", failure)
