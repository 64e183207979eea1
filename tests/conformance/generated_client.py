# SPDX-License-Identifier: Apache-2.0
"""
As generated.py, for clients: each property in each packet that a server sends, once, twice and with
a forbidden value; each reason code that a server may send, where it may send it.
"""

from generated import case
from tables import PROPERTIES, REASONS

SENT = "A connects\nA does PUBLISH topic=~/a qos={}\nA < PUBLISH topic=~/a qos={}"
# How each packet of a server is brought about: lines before it, the packet, what follows when it
# is accepted. {} is where the fields under test go.
FLOWS = {
    "CONNACK": ("A does CONNECT id=\nA < CONNECT", "A > CONNACK {}", "A told connected"),
    "PUBLISH": ("A connects topic-alias-maximum=10", "A > PUBLISH topic=~/a payload=x {}",
                "A told message topic=~/a payload=x"),
    "PUBACK": (SENT.format(1, 1), "A > PUBACK {}", "A told published"),
    "PUBREC": (SENT.format(2, 2), "A > PUBREC {}", "A < PUBREL"),
    "PUBREL": ("A connects\nA > PUBLISH topic=~/a payload=x qos=2\nA < PUBREC\n"
               "A told message topic=~/a payload=x qos=2", "A > PUBREL {}", "A < PUBCOMP"),
    "PUBCOMP": (SENT.format(2, 2) + "\nA > PUBREC\nA < PUBREL", "A > PUBCOMP {}",
                "A told published"),
    "SUBACK": ("A connects\nA does SUBSCRIBE ~/a@2\nA < SUBSCRIBE", "A > SUBACK {}",
               "A told answered"),
    "UNSUBACK": ("A connects\nA does UNSUBSCRIBE ~/a\nA < UNSUBSCRIBE", "A > UNSUBACK {}",
                 "A told answered"),
    "DISCONNECT": ("A connects", "A > DISCONNECT {}", "A ends server"),
    "AUTH": ("A does CONNECT authentication-method=m\nA < CONNECT",
             "A > AUTH code=0x18 authentication-method=m {}", "A told auth code=0x18"),
}
REFUSED = "A ends flaw 0x81 0x82"
REFUSALS = {"topic-alias": "A ends flaw 0x94 0x82 0x81"}
# What only goes with something else, or with what a server must not send and a client may overlook.
NOT_ALONE = {("authentication-method", "CONNACK"), ("authentication-data", "CONNACK"),
             ("authentication-method", "AUTH"), ("session-expiry-interval", "DISCONNECT")}
# The field that a code stands in, where it is not `code`.
CODE_FIELDS = {"SUBACK": "codes", "UNSUBACK": "codes"}


def flow(packet, fields, after=None):
    before, line, answer = FLOWS[packet]
    return [before, line.format(fields).rstrip(), answer if after is None else after]


def property_cases(row):
    for packet in FLOWS:
        good = f"{row.name}={row.good}"
        place = f"a server's {packet}"
        if (row.name, packet) in NOT_ALONE:
            continue
        if packet not in row.packets:
            yield case(row.id, f"{row.title} does not belong to {place}",
                       flow(packet, good, REFUSED))
            continue
        yield case(row.id, f"{row.title} in {place}", flow(packet, good))
        may_repeat = packet == "PUBLISH" and row.may_repeat or row.name == "user-property"
        yield case(row.id, f"{row.title} twice in {place}",
                   flow(packet, f"{good} {good}", None if may_repeat else REFUSED))
        if row.bad is not None:
            yield case(row.id, f"{row.title} {row.bad} in {place}",
                       flow(packet, f"{row.name}={row.bad}", REFUSALS.get(row.name, REFUSED)))


def after_code(packet, code):
    """What follows an answer with that code."""
    if packet == "CONNACK" and code >= 0x80:
        return "A ends refused"
    if packet == "PUBACK" or packet == "PUBREC" and code >= 0x80:
        return f"A told published code={code}"
    if packet == "PUBREC":
        return "A < PUBREL"
    if packet == "PUBCOMP":
        return f"A told published code=0|{code}"  # the message has arrived long before
    return None


def reason_cases():
    for row in REASONS:
        if row.sender == "client":
            continue
        for packet in row.packets:
            if packet == "AUTH":
                continue  # client.auth.case
            fields = f"{CODE_FIELDS.get(packet, 'code')}=0x{row.code:02X}"
            yield case(row.id, f"{row.name} in a server's {packet}",
                       flow(packet, fields, after_code(packet, row.code)))


def text():
    parts = [part for row in PROPERTIES for part in property_cases(row)]
    return "\n".join(parts + list(reason_cases()))
