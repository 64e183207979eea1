#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Makes of a store what could stand on its disk after a power cut.

    powercut_apply.py [--seed N] SIDE STORE

SIDE is what powercut.c wrote while the program ran that was then killed. Of all that no sync has
covered each 512-byte sector is old (in any of its versions since the last sync) or new, each size
and each changed name too, by chance from the seed. SIDE is empty afterwards.
"""
import argparse
import random
import struct
from pathlib import Path

HEADER = struct.Struct('<IIQQQQQ')
SECTOR = 512
(FILE, WRITE, WRITTEN, SYNC, SYNCED, CREATED, RENAMED, REMOVED, NAMES_SYNC,
 NAMES_SYNCED) = range(1, 11)


class Change:
    """A write, truncation or allocation: the sectors' old bytes and the file's size before."""

    def __init__(self, event):
        _, self.sectors, self.id, self.inode, self.offset, self.size, self.old = event
        self.has_ended = False
        self.is_durable = False


class Name:
    """A change of names: (what, inode, name, new name)."""

    def __init__(self, what, inode, name, target=None):
        self.what, self.inode, self.name, self.target = what, inode, name, target

    def apply(self, names):
        """Does it, when what it builds on is there."""
        if self.what == CREATED:
            if self.name not in names:
                names[self.name] = self.inode
        elif names.get(self.name) == self.inode:
            del names[self.name]
            if self.what == RENAMED:
                names[self.target] = self.inode


def events(path):
    """What the log holds; a last one that is cut short is left out."""
    data = path.read_bytes()
    at = 0
    while at + HEADER.size <= len(data):
        kind, flag, number, inode, offset, size, length = HEADER.unpack_from(data, at)
        at += HEADER.size
        if at + length > len(data):
            return
        yield kind, flag, number, inode, offset, size, data[at:at + length]
        at += length


class History:
    """What the log tells: changes by file, names that are durable, and those that are not yet."""

    def __init__(self, path):
        self.changes = {}
        self.by_number = {}
        self.syncs = {}
        self.names = {}
        self.pending_names = []
        for event in events(path):
            self.take(event)

    def take(self, event):
        kind, flag, number, inode, _, _, payload = event
        if kind == WRITE:
            change = Change(event)
            self.changes.setdefault(inode, []).append(change)
            self.by_number[number] = change
        elif kind == WRITTEN:
            change = self.by_number[number]
            change.has_ended = True
            change.is_durable = bool(flag)
        elif kind == SYNC:
            self.syncs[number] = [c for c in self.changes.get(inode, ()) if c.has_ended]
        elif kind == SYNCED:
            for change in self.syncs.pop(number):
                change.is_durable = True
        elif kind == NAMES_SYNC:
            self.syncs[number] = len(self.pending_names)
        else:
            self.take_name(kind, number, inode, payload.decode())

    def take_name(self, kind, number, inode, text):
        if kind == FILE:
            self.names[text] = inode
        elif kind == NAMES_SYNCED:
            count = self.syncs.pop(number)
            for change in self.pending_names[:count]:
                change.apply(self.names)
            del self.pending_names[:count]
            # Another sync that has begun meanwhile counted those that are done now.
            for other, begun in self.syncs.items():
                if isinstance(begun, int):
                    self.syncs[other] = max(0, begun - count)
        elif kind == RENAMED:
            self.pending_names.append(Name(RENAMED, inode, *text.split('\0')))
        else:
            self.pending_names.append(Name(kind, inode, text))


def old_sectors(changes):
    """For each sector that is not sure: the contents it may have, beside the present one."""
    sure = set()
    found = {}
    for change in reversed(changes):
        first = change.offset // SECTOR
        span = range(first, first + change.sectors)
        if change.is_durable:
            sure.update(span)
            continue
        for sector in span:
            if sector not in sure:
                at = (sector - first) * SECTOR
                found.setdefault(sector, []).append(change.old[at:at + SECTOR])
    return found


def old_sizes(changes):
    sizes = []
    for change in reversed(changes):
        if change.is_durable:
            break
        sizes.append(change.size)
    return sizes


def age_file(path, changes, chance):
    """Gives the file some old sectors and perhaps an old size."""
    doubtful = old_sectors(changes)
    present = path.stat().st_size
    size = chance.choice(old_sizes(changes) + [present])
    share = chance.choice([0.0, 0.1, 0.5, 0.9, 1.0])
    with path.open('r+b') as file:
        for sector, contents in sorted(doubtful.items()):
            if chance.random() >= share:
                continue
            file.seek(sector * SECTOR)
            file.write(chance.choice(contents).ljust(SECTOR, b'\0'))
        file.truncate(size)
    return len(doubtful)


def age_names(history, chance):
    """The names that the disk knows: those that are sure, and some of the later changes."""
    names = dict(history.names)
    share = chance.choice([0.0, 0.5, 1.0])
    for change in history.pending_names:
        if chance.random() < share:
            change.apply(names)
    return names


def apply(side, store, seed):
    chance = random.Random(seed)
    log = side / 'log'
    if not log.exists():
        return  # killed before it ran a line of its own, or changed anything
    history = History(log)
    names = age_names(history, chance)
    for inode, changes in history.changes.items():
        age_file(side / f'i{inode}', changes, chance)
    for path in store.iterdir():
        path.unlink()
    for name, inode in names.items():
        (store / name).hardlink_to(side / f'i{inode}')
    for path in side.iterdir():
        path.unlink()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('side', type=Path)
    parser.add_argument('store', type=Path)
    options = parser.parse_args()
    apply(options.side, options.store, options.seed)


if __name__ == '__main__':
    main()
