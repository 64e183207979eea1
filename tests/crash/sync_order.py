#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Shows, from the system calls of a running broker, that no acknowledgement leaves before its message
is on stable storage, and how many messages share one sync.

    sync_order.py [--messages N] [--connections K] [--setting LINE ...] PROGRAM

Runs PROGRAM under strace with a new store. Publishers send messages that can be told apart; in the
trace each PUBACK (PUBREC) must begin to leave after the write of its message to a file opened with
O_DSYNC has returned, or after a later fdatasync of that file has. Status 0: so it was; 1: one left
too early; 77: strace cannot be used here.
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'e2e'))

from support import packets as p  # noqa: E402
from support.client import Client  # noqa: E402
from support.process import eventually  # noqa: E402

SKIPPED = 77
TRACED = ('openat,write,writev,pwrite64,pwritev,pwritev2,fsync,fdatasync,sendto,sendmsg,'
          'io_uring_enter')
CALL = re.compile(r'^(\d+\.\d+) (\w+)\((.*)\) += (-?\d+).*<(\d+\.\d+)>$', re.DOTALL)
PATH = re.compile(r'^(\d+)<([^>]*)>')
DATA = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
TOKEN = re.compile(rb'token-(\d{5})-')


def plain(text):
    """What strace writes as \\x2f and so on; paths too."""
    return bytes.fromhex(text.replace('\\x', ''))


class Call:
    """One system call: when it began and ended, on what, with which bytes."""

    def __init__(self, match):
        self.began = float(match[1])
        self.ended = self.began + float(match[5])
        self.name = match[2]
        self.result = int(match[4])
        path = PATH.match(match[3])
        self.descriptor = int(path[1]) if path else -1
        self.path = plain(path[2]).decode(errors='replace') if path else ''
        self.text = match[3]

    def data(self):
        return b''.join(plain(part) for part in DATA.findall(self.text))


def calls(folder):
    """All calls of all threads, in the order in which they ended."""
    found = []
    for path in folder.glob('trace.*'):
        for line in path.read_text(errors='replace').splitlines():
            match = CALL.match(line)
            if match:
                found.append(Call(match))
    return sorted(found, key=lambda call: call.ended)


def durable_times(found, store):
    """{message: when it was on stable storage}, and the number of syncs that did it."""
    synced, pending, durable, syncs = set(), {}, {}, 0
    for call in found:
        if call.name == 'openat':
            synced.discard(call.result)
            if re.search(r'O_D?SYNC', call.text):
                synced.add(call.result)
            continue
        if not call.path.startswith(str(store)) or call.result < 0:
            continue
        if call.name in ('write', 'writev', 'pwrite64', 'pwritev', 'pwritev2'):
            tokens = {int(token) for token in TOKEN.findall(call.data())}
            if call.descriptor in synced:
                fresh = tokens - durable.keys()
                durable.update({token: call.ended for token in fresh})
                syncs += bool(fresh)
            else:
                pending.update({t: (call.path, call.ended) for t in tokens if t not in pending})
        elif call.name in ('fsync', 'fdatasync'):
            fresh = {t for t, (path, ended) in pending.items()
                     if path == call.path and ended <= call.began and t not in durable}
            durable.update({token: call.ended for token in fresh})
            syncs += bool(fresh)
    return durable, syncs


def acknowledgement_times(found):
    """{packet id: when its PUBACK or PUBREC began to leave}."""
    left = {}
    for call in found:
        if call.name not in ('sendto', 'sendmsg', 'write', 'writev') or call.result <= 0:
            continue
        if not re.search(r'TCP|socket', call.path):
            continue
        data = call.data()[:call.result]
        while len(data) >= 2:
            whole = 2 + data[1]
            if data[0] in (0x40, 0x50):
                left.setdefault(int.from_bytes(data[2:4], 'big'), call.began)
            data = data[whole:]
    return left


def publish_all(port, first, count, qos):
    """One publisher: all at once, then every answer."""
    client = Client(port, 4)
    client.connect(f'order-{first}', clean=False)
    for number in range(first, first + count):
        client.send(p.publish('order/topic', f'token-{number:05d}-'.encode() + b'x' * 50, qos,
                              number, 4))
    for number in range(first, first + count):
        client.expect(p.PUBACK if qos == 1 else p.PUBREC, packet_id=number)
    client.cut()


def keep_session(port):
    """A session for which the messages have to be kept."""
    client = Client(port, 4)
    client.connect('order-subscriber', clean=False)
    client.subscribe('order/#', qos=2)
    client.disconnect()


def publish(port, connections, messages):
    keep_session(port)
    share = messages // connections
    threads = [threading.Thread(target=publish_all,
                                args=(port, 1 + n * share, share, 1 + n % 2))
               for n in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return connections * share


def port_of(log):
    match = re.search(r'listening on 127\.0\.0\.1:(\d+)', log.read_text())
    return match and int(match[1])


def end_child_of(tracer):
    """Asks the broker to end; strace, which would not pass that on, ends with it."""
    children = Path(f'/proc/{tracer}/task/{tracer}/children')
    for child in children.read_text().split() if children.exists() else ():
        os.kill(int(child), signal.SIGTERM)


def trace(folder, options):
    """Runs the broker under strace while the publishers publish; gives the number of messages."""
    store, log = folder / 'store', folder / 'log'
    (folder / 'broker.conf').write_text('\n'.join(
        ['persistence true', f'persistence_location {store}', *options.setting,
         *(['user root'] if os.geteuid() == 0 else []), '']))
    with log.open('wb') as out:
        tracer = subprocess.Popen(
            ['strace', '-ff', '-ttt', '-T', '-y', '-xx', '-s', '8000000', '-e', f'trace={TRACED}',
             '-o', folder / 'trace', options.program, 'broker', '-p', '0', '-c',
             folder / 'broker.conf'], stderr=out, stdout=out)
    try:
        def look():
            assert tracer.poll() is None or port_of(log), log.read_text()
            return port_of(log)
        return publish(eventually(look), options.connections, options.messages)
    finally:
        end_child_of(tracer.pid)
        tracer.wait(60)


def judge(folder, count):
    found = calls(folder)
    durable, syncs = durable_times(found, folder / 'store')
    left = acknowledgement_times(found)
    early = [n for n in range(1, count + 1)
             if n in left and not (n in durable and durable[n] <= left[n])]
    unseen = [n for n in range(1, count + 1) if n not in left]
    print(f'{count} messages, {len(left)} acknowledgements seen, {len(durable)} messages synced '
          f'by {syncs} syncs: {len(durable) / max(1, syncs):.1f} a sync; {len(early)} too early')
    if unseen:
        print(f'the trace shows no acknowledgement of {unseen[:5]}')
    for number in early[:5]:
        print(f'message {number}: acknowledged at {left[number]:.6f}, '
              f'synced at {durable.get(number, "never")}')
    return 1 if early or unseen else 0


def can_trace():
    done = shutil.which('strace') and subprocess.run(
        ['strace', '-o', '/dev/null', 'true'], capture_output=True, check=False)
    return bool(done) and done.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--messages', type=int, default=400)
    parser.add_argument('--connections', type=int, default=8)
    parser.add_argument('--setting', action='append', default=[])
    parser.add_argument('program')
    options = parser.parse_args()
    if not can_trace():
        print('strace cannot be used here')
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix='nightjar-order-') as folder:
        count = trace(Path(folder), options)
        return judge(Path(folder), count)


if __name__ == '__main__':
    sys.exit(main())
