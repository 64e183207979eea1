# SPDX-License-Identifier: Apache-2.0
"""The checks of the tree, and the proof that each of them can fail."""
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
SPDX = '/* SPDX-License-Identifier: Apache-2.0 */\n'
FLOORS = '2 session route\n1 mqtt\n0 base\n'


def run_check(script, top):
    """Exit status and printed offences of one check over the tree at `top`."""
    done = subprocess.run([sys.executable, HERE / script, top], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def tree(tmp_path):
    """Writes files below a small house of three floors, whose headers all exist."""
    def write(path, text):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    write('docs/floors.txt', FLOORS)
    for header in ('session/a.h', 'route/b.h', 'mqtt/c.h', 'base/d.h'):
        write(f'src/{header}', SPDX)
    return tmp_path, write


@pytest.mark.parametrize('script', ['floors.py', 'shape.py'])
def test_tree_passes(script):
    status, said = run_check(script, TOP)
    if status != 0:
        pytest.fail(said, pytrace=False)


def test_floors_lower_floor_and_own_folder_pass(tree):
    top, write = tree
    write('src/session/a.c', SPDX + '#include "session/a.h"\n#include "mqtt/c.h"\n'
          '#include "base/d.h"\n#include <string.h>\n')
    assert run_check('floors.py', top) == (0, '')


@pytest.mark.parametrize('path, include, words', [
    ('src/base/x.c', 'mqtt/c.h', 'base (floor 0) may not include mqtt (floor 1)'),
    ('src/session/x.c', 'route/b.h', 'session (floor 2) may not include route (floor 2)'),
    ('src/mqtt/x.h', 'session/a.h', 'mqtt (floor 1) may not include session (floor 2)'),
    ('tests/unit/mqtt/x_test.c', 'session/a.h', 'mqtt (floor 1) may not include session'),
    ('src/mqtt/x.c', 'c.h', 'write it as "folder/file.h"'),
    ('src/mqtt/x.c', '../base/d.h', 'knows no folder ..'),
    ('src/mqtt/x.c', 'base/absent.h', 'no such file'),
    ('src/attic/x.c', 'base/d.h', 'knows no folder attic'),
])
def test_floors_bad_include_is_named(tree, path, include, words):
    top, write = tree
    write(path, f'{SPDX}\n#include "{include}"\n')
    status, said = run_check('floors.py', top)
    assert status == 1
    assert said.startswith(path) and words in said and said.count('\n') == 1


def test_floors_header_of_the_tests_passes(tree):
    top, write = tree
    write('tests/sim/kit/kit.h', SPDX)
    write('tests/sim/kit/kit.c', SPDX + '#include "kit/kit.h"\n#include "session/a.h"\n')
    write('tests/unit/mqtt/given.h', SPDX)
    write('tests/unit/mqtt/c_test.c', SPDX + '#include "given.h"\n#include "kit/kit.h"\n')
    assert run_check('floors.py', top) == (0, '')


def test_floors_include_with_odd_spacing_is_seen(tree):
    top, write = tree
    write('src/base/x.c', SPDX + '  #  include "mqtt/c.h"\n')
    assert run_check('floors.py', top)[0] == 1


def test_shape_missing_licence_is_named(tree):
    top, write = tree
    write('src/base/x.c', 'int x;\n')
    status, said = run_check('shape.py', top)
    assert status == 1 and 'src/base/x.c:1:' in said


def test_shape_licence_behind_interpreter_line_passes(tree):
    top, write = tree
    write('run.sh', '#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n')
    assert run_check('shape.py', top) == (0, '')


@pytest.mark.parametrize('lines, status', [(600, 0), (601, 1)])
def test_shape_file_length_has_a_limit(tree, lines, status):
    top, write = tree
    write('src/base/x.c', SPDX + 'int x;\n' * (lines - 1))
    assert run_check('shape.py', top)[0] == status


@pytest.mark.parametrize('lines, status', [(70, 0), (71, 1)])
def test_shape_function_length_has_a_limit(tree, lines, status):
    top, write = tree
    write('src/base/x.c', SPDX + 'void f(void)\n{\n' + '\tg();\n' * lines + '}\n')
    assert run_check('shape.py', top)[0] == status
