# SPDX-License-Identifier: Apache-2.0
"""
The broker engine in memory: a program that holds a broker without sockets and threads, and does
what lines say (broker_engine.c). Each case has a broker of its own, and time passes only when it is
told to, so that nothing is waited for.
"""

import subprocess

from connection import Connection, Failure

# How finely time passes while something is due: what comes is seen that much late at most.
STEP = 0.02


class Program:
    """An engine's process. Each line gets its answer before the next."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1 << 16)

    def ask(self, line):
        """The lines of the answer."""
        answer = []
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            while (word := self.process.stdout.readline().rstrip("\n")) != "ok":
                if not word and self.process.poll() is not None:
                    raise OSError("no answer")
                answer.append(word)
        except OSError as error:
            words = " ".join(answer) + self.process.stderr.read()
            raise Failure(f"the engine ended: {words.strip()}") from error
        return answer

    def is_alive(self):
        return self.process.poll() is None

    def stop(self):
        """Ends it; its exit status."""
        self.process.stdin.close()
        status = self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        return status


class EngineConnection(Connection):
    """A connection to a broker in memory."""

    def __init__(self, run, name, world, number):
        super().__init__(run, name)
        self.world = world
        self.number = number
        world.ask(f"open {number}")

    def write(self, data):
        self.world.ask(f"send {self.number} {data.hex()}")

    async def trickle(self, data):
        for byte in data:
            self.send(bytes([byte]))

    async def wait(self, look, seconds):
        return self.world.wait(look, seconds)

    def drop(self):
        if self.number in self.world.connections:
            del self.world.connections[self.number]
            self.world.ask(f"close {self.number}")


class Clock:
    """Time that passes when told to."""

    def __init__(self):
        self.ms = 0

    def now(self):
        return self.ms / 1000

    def wait(self, look, seconds):
        """What `look()` gives, now or while so many seconds pass; else None."""
        end = self.ms + seconds * 1000
        while (found := look()) is None and self.ms < end:
            self.pass_time(int(STEP * 1000))
        return found

    async def sleep(self, seconds):
        self.pass_time(round(seconds * 1000))


class EngineWorld(Clock):
    """A broker of its own for one case."""

    is_fresh = True

    def __init__(self, program, settings, shards, seed, is_stored):
        super().__init__()
        self.program = program
        self.connections = {}
        self.count = 0
        lines = ["listener 1883 127.0.0.1"]
        if not any(line.startswith("allow_anonymous") for line in settings):
            lines.append("allow_anonymous true")
        text = "\n".join([*lines, *settings]) + "\n"
        self.ask(f"start {shards} {seed} {'on' if is_stored else 'off'} {text.encode().hex()}")

    def ask(self, line):
        """And lets everyone hear what the broker said."""
        for answer in self.program.ask(line):
            name, word = answer.split(" ", 1)
            if not name.isdigit():
                raise Failure(answer)
            connection = self.connections.get(int(name))
            if connection and word == "end":
                connection.end()
            elif connection:
                connection.arrive(bytes.fromhex(word))

    async def open(self, run, name):
        self.count += 1
        connection = EngineConnection(run, name, self, self.count - 1)
        self.connections[connection.number] = connection
        return connection

    def pass_time(self, ms):
        self.ms += ms
        self.ask(f"wait {ms}")

    def stop(self):
        self.connections = {}
        self.ask("stop")
