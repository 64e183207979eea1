# SPDX-License-Identifier: Apache-2.0
"""
The packet sequence of each QoS, as the broker's -v log and both clients' -d output show it: line
by line, for every pairing of protocol version and client program.

The lines of one client stand in a fixed order. Lines of the two clients may interleave in more
than one right way, so the log is compared client by client, and causes must stand before effects.
"""

import re

import pytest

from support.broker import IS_MOSQUITTO, OUR_PROGRAM, command
from support.process import Process

TOPIC = "home/living-room/temperature"
MESSAGE = "21.5 degrees"
SUBSCRIBER, PUBLISHER = "Subscriber1", "Publisher1"
VERSIONS = {"mqttv311": 2, "mqttv5": 5}  # as in the log: p2 is protocol 3.1.1

LEVELS = [(0, 0), (1, 1), (2, 2), (2, 0)]
ORIGINS = ["mosquitto", "nightjar"]


def publish_text(qos):
    packet_id = 1 if qos else 0
    return f"PUBLISH (d0, q{qos}, r0, m{packet_id}, '{TOPIC}', ... ({len(MESSAGE)} bytes))"


# What the clients print with -d

def publisher_output(qos):
    lines = ["sending CONNECT", "received CONNACK (0)", "sending " + publish_text(qos)]
    lines += {0: [], 1: ["received PUBACK (Mid: 1, RC:0)"],
              2: ["received PUBREC (Mid: 1)", "sending PUBREL (m1)",
                  "received PUBCOMP (Mid: 1, RC:0)"]}[qos]
    lines.append("sending DISCONNECT")
    return [f"Client {PUBLISHER} {line}" for line in lines]


def subscriber_output(subscribed, delivered):
    mine = f"Client {SUBSCRIBER} "
    lines = [mine + "sending CONNECT", mine + "received CONNACK (0)",
             mine + f"sending SUBSCRIBE (Mid: 1, Topic: {TOPIC}, QoS: {subscribed}, "
                    "Options: 0x00)",
             mine + "received SUBACK", f"Subscribed (mid: 1): {subscribed}",
             mine + "received " + publish_text(delivered)]
    lines += {0: [], 1: [mine + "sending PUBACK (m1, rc0)"],
              2: [mine + "sending PUBREC (m1, rc0)", mine + "received PUBREL (Mid: 1)",
                  mine + "sending PUBCOMP (m1)"]}[delivered]
    return lines + [MESSAGE, mine + "sending DISCONNECT"]


def message_apart(lines):
    """mosquitto_sub prints the message before or after its own acknowledgement's line."""
    return [line for line in lines if line != MESSAGE], lines.count(MESSAGE)


# What the broker logs with -v, without the addresses

def connect_log(client, version):
    return ["New connection.", f"New client connected as {client} (p{version}, c1, k60).",
            "No will message specified.", f"Sending CONNACK to {client} (0, 0)"]


def publisher_log(version, qos):
    lines = connect_log(PUBLISHER, version)
    lines.append(f"Received {publish_text(qos)}".replace("PUBLISH", f"PUBLISH from {PUBLISHER}"))
    lines += {0: [], 1: [f"Sending PUBACK to {PUBLISHER} (Mid: 1)"],
              2: [f"Sending PUBREC to {PUBLISHER} (Mid: 1)",
                  f"Received PUBREL from {PUBLISHER} (Mid: 1)",
                  f"Sending PUBCOMP to {PUBLISHER} (Mid: 1)"]}[qos]
    return lines + [f"Received DISCONNECT from {PUBLISHER}", f"Client {PUBLISHER} disconnected."]


def subscriber_log(version, subscribed, delivered):
    lines = connect_log(SUBSCRIBER, version)
    lines += [f"Received SUBSCRIBE from {SUBSCRIBER}", f"\t{TOPIC} (QoS {subscribed})",
              f"{SUBSCRIBER} {subscribed} {TOPIC}", f"Sending SUBACK to {SUBSCRIBER}",
              f"Sending {publish_text(delivered)}".replace("PUBLISH",
                                                           f"PUBLISH to {SUBSCRIBER}")]
    lines += {0: [], 1: [f"Received PUBACK from {SUBSCRIBER} (Mid: 1)"],
              2: [f"Received PUBREC from {SUBSCRIBER} (Mid: 1)",
                  f"Sending PUBREL to {SUBSCRIBER} (Mid: 1)",
                  f"Received PUBCOMP from {SUBSCRIBER} (Mid: 1)"]}[delivered]
    return lines + [f"Received DISCONNECT from {SUBSCRIBER}", f"Client {SUBSCRIBER} disconnected."]


def plain(line):
    """Without addresses; mosquitto 2.0 writes some packet ids in another way."""
    line = re.sub(r"New connection from 127\.0\.0\.1:\d+ on port \d+\.", "New connection.", line)
    line = re.sub(r"connected from 127\.0\.0\.1:\d+ as", "connected as", line)
    if IS_MOSQUITTO:
        line = re.sub(r"\(m(\d+)(, rc0)?\)", r"(Mid: \1)", line)
        line = re.sub(r"\(Mid: (\d+), RC:0\)", r"(Mid: \1)", line)
    else:
        line = re.sub(r" \[127\.0\.0\.1:\d+\] disconnected: it said goodbye\.$",
                      " disconnected.", line)
    return line


def log_by_client(lines):
    """
    {client: [(index in the log, line)]}. A line that names no client belongs to the one of the
    line before; a new connection to the client that connects from its address.
    """
    by_address = {}
    for line in lines:
        match = re.search(r"New client connected from (\S+) as (\S+) ", line)
        if match:
            by_address[match.group(1)] = match.group(2)
    logs, last = {SUBSCRIBER: [], PUBLISHER: []}, None
    for index, line in enumerate(lines):
        if line.startswith("Store "):
            continue  # the journal's threads write to the log too
        match = re.match(r"New connection from (\S+) on port", line)
        name = re.search(f"{SUBSCRIBER}|{PUBLISHER}", line)
        client = by_address[match.group(1)] if match else name.group() if name else last
        last = client
        logs[client].append((index, plain(line)))
    return logs


def index_of(log, start):
    return next(index for index, line in log if line.startswith(start))


@pytest.mark.parametrize("published,subscribed", LEVELS)
@pytest.mark.parametrize("subscriber_version", VERSIONS)
@pytest.mark.parametrize("publisher_version", VERSIONS)
@pytest.mark.parametrize("subscriber_origin", ORIGINS)
@pytest.mark.parametrize("publisher_origin", ORIGINS)
def test_handshake(broker, publisher_origin, subscriber_origin, publisher_version,
                   subscriber_version, published, subscribed):
    if OUR_PROGRAM is None and "nightjar" in (publisher_origin, subscriber_origin):
        pytest.skip("needs NIGHTJAR_CLIENT")
    delivered = min(published, subscribed)
    start = len(broker.lines())
    common = ["-d", "-h", "127.0.0.1", "-p", str(broker.port), "-t", TOPIC]
    subscriber = Process(command(subscriber_origin, "sub") + common + [
        "-i", SUBSCRIBER, "-q", str(subscribed), "-V", subscriber_version, "-C", "1"])
    publisher = None
    try:
        # Not by the client's output: Debian's writes it out at its end only, into a pipe.
        broker.wait_for_line(f"^Sending SUBACK to {SUBSCRIBER}", start)
        publisher = Process(command(publisher_origin, "pub") + common + [
            "-i", PUBLISHER, "-q", str(published), "-V", publisher_version, "-m", MESSAGE])
        assert publisher.wait() == 0
        assert subscriber.wait() == 0
    finally:
        for process in (publisher, subscriber):
            if process is not None:
                process.kill()
    assert publisher.err.all() == [] and subscriber.err.all() == []
    # At QoS 0 no packet id is sent: the m1 that mosquitto_pub prints is a count of its own.
    sent = [line.replace("(d0, q0, r0, m1,", "(d0, q0, r0, m0,") for line in publisher.out.all()]
    assert sent == publisher_output(published)
    assert message_apart(subscriber.out.all()) == \
        message_apart(subscriber_output(subscribed, delivered))

    for client in (SUBSCRIBER, PUBLISHER):
        broker.wait_for_line(f"^Client {client}.* disconnected", start)
    logs = log_by_client(broker.lines()[start:])
    sub, pub = logs[SUBSCRIBER], logs[PUBLISHER]
    assert [line for _, line in pub] == publisher_log(VERSIONS[publisher_version], published)
    assert [line for _, line in sub] == \
        subscriber_log(VERSIONS[subscriber_version], subscribed, delivered)
    assert index_of(sub, "Sending SUBACK") < index_of(pub, "Received PUBLISH") \
        < index_of(sub, "Sending PUBLISH")


def test_quiet_log_has_no_packets(start_broker):
    """Without -v: connections and their end, not one line a packet."""
    broker = start_broker(verbose=False)
    start = len(broker.lines())
    process = Process(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-i", "Quiet",
                       "-t", TOPIC, "-q", "2", "-m", MESSAGE])
    assert process.wait() == 0
    broker.wait_for_line("Client Quiet.* disconnected", start)
    assert not [line for line in broker.lines()[start:] if "PUB" in line or "CONNACK" in line]
