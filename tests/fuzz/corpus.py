#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Makes inputs to begin with: tests/fuzz/corpus.py FOLDER [EVERY], a folder for each target.

    packet_decode, broker_connection, client_connection, bench_packet, topic_filter, utf8,
    config_file       what the connections of the conformance cases send and are sent (of every
                      EVERY-th case)
    journal_store, journal_tool
                      each kind of change, to each file of each store that store_base.c writes

The cases are not run against a broker: whatever they expect is taken to have come.
"""
import asyncio
import struct
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'conformance'))

from cases import Mistake, load  # noqa: E402
from drive import Run  # noqa: E402
from wire import encode  # noqa: E402

VERSION_BYTES = {'311': 1, '5': 2}
BODY_MAX = 255

# Steps of broker_connection.h and client_connection.h.
RAW_TO_BROKER, TIME_AT_BROKER, CUT_AT_BROKER = 3, 5, 7
PACKET_TO_CLIENT, CLIENT_PUBLISHES, CLIENT_SUBSCRIBES, CLIENT_LOST = 0, 5, 6, 10
PEERS = 3


def step(kind, low=0, high=0, arguments=b''):
    return bytes([low | kind << 2 | high << 6]) + arguments


class Answer:
    """A packet that a case expects, with nothing in it but what the words say."""

    def __init__(self, words, got_id):
        self.name = words[0]
        self.given = dict(word.split('=', 1) for word in words[1:] if '=' in word)
        self.fields = {'id': got_id, 'code': 0, 'codes': [0], 'topic': b't', 'payload': b'',
                       'qos': int(self.given['qos']) if self.given.get('qos') in ('1', '2') else 0}

    def property_values(self, _name):
        return []


class Side:
    """A connection of a case: what is sent is kept."""

    def __init__(self, run, name):
        self.run = run
        self.name = name
        self.unread = []
        self.is_open = self.is_accepted = True
        self.sent_id = self.next_id = 0
        self.got_id = 1
        self.filter_count = 0
        self.sent = self.received = b''

    def note_connect(self, _fields):
        pass

    def send(self, data):
        self.sent += data
        self.run.note_sent(self, data)

    async def trickle(self, data):
        self.send(data)

    async def ping(self):
        self.send(b'\xc0\0')

    def drop(self):
        pass


class World:
    """No broker, where time stands still."""
    is_fresh = True

    def now(self):
        return 0.0


class Recording(Run):
    """A case in which all comes as it should."""

    def __init__(self, case, version):
        super().__init__(case, version, World(), 'k000', [])
        self.sides = []
        self.to_broker = b''
        self.to_client = b''
        self.texts = []

    # what the runner calls

    async def connect_to(self, name):
        self.sides.append(Side(self, name))
        return self.sides[-1]

    async def expect(self, name, arrow, words):
        side = self.find(name)
        words, _ = self.window_of(words)
        if 'or' in words:
            words = words[:words.index('or')]
        answer = Answer(words, side.got_id)
        self.note_received(side, self.bytes_of_answer(side, answer, words[1:]))
        for word in words[1:]:
            if '=?' in word:
                self.variables[word.split('=?')[1]] = '1'
        return answer

    async def ends(self, name, words):
        self.connections.pop(name, None)

    async def lives(self, name, words):
        pass

    async def cut(self, name, _words):
        side = self.connections.pop(name)
        self.to_broker += step(CUT_AT_BROKER, self.number_of(side))
        self.to_client += step(CLIENT_LOST)

    async def everyone_is_quiet(self):
        pass

    async def clean_up(self):
        pass

    async def shares(self, name, words):
        pass

    async def overlaps(self, name, words):
        pass

    async def do(self, words):
        if words[0] == 'differ':
            return
        if words[0] == 'wait':
            self.to_broker += step(TIME_AT_BROKER, 0, 0, b'\x06')
            return
        verb = self.verbs.get(words[1]) if len(words) > 1 else None
        if verb:  # as this class has it
            await getattr(self, verb.__name__)(words[0], words[2:])
        else:
            await super().do(words)

    def packet(self, connection, packet, words):
        fields = dict(self.fields_of(packet, words))
        self.texts += [fields[name] for name in ('filter', 'topic') if name in fields]
        if packet == 'PUBLISH':
            self.to_client += step(CLIENT_PUBLISHES, int(fields.get('qos', b'0'), 0) % 3, 2)
        elif packet == 'SUBSCRIBE':
            self.to_client += step(CLIENT_SUBSCRIBES, 1)
        return super().packet(connection, packet, words)

    # inputs

    def number_of(self, side):
        return self.sides.index(side) % PEERS

    def note_sent(self, side, data):
        for at in range(0, len(data), BODY_MAX):
            piece = data[at:at + BODY_MAX]
            self.to_broker += step(RAW_TO_BROKER, self.number_of(side), 0,
                                   bytes([len(piece)]) + piece)

    def bytes_of_answer(self, side, answer, words):
        is_5 = self.version == '5'
        if answer.name == 'CONNACK':
            return b'\x20\x03\0\0\0' if is_5 else b'\x20\x02\0\0'
        if answer.name in ('SUBACK', 'UNSUBACK'):
            codes = b'\0' * max(side.filter_count, 1)
            if answer.name == 'UNSUBACK' and not is_5:
                codes = b''
            first = 0x90 if answer.name == 'SUBACK' else 0xb0
            body = struct.pack('>H', side.sent_id) + (b'\0' if is_5 else b'') + codes
            return bytes([first, len(body)]) + body
        if answer.name == 'PINGRESP':
            return b'\xd0\0'
        plain = [word for word in words if '=' in word and '|' not in word and '=?' not in word
                 and not word.startswith(('!', 'code', 'reason', 'server'))]
        fields = self.fields_of(answer.name, plain)
        number = side.got_id if answer.name in ('PUBLISH', 'PUBREL') else side.sent_id
        fields = [f for f in fields if f[0] != 'id'] + [('id', str(number).encode())]
        return encode(answer.name, fields, self.version)

    def note_received(self, side, data):
        side.received += data
        if data[1] < 128:
            self.to_client += step(PACKET_TO_CLIENT, 0, 0,
                                   bytes([len(data) - 2, data[0]]) + data[2:])


class Corpus:
    """Files of the targets."""

    def __init__(self, folder):
        self.folder = folder
        self.counts = {}

    def add(self, target, name, data):
        path = self.folder / target
        path.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
        self.counts[target] = self.counts.get(target, 0) + 1


def add_case(corpus, number, recording):
    version = VERSION_BYTES[recording.version]
    name = f'case-{number}-{recording.version}'
    for count, side in enumerate(recording.sides):
        both = [(f'{name}-{count}-sent', side.sent), (f'{name}-{count}-received', side.received)]
        for part, data in both:
            if data:
                corpus.add('packet_decode', part, bytes([version]) + data)
        if side.received:
            corpus.add('bench_packet', both[1][0], bytes([version, 200]) + side.received)
    if recording.version == '311' and recording.sides:
        corpus.add('packet_decode', name + '-as-3.1', b'\0' + recording.sides[0].sent)
    corpus.add('broker_connection', name, bytes([number % 4 * 2, number % 256]) +
               recording.to_broker)
    # bit 2: a clean start; bit 5: what a client may say of itself
    corpus.add('client_connection', name, bytes([version | 4 | number % 2 * 0x20, 0]) +
               recording.to_client)
    for count, text in enumerate(recording.texts):
        plain = text.rpartition(b'@')[0] or text
        corpus.add('utf8', f'{name}-{count}', plain)
        corpus.add('topic_filter', f'{name}-{count}', plain + b'\n' + recording.texts[-1])
    if recording.case.settings:
        corpus.add('config_file', name, '\n'.join(recording.case.settings).encode() + b'\n')


def add_cases(corpus, every):
    """A case whose words need a broker's real answers is left out."""
    left_out = 0
    for number, case in enumerate(load()):
        if number % every:
            continue
        for version in case.ids:
            recording = Recording(case, version)
            try:
                failure = asyncio.run(recording.execute())
            except (Mistake, KeyError, ValueError, AttributeError, TypeError) as error:
                failure = str(error)
            left_out += failure is not None
            if recording.sides:
                add_case(corpus, number, recording)
    return left_out


# Steps of store.h, each as (kind, arguments behind the file's number).
STORE_STEPS = [
    (0, b'\x10\x40\x04\xff\xff\xff\xff'), (0, b'\x00\x10\x01\x02'), (1, b'\x00\x04' + b'\xff' * 8),
    (1, b'\x01\x01' + b'\x01' + b'\0' * 7), (1, b'\x01\x02' + b'\0' * 4 + b'\x02\0\0\0'),
    (2, b'\x10\x45\x03'), (2, b'\x00\x20\x01'), (3, b'\x00\x30'), (3, b'\x30\x00'), (4, b''),
    (5, b'\x00\x02'), (5, b'\x01\x01'), (7, b'\x01\x02\x01'), (7, b'\x01\x01\x03'),
    (8, b'\x00\x01\x00'), (8, b'\x00\x02\x09\x07\x45\0\0\0\0\x01a\0b'), (9, b'\x05hello'),
    (10, b'\x03\x09'),
]
STORE_FILES = {0: 4, 1: 5, 2: 15, 3: 6}


def add_stores(corpus, every):
    count = 0
    for base, files in STORE_FILES.items():
        for file in range(files):
            for kind, arguments in STORE_STEPS:
                count += 1
                if count % every:
                    continue
                change = step(kind, count % 2, 0, bytes([file]) + arguments)
                # bits 2-6 choose how it is started; for the tool, which one
                head = bytes([base | count * 4 & 0x7c, count % 256])
                for target in ('journal_store', 'journal_tool'):
                    corpus.add(target, f'store-{base}-{file}-{count}', head + change)
        for target in ('journal_store', 'journal_tool'):
            corpus.add(target, f'store-{base}', bytes([base, 0]))


def main():
    corpus = Corpus(Path(sys.argv[1]))
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    left_out = add_cases(corpus, every)
    add_stores(corpus, every)
    counts = ' '.join(f'{name} {count}' for name, count in sorted(corpus.counts.items()))
    print(f'inputs: {counts}; {left_out} cases ended early')


if __name__ == '__main__':
    main()
