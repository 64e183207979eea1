#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures libnightjar beside libmosquitto and Paho C, and writes its part of docs/BENCH_CLIENT.md.

Each library is used by a small C program of the same shape (tests/bench/library/): the programs
take turns against one broker, and each says what CPU time it took for itself.
"""
import argparse
import datetime
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import report
import servers as peers

TOP = Path(__file__).resolve().parents[2]
SOURCES = TOP / 'tests' / 'bench' / 'library'
PAGE = TOP / 'docs' / 'BENCH_CLIENT.md'
# What this program writes of the page lies between these lines.
BEGIN = '<!-- written by tests/bench/library.py: begin -->'
END = '<!-- written by tests/bench/library.py: end -->'
REPETITIONS = 5
RUN_SECONDS_MAX = 60
# Connections in one process, to see what each takes. Paho makes one in a second, and slower ones
# the more there are.
HELD_CLIENTS = {'libnightjar': 201, 'libmosquitto': 201, 'Paho C': 5}
AIM_ROW = 'QoS 1, 100 in flight'
AIM = 5


class Library:
    def __init__(self, name, package, source, link):
        self.name = name
        self.package = package  # Debian's, or None for ours
        self.source = source
        self.link = link        # (folder of our build) -> words for the compiler


LIBRARIES = [
    Library('libnightjar', None, 'with_nightjar.c', lambda build: [
        f'-I{TOP / "include"}', f'-L{build / "src" / "client"}',
        f'-Wl,-rpath,{build / "src" / "client"}', '-lnightjar']),
    Library('libmosquitto', 'libmosquitto-dev', 'with_mosquitto.c', lambda build: ['-lmosquitto']),
    Library('Paho C', 'libpaho-mqtt-dev', 'with_paho.c',
            lambda build: ['-lpaho-mqtt3a', '-pthread']),
]
OURS = LIBRARIES[0].name


class Row:
    def __init__(self, name, mode, qos, count, in_flight):
        self.name = name
        self.words = [mode, '{host}', '{port}', str(qos), str(count), str(in_flight)]

    def command(self, program, port):
        return [str(program), *(word.format(host='127.0.0.1', port=port) for word in self.words)]


def all_rows(scale):
    rows = [Row(f'QoS {qos}, one at a time', 'wait', qos, 5000 // scale, 1) for qos in range(3)]
    rows += [Row(f'QoS {qos}, {window} in flight', 'flow', qos, 30000 // scale, window)
             for window in (20, 100) for qos in range(3)]
    rows += [Row(f'QoS {qos}, there and back, 20 in flight', 'echo', qos, 2000 // scale, 20)
             for qos in range(3)]
    return rows


def arguments():
    parser = argparse.ArgumentParser(prog='./nightjar.sh bench --library',
                                     description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--quick', action='store_true',
                        help='a tenth of the messages, once; writes no page')
    parser.add_argument('--row', action='append', metavar='TEXT',
                        help='only the rows whose name contains TEXT; writes no page')
    parser.add_argument('--build', type=Path, default=TOP / 'build', metavar='PATH',
                        help='where nightjar was built (build)')
    parser.add_argument('--check', action='store_true', help='exit status 1 when the aim is missed')
    return parser.parse_args()


def compile_programs(build, folder):
    """{library: program}"""
    programs = {}
    for library in LIBRARIES:
        program = folder / Path(library.source).stem
        command = ['cc', '-O2', '-Wall', '-Wextra', str(SOURCES / library.source), '-o',
                   str(program), *library.link(build)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(done.stderr, file=sys.stderr)
            sys.exit(f'library.py: cannot compile {library.source}; ./nightjar.sh bench --library '
                     'installs what it needs')
        programs[library.name] = program
    return programs


def run_once(row, library, program, port):
    done = subprocess.run(row.command(program, port), capture_output=True, text=True,
                          timeout=RUN_SECONDS_MAX, check=False)
    if done.returncode != 0:
        sys.exit(f'library.py: {library}: {row.name}: {done.stderr.strip()}')
    return json.loads(done.stdout)


def measure(rows, programs, port, repetitions):
    """{(row, library): [result, ...]}"""
    results = {}
    for turn in range(repetitions):
        print(f'turn {turn + 1} of {repetitions}', flush=True)
        for row in rows:
            for name, program in programs.items():
                result = run_once(row, name, program, port)
                results.setdefault((row.name, name), []).append(result)
    return results


def cost_us(results):
    return median(r['cpu_us'] / r['count'] for r in results)


def rate(results):
    return median(r['count'] / r['seconds'] for r in results)


def ratio(row, results):
    """How many times less CPU than the better of the others."""
    others = [cost_us(results[row.name, lib.name]) for lib in LIBRARIES if lib.name != OURS]
    return min(others) / max(cost_us(results[row.name, OURS]), 1e-6)


def us_text(us):
    return f'{us:.2f} µs' if us < 10 else f'{us:.1f} µs'


def result_tables(rows, results):
    names = [lib.name for lib in LIBRARIES]
    lines = []
    for row in rows:
        cells = [us_text(cost_us(results[row.name, name])) for name in names]
        lines.append([row.name, *cells, f'{ratio(row, results):.1f} times'])
    yield from report.table(['CPU time for a message', *names, 'less than the better'], lines)
    yield ''
    lines = [[row.name, *(f'{rate(results[row.name, name]):,.0f}' for name in names)]
             for row in rows]
    yield from report.table(['messages a second', *names], lines)


# --- size and memory ---

def sections(*paths):
    """Bytes of code and constants, bytes of data."""
    said = subprocess.run(['size', *map(str, paths)], capture_output=True, text=True, check=True)
    lines = [line.split() for line in said.stdout.splitlines()[1:]]
    return sum(int(line[0]) for line in lines), sum(int(line[1]) + int(line[2]) for line in lines)


def small_build(folder):
    """A build for size, without link-time optimisation, so that its parts can be told apart."""
    words = [str(folder), str(TOP), '--buildtype=minsize', '-Db_lto=false', '-Dtests=false',
             '-Dwerror=false']  # -Os warns of more than it knows
    for command in (['meson', 'setup', *words],
                    ['ninja', '-C', str(folder), 'src/client/libnightjar.a']):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f'library.py: {" ".join(command)}: {done.stdout[-500:]}{done.stderr[-500:]}')


def parts_of(folder):
    """{folder of src: its object files that are in the library}: as the linker says."""
    said = subprocess.run(['ninja', '-C', str(folder), '-t', 'commands', 'src/client/libnightjar.a'],
                          capture_output=True, text=True, check=True).stdout
    first, *others = said.splitlines()[-1].split(' -- ')[1].split()
    command = ['cc', '-r', '-nostdlib', '-o', 'all.o', '-Wl,--trace', '-Wl,--whole-archive', first,
               '-Wl,--no-whole-archive', '-Wl,--start-group', *others, '-Wl,--end-group']
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout
    parts = {}
    for path in sorted(set(re.findall(r'\S*src/\w+/lib\w+\.a\.p/\S+\.o', said))):
        parts.setdefault(re.search(r'src/(\w+)/lib', path).group(1), []).append(folder / path)
    return parts


def kib(count):
    return f'{count / 1024:.1f} KiB'


def shared_object(program, pattern):
    said = subprocess.run(['ldd', str(program)], capture_output=True, text=True, check=True).stdout
    return Path(re.search(rf'{pattern}\S* => (\S+)', said).group(1)).resolve()


def size_table(build, programs, folder):
    lines = []
    small_build(folder)
    for part, objects in parts_of(folder).items():
        lines.append([f'`src/{part}`', *map(kib, sections(*objects))])
    small = folder / 'src' / 'client' / 'libnightjar.a'
    lines.append(['libnightjar.a, built for size', *map(kib, sections(small))])
    for name in ('libnightjar.a', 'libnightjar.so'):
        release = (build / 'src' / 'client' / name).resolve()
        lines.append([f'{name}, as `./nightjar.sh build` makes it', *map(kib, sections(release))])
    for name, pattern in (('libmosquitto', 'libmosquitto'), ('Paho C', 'libpaho-mqtt3a')):
        path = shared_object(programs[name], pattern)
        lines.append([f'{path.name}, Debian\'s', *map(kib, sections(path))])
    return report.table(['', 'code and constants', 'data'], lines)


def measure_memory(programs, port):
    """{library: bytes of each connection}"""
    return {name: run_once(Row('a connection', 'hold', 1, HELD_CLIENTS[name], 1), name, program,
                           port)['bytes_each']
            for name, program in programs.items()}


def memory_text(held):
    return ', '.join(f'{name} {kib(value)} (of {HELD_CLIENTS[name] - 1})'
                     for name, value in held.items())


# --- the page ---

def package_version(package):
    said = subprocess.run(['dpkg-query', '-W', '-f=${Version}', package], capture_output=True,
                          text=True, check=False)
    return said.stdout or 'of unknown version'


def page(rows, results, held, sizes, busy):
    date = datetime.datetime.now(datetime.timezone.utc).strftime('%Y-%m-%d')
    others = ' and '.join(f'{lib.name} {package_version(lib.package)}'
                          for lib in LIBRARIES if lib.package)
    yield f'Written by `./nightjar.sh bench --library` on {date}, on one machine: ' \
          f"{report.machine_text()}. The others are Debian's {others}. Before the start others " \
          f'used {100 * busy:.0f} % of the cores.'
    yield ''
    yield 'Each library is used by a small C program of the same shape (`tests/bench/library/`), ' \
          'compiled with -O2: MQTT 3.1.1, 64-byte payloads, a clean session, the same number of ' \
          'messages and the same window for all. The broker is ours, one shard, in memory only, so ' \
          'that the client is what is measured. The figures are medians of ' \
          f'{max(map(len, results.values()))} runs, the libraries in turn. CPU time is what ' \
          '`getrusage` says of the process between CONNACK and the last message done: all threads, ' \
          'user and system.'
    yield ''
    yield '- *One at a time*: publish, wait until it is done (QoS 0: written), publish the next.'
    yield '- *In flight*: whenever one is done, its callback publishes the next.'
    yield '- *There and back*: to a topic that the client subscribes to; done when it has come back.'
    yield ''
    yield 'All three are used as shared libraries. libnightjar and libmosquitto run in the main thread, ' \
          'libmosquitto with TCP_NODELAY, ' \
          'which libnightjar sets by itself. With `mosquitto_loop_start` libmosquitto takes about ' \
          'as much CPU time. Paho C is used through MQTTAsync with its threads; it has no option for ' \
          'TCP_NODELAY, and so waits for delayed acknowledgements of TCP where it answers and ' \
          'publishes at once. Its MQTTClient would sleep 100 ms beside each message that is waited ' \
          'for. Their windows are set to the same as ours.'
    yield ''
    yield '## CPU time and throughput'
    yield ''
    yield from result_tables(rows, results)
    yield ''
    times = ratio(next(row for row in rows if row.name == AIM_ROW), results)
    yield f'The aim is {AIM} times less CPU than the better of the others at {AIM_ROW}: ' \
          f'{times:.1f} times, {"met" if times >= AIM else "**missed**"}.'
    yield ''
    yield '## Size'
    yield ''
    yield from sizes
    yield ''
    yield 'The parts are the object files that the linker takes into the library: `src/io` has the TLS, ' \
          '`src/access` SCRAM, `src/journal` the store on disk. libnightjar and libmosquitto need libssl ' \
          'and libcrypto besides, which are not counted.'
    yield ''
    yield 'Memory that a further connection takes in a process that has one, after a message of ' \
          f'QoS 1 (private pages): {memory_text(held)}. libnightjar and libmosquitto run without ' \
          'threads here, Paho C with the two that all its clients share.'
    yield ''
    yield 'All of it again: `./nightjar.sh bench --library`, three to four minutes; `--quick` takes ' \
          'less, and leaves this page alone.'


def write_page(lines):
    text = PAGE.read_text(encoding='utf-8') if PAGE.exists() else \
        f'# The client library, measured\n\n{BEGIN}\n{END}\n'
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f'{before}{BEGIN}\n\n' + '\n'.join(lines) + f'\n\n{END}{after}',
                    encoding='utf-8')
    print(f'written: {PAGE.relative_to(TOP)}')


def aim_is_met(rows, results):
    for row in rows:
        if row.name == AIM_ROW and ratio(row, results) < AIM:
            print(f'missed: {row.name}: {ratio(row, results):.1f} times, aim {AIM} times')
            return False
    return True


def main():
    options = arguments()
    build = options.build.resolve()
    if not (build / 'src' / 'client' / 'libnightjar.a').is_file():
        sys.exit(f'library.py: there is no libnightjar.a in {build}: ./nightjar.sh build makes it')
    rows = [row for row in all_rows(10 if options.quick else 1)
            if any(text in row.name for text in options.row or [''])]
    if not rows:
        sys.exit('library.py: no row has such a name')
    busy = report_busy()
    is_whole = not options.quick and not options.row
    repetitions = 1 if options.quick else REPETITIONS
    with tempfile.TemporaryDirectory(prefix='nightjar-library-') as name:
        folder = Path(name)
        programs = compile_programs(build, folder)
        with peers.running(peers.nightjar(build / 'nightjar', 1)) as (port, _):
            results = measure(rows, programs, port, repetitions)
            held = measure_memory(programs, port) if is_whole else None
        print('\n'.join(result_tables(rows, results)))
        if is_whole:
            sizes = list(size_table(build, programs, folder / 'size'))
            write_page(page(rows, results, held, sizes, busy))
    return 0 if aim_is_met(rows, results) or not options.check else 1


def report_busy():
    busy = report.busy_share()
    if busy > report.BUSY_MAX:
        print(f'this machine is busy ({100 * busy:.0f} % of its cores): the figures will be off')
    return busy


if __name__ == '__main__':
    sys.exit(main())
