# SPDX-License-Identifier: Apache-2.0
"""What is measured: each row is one call of `nightjar bench`, with the aim it has to reach."""
import resource

# Descriptors that a server needs beside its connections.
SPARE_DESCRIPTORS = 100
IDLE_CLIENTS = 15000


class Row:
    def __init__(self, name, words, ratio=None, bytes_max=None):
        self.name = name
        self.words = words          # the options of nightjar bench
        self.ratio = ratio          # aim: CPU per message, how many times less than mosquitto's
        self.bytes_max = bytes_max  # aim: memory per connection

    @property
    def is_idle(self):
        return self.words[0] == 'idle'

    @property
    def is_churn(self):
        return self.words[0] == 'churn'


def raise_descriptor_limit():
    """For this process and the servers it starts; returns the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def all_rows(descriptors):
    idle = min(IDLE_CLIENTS, descriptors - SPARE_DESCRIPTORS)
    return [
        Row('QoS 0, 1 → 1, pipelined', ['p2p'], ratio=15),
        Row('QoS 1, 1 → 1, 100 in flight', ['p2p', '-q', '1', '-w', '100'], ratio=12),
        Row('QoS 2, 1 → 1, 100 in flight', ['p2p', '-q', '2', '-w', '100'], ratio=12),
        Row('QoS 0, fan-out 1 → 500', ['fan-out'], ratio=15),
        Row('QoS 1, fan-in 100 → 1, 10 in flight each', ['fan-in', '-q', '1', '-w', '10']),
        Row('QoS 1, fan-in 100 → 4 sharing, 10 in flight each',
            ['fan-in', '--shared', '4', '-q', '1', '-w', '10']),
        Row('QoS 0, sparse 1000 → 1000, 20,000/s, 20 each millisecond',
            ['sparse', '-r', '20000', '--burst', '20'], ratio=1.3),
        Row('QoS 0, sparse 1000 → 1000, 20,000/s, one each 50 µs', ['sparse', '-r', '20000']),
        Row('CONNECT and DISCONNECT, 50 at a time', ['churn']),
        Row(f'{idle:,} idle connections', ['idle', '--clients', str(idle)], bytes_max=600),
    ]
