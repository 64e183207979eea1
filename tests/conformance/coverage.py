# SPDX-License-Identifier: Apache-2.0
"""Which statements have cases, which are shown elsewhere, and that none is forgotten."""

from tables import PROPERTIES, REASONS, VERSIONS, read

FILES = {"311": "mqtt311.tsv", "5": "mqtt5.tsv"}


def statements():
    """(version, id) of everything the standard wants: numbered, unnumbered, tables' rows."""
    found = {(version, row["id"]) for version, name in FILES.items() for row in read(name)}
    found |= {(row["version"], row["id"]) for row in read("rules.tsv")}
    found |= {("5", row.id) for row in PROPERTIES + REASONS}
    return found


def elsewhere():
    """Statements without a case here, each with the reason."""
    return {(row["version"], row["id"]): row["why"] for row in read("elsewhere.tsv")}


def covered(cases, rules):
    return ({(v, i) for case in cases for v, ids in case.ids.items() for i in ids} |
            {(v, i) for rule in rules for v, ids in rule.ids.items() for i in ids})


def check_statements(cases, rules):
    """None, or which statements are unknown, forgotten or accounted for twice."""
    every, here, there = statements(), covered(cases, rules), set(elsewhere())
    wrong = [("unknown", (here | there) - every), ("forgotten", every - here - there),
             ("have both a case and a reason why not", here & there)]
    told = [f"{words}: {', '.join(' '.join(pair) for pair in sorted(pairs))}"
            for words, pairs in wrong if pairs]
    return "; ".join(told) or None


def summary(cases, rules):
    here = covered(cases, rules)
    lines = []
    for version in VERSIONS:
        numbered = {pair for pair in statements() if pair[0] == version}
        names = "3.1.1" if version == "311" else "5.0"
        lines.append(f"MQTT {names}: {len(numbered & here)} of {len(numbered)} statements have "
                     f"cases here, {len(numbered & set(elsewhere()))} are shown elsewhere")
    return "\n".join(lines)
