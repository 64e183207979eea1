# SPDX-License-Identifier: Apache-2.0
"""
Cases that follow from the tables of properties and reason codes: each property in each packet that
a client sends (once, twice, with a forbidden value), each code in each acknowledgement.
`run.py --show` prints them as text.
"""

from tables import PROPERTIES, REASONS, WILL, reason_codes

# How each packet of a client is brought about: lines before it, the packet, the answer when it is
# accepted. {} is where the fields under test go.
FLOWS = {
    "CONNECT": ("", "A > CONNECT {}", "A < CONNACK"),
    WILL: ("", "A > CONNECT will=~/will will-payload=w {}", "A < CONNACK"),
    "PUBLISH": ("A connects\nA subscribes ~/a@0", "A > PUBLISH topic=~/a payload=x {}",
                "A < PUBLISH topic=~/a payload=x"),
    "PUBACK": ("A connects\nA subscribes ~/a@1\nA publishes topic=~/a payload=x qos=1\n"
               "A < PUBLISH topic=~/a qos=1", "A > PUBACK {}", ""),
    "PUBREC": ("A connects\nA subscribes ~/a@2\nA publishes topic=~/a payload=x qos=2\n"
               "A < PUBLISH topic=~/a qos=2", "A > PUBREC {}", "A < PUBREL\nA > PUBCOMP"),
    "PUBREL": ("A connects\nA > PUBLISH topic=~/a payload=x qos=2\nA < PUBREC", "A > PUBREL {}",
               "A < PUBCOMP"),
    "PUBCOMP": ("A connects\nA subscribes ~/a@2\nA publishes topic=~/a payload=x qos=2\n"
                "A < PUBLISH topic=~/a qos=2\nA > PUBREC\nA < PUBREL", "A > PUBCOMP {}", ""),
    "SUBSCRIBE": ("A connects", "A > SUBSCRIBE ~/a@0 {}", "A < SUBACK"),
    "UNSUBSCRIBE": ("A connects\nA subscribes ~/a@0", "A > UNSUBSCRIBE ~/a {}", "A < UNSUBACK"),
    "DISCONNECT": ("A connects session-expiry-interval=1", "A > DISCONNECT {}",
                   "A ends silently"),
}
REFUSED = "A ends 0x81 0x82"
# What the table does not say of a packet, its sender must not use; what then happens is left open,
# as long as nothing is misread.
UNLISTED = "A lives or ends 0x81 0x82"
# What the server itself must refuse with one code ([5] 3.3.2.3.4).
REFUSALS = {"topic-alias": "A ends 0x94 0x82 0x81"}
# Client properties that stand for something this server cannot do, or that only a server sends.
NOT_ALONE = {("authentication-method", "CONNECT"), ("authentication-data", "CONNECT"),
             ("subscription-identifier", "PUBLISH")}


def case(statement, title, blocks):
    body = "\n".join(block for block in blocks if block)
    return f"== 5:{statement} | {title}\n{body}\n"


def flow(packet, fields, is_accepted, refusal=REFUSED):
    before, line, answer = FLOWS[packet]
    after = answer if is_accepted else refusal
    return "\n".join(part for part in (before, line.format(fields).rstrip(), after) if part)


def field(row, packet, value):
    return f"{'will.' if packet == WILL else ''}{row.name}={value}"


def property_cases(row):
    for packet in FLOWS:
        good = field(row, packet, row.good)
        if packet not in row.packets:
            yield case(row.id, f"{row.title} does not belong to {packet}",
                       [flow(packet, good, False)])
            continue
        if (row.name, packet) in NOT_ALONE:
            continue
        yield case(row.id, f"{row.title} in {packet}", [flow(packet, good, True)])
        if packet == "PUBLISH" and row.may_repeat or row.name == "user-property":
            yield case(row.id, f"{row.title} twice in {packet}",
                       [flow(packet, f"{good} {good}", True)])
        else:
            yield case(row.id, f"{row.title} twice in {packet}",
                       [flow(packet, f"{good} {good}", False)])
        if row.bad is not None:
            yield case(row.id, f"{row.title} {row.bad} in {packet}",
                       [flow(packet, field(row, packet, row.bad), False,
                             REFUSALS.get(row.name, REFUSED))])


def reason_answer(packet, code):
    """What comes after an acknowledgement that refuses."""
    if packet == "PUBREC" and code >= 0x80:
        return ""
    return FLOWS[packet][2]


def reason_case(row, packet):
    before, line, _ = FLOWS[packet]
    sent = line.format(f"code=0x{row.code:02X}")
    if row.code in reason_codes(packet, "client"):
        return case(row.id, f"{row.name} in {packet}",
                    [before, sent, reason_answer(packet, row.code)])
    if packet in row.packets:
        return ""  # a code that only servers send: what they do with it is theirs
    return case(row.id, f"{row.name} does not belong to {packet}", [before, sent, UNLISTED])


def reason_cases():
    for packet in ("PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "DISCONNECT"):
        known = set()
        for row in REASONS:
            # Three rows share code 0x00: the one that names the packet speaks for it.
            if row.code == 0 and packet not in row.packets or row.code in known:
                continue
            known.add(row.code)
            yield reason_case(row, packet)


def text():
    parts = [part for row in PROPERTIES for part in property_cases(row)]
    return "\n".join(parts + list(reason_cases()))
