# SPDX-License-Identifier: Apache-2.0
"""nightjar.sh on machines of our making: its commands for packages are stubs that take notes."""
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
# What the script may use of the real machine; everything else is a stub or absent.
REAL = ['sh', 'cat', 'mktemp', 'mkdir', 'dirname', 'tail', 'env', 'tee', 'chmod', 'rm']
LIBRARIES = ('libxxhash-dev libjansson-dev libssl-dev libargon2-dev libcurl4-openssl-dev '
             'libseccomp-dev')

# What the program is linked with, in the order of nightjar.sh.
LIBRARIES = ('libxxhash-dev libjansson-dev libssl-dev libargon2-dev libcurl4-openssl-dev '
             'libseccomp-dev')


class Machine:
    """A copy of nightjar.sh with a PATH of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / 'bin'
        self.bin.mkdir()
        self.notes = folder / 'notes'
        self.notes.write_text('')
        self.policy = folder / 'policy-rc.d'
        script = (TOP / 'nightjar.sh').read_text()
        assert 'policy=/usr/sbin/policy-rc.d\n' in script
        (folder / 'nightjar.sh').write_text(
            script.replace('policy=/usr/sbin/policy-rc.d\n', f'policy={self.policy}\n'))
        for name in REAL:
            (self.bin / name).symlink_to(shutil.which(name))
        self.stub('systemctl')
        self.stub('apt-get')
        self.stub('id', 'echo 0')
        self.stub('apt-cache')
        self.installed('')

    def stub(self, name, body=':'):
        """A command that notes how it was called, then does `body`."""
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.notes}"\n{body}\n')
        path.chmod(0o755)

    def installed(self, packages):
        self.stub('dpkg-query', f'for p; do :; done; case " {packages} " in '
                  '*" $p "*) printf installed ;; *) exit 1 ;; esac')

    def run(self, *arguments, **environment):
        done = subprocess.run(['sh', self.folder / 'nightjar.sh', *arguments], text=True,
                              capture_output=True, check=False, stdin=subprocess.DEVNULL,
                              env={'PATH': str(self.bin), 'TMPDIR': str(self.folder),
                                   **environment})
        return done.returncode, done.stdout, done.stderr

    def calls(self, command):
        return [line for line in self.notes.read_text().splitlines() if line.startswith(command)]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_unknown_command_is_one_sentence(machine):
    status, out, err = machine.run('fly')
    assert status == 1 and out == ''
    assert err == "nightjar.sh: unknown command 'fly': try ./nightjar.sh help.\n"


def test_help_lists_the_commands(machine):
    status, out, _ = machine.run('help')
    assert status == 0
    for command in ('run', 'build', 'test', 'bench', 'install', 'clean'):
        assert f'\n  {command} ' in out


def test_missing_packages_are_installed_and_named(machine):
    machine.installed('gcc libc6-dev meson pkg-config')
    machine.stub('meson', 'exit 1')
    status, out, _ = machine.run('build')
    assert status == 1
    missing = f'ninja-build {LIBRARIES}'
    assert f'installing {missing} to build nightjar\n' in out
    install, = machine.calls('apt-get')
    assert install.endswith(f'install -y --no-install-recommends {missing}')


def test_command_of_another_origin_needs_no_package(machine):
    machine.stub('cc')
    machine.stub('meson', 'exit 1')
    machine.stub('ninja')
    machine.stub('pkg-config')
    machine.installed(f'libc6-dev {LIBRARIES}')
    machine.run('build')
    assert machine.calls('apt-get') == []


def test_lists_are_fetched_when_a_package_is_unknown(machine):
    machine.stub('apt-cache', 'exit 1')
    machine.stub('meson', 'exit 1')
    machine.run('build')
    update, install = machine.calls('apt-get')
    assert update.endswith(' update') and ' install ' in install


def test_stale_lists_are_fetched_once_and_the_error_is_told(machine):
    machine.stub('apt-get', 'case $* in *install*) echo "E: 404 Not Found" >&2; exit 100 ;; esac')
    status, _, err = machine.run('build')
    assert status == 1
    assert [call.split()[-1] == 'update' for call in machine.calls('apt-get')] == [
        False, True, False]
    assert err.startswith('E: 404 Not Found\n')
    assert err.splitlines()[-1].startswith('nightjar.sh: cannot install gcc ')


def test_services_are_held_back_while_apt_runs(machine):
    machine.stub('apt-get', f'cat "{machine.policy}" >>"{machine.notes}"; exit 100')
    status, _, _ = machine.run('build')
    assert status == 1
    assert 'exit 101' in machine.notes.read_text()
    assert not machine.policy.exists()


def test_policy_of_the_machine_is_left_alone(machine):
    machine.policy.write_text('of the machine')
    machine.run('build')
    assert machine.policy.read_text() == 'of the machine'


def test_user_without_sudo_is_told(machine):
    machine.stub('id', 'echo 1000')
    status, _, err = machine.run('build')
    assert status == 1 and machine.calls('apt-get') == []
    assert err.startswith('nightjar.sh: needs gcc ') and err.count('\n') == 1
    assert err.endswith('to build nightjar: run it as root, or install sudo.\n')


def test_user_with_sudo_installs_through_it(machine):
    machine.stub('id', 'echo 1000')
    machine.stub('sudo', '"$@"')
    machine.stub('meson', 'exit 1')
    machine.run('build')
    assert any(' apt-get ' in call for call in machine.calls('sudo'))


def test_system_without_apt_is_told(machine):
    (machine.bin / 'apt-get').unlink()
    status, _, err = machine.run('build')
    assert status == 1 and 'this system has no apt-get' in err and err.count('\n') == 1


def built(machine):
    machine.installed(f'libc6-dev {LIBRARIES}')
    for command in ('cc', 'pkg-config', 'meson', 'ninja', 'ldconfig', 'ln', 'install',
                    'systemd-sysusers'):
        machine.stub(command)
    (machine.folder / 'build').mkdir()
    (machine.folder / 'build' / 'nightjar').touch(0o755)


@pytest.mark.parametrize('is_there', [False, True])
def test_install_leaves_a_configuration_alone(machine, is_there):
    built(machine)
    folder = machine.folder / 'root' / 'etc' / 'nightjar'
    if is_there:
        folder.mkdir(parents=True)
        (folder / 'nightjar.conf').write_text('listener 1883\n')
    status, _, err = machine.run('install', DESTDIR=str(machine.folder / 'root'))
    assert (status, err) == (0, '')
    source = machine.folder / 'packaging' / 'nightjar.conf'
    assert machine.calls('install -m') == (
        [] if is_there else [f'install -m 644 {source} {folder}/nightjar.conf'])
    assert machine.calls('systemd-sysusers') == []  # of another machine's root


NAMES = ['mosquitto_pub', 'mosquitto_sub', 'mosquitto_rr', 'mosquitto_passwd']


@pytest.mark.parametrize('option,names', [([], []), (['--as-mosquitto'], NAMES)])
def test_install_under_other_names(machine, option, names):
    built(machine)
    status, _, err = machine.run('install', *option)
    assert (status, err) == (0, '')
    links = [f'ln -sf nightjar /usr/local/bin/{name}' for name in names]
    if names:
        links.append('ln -sf ../bin/nightjar /usr/local/sbin/mosquitto')
    assert machine.calls('ln ') == links


def test_install_with_an_unknown_option(machine):
    status, _, err = machine.run('install', '--bogus')
    assert status == 1
    assert "'--bogus'" in err
