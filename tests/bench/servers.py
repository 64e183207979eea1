# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the servers that are measured: each run gets a fresh one on a free port."""
import contextlib
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_SECONDS = 10
STOP_SECONDS = 20

# Limits raised so that none of them is what is measured; nothing is written to disk.
MOSQUITTO_CONFIGURATION = '''\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 0
max_inflight_messages 1000
persistence false
log_dest none
'''


class ServerFailed(Exception):
    """One sentence on what went wrong."""


def find_mosquitto():
    for path in ('/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'):
        if Path(path).exists():
            return path
    return 'mosquitto'


def mosquitto_version():
    said = subprocess.run([find_mosquitto(), '-h'], capture_output=True, text=True, check=False)
    found = re.search(r'version (\S+)', said.stdout)
    return found.group(1) if found else 'of unknown version'


class Server:
    """A kind of server: what it is called, and the command that starts it on a port."""

    def __init__(self, name, command):
        self.name = name
        self.command = command  # (port, folder) -> list of words


def mosquitto():
    def command(port, folder):
        path = Path(folder) / 'mosquitto.conf'
        path.write_text(MOSQUITTO_CONFIGURATION.format(port=port))
        return [find_mosquitto(), '-c', str(path)]
    return Server('mosquitto', command)


def nightjar(program, shards):
    def command(port, folder):
        path = Path(folder) / 'nightjar.conf'
        path.write_text(f'listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n')
        return [str(program), 'broker', '-c', str(path), '--shards', str(shards)]
    return Server(f'nightjar, {shards} shard{"s" if shards > 1 else ""}', command)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_until_listening(name, process, port):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f'{name} ended with status {process.returncode} instead of listening')
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', port), 1):
            return
        time.sleep(0.01)
    raise ServerFailed(f'{name} does not listen after {START_SECONDS} seconds')


def stop(name, process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise ServerFailed(f'{name} did not end within {STOP_SECONDS} seconds of SIGTERM') from None
    if status not in (0, -signal.SIGTERM):
        raise ServerFailed(f'{name} ended with status {status}')


@contextlib.contextmanager
def running(server, parent=None):
    """Yields (port, pid). The server's folder lies in `parent`, and goes with it."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        with open(Path(folder) / 'log', 'w+', encoding='utf-8', errors='replace') as log:
            process = subprocess.Popen(server.command(port, folder), stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, cwd=folder)
            try:
                wait_until_listening(server.name, process, port)
                yield port, process.pid
            except BaseException:
                process.kill()
                process.wait()
                log.seek(0)
                print(''.join(log.readlines()[-5:]), end='')
                raise
            stop(server.name, process)
