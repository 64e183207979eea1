#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the delivery code in one place at a time and lets the explorers find it.

    faults.py [--build FOLDER]          prints the counterexamples; FOLDER holds a build
    faults.py [--build FOLDER] --quiet  prints only their lengths

For each fault the file is copied, one place in it is changed, and the explorer is built with that.
A fault that is not found, or a place that is not there any more, is a failure.
"""
import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
HERE = TOP / 'tests' / 'explore'
COMPILER = os.environ.get('CC', 'cc')
PARTS = ['explore', 'configs', 'world', 'sender', 'receiver', 'check', 'actions', 'search', 'diagram']
BELOW = ['base/base.c', 'base/mem.c', 'base/hash.c']
SESSION = ['delivery.c', 'receive.c', 'send.c']

# What is broken, where, what stands there, what is put there, in which configuration it is found.
FAULTS = [
    ('a QoS 2 duplicate is handed on again', 'session/delivery.c',
     '[RECEIVE_EVENT_QOS_2] = {STEP_SEND_PUBREC,\n', '[RECEIVE_EVENT_QOS_2] = {STEP_DELIVER | STEP_SEND_PUBREC,\n',
     'in 3.1.1 q2 m3 i2 r1'),
    ('PUBREL is not sent again after a reconnect', 'session/delivery.c',
     '[SEND_EVENT_AGAIN] = {STEP_SEND_PUBREL, SEND_WAIT_PUBCOMP}',
     '[SEND_EVENT_AGAIN] = {STEP_IGNORE, SEND_WAIT_PUBCOMP}',
     'in 3.1.1 q2 m3 i2 r1'),
    ('the packet id is free from PUBREC on', 'session/delivery.c',
     '{STEP_FORGET_MESSAGE | STEP_SEND_PUBREL,\n\t\t\t\t\t       SEND_WAIT_PUBCOMP}',
     '{STEP_FORGET_MESSAGE | STEP_SEND_PUBREL | STEP_RELEASE_ID,\n\t\t\t\t\t       SEND_NONE}',
     'in 3.1.1 q2 m3 i2 r2'),
    ('the receiver does not remember a packet id', 'session/delivery.c',
     '{STEP_STORE_ID | STEP_DELIVER | STEP_SEND_PUBREC,', '{STEP_DELIVER | STEP_SEND_PUBREC,',
     'out 3.1.1 q2 m3 i2 r1'),
    ('PUBREL for an unknown packet id is not answered', 'session/delivery.c',
     '[RECEIVE_EVENT_PUBREL] = {STEP_SEND_PUBCOMP_NOT_FOUND, RECEIVE_NONE}',
     '[RECEIVE_EVENT_PUBREL] = {STEP_IGNORE, RECEIVE_NONE}',
     'out 3.1.1 q2 m3 i2 r1'),
    ('the newest is sent again first', 'session/send.c',
     'struct sending *entry = at(s, s->resend);\n\t/* [MQTT-3.3.4-8',
     'struct sending *entry = at(s, s->oldest + s->next - 1 - s->resend);\n\t/* [MQTT-3.3.4-8',
     'in 3.1.1 q1 m3 i2 r2'),
    ('what is sent again is not held to the receive maximum', 'session/send.c',
     'if (s->quota_used >= s->receive_maximum && entry->state != SEND_WAIT_PUBCOMP)',
     'if (s->quota_used > s->receive_maximum && entry->state != SEND_WAIT_PUBCOMP)',
     'in 3.1.1 q1 m3 i2 r2-1'),
    ('what is sent again is not counted', 'session/send.c',
     's->resend++;\n\ts->quota_used++;', 's->resend++;',
     'in 3.1.1 q2 m3 i2 r1'),
    ('PUBREC with an error does not end the exchange', 'session/delivery.c',
     '[SEND_EVENT_PUBREC_ERROR] = {STEP_FORGET_MESSAGE | STEP_RELEASE_ID,\n\t\t\t\t\t\t     SEND_NONE}',
     '[SEND_EVENT_PUBREC_ERROR] = {STEP_IGNORE, SEND_WAIT_PUBREC}',
     'in 5 q2 m3 i2 r1'),
    ('the receiver keeps the packet id of a refused message', 'session/delivery.c',
     '[RECEIVE_EVENT_REFUSED] = {STEP_RELEASE_ID,\n\t\t\t\t\t\t   RECEIVE_NONE}',
     '[RECEIVE_EVENT_REFUSED] = {STEP_IGNORE, RECEIVE_WAIT_PUBREL}',
     'in 5 q2 m3 i2 r1'),
    ('a packet id is given out while its last message is unfinished', 'session/send.h',
     's->oldest < SEND_SPAN_MAX', 's->oldest <= SEND_SPAN_MAX',
     'in 3.1.1 q1+2 m3 i2 r2'),
    ('a packet id is given out before the log knows that its last message is finished', 'explore/sender.c',
     'if (block < 2)', 'if (block < 200)',
     'out 3.1.1 q1+2 m3 i2 r1'),
    # From here on the broker around the tables.
    ('PUBREL leaves before the log knows of PUBREC', 'broker/handle_ack.c',
     'if (is_told && steps & STEP_SEND_PUBREL)', 'if (false && is_told)',
     'relay 3.1.1 q2 m1 r1 cut1 crash1'),
    ('PUBCOMP leaves before the log knows of PUBREL', 'broker/handle_ack.c',
     'if (session->log_id) {', 'if (false && session->log_id) {',
     'relay 3.1.1 q2 m1 r1 cut1 crash1'),
    ('a message for a session that survives does not enter the log', 'broker/publish.c',
     'if (is_wanted)\n\t\treturn true;', 'if (is_wanted)\n\t\treturn false;',
     'relay 3.1.1 q1 m1 r1 cut1 crash1'),
    ('a restart forgets which messages were received', 'broker/apply.c',
     '} else if (s->is_recovering && publisher && command->packet_id) {',
     '} else if (false && publisher) {',
     'relay 3.1.1 q2 m1 r1 cut1 crash1'),
    ('a restart forgets which messages a subscriber has received', 'broker/apply.c',
     'if (session && s->is_recovering)\n\t\twaiting_mark_released',
     'if (false && session)\n\t\twaiting_mark_released',
     'relay 3.1.1 q2 m1 r1 cut1 crash1'),
    ('PUBREL is not sent again after a reconnect', 'broker/deliver.c',
     'if (UNLIKELY(next->flags & QUEUED_RELEASED))', 'if (false)',
     'relay 3.1.1 q2 m1 r1 cut1 crash1'),
]


def changed(name, path, old, new):
    """The text of a source file with one place changed."""
    text = (TOP / ('tests' if path.startswith('explore/') else 'src') / path).read_text()
    if old not in text:
        raise SystemExit(f'{name}: {path} does not say any more: {old}')
    return text.replace(old, new)


def build_tables(folder, path, text, configuration):
    """The explorer of the tables from sources with one of them changed; all of it, in a second."""
    for part in ('src/base', 'src/session', 'tests/explore'):
        shutil.copytree(TOP / part, folder / Path(part).name)
    (folder / path).write_text(text)
    ids = re.search(r' i(\d)', configuration)[1]
    sources = [folder / 'explore' / f'{part}.c' for part in PARTS]
    sources += [folder / part for part in BELOW]
    sources += [folder / 'session' / part for part in SESSION]
    subprocess.run([COMPILER, '-std=gnu17', '-O0', '-D_GNU_SOURCE', f'-DSEND_SPAN_MAX={ids}u',
                    f'-I{folder}', '-o', folder / 'program', *sources], check=True)


def build_relay(folder, path, text, build):
    """The explorer of the broker as it was built, with one file's object in front of the rest."""
    source = folder / Path(path).name
    source.write_text(text)
    commands = json.loads((build / 'compile_commands.json').read_text())
    words = next(shlex.split(c['command']) for c in commands if c['file'].endswith(f'src/{path}'))
    words[words.index('-o') + 1] = str(folder / 'changed.o')
    words[words.index('-c') + 1] = str(source)
    words[words.index('-MF') + 1] = str(folder / 'changed.d')
    subprocess.run([*words, '-Wno-error'], cwd=build, check=True, capture_output=True)
    lines = subprocess.run(['ninja', '-t', 'commands', 'tests/explore/explore-broker'], cwd=build,
                           check=True, capture_output=True, text=True).stdout.splitlines()
    words = shlex.split(lines[-1])
    words[words.index('-o') + 1] = str(folder / 'program')
    words.insert(words.index('-Wl,--start-group'), str(folder / 'changed.o'))
    subprocess.run(words, cwd=build, check=True)


def explore(fault, build):
    """What an explorer prints about the broken code."""
    name, path, old, new, configuration = fault
    text = changed(name, path, old, new)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if path.startswith('broker/'):
            build_relay(folder, path, text, build)
        else:
            build_tables(folder, path, text, configuration)
        done = subprocess.run([folder / 'program', configuration], capture_output=True, text=True,
                              timeout=300, check=False)
    return name, done.stdout + done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--build', type=Path, default=TOP / 'build')
    parser.add_argument('--quiet', action='store_true')
    options = parser.parse_args()
    found = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, output in pool.map(lambda fault: explore(fault, options.build), FAULTS):
            what = re.search(r'^counterexample of (\d+) steps: (.*)$', output, re.MULTILINE)
            found += what is not None
            print(f'{name}: ' + (f'{what[1]} steps: {what[2]}' if what else f'NOT FOUND\n{output}'))
            if what and not options.quiet:
                print(output[output.index('counterexample'):output.rindex('\n0 good')])
    print(f'{found} of {len(FAULTS)} faults found')
    return 0 if found == len(FAULTS) else 1


if __name__ == '__main__':
    sys.exit(main())
