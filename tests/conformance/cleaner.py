# SPDX-License-Identifier: Apache-2.0
"""Takes away the retained messages that cases left behind."""

from cases import Case
from drive import Run
from wire import encode

# '#' does not match what begins with '$' [MQTT-4.7.2-1]: these two cases publish.
FILTERS = [("filter", b"#@0"), ("filter", b"$T/#@0")]


async def forget_retained(world):
    """Until a subscription to everything brings nothing."""
    while await forget_some(world):
        pass


async def forget_some(world):
    run = Run(Case({"311": ["CLEANER"]}, "cleaner", "cleaner"), "311", world, "kcln", [])
    connection = await run.connect_to("C")
    try:
        connection.send(encode("CONNECT", [("id", b"kclnC")], "311"))
        await connection.until(lambda: connection.unread or None, "CONNACK")
        connection.is_accepted = True
        connection.send(encode("SUBSCRIBE", [("id", b"1")] + FILTERS, "311"))
        for _ in range(3):
            await connection.ping()
        topics = {p.fields["topic"] for p in connection.unread
                  if p.name == "PUBLISH" and p.fields["retain"]}
        for topic in topics:
            connection.send(encode("PUBLISH", [("topic", topic), ("retain", b"1")], "311"))
        await connection.ping()
        return bool(topics)
    finally:
        connection.drop()
