# SPDX-License-Identifier: Apache-2.0
"""The facts of the protocol that the suite needs, read from the tables beside this file."""

import csv
from pathlib import Path

FOLDER = Path(__file__).parent / "tables"
VERSIONS = ("311", "5")
LEVELS = {"311": 4, "5": 5}
PACKETS = {"CONNECT": 1, "CONNACK": 2, "PUBLISH": 3, "PUBACK": 4, "PUBREC": 5, "PUBREL": 6,
           "PUBCOMP": 7, "SUBSCRIBE": 8, "SUBACK": 9, "UNSUBSCRIBE": 10, "UNSUBACK": 11,
           "PINGREQ": 12, "PINGRESP": 13, "DISCONNECT": 14, "AUTH": 15}
PACKET_NAMES = {number: name for name, number in PACKETS.items()}
# What the fixed header's low four bits must be, where they are not a PUBLISH's own.
FLAGS = {"PUBREL": 2, "SUBSCRIBE": 2, "UNSUBSCRIBE": 2}
WILL = "Will Properties"


def read(name):
    with (FOLDER / name).open() as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


class Property:
    """A row of the property table."""

    def __init__(self, row):
        self.number = int(row["id"], 16)
        self.id = f"PROPERTY-{row['id']}"
        self.name = row["name"].lower().replace(" ", "-")
        self.title = row["name"]
        self.kind = row["type"]
        self.packets = row["packets"].split(", ")
        self.may_repeat = "y" in row["may_repeat"]
        self.good = row["good"]
        self.bad = None if row["bad"] == "-" else row["bad"]


class Reason:
    """A row of the reason code table."""

    def __init__(self, row):
        self.code = int(row["code"], 16)
        self.id = f"REASON-{row['code']}"
        self.name = row["name"]
        self.packets = row["packets"].split(", ")
        self.sender = row["from"]


PROPERTIES = [Property(row) for row in read("properties.tsv")]
PROPERTY_BY_NAME = {p.name: p for p in PROPERTIES}
PROPERTY_BY_NUMBER = {p.number: p for p in PROPERTIES}
REASONS = [Reason(row) for row in read("reasons.tsv")]


def reason_codes(packet, sender):
    """The codes that `sender` ("client" or "server") may put into that packet."""
    def may(reason):
        # Who may send a code is restricted for DISCONNECT, and for 0x10, which tells publishers.
        is_restricted = packet == "DISCONNECT" or reason.code == 0x10
        return packet in reason.packets and (not is_restricted or reason.sender in (sender, "both"))
    return {reason.code for reason in REASONS if may(reason)}
