# SPDX-License-Identifier: Apache-2.0
"""libnightjar as it ships: its names, its header in C and C++, and an installed tree that a program
builds against with pkg-config."""
import os
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get('NIGHTJAR', TOP / 'build' / 'nightjar')).parent
HEADER = TOP / 'include' / 'nightjar' / 'client.h'
SHARED = BUILD / 'src' / 'client' / 'libnightjar.so'
STATIC = BUILD / 'src' / 'client' / 'libnightjar.a'
WARNINGS = ['-Wall', '-Wextra', '-pedantic', '-Werror']

# What macros expand to is only seen where they are used.
USER = '''
#include <nightjar/client.h>
static const struct nj_property properties[] = {NJ_NUMBER(NJ_MESSAGE_EXPIRY_INTERVAL, 60),
	NJ_TEXT(NJ_CONTENT_TYPE, "text/plain"), NJ_USER("name", "value")};
int use(void);
int use(void)
{
	struct nj_options options = NJ_OPTIONS_INIT;
	nj_client *client;
	options.properties = properties;
	return nj_new(&options, &client);
}
'''


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout


def declared():
    """The functions of the header, and of what it includes."""
    texts = ''.join(page.read_text() for page in HEADER.parent.glob('*.h'))
    return set(re.findall(r'^NJ_API .*?\b(nj_\w+)\(', texts, re.MULTILINE))


def defined_in(*command):
    return {line.split()[-1] for line in run('nm', '--defined-only', *command).splitlines()
            if len(line.split()) == 3}


def test_shared_library_shows_the_header_and_nothing_else():
    assert declared()
    assert defined_in('-D', SHARED) == declared()


def test_static_library_shows_the_header_and_nothing_else():
    assert defined_in('-g', STATIC) == declared()


def test_manual_page_names_every_function():
    named = set(re.findall(r'^\.B[IR]? +(nj_\w+)', (TOP / 'man' / 'nightjar.3').read_text(),
                           re.MULTILINE))
    assert named == declared()


def test_every_call_is_made_under_the_thread_sanitizer():
    used = (TOP / 'tests' / 'unit' / 'client' / 'every_call_test.c').read_text()
    assert set(re.findall(r'\b(nj_\w+)\(', used)) >= declared()


def test_shared_library_has_a_version():
    assert 'Library soname: [libnightjar.so.0]' in run('readelf', '-d', SHARED)


@pytest.mark.parametrize('compiler, language', [
    ('gcc', '-std=c99'), ('clang', '-std=c99'), ('g++', '-std=c++17'), ('clang++', '-std=c++17')])
def test_header_compiles(compiler, language, tmp_path):
    source = tmp_path / ('user.cc' if '++' in compiler else 'user.c')
    source.write_text(USER)
    run(compiler, language, *WARNINGS, f'-I{HEADER.parents[1]}', '-c', source,
        '-o', tmp_path / 'user.o')


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    root = tmp_path_factory.mktemp('installed')
    run('meson', 'install', '-C', BUILD, '--no-rebuild', '--quiet', '--destdir', root)
    return root


@pytest.mark.parametrize('is_static', [False, True], ids=['shared', 'static'])
def test_program_builds_against_what_is_installed(installed, is_static, tmp_path):
    page, = installed.rglob('nightjar.pc')
    environment = {**os.environ, 'PKG_CONFIG_LIBDIR': str(page.parent),
                   'PKG_CONFIG_SYSROOT_DIR': str(installed)}
    words = run('pkg-config', '--cflags', '--libs', *['--static'] * is_static, 'nightjar',
                env=environment).split()
    link = ['-Wl,-Bstatic', *words, '-Wl,-Bdynamic'] if is_static else words
    program = tmp_path / 'publish'
    run('gcc', '-std=gnu99', *WARNINGS, TOP / 'examples' / 'publish.c', *link, '-o', program)
    library = '' if is_static else str(page.parents[1])
    done = subprocess.run([program], capture_output=True, text=True, check=False,
                          env={**os.environ, 'LD_LIBRARY_PATH': library})
    assert done.returncode == 2
    assert done.stderr.startswith('usage: publish')
