# SPDX-License-Identifier: Apache-2.0
"""A private copy of the tree in which mutations are built, so that nobody's work is touched."""
import hashlib
import json
import os
import shutil
import subprocess

from mutants import TOP


class Broken(Exception):
    """The copy can't be built."""


def run(command, seconds, environment=None, cwd=None):
    """(exit status or None when the time was over, output). Nothing of it goes on afterwards."""
    with subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=cwd,
                          env={**os.environ, **(environment or {})}, start_new_session=True,
                          text=True, errors='replace') as process:
        try:
            output, _ = process.communicate(timeout=seconds)
            status = process.returncode
        except subprocess.TimeoutExpired:
            end_group(process.pid)
            output, _ = process.communicate()
            status = None
        finally:
            end_group(process.pid)
    return status, output


def end_group(group):
    """What a test that was cut short has left: all that it started is in its own group."""
    try:
        os.killpg(group, 9)
    except ProcessLookupError:
        pass


class Tree:
    """The copy and its one build directory."""

    def __init__(self, work):
        self.top = work / 'tree'
        self.build = work / 'build'

    def take_over(self):
        """Brings the copy to what the tree holds; an unchanged file keeps its time."""
        listed = subprocess.run(['git', '-C', TOP, 'ls-files', '-co', '--exclude-standard'],
                                capture_output=True, text=True, check=True).stdout.splitlines()
        wanted = {name for name in listed if (TOP / name).is_file()}
        for name in sorted(wanted):
            source, target = TOP / name, self.top / name
            if target.exists() and target.read_bytes() == source.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        for path in [path for path in self.top.rglob('*') if path.is_file()]:
            if str(path.relative_to(self.top)) not in wanted:
                path.unlink()
        modules = TOP / 'tests' / 'e2e' / 'node_modules'
        link = self.top / 'tests' / 'e2e' / 'node_modules'
        if modules.is_dir() and not link.exists():
            link.symlink_to(modules)

    def set_up(self):
        """Without debug information: what is mutated is built and linked hundreds of times."""
        if (self.build / 'build.ninja').exists():
            return
        shutil.rmtree(self.build, ignore_errors=True)
        status, output = run(['meson', 'setup', self.build, self.top, '-Doptimization=1',
                              '-Ddebug=false', '-Dwerror=false'], 120, {'CC': 'gcc'})
        if status != 0:
            raise Broken(output)

    def make(self, targets, jobs=1, seconds=900):
        status, output = run(['ninja', '-C', self.build, f'-j{jobs}', *targets], seconds)
        if status != 0:
            raise Broken('\n'.join(output.splitlines()[-30:]))

    def tests(self):
        """What meson knows of: (suite, name, command, targets). They run in the build directory."""
        status, output = run(['meson', 'introspect', '--tests', self.build], 60)
        if status != 0:
            raise Broken(output)
        found = []
        for test in json.loads(output):
            targets = [os.path.relpath(self.build / word, self.build) for word in test['cmd']
                       if (self.build / word).is_file()]
            targets = [target for target in targets if not target.startswith('..')]
            found.append((test['suite'][0].split(':')[-1], test['name'], test['cmd'], targets))
        return found

    def fingerprint(self, targets):
        """Of the programs that a test runs."""
        whole = hashlib.sha256()
        for target in targets:
            whole.update((self.build / target).read_bytes())
        return whole.hexdigest()

    def write(self, name, text):
        (self.top / name).write_text(text)

    def read(self, name):
        return (self.top / name).read_text()
