# SPDX-License-Identifier: Apache-2.0
"""What the pages say of the tree is there: files, and names in the code."""
import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
PAGES = ['README.md', 'CONTRIBUTING.md', 'docs/ARCHITECTURE.md']
FILE = re.compile(r'^[\w.-]+(/[\w.-]+)*\.(c|h|py|md|txt|sh)$')
FOLDER = re.compile(r'^[\w.-]+(/[\w.-]+)*/$')
NAME = re.compile(r'^[A-Za-z]+(_[A-Za-z0-9]+)+$')


def quoted_in(text):
    """Words in backticks, outside of blocks of code."""
    text = re.sub(r'^```.*?^```', '', text, flags=re.MULTILINE | re.DOTALL)
    return {word for quote in re.findall(r'`([^`]+)`', text) for word in quote.split()}


def missing_from(words, top):
    """Those of the words that name a file, folder or identifier which is not there."""
    source = '\n'.join(p.read_text() for p in sorted((top / 'src').rglob('*.[ch]')))
    names = set(re.findall(r'\w+', source))
    missing = []
    for word in sorted(words):
        if FILE.match(word) or FOLDER.match(word):
            if not ((top / word).exists() or (top / 'src' / word).exists()):
                missing.append(word)
        elif NAME.match(word) and word not in names:
            missing.append(word)
    return missing


# "`name` (`folder/file.c`" and "`name`, `folder/file.c`": where the page says that a name stands.
PLACE = re.compile(r'`([A-Za-z]+(?:_[A-Za-z0-9]+)+)`(?: \(|, )`([\w/.-]+\.[ch])`')


def misplaced_in(text, top):
    """Names that the text says to be in a file which does not hold them."""
    return [f'{name} in {file}' for name, file in PLACE.findall(text)
            if not re.search(rf'\b{name}\b', (top / 'src' / file).read_text())]


@pytest.mark.parametrize('page', PAGES)
def test_page_says_where_names_stand(page):
    assert misplaced_in((TOP / page).read_text(), TOP) == []


@pytest.mark.parametrize('page', PAGES)
def test_page_names_what_exists(page):
    words = quoted_in((TOP / page).read_text())
    # Of other places: build outputs, and other people's programs and files.
    elsewhere = {'build-test/', 'build-test/hunt/', 'mosquitto.conf', 'mosquitto_pub',
                 'mosquitto_sub', 'snake_case', '_out', 'x.h', 'x.c', 'x_test.c', 'noun_verb'}
    assert missing_from(words - elsewhere, TOP) == []


def test_missing_file_and_name_are_found(tmp_path):
    (tmp_path / 'src' / 'base').mkdir(parents=True)
    (tmp_path / 'src' / 'base' / 'a.c').write_text('int there_is;\n')
    words = quoted_in('See `base/a.c`, `base/b.c`, `there_is`, `was_once` and `src/base/`, `gone/`.')
    assert missing_from(words, tmp_path) == ['base/b.c', 'gone/', 'was_once']


def test_name_in_another_file_is_found(tmp_path):
    (tmp_path / 'src' / 'base').mkdir(parents=True)
    (tmp_path / 'src' / 'base' / 'a.c').write_text('int there_is;\n')
    text = '`there_is` (`base/a.c`), (`was_once`, `base/a.c`)'
    assert misplaced_in(text, tmp_path) == ['was_once in base/a.c']
