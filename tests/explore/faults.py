#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the delivery code in one place at a time and lets the explorer find it.

    faults.py          prints the counterexamples
    faults.py --quiet  prints only their lengths

For each fault the delivery code is copied, one place in it is changed, and the explorer is built
with that. A fault that is not found, or a place that is not there any more, is a failure.
"""
import os
import re
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
    ('a QoS 2 duplicate is handed on again', 'delivery.c',
     '[RECEIVE_EVENT_QOS_2] = {STEP_SEND_PUBREC,\n', '[RECEIVE_EVENT_QOS_2] = {STEP_DELIVER | STEP_SEND_PUBREC,\n',
     'in 3.1.1 q2 m3 i2 r1'),
    ('PUBREL is not sent again after a reconnect', 'delivery.c',
     '[SEND_EVENT_AGAIN] = {STEP_SEND_PUBREL, SEND_WAIT_PUBCOMP}',
     '[SEND_EVENT_AGAIN] = {STEP_IGNORE, SEND_WAIT_PUBCOMP}',
     'in 3.1.1 q2 m3 i2 r1'),
    ('the packet id is free from PUBREC on', 'delivery.c',
     '{STEP_FORGET_MESSAGE | STEP_SEND_PUBREL,\n\t\t\t\t\t       SEND_WAIT_PUBCOMP}',
     '{STEP_FORGET_MESSAGE | STEP_SEND_PUBREL | STEP_RELEASE_ID,\n\t\t\t\t\t       SEND_NONE}',
     'in 3.1.1 q2 m3 i2 r2'),
    ('the receiver does not remember a packet id', 'delivery.c',
     '{STEP_STORE_ID | STEP_DELIVER | STEP_SEND_PUBREC,', '{STEP_DELIVER | STEP_SEND_PUBREC,',
     'out 3.1.1 q2 m3 i2 r1'),
    ('PUBREL for an unknown packet id is not answered', 'delivery.c',
     '[RECEIVE_EVENT_PUBREL] = {STEP_SEND_PUBCOMP_NOT_FOUND, RECEIVE_NONE}',
     '[RECEIVE_EVENT_PUBREL] = {STEP_IGNORE, RECEIVE_NONE}',
     'out 3.1.1 q2 m3 i2 r1'),
    ('the newest is sent again first', 'send.c',
     'struct sending *entry = at(s, s->resend);\n\t/* [MQTT-3.3.4-8',
     'struct sending *entry = at(s, s->oldest + s->next - 1 - s->resend);\n\t/* [MQTT-3.3.4-8',
     'in 3.1.1 q1 m3 i2 r2'),
    ('what is sent again is not held to the receive maximum', 'send.c',
     'if (s->quota_used >= s->receive_maximum && entry->state != SEND_WAIT_PUBCOMP)',
     'if (s->quota_used > s->receive_maximum && entry->state != SEND_WAIT_PUBCOMP)',
     'in 3.1.1 q1 m3 i2 r2-1'),
    ('what is sent again is not counted', 'send.c',
     's->resend++;\n\ts->quota_used++;', 's->resend++;',
     'in 3.1.1 q2 m3 i2 r1'),
    ('PUBREC with an error does not end the exchange', 'delivery.c',
     '[SEND_EVENT_PUBREC_ERROR] = {STEP_FORGET_MESSAGE | STEP_RELEASE_ID,\n\t\t\t\t\t\t     SEND_NONE}',
     '[SEND_EVENT_PUBREC_ERROR] = {STEP_IGNORE, SEND_WAIT_PUBREC}',
     'in 5 q2 m3 i2 r1'),
    ('the receiver keeps the packet id of a refused message', 'delivery.c',
     '[RECEIVE_EVENT_REFUSED] = {STEP_RELEASE_ID,\n\t\t\t\t\t\t   RECEIVE_NONE}',
     '[RECEIVE_EVENT_REFUSED] = {STEP_IGNORE, RECEIVE_WAIT_PUBREL}',
     'in 5 q2 m3 i2 r1'),
    ('a packet id is given out while its last message is unfinished', 'send.h',
     's->oldest < SEND_SPAN_MAX', 's->oldest <= SEND_SPAN_MAX',
     'in 3.1.1 q1+2 m3 i2 r2'),
    ('a packet id is given out before the log knows that its last message is finished', 'sender.c',
     'if (block < 2)', 'if (block < 200)',
     'out 3.1.1 q1+2 m3 i2 r1'),
]


def broken_copy(folder, name, file, old, new):
    """src/ as far as the explorer needs it, with one place changed."""
    for part in ('base', 'session'):
        shutil.copytree(TOP / 'src' / part, folder / part)
    shutil.copytree(HERE, folder / 'explore')
    path = next(folder.glob(f'*/{file}'))
    text = path.read_text()
    if old not in text:
        raise SystemExit(f'{name}: {file} does not say any more: {old}')
    path.write_text(text.replace(old, new))


def explore(fault):
    """What the explorer prints about the broken code."""
    name, file, old, new, configuration = fault
    ids = re.search(r' i(\d)', configuration)[1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        broken_copy(folder, name, file, old, new)
        program = folder / 'program'
        sources = [folder / 'explore' / f'{part}.c' for part in PARTS]
        sources += [folder / part for part in BELOW]
        sources += [folder / 'session' / part for part in SESSION]
        subprocess.run([COMPILER, '-std=gnu17', '-O0', '-D_GNU_SOURCE', f'-DSEND_SPAN_MAX={ids}u',
                        f'-I{folder}', '-o', program, *sources], check=True)
        done = subprocess.run([program, configuration], capture_output=True, text=True, timeout=300,
                              check=False)
    return name, done.stdout + done.stderr


def main():
    is_quiet = sys.argv[1:] == ['--quiet']
    found = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, output in pool.map(explore, FAULTS):
            what = re.search(r'^counterexample of (\d+) steps: (.*)$', output, re.MULTILINE)
            found += what is not None
            print(f'{name}: ' + (f'{what[1]} steps: {what[2]}' if what else f'NOT FOUND\n{output}'))
            if what and not is_quiet:
                print(output[output.index('counterexample'):])
    print(f'{found} of {len(FAULTS)} faults found')
    return 0 if found == len(FAULTS) else 1


if __name__ == '__main__':
    sys.exit(main())
