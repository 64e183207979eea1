#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Certificate, authorities, list of revoked certificates, passwords and rules replaced under 1,000
connected clients with traffic: how soon each change holds, and whether anybody else noticed. Writes
a part of docs/BENCH_DOORS.md.
"""
import argparse
import contextlib
import ssl
import subprocess
import sys
import time
from pathlib import Path

import doors
import report
import rows as table
import servers as peers

TOP = doors.TOP
sys.path.insert(0, str(TOP / 'tests' / 'e2e'))

# pylint: disable=wrong-import-position
from support import packets as p  # noqa: E402
from support.certificates import Authority  # noqa: E402
from support.client import Client  # noqa: E402

# Aim: how soon a changed file holds.
EFFECT_SECONDS = 2
NEVER_SECONDS = 20
LOOK_SECONDS = 0.01
COMMON = ['per_listener_settings true', 'user root', 'persistence false']
RIGHTS = 'user fleet\ntopic readwrite bench/#\ntopic readwrite common/#\n'


def arguments():
    parser = argparse.ArgumentParser(prog='./nightjar.sh bench --replace',
                                     description=__doc__.split('\n\n', maxsplit=1)[0])
    parser.add_argument('--rate', type=int, default=2500, help='messages a second of each half (2500)')
    parser.add_argument('--program', type=Path, default=TOP / 'build' / 'nightjar')
    parser.add_argument('--no-page', action='store_true', help='print, and write nothing')
    parser.add_argument('--check', action='store_true', help='exit status 1 when an aim is missed')
    return parser.parse_args()


def put(path, text):
    """A new file in the place of the old one, as careful editors do."""
    new = path.with_suffix('.new')
    new.write_text(text)
    new.rename(path)


class Scene:
    """A broker with a listener for certificates and one for passwords, and what they are made of."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.ours = Authority(folder / 'ours')
        self.theirs = Authority(folder / 'theirs', 'theirs')
        for name in ('server', 'fleet', 'revoked'):
            self.ours.issue(name)
        self.theirs.issue('guest')
        self.authorities = folder / 'authorities.pem'
        put(self.authorities, Path(self.ours.path).read_text())
        self.crl = folder / 'revoked.crl'
        self.list_revoked()
        self.rules, self.passwords = folder / 'rules', folder / 'passwords'
        for user in ('fleet', 'leaver'):
            subprocess.run([options.program, 'passwd', *(() if self.passwords.exists() else ['-c']),
                            '-b', self.passwords, user, 'secret'], check=True, capture_output=True)
        put(self.rules, f'{RIGHTS}topic readwrite narrowed/#\n')
        self.tls_port, self.port = peers.free_port(), peers.free_port()

    def list_revoked(self, *names):
        """Without a list of its own an authority's certificates are not believed."""
        lists = [self.ours.revoke(*names), self.theirs.revoke()]
        put(self.crl, ''.join(Path(path).read_text() for path in lists))

    def lines(self):
        tls = [f'certfile {self.ours.certificate("server")}', f'keyfile {self.ours.key("server")}']
        return [f'listener {self.tls_port} 127.0.0.1', 'allow_anonymous true', *tls,
                f'cafile {self.authorities}', f'crlfile {self.crl}', 'require_certificate true',
                'use_identity_as_username true', f'acl_file {self.rules}',
                f'listener {self.port} 127.0.0.1', 'allow_anonymous false',
                f'password_file {self.passwords}', f'acl_file {self.rules}']

    def traffic(self):
        words = ['sparse', '--pubs', 250, '-q', 1, '-r', self.options.rate, '-d', 600]
        tls = ['--cert', self.ours.certificate('fleet'), '--key', self.ours.key('fleet')]
        program = self.options.program
        return [doors.generate(program, [*words, *tls], self.tls_port, tls=self.ours.path),
                doors.generate(program, [*words, '-u', 'fleet', '-P', 'secret'], self.port)]

    def by_certificate(self, authority, name):
        context = ssl.create_default_context(cafile=self.ours.path)
        context.load_cert_chain(authority.certificate(name), authority.key(name))
        client = Client(self.tls_port, tls=context)
        client.connect()
        return client

    def by_password(self, user):
        client = Client(self.port)
        client.connect(user=user, password='secret')
        return client

    def served_certificate(self):
        context = ssl.create_default_context(cafile=self.ours.path)
        with contextlib.closing(Client(self.tls_port, tls=context).socket) as s:
            return s.getpeercert()['serialNumber']


def until(question):
    """Seconds until it is true."""
    began = time.monotonic()
    while not question():
        if time.monotonic() > began + NEVER_SECONDS:
            return float('inf')
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def has_ended(client):
    """Over TLS, too. What comes before the end is of no interest."""
    client.socket.setblocking(False)
    try:
        while client.socket.recv(65536):
            pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        pass
    return True


def came_in(scene, authority, name):
    try:
        scene.by_certificate(authority, name).cut()
    except (AssertionError, OSError):
        return False
    return True


def replace_certificate(scene):
    before = scene.served_certificate()
    scene.ours.issue('server')
    return until(lambda: scene.served_certificate() != before)


def add_authority(scene):
    assert not came_in(scene, scene.theirs, 'guest')
    put(scene.authorities, Path(scene.ours.path).read_text() + Path(scene.theirs.path).read_text())
    return until(lambda: came_in(scene, scene.theirs, 'guest'))


def remove_authority(scene):
    with scene.by_certificate(scene.theirs, 'guest') as guest:
        put(scene.authorities, Path(scene.ours.path).read_text())
        return until(lambda: has_ended(guest))


def revoke(scene):
    with scene.by_certificate(scene.ours, 'revoked') as client:
        scene.list_revoked('revoked')
        return until(lambda: has_ended(client))


def remove_password(scene):
    with scene.by_password('leaver') as leaver:
        put(scene.passwords, ''.join(line for line in scene.passwords.read_text().splitlines(True)
                                     if not line.startswith('leaver:')))
        return until(lambda: has_ended(leaver))


def remove_rule(scene):
    """From the change to the last message that came by a subscription from before it."""
    with scene.by_password('fleet') as reader, scene.by_password('fleet') as writer:
        reader.subscribe('narrowed/#', 'common/#')
        put(scene.rules, RIGHTS)
        began, last = time.monotonic(), 0
        while time.monotonic() < began + 2 * EFFECT_SECONDS:
            writer.send(p.publish('narrowed/1', b'x') + p.publish('common/1', b'x'))
            while (message := reader.receive()).topic != 'common/1':
                last = time.monotonic() - began
            time.sleep(LOOK_SECONDS)
        return last if message else float('inf')


CHANGES = (
    ('the server\'s certificate and key', 'new connections are shown the new one',
     replace_certificate),
    ('an authority is added', 'its clients come in', add_authority),
    ('an authority is removed', 'its client is disconnected', remove_authority),
    ('the list of revoked certificates', 'whose certificate is in it is disconnected', revoke),
    ('the passwords, without one user', 'he is disconnected', remove_password),
    ('the rules, without one topic', 'subscriptions from before get nothing of it', remove_rule),
)


def end(traffic):
    """What came of those who had no part in it. A disconnect would have ended their generator."""
    for process in traffic:
        process.send_signal(2)
    return [doors.result_of(process) for process in traffic]


def play(scene):
    with doors.running(doors.both(scene.options.program)[1], scene.lines(), scene.port,
                       scene.folder, common=COMMON) as pid:
        base = doors.socket_count(pid)
        traffic = scene.traffic()
        try:
            doors.wait_for_sockets(pid, base + 1000)
            time.sleep(1.5)  # their warm-up
            took = []
            for what, effect, change in CHANGES:
                took.append(change(scene))
                print(f'{what}: {effect}: {took[-1]:.2f} s', flush=True)
                ended = [process for process in traffic if process.poll() is not None]
                if ended:
                    sys.exit(f'replace.py: others noticed: {ended[0].communicate()[1].strip()}')
            return took, end(traffic)
        finally:
            for process in traffic:
                if process.poll() is None:
                    process.kill()
                    process.wait()


def text_of(load, took, results):
    lines = [[what, effect, f'{seconds:.2f} s'] for (what, effect, _), seconds in zip(CHANGES, took)]
    seconds = max(r['seconds'] for r in results)
    delivered = sum(r['delivered'] for r in results)
    lost = sum(r['lost'] + r['unacknowledged'] for r in results)
    return '\n'.join([
        '## Files replaced under load', '',
        f'`./nightjar.sh bench --replace`; {load}. 500 clients over TLS with certificates and 500 '
        'with passwords are connected and exchange messages at QoS 1; single clients stand for those '
        'who lose a right. Seconds from the moment at which the new file is there; a file is looked '
        'at twice a second, and taken when it stands still. Aim: 2 s.', '',
        *report.table(['replaced', 'effect', 'after'], lines), '',
        f'The 1,000 others: none was disconnected, {delivered:,} messages in {seconds:.0f} s, '
        f'{lost} of them lost; 99 % within '
        f'{max(r["p99_us"] for r in results) / 1000:.1f} ms, all within '
        f'{max(r["max_us"] for r in results) / 1000:.0f} ms.'])


def main():
    options = arguments()
    options.program = options.program.resolve()
    table.raise_descriptor_limit()
    with doors.workplace() as folder:
        load = doors.load_text()
        took, results = play(Scene(options, folder))
        text = text_of(load, took, results)
        print(f'\n{text}\n')
        if not options.no_page:
            doors.write_part('replace', text)
    is_missed = max(took) > EFFECT_SECONDS or any(r['lost'] or r['is_broken'] for r in results)
    return 1 if options.check and is_missed else 0


if __name__ == '__main__':
    sys.exit(main())
