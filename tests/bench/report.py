# SPDX-License-Identifier: Apache-2.0
"""Turns results into the tables of docs/BENCH.md. A result is one JSON object of nightjar bench."""
import datetime
import os
import platform
import re
import time
from pathlib import Path
from statistics import median

# What others may use of the machine's cores before the figures are in doubt.
BUSY_MAX = 0.1


def busy_share(seconds=1):
    """How much of the machine's cores others use now, 0 to 1."""
    def times():
        with open('/proc/stat', encoding='ascii') as stat:
            values = [int(word) for word in stat.readline().split()[1:9]]
        return values[3] + values[4], sum(values)  # idle and waiting for disks; all
    idle_before, all_before = times()
    time.sleep(seconds)
    idle, total = times()
    return 1 - (idle - idle_before) / max(1, total - all_before)


def cost_key(row):
    """The figure that the comparison is about."""
    return 'rss_each' if row.is_idle else 'server_cpu_us'


def figure(results, key):
    return median(r[key] for r in results)


def spread_percent(results, key):
    values = [r[key] for r in results]
    middle = median(values)
    return 100 * (max(values) - min(values)) / middle if middle else 0


def ratio(row, theirs, ours):
    cost = figure(ours, cost_key(row))
    return figure(theirs, cost_key(row)) / cost if cost > 0 else float('inf')


def is_met(row, theirs, ours):
    """None when the row has no aim, or no figure to compare with."""
    if not ours or (row.ratio and not theirs):
        return None
    if row.ratio:
        return ratio(row, theirs, ours) >= row.ratio
    if row.bytes_max:
        return figure(ours, 'rss_each') <= row.bytes_max
    return None


def aim_text(row):
    if row.ratio:
        return f'{row.ratio:g} times'
    if row.bytes_max:
        return f'{row.bytes_max} bytes'
    return ''


def cost_text(row, results):
    if not results:
        return 'failed'
    value = figure(results, cost_key(row))
    if row.is_idle:
        return f'{value:,.0f} bytes'
    return f'{value:.3f} µs' if value < 1 else f'{value:.1f} µs'


def cost_cell(row, theirs, ours):
    text = cost_text(row, ours)
    if not ours or not theirs:
        return text
    met = is_met(row, theirs, ours)
    verdict = '' if met is None else ', met' if met else ', **missed**'
    return f'{text} ({ratio(row, theirs, ours):.1f} times{verdict})'


def time_text(us):
    if us < 1000:
        return f'{us:.0f} µs'
    return f'{us / 1000:.1f} ms' if us < 1e6 else f'{us / 1e6:.2f} s'


def rate_cell(row, results):
    if not results:
        return 'failed'
    if row.is_idle:
        return f'{100 * figure(results, "server_cores"):.2f} % of a core'
    text = f'{figure(results, "per_second"):,.0f}/s'
    text += f'; {time_text(figure(results, "p50_us"))}, {time_text(figure(results, "p99_us"))}'
    lost = sum(r['lost'] for r in results)
    return text + (f'; {lost:,} lost' if lost else '')


def table(head, lines):
    yield '| ' + ' | '.join(head) + ' |'
    yield '|' + ' --- |' * len(head)
    for line in lines:
        yield '| ' + ' | '.join(line) + ' |'


def cost_table(rows, servers, results):
    """`results` is {(row, server): [result, ...]}; the first server is the peer."""
    lines = []
    for row in rows:
        theirs = results[row.name, servers[0].name]
        cells = [cost_text(row, theirs)]
        cells += [cost_cell(row, theirs, results[row.name, s.name]) for s in servers[1:]]
        lines.append([row.name, *cells, aim_text(row)])
    return table(['load', *(s.name for s in servers), 'aim'], lines)


def rate_table(rows, servers, results):
    lines = [[row.name, *(rate_cell(row, results[row.name, s.name]) for s in servers)]
             for row in rows]
    return table(['load', *(s.name for s in servers)], lines)


def machine_text():
    model = re.search(r'^model name\s*:\s*(.*)$', Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    memory_kib = int(re.search(r'MemTotal:\s*(\d+)', Path('/proc/meminfo').read_text()).group(1))
    release = '.'.join(re.findall(r'\d+', platform.release())[:2])
    return (f'{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), '
            f'{memory_kib / 2**20:.0f} GiB of memory, Linux {release}, loopback TCP')


def worst_spread(rows, servers, results):
    return max((spread_percent(results[r.name, s.name], cost_key(r))
                for r in rows for s in servers if results[r.name, s.name]), default=0)


def missed(rows, servers, results):
    """One line per aim that was not reached."""
    for row in rows:
        theirs = results[row.name, servers[0].name]
        for server in servers[1:]:
            ours = results[row.name, server.name]
            if is_met(row, theirs, ours) is False:
                times = f' ({ratio(row, theirs, ours):.1f} times)' if theirs else ''
                yield (f'{row.name}: {server.name}: {cost_text(row, ours)}{times}, '
                       f'aim {aim_text(row)}')


def runs_text(results):
    longest = max(results.values(), key=len)
    seconds = f'{longest[0]["seconds"]:.0f} s'
    if len(longest) == 1:
        return f'Each figure is from one run of {seconds}'
    return f'Each figure is the median of {len(longest)} runs of {seconds}'


def page(rows, servers, results, mosquitto_version, busy):
    """The text of docs/BENCH.md."""
    date = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d')
    yield '# Measured against mosquitto'
    yield ''
    yield (f'Written by `./nightjar.sh bench` on {date}, on one machine: {machine_text()}. The peer '
           f"is Debian's mosquitto {mosquitto_version}, limits raised, without persistence. The load "
           'comes from `nightjar bench`, one thread on the same machine, with 64-byte payloads over '
           f'MQTT 3.1.1. {runs_text(results)}, each with a fresh server, '
           f'the servers in turn. Before the start others used {100 * busy:.0f} % of the cores.')
    yield ''
    yield '## What a message costs the server'
    yield ''
    yield ('CPU time of the server process, all threads, user and system, per delivered message '
           '(per connection for CONNECT); resident memory per connection for idle ones. In brackets: '
           "how many times less than mosquitto's. Sessions and messages are in memory only, on both "
           'sides.')
    yield ''
    yield from cost_table(rows, servers, results)
    yield ''
    if max(map(len, results.values())) > 1:
        yield (f'The runs of one figure lay within {worst_spread(rows, servers, results):.0f} % of '
               'each other at worst.')
        yield ''
    yield '## Delivered per second; latency at the median and at 99 %'
    yield ''
    yield from rate_table(rows, servers, results)
    yield ''
    yield ('Generator and server share the machine, so rates are lower bounds: where the server is '
           'fast, the generator and the loopback are what limits them. Latency at full load is '
           'mostly the time that messages wait in the generator\'s own window. With one message each '
           '50 µs the server is woken for each alone, and what the kernel takes for that is the '
           'larger part on every server; a program that forwards bytes without parsing them takes '
           'four fifths of what mosquitto does. With two shards the hash of the client ids decides '
           'anew in each run whether the publisher and the subscriber of 1 → 1 share one.')
    yield ''
    yield '## Run it again'
    yield ''
    yield '`./nightjar.sh bench` takes seven minutes; `./nightjar.sh bench --quick` one,'
    yield 'prints the tables and leaves this page alone. One load by hand, and your own server: `docs/MEASURING.md`.'
    yield ''
