#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""TLS beside Debian's mosquitto: what a message, a handshake and an idle connection cost, and a storm
of reconnects. Both servers have the same certificate and cipher. Writes parts of
docs/BENCH_DOORS.md.
"""
import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import doors
import report
import rows as table
import servers as peers

TOP = doors.TOP
PARTS = ('throughput', 'handshakes', 'idle', 'storm')
# CPU of mosquitto's that ours may take at most.
SHARE_MAX = 0.5
IDLE_BYTES_MAX = 12 * 1024
# So much quieter than the servers and the clients that run: what those suffer is the server's doing.
STORM_NICE = 5
# Seconds of warm-up of the running clients, and of the calm that is measured first.
WARMUP, CALM = 1.0, 3.0


def arguments():
    parser = argparse.ArgumentParser(prog='./nightjar.sh bench --tls',
                                     description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--part', choices=PARTS, action='append', help='only this one (all)')
    parser.add_argument('--seconds', type=float, default=3, help='of each run (3)')
    parser.add_argument('--repetitions', type=int, default=3)
    parser.add_argument('--clients', type=int, default=5000, help='of storm and idle (5000)')
    parser.add_argument('--program', type=Path, default=TOP / 'build' / 'nightjar')
    parser.add_argument('--generator', type=Path, help='the nightjar that makes the load (the same)')
    parser.add_argument('--no-page', action='store_true', help='print, and write nothing')
    parser.add_argument('--check', action='store_true', help='exit status 1 when an aim is missed')
    return parser.parse_args()


class Measurement:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.missed = []

    def run(self, server, words, *, key='ecdsa', websocket=False):
        port = peers.free_port()
        lines = doors.listener(port, key=key, websocket=websocket, folder=self.folder)
        if websocket:  # mosquitto ends when it has no other
            lines += doors.listener(peers.free_port())
        tls = self.folder / f'{key}.pem' if key else None
        with doors.running(server, lines, port, self.folder) as pid:
            return doors.measure(self.options.generator, [*words, *(['--ws'] if websocket else [])],
                                 port, pid=pid, tls=tls)

    def in_turn(self, servers, words, repetitions, **more):
        """{name: [result, ...]}"""
        results = {server.name: [] for server in servers}
        for _ in range(repetitions):
            for server in servers:
                results[server.name].append(self.run(server, words, **more))
        return results

    def compare(self, what, results, key):
        """Cells: theirs, ours with the ratio; an aim that is missed is noted."""
        theirs, *others = results.values()
        peer = report.figure(theirs, key)
        cells = [f'{peer:,.2f} µs ({report.spread_percent(theirs, key):.0f} %)']
        for name, ours in zip(list(results)[1:], others):
            cost = report.figure(ours, key)
            cells.append(f'{cost:,.2f} µs ({report.spread_percent(ours, key):.0f} %), '
                         f'**{cost / peer:.2f}** of its')
            if cost > SHARE_MAX * peer:
                self.missed.append(f'{what}: {name} takes {cost / peer:.2f} of mosquitto\'s CPU')
        return cells


def rate_text(results):
    return f'{report.figure(results, "per_second"):,.0f}/s'


def throughput(m):
    servers = [*doors.both(m.options.program, 1), doors.both(m.options.program)[1]]
    lines = []
    for name, words in (
            ('QoS 0, 1 → 1, pipelined', ['p2p']),
            ('QoS 1, 1 → 1, 100 in flight', ['p2p', '-q', '1', '-w', '100']),
            ('QoS 1, 50 → 50, 10 in flight each', ['p2p', '--pubs', '50', '-q', '1', '-w', '10']),
            ('QoS 0, fan-out 1 → 100', ['fan-out', '--subs', '100']),
            ('QoS 0, sparse 500 → 500, 10,000/s', ['sparse', '--pubs', '500', '-r', '10000'])):
        results = m.in_turn(servers, [*words, '-d', m.options.seconds], m.options.repetitions)
        cells = m.compare(name, results, 'server_cpu_us')
        lines.append([name, *(f'{cell}; {rate_text(r)}'
                              for cell, r in zip(cells, results.values()))])
        print(' | '.join(lines[-1]), flush=True)
    return '\n'.join([
        '## Messages over TLS', '',
        f'`./nightjar.sh bench --tls --part throughput`; {m.load}. TLS 1.3, {doors.CIPHER}, '
        'ECDSA P-256; 64-byte payloads. Processor time for each delivered message (in brackets: '
        f'spread of {m.options.repetitions} runs of {m.options.seconds:g} s), and deliveries in a '
        'second. Aim: at most half of mosquitto\'s.', '',
        *report.table(['load', *(s.name for s in servers)], lines), '',
        'What comes of many small messages leaves in records of up to 16 KiB, all that a turn of the '
        'loop has for a connection in as few as they fit in; mosquitto writes one record for each '
        'packet. Where each message comes alone (sparse), two system calls for each are the larger '
        'part on every server, and how many a turn finds at once depends on how busy the machine '
        'is.'])


def handshakes(m):
    servers = doors.both(m.options.program, 1)
    lines = []
    for name, more, key in (('full, ECDSA P-256', [], 'ecdsa'), ('full, RSA 2048', [], 'rsa'),
                            ('resumed by a ticket, ECDSA P-256', ['--resume'], 'ecdsa')):
        words = ['churn', '--clients', '50', '-d', m.options.seconds, *more]
        results = m.in_turn(servers, words, m.options.repetitions, key=key)
        cells = Measurement(m.options, m.folder).compare(name, results, 'server_cpu_us')
        resumed = [sum(r.get('resumed', 0) for r in rs) / max(1, sum(r['delivered'] for r in rs))
                   for rs in results.values()]
        lines.append([name, *(f'{cell}; {rate_text(r)}' +
                              (f'; {100 * min(share, 1):.0f} % resumed' if more else '')
                              for cell, r, share in zip(cells, results.values(), resumed))])
        print(' | '.join(lines[-1]), flush=True)
    return '\n'.join([
        '## Handshakes', '',
        f'`./nightjar.sh bench --tls --part handshakes`; {m.load}. TLS 1.3, X25519; 50 clients at a '
        'time connect, are accepted by CONNACK, disconnect, and come again: processor time for each '
        'connection from SYN to the end, and connections in a second. A full handshake is a '
        'signature and a key exchange in OpenSSL on both sides, which nobody\'s code makes '
        'cheaper: here nothing is aimed at.', '', *report.table(['handshake', *(s.name for s in servers)], lines)])


def idle_bytes(m, server, words, key, websocket):
    """None when there was no server any more to be asked."""
    try:
        return m.run(server, words, key=key, websocket=websocket)['rss_each']
    except peers.ServerFailed as problem:
        print(f'{server.name}: {problem}', flush=True)
        return None


def idle(m):
    servers = doors.both(m.options.program, 1)
    lines = []
    for name, key, websocket in (('TCP', None, False), ('WebSocket', None, True),
                                 ('TLS', 'ecdsa', False), ('WebSocket over TLS', 'ecdsa', True)):
        words = ['idle', '--clients', m.options.clients, '-d', '0.5', '--warmup', '0.5']
        each = [idle_bytes(m, s, words, key, websocket) for s in servers]
        if name == 'TLS' and (each[1] or IDLE_BYTES_MAX + 1) > IDLE_BYTES_MAX:
            m.missed.append(f'an idle TLS connection takes {each[1]} bytes')
        lines.append([name, *(f'{value:,.0f}' if value else 'it ended' for value in each)])
        print(' | '.join(lines[-1]), flush=True)
    return '\n'.join([
        '## Memory of an idle connection', '',
        f'`./nightjar.sh bench --tls --part idle`; {m.load}. Resident memory of the server, by '
        f'{m.options.clients:,} connections that have said CONNECT and nothing more, bytes for '
        'each. Aim for TLS: at most 12 KiB. What OpenSSL would hold, and why it does not: '
        '`docs/decisions/0018-records-of-tls-1.3-are-ours.md`.', '',
        *report.table(['carrier', *(s.name for s in servers)], lines)])


# --- the storm ---

class Storm:
    """One server under 1,000 running clients, and the many that come back at once."""

    def __init__(self, m, server):
        self.options, self.server = m.options, server
        self.tls = m.folder / 'ecdsa.pem'
        self.port = peers.free_port()
        lines = doors.listener(self.port, key='ecdsa', folder=m.folder)
        with doors.running(server, lines, self.port, m.folder) as pid:
            self.pid = pid
            self.base = doors.socket_count(pid)
            self.measure()

    def running_clients(self, seconds):
        words = ['sparse', '--pubs', 500, '--subs', 500, '-r', 10000, '-d', seconds, '--warmup',
                 WARMUP]
        return doors.generate(self.options.generator, words, self.port, pid=self.pid, tls=self.tls)

    def measure(self):
        count = self.options.clients
        words = ['idle', '--clients', count, '--reconnect', '--warmup', 600, '-d', '0.2']
        crowd = doors.generate(self.options.generator, words, self.port, tls=self.tls,
                               nice=STORM_NICE)
        running = None
        try:
            doors.wait_for_sockets(self.pid, self.base + count)
            self.calm = doors.result_of(self.running_clients(CALM))
            self.kib_before = doors.status_kib(self.pid, 'VmRSS')
            running = self.running_clients(600)
            doors.wait_for_sockets(self.pid, self.base + count + 1000)
            time.sleep(WARMUP)
            os.kill(crowd.pid, signal.SIGUSR1)
            self.crowd = doors.result_of(crowd)
            running.send_signal(signal.SIGINT)
            self.during = doors.result_of(running)
            self.kib_peak = doors.status_kib(self.pid, 'VmHWM')
        finally:
            for process in (crowd, running):
                if process and process.poll() is None:
                    process.kill()
                    process.wait()


def storm_cells(s):
    seconds = s.crowd['max_us'] / 1e6
    return [f'{s.calm["p99_us"] / 1000:.2f} ms', f'{s.during["p50_us"] / 1000:.2f} ms',
            f'**{s.during["p99_us"] / 1000:.2f} ms**', f'{s.during["max_us"] / 1000:.0f} ms',
            f'{s.during["lost"]}', f'{s.crowd["retried"]}', f'{s.crowd["p50_us"] / 1e6:.2f} s', f'**{seconds:.2f} s**',
            f'{s.kib_before / 1024:.0f} MiB', f'{s.kib_peak / 1024:.0f} MiB']


def storm(m):
    servers = [*doors.both(m.options.program, 1), doors.both(m.options.program)[1]]
    titles = ['p99 in the calm', 'p50 in the storm', 'p99 in the storm', 'longest', 'lost',
              'turned away, and came again',
              'half are back after', 'all are back after', 'memory before', 'peak']
    columns = []
    for server in servers:
        try:
            storms = [Storm(m, server)]
        except (peers.ServerFailed, subprocess.TimeoutExpired) as problem:
            print(f'{server.name}: failed: {problem}', flush=True)
            m.missed.append(f'storm: {server.name}: {problem}')
            columns.append(['failed'] * len(titles))
            continue
        columns.append(storm_cells(storms[0]))
        print(f'{server.name}: ' + ', '.join(f'{t} {c}' for t, c in zip(titles, columns[-1])),
              flush=True)
    lines = [[title, *(column[i] for column in columns)] for i, title in enumerate(titles)]
    return '\n'.join([
        '## A storm of reconnects over TLS', '',
        f'`./nightjar.sh bench --tls --part storm`; {m.load}. {m.options.clients:,} clients lose '
        'their connections at one instant and come back at once, with full handshakes (ECDSA '
        'P-256), while 500 publishers and 500 subscribers, over TLS too, exchange 10,000 messages '
        'a second at QoS 0; latency counts from the timetable, in the calm (the crowd is there and '
        'idle), and from the instant of the loss until all are back. The generator of the storm '
        f'runs at nice {STORM_NICE}, for both servers.', '',
        *report.table(['', *(s.name for s in servers)], lines)])


def main():
    options = arguments()
    options.program = options.program.resolve()
    options.generator = (options.generator or options.program).resolve()
    if not options.program.is_file():
        sys.exit(f'tls.py: there is no program {options.program}: ./nightjar.sh build makes it')
    table.raise_descriptor_limit()
    with doors.workplace() as folder:
        m = Measurement(options, folder)
        for part in options.part or PARTS:
            m.load = doors.load_text()
            text = globals()[part](m)
            print(f'\n{text}\n', flush=True)
            if not options.no_page:
                doors.write_part(part, text)
    for line in m.missed:
        print(f'missed: {line}')
    return 1 if m.missed and options.check else 0


if __name__ == '__main__':
    sys.exit(main())
