#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What clients notice while others misbehave: ten thousand connections that stop in the middle of
every handshake, ten thousand bad packets a second from a hundred addresses, a flood of one client.
Beside mosquitto, with the same load. Writes a part of docs/LIMITS.md.
"""
import argparse
import datetime
import multiprocessing
import os
import re
import resource
import socket
import struct
import time
from pathlib import Path

import doors
import servers as peers

PAGE = doors.TOP / 'docs' / 'LIMITS.md'
BEGIN = '<!-- written by tests/bench/hostile.py: begin -->'
END = '<!-- written by tests/bench/hostile.py: end -->'
# Open loop: a message is due so often, whatever became of those before.
INTERVAL = 0.005
NEWCOMER_INTERVAL = 0.1
PATIENCE = 5.0  # of a newcomer
ADDRESSES = 100
# Whoever attacks shares the machine's cores with the server: others come first.
ATTACK_NICE = 5
OPEN_PAUSE = 0.02
# An attack that takes longer to come about is measured as far as it has come.
READY_SECONDS = 20
CONNECT = bytes.fromhex('100f00044d515454040200000003') + b'%03d'
LIMITS = ['ban_errors 20', 'ban_window 10', 'ban_time 60', 'limit_exempt 127.0.0.1']
RATE = ['byte_rate 1000000']


def arguments():
    parser = argparse.ArgumentParser(prog='./nightjar.sh bench --hostile',
                                     description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--connections', type=int, default=10000)
    parser.add_argument('--seconds', type=float, default=4, help='of each attack (4)')
    parser.add_argument('--packets', type=int, default=10000, help='bad ones a second (10000)')
    parser.add_argument('--only', help='attacks whose name contains this')
    parser.add_argument('--shards', type=int, default=2)
    parser.add_argument('--program', type=Path, default=doors.TOP / 'build' / 'nightjar')
    parser.add_argument('--without-mosquitto', action='store_true')
    parser.add_argument('--no-page', action='store_true', help='print, and write nothing')
    return parser.parse_args()


# --- who must not notice ---

def connect_packet(client_id):
    body = b'\0\4MQTT\4\2\0\0' + struct.pack('>H', len(client_id)) + client_id
    return bytes([0x10, len(body)]) + body


def connected(port, client_id, timeout=PATIENCE):
    s = socket.create_connection(('127.0.0.1', port), timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(connect_packet(client_id))
    if s.recv(4) != b'\x20\2\0\0':
        raise OSError('not let in')
    return s


def publish(number):
    body = b'\0\1b' + struct.pack('>HQ', number % 65535 + 1, number)
    return bytes([0x32, len(body)]) + body


PUBLISH_BYTES = len(publish(0))
DELIVERED_BYTES = PUBLISH_BYTES - 2  # at QoS 0, without a packet id


def bystander(port, stop, results):
    """A pair: a message at QoS 1 is published on time, and delivered; from when it was due until it
    was acknowledged, and until it arrived."""
    reader, writer = connected(port, b'reader'), connected(port, b'writer')
    reader.sendall(b'\x82\6\0\1\0\1b\0')
    reader.recv(5)
    reader.setblocking(False)
    writer.setblocking(False)
    due, number, acknowledged, waiting, times = time.monotonic(), 0, 0, b'', []
    sent = []
    while not stop.is_set():
        now = time.monotonic()
        while now >= due:
            sent.append(due)
            writer.send(publish(number))
            number += 1
            due += INTERVAL
        try:
            acknowledged += len(writer.recv(65536)) / 4
        except BlockingIOError:
            pass
        try:
            waiting += reader.recv(65536)
        except BlockingIOError:
            pass
        while len(waiting) >= DELIVERED_BYTES:
            arrived = struct.unpack('>Q', waiting[DELIVERED_BYTES - 8:DELIVERED_BYTES])[0]
            times.append((sent[arrived], time.monotonic() - sent[arrived]))
            waiting = waiting[DELIVERED_BYTES:]
        time.sleep(max(0.0, min(due - time.monotonic(), 0.0005)))
    arrived = {at for at, _ in times}
    end = time.monotonic()  # those that did not arrive have waited until now at least
    times += [(at, end - at) for at in sent if at not in arrived]
    results.put(('bystander', sorted(times)))


def newcomer(port, stop, results):
    """Again and again somebody connects, and is let in or not."""
    times = []
    while not stop.is_set():
        start = time.monotonic()
        try:
            connected(port, b'newcomer').close()
            times.append((start, time.monotonic() - start))
        except OSError:
            times.append((start, float('inf')))
        time.sleep(max(0.0, start + NEWCOMER_INTERVAL - time.monotonic()))
    results.put(('newcomer', times))


# --- who misbehaves ---

def hello():
    """The first half of a ClientHello."""
    body = b'\x03\x03' + bytes(32) + b'\0\0\2\x13\x01\1\0'
    handshake = b'\1' + struct.pack('>I', len(body) + 200)[1:] + body
    return b'\x16\3\1' + struct.pack('>H', len(handshake) + 200) + handshake


SLOW = {
    'connected, and silent': ('plain', b''),
    'half a ClientHello': ('tls', hello()),
    'half a PROXY header': ('proxy', b'PROXY TCP4 192.0.2.1 198.'),
    'half a WebSocket head': ('websocket', b'GET /mqtt HTTP/1.1\r\nHost: localhost\r\nUpgrade: w'),
    'half a CONNECT': ('plain', connect_packet(b'x' * 20)[:12]),
    'half a PUBLISH, byte by byte': ('plain', None),
}


def address_of(i):
    return f'127.0.0.{2 + i % ADDRESSES}'


def open_one(port, i):
    s = socket.socket()
    s.bind((address_of(i), 0))
    s.settimeout(PATIENCE)
    s.connect(('127.0.0.1', port))
    return s


def slow(port, count, data, ready, stop):
    """All stay, and each that has begun to speak says one more byte now and then."""
    held = []
    for i in range(count):
        if i % 100 == 0:  # slower than servers accept: a full queue costs whoever connects a second
            time.sleep(OPEN_PAUSE)
        try:
            s = open_one(port, i)
            s.sendall(data if data is not None else connect_packet(b'slow-%d' % i))
            held.append(s)
        except OSError:
            pass
    if data is None:
        for s in held:
            s.recv(4)
            s.sendall(b'\x30\xff\x7f\0\1t')
    os.nice(ATTACK_NICE)
    ready.set()
    at = 0
    while not stop.is_set():
        for s in held[at:at + 100] if data != b'' else []:
            try:
                s.send(b'x')
            except OSError:
                pass
        at = (at + 100) % max(1, len(held))
        time.sleep(0.1)


def bad_packets(port, rate, first, ready, stop):
    """Each on a connection of its own, which the server closes."""
    os.nice(ATTACK_NICE)
    ready.set()
    start, sent = time.monotonic(), 0
    linger = struct.pack('ii', 1, 0)
    while not stop.is_set():
        while sent < (time.monotonic() - start) * rate and not stop.is_set():
            sent += 1
            try:
                s = open_one(port, first + sent)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                s.send(b'\x10\x02\xff\xff')
                s.close()
            except OSError:
                pass
        time.sleep(0.001)
    print(f'    {sent / (time.monotonic() - start):,.0f} a second')


def flood(port, ready, stop):
    """One client publishes as fast as it can, to nobody."""
    os.nice(ATTACK_NICE)
    with connected(port, b'flood') as s:
        block = b''.join(b'\x30\x16\0\4' + b'f/%02d' % (i % 100) + bytes(16) for i in range(2000))
        s.settimeout(0.2)
        ready.set()
        at = 0
        while not stop.is_set():
            try:
                at = (at + s.send(block[at:])) % len(block)
            except TimeoutError:
                pass


# --- one row ---

class Ended(Exception):
    """The server is not there any more."""


def percentile(times, share):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float('nan')


def between(times, start, end):
    return [took for at, took in times if start <= at < end]


def peak_kib(pid):
    return doors.status_kib(pid, 'VmHWM')


class Row:
    def __init__(self, options, folder, server, attack):
        self.options, self.folder, self.server = options, folder, server
        self.name, self.doors, self.processes, self.more = attack

    def measure(self):
        ports = {name: peers.free_port() for name in ('plain', *self.doors)}
        lines = doors.listener(ports['plain']) + self.more.get('listener', [])
        if 'tls' in ports:
            lines += doors.listener(ports['tls'], key='ecdsa', folder=self.folder)
        if 'websocket' in ports:
            lines += doors.listener(ports['websocket'], websocket=True)
        if 'proxy' in ports:
            lines += [*doors.listener(ports['proxy']), 'proxy_protocol true']
        common = [*doors.COMMON, *(['log_dest none'] if self.server.is_ours else []),
                  *self.more.get('common', [])]
        with doors.running(self.server, lines, ports['plain'], self.folder, common) as pid:
            return self.observe(pid, ports)

    def observe(self, pid, ports):
        stop, results = multiprocessing.Event(), multiprocessing.Queue()
        watchers = [multiprocessing.Process(target=target, args=(ports['plain'], stop, results))
                    for target in (bystander, newcomer)]
        for process in watchers:
            process.start()
        time.sleep(1)
        calm = time.monotonic()
        time.sleep(2)
        if not watchers[0].is_alive():
            stop.set()
            raise Ended
        before = doors.status_kib(pid, 'VmRSS')
        over = multiprocessing.Event()
        begins = time.monotonic()
        attackers = []
        for make in self.processes:
            ready = multiprocessing.Event()
            target, arguments_ = make(self.options, ports)
            attackers.append(multiprocessing.Process(target=target,
                                                     args=(*arguments_, ready, over)))
            attackers[-1].ready = ready
            attackers[-1].start()
        for process in attackers:
            process.ready.wait(READY_SECONDS)
        time.sleep(self.options.seconds)
        ends = time.monotonic()
        held = doors.socket_count(pid)
        peak = peak_kib(pid)
        over.set()
        stop.set()
        found = dict(results.get(timeout=60) for _ in watchers)
        for process in (*attackers, *watchers):
            process.join(30)
            process.kill()
        return {'held': held, 'memory': (peak - before) / 1024,
                'calm': between(found['bystander'], calm, begins),
                'during': between(found['bystander'], begins, ends),
                'newcomers': between(found['newcomer'], begins, ends)}


def milliseconds(seconds):
    if seconds == float('inf'):
        return 'not let in'
    return f'{seconds * 1000:,.1f}' if seconds < 0.1 else f'{seconds * 1000:,.0f}'


def cells(server, name, found):
    newcomers = [percentile(found['newcomers'], share) for share in (0.5, 0.99)]
    words = [name, server.name, f'{found["held"]:,}']
    for times in (found['calm'], found['during']):
        words.append(' / '.join(milliseconds(percentile(times, share)) for share in (0.5, 0.99)))
    words.append(' / '.join(milliseconds(time_) for time_ in newcomers))
    words.append(f'{found["memory"]:,.1f}')
    return '| ' + ' | '.join(words) + ' |'


def row_of(options, folder, server, attack):
    for _ in range(2):
        try:
            return cells(server, attack[0], Row(options, folder, server, attack).measure())
        except Ended:
            print(f'    {server.name} ended: once more')
    return f'| {attack[0]} | {server.name} | it ended, twice | | | | |'


def attacks(options):
    for name, (door, data) in SLOW.items():
        def make(o, ports, door=door, data=data):
            return slow, (ports[door], o.connections, data)
        yield name, [door] if door != 'plain' else [], [make], {}

    def bad(part):
        def make(o, ports):
            return bad_packets, (ports['plain'], o.packets / 2, part * 50)
        return make
    name = f'{options.packets:,} bad packets a second'
    yield name, [], [bad(0), bad(1)], {}
    yield f'{name}, with bans', [], [bad(0), bad(1)], {'common': LIMITS}

    def one(_, ports):
        return flood, (ports['plain'],)
    yield 'a flood of one client', [], [one], {}
    yield 'a flood of one client, byte_rate 1000000', [], [one], {'listener': RATE}


HEAD = '''\
| attack | server | open | latency before, p50 / p99 ms | during | newcomers let in, p50 / p99 ms \
| memory, MiB more at most |
| --- | --- | --- | --- | --- | --- | --- |'''


def page_of(options, table, load):
    today = datetime.date.today().isoformat()
    return f'''{BEGIN}
{HEAD}
{chr(10).join(table)}

Measured on {today} by `./nightjar.sh bench --hostile`: {os.cpu_count()} cores that the server, who \
attacks (niced) and who is watched share, one run of {options.seconds:g} seconds each, load of the \
machine {load[0]:.1f} when it began and {load[1]:.1f} at the end. Latency: one message at QoS 1 every \
{INTERVAL * 1000:g} ms, from when it was due until it is with its subscriber; what did not arrive \
counts as late as the end. Newcomers: a connection every {NEWCOMER_INTERVAL * 1000:g} ms, until \
CONNACK. Attacks come from {ADDRESSES} addresses; "open" are the server's descriptors while they last.
{END}
'''


def write_page(part):
    text = PAGE.read_text()
    if BEGIN in text:
        text = re.sub(f'{re.escape(BEGIN)}.*?{re.escape(END)}\n', lambda _: part, text,
                      flags=re.DOTALL)
    else:
        text += '\n## Measured\n\n' + part
    PAGE.write_text(text)


def servers_of(options, more):
    mosquitto, ours = doors.both(options.program, options.shards)
    return [ours] if more or options.without_mosquitto else [ours, mosquitto]


def main():
    options = arguments()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < options.connections + 1000:
        options.connections = hard - 1000
        print(f'only {options.connections} connections: a process may have {hard} descriptors')
    table, load = [], [os.getloadavg()[0]]
    print(HEAD)
    with doors.workplace() as folder:
        for attack in attacks(options):
            if options.only and options.only not in attack[0]:
                continue
            for server in servers_of(options, attack[3]):
                if 'proxy' in attack[1] and not server.is_ours:
                    continue
                table.append(row_of(options, folder, server, attack))
                print(table[-1], flush=True)
    load.append(os.getloadavg()[0])
    if not options.no_page:
        write_page(page_of(options, table, load))


if __name__ == '__main__':
    main()
