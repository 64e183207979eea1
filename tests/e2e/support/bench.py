# SPDX-License-Identifier: Apache-2.0
"""`nightjar bench`, run to its end."""

import json

from support.broker import OUR_PROGRAM
from support.process import run


def bench(port, *words):
    """(exit status, the result or None, what was said on standard error)"""
    command = [OUR_PROGRAM, "bench", *map(str, words), "-h", "127.0.0.1", "-p", str(port), "--json"]
    status, out, err = run(command)
    return status, json.loads("".join(out)) if out else None, "\n".join(err)
