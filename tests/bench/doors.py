# SPDX-License-Identifier: Apache-2.0
"""What the measurements of doors have in common: certificates, servers with several listeners, and
docs/BENCH_DOORS.md, of which each measurement writes its own part."""
import contextlib
import datetime
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

import report
import servers as peers

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / 'docs' / 'BENCH_DOORS.md'
CIPHER = 'TLS_AES_128_GCM_SHA256'
# A run that takes longer than this is broken.
RUN_SECONDS_MAX = 180

# The same for both; limits raised so that none of them is what is measured.
COMMON = ['user root', 'allow_anonymous true', 'persistence false']
OF_OURS = ['log_dest none']
OF_MOSQUITTO = ['max_queued_messages 0', 'max_inflight_messages 1000', 'log_dest none']
KEYS = {
    'ecdsa': ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
    'rsa': ['-newkey', 'rsa:2048'],
}


def make_certificates(folder):
    """`ecdsa`.pem and `rsa`.pem with keys, each its own authority."""
    for name, words in KEYS.items():
        subprocess.run(['openssl', 'req', '-x509', *words, '-nodes', '-days', '2', '-subj',
                        '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
                        '-keyout', f'{name}.key', '-out', f'{name}.pem'], cwd=folder, check=True,
                       capture_output=True)


def listener(port, *, key=None, websocket=False, folder=None):
    lines = [f'listener {port} 127.0.0.1']
    if websocket:
        lines.append('protocol websockets')
    if key:
        lines += [f'certfile {folder / key}.pem', f'keyfile {folder / key}.key',
                  f'ciphers_tls1.3 {CIPHER}']
    return lines


class Server:
    """`words` begin the command; the configuration is its last word."""

    def __init__(self, name, words, lines=()):
        self.name, self.words, self.lines = name, words, list(lines)

    @property
    def is_ours(self):
        return self.name.startswith('nightjar')


def both(program, shards=None):
    words = [str(program), 'broker', *(['--shards', str(shards)] if shards else []), '-c']
    name = f'nightjar, {shards} shard{"s" if shards > 1 else ""}' if shards else 'nightjar'
    return [Server('mosquitto', [peers.find_mosquitto(), '-c'], OF_MOSQUITTO), Server(name, words, OF_OURS)]


@contextlib.contextmanager
def running(server, lines, port, folder, common=()):
    """Yields its pid. The port is one that it listens on when it is up."""
    path = folder / 'server.conf'
    path.write_text('\n'.join([*(common or COMMON), *server.lines, *lines]) + '\n')
    with open(folder / 'log', 'w+', encoding='utf-8', errors='replace') as log:
        process = subprocess.Popen([*server.words, str(path)], stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, cwd=folder)
        try:
            peers.wait_until_listening(server.name, process, port)
            yield process.pid
        except BaseException:
            log.seek(0)
            print(''.join(log.readlines()[-5:]), end='')
            raise
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def workplace():
    with tempfile.TemporaryDirectory(prefix='nightjar-doors-') as name:
        folder = Path(name)
        make_certificates(folder)
        yield folder


def generate(program, words, port, pid=None, tls=None, nice=0):
    """Starts the generator."""
    command = [str(program), 'bench', *map(str, words), '-h', '127.0.0.1', '-p', str(port),
               '--json', *(['--server-pid', str(pid)] if pid else []),
               *(['--cafile', str(tls)] if tls else [])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            preexec_fn=(lambda: os.nice(nice)) if nice else None)


def result_of(process):
    out, err = process.communicate(timeout=RUN_SECONDS_MAX)
    if process.returncode != 0 and not out:
        raise peers.ServerFailed(err.strip() or f'the generator ended with {process.returncode}')
    return json.loads(out)


def measure(program, words, port, **more):
    return result_of(generate(program, words, port, **more))


def status_kib(pid, name):
    text = Path(f'/proc/{pid}/status').read_text()
    return int(re.search(rf'^{name}:\s*(\d+)', text, re.MULTILINE).group(1))


def socket_count(pid):
    """Open files of the server, listeners and the like included."""
    return len(os.listdir(f'/proc/{pid}/fd'))


# The server may still have had the connection that found it listening when it was first counted.
SOCKETS_ASTRAY = 5


def wait_for_sockets(pid, count, seconds=60):
    count -= SOCKETS_ASTRAY
    deadline = time.monotonic() + seconds
    while socket_count(pid) < count:
        if time.monotonic() > deadline:
            raise peers.ServerFailed(f'only {socket_count(pid)} of {count} connections came')
        time.sleep(0.01)


# --- the page ---

HEAD = '''# Doors, measured

Each part is written by the command that it names, on one machine, the servers taking turns. Processor time is that of the server's process, all threads, user and system; the generator is `nightjar bench` on the same machine.

'''


def load_text():
    return (f'{datetime.date.today()}, {report.machine_text()}; mosquitto '
            f'{peers.mosquitto_version()}, {openssl_version()}; load average at the start '
            f'{os.getloadavg()[0]:.1f}')


def openssl_version():
    said = subprocess.run(['openssl', 'version'], capture_output=True, text=True, check=False)
    return ' '.join(said.stdout.split()[:2])


def write_part(name, text):
    """Puts `text` in the place of the part of that name, or behind the others."""
    begin, end = f'<!-- {name}: begin -->', f'<!-- {name}: end -->'
    part = f'{begin}\n{text.rstrip()}\n{end}\n'
    page = PAGE.read_text() if PAGE.exists() else HEAD
    if begin in page:
        page = re.sub(f'{re.escape(begin)}.*?{re.escape(end)}\n', lambda _: part, page,
                      flags=re.DOTALL)
    else:
        page = page.rstrip('\n') + '\n\n' + part
    PAGE.write_text(page)
    print(f'written: {PAGE.relative_to(TOP)}, {name}')
