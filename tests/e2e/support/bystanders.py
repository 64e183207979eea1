# SPDX-License-Identifier: Apache-2.0
"""Who must notice nothing while others misbehave, and what the log says about those."""

import re

from .broker import IS_MOSQUITTO
from .client import Client, unique


class Bystanders:
    """A pair that exchanges messages on the same two connections while others misbehave."""

    def __init__(self, broker):
        self.topic = unique("bystander/topic")
        self.subscriber = Client(broker.port, 5)
        self.subscriber.connect(keep_alive=0)
        self.subscriber.subscribe(self.topic, qos=2)
        self.publisher = Client(broker.port, 4)
        self.publisher.connect(keep_alive=0)
        self.count = 0

    def exchange(self):
        """One message at each QoS arrives, and nothing else."""
        for qos in (0, 1, 2):
            self.count += 1
            self.publisher.publish(self.topic, str(self.count), qos=qos)
            self.subscriber.take(topic=self.topic, qos=qos, payload=str(self.count).encode())
        self.subscriber.ping()
        self.publisher.ping()

    def cut(self):
        self.subscriber.cut()
        self.publisher.cut()


def assert_logged(broker, client, start):
    """A line names the client, its address and the reason."""
    if IS_MOSQUITTO:
        return
    name = f"Client {re.escape(client.client_id)} " if client.client_id else ""
    broker.wait_for_line(
        f"{name}.*{re.escape(client.address)}.* (disconnected|refused): \\S+ \\S+", start)
