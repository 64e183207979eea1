# SPDX-License-Identifier: Apache-2.0
"""Packets of clients as named fields, and how chance changes one of them."""
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'conformance'))

from tables import PROPERTY_BY_NAME  # noqa: E402
from wire import string, u16, varint  # noqa: E402

STRINGS = {
    'empty': b'', 'one': b'a', 'slash': b'/', 'nul': b'a\0b', 'control': b'a\x01', 'c1': b'\xc2\x85',
    'broken': b'a\xff', 'cut': b'\xe2\x82', 'overlong': b'\xc0\xaf', 'surrogate': b'\xed\xa0\x80',
    'beyond': b'\xf4\x90\x80\x80', 'noncharacter': b'\xef\xbf\xbf', 'bom': b'\xef\xbb\xbfa',
    'plus': b'+', 'hash': b'#', 'plus-inside': b'a+', 'hash-inside': b'a/#/b', 'share': b'$share/g/t',
    'share-no-name': b'$share//t', 'share-no-filter': b'$share/g/', 'share-short': b'$share/g',
    'share-wild': b'$share/g+/t', 'dollar': b'$x/y', 'long': b'x' * 1000, 'deep': b'/' * 250,
}
NUMBERS = {'u8': (0, 1, 2, 3, 4, 8, 16, 64, 127, 128, 255), 'u16': (0, 1, 2, 255, 65535),
           'u32': (0, 1, 65535, 1 << 31, (1 << 32) - 1), 'varint': (0, 1, 127, 128, 268435455)}
SIZES = {'u8': 1, 'u16': 2, 'u32': 4}
KINDS = {'byte': 'u8', 'u16': 'u16', 'u32': 'u32', 'varint': 'varint', 'string': 'string',
         'binary': 'binary', 'pair': 'pair'}


class Field:
    """A name, a kind and a value; `prefix_change` makes the length in front of a text wrong."""

    def __init__(self, name, kind, value):
        self.name = name
        self.kind = kind
        self.value = value
        self.prefix_change = 0

    def encode(self):
        if self.kind == 'properties':
            body = b''.join(field.encode() for field in self.value)
            return varint(max(len(body) + self.prefix_change, 0)) + body
        if self.kind == 'property':
            return bytes([PROPERTY_BY_NAME[self.name].number]) + self.value.encode()
        if self.kind in ('string', 'binary'):
            return u16(max(len(self.value) + self.prefix_change, 0)) + self.value
        if self.kind == 'pair':
            return string(b'k') + string(self.value)
        if self.kind == 'varint':
            return varint(self.value)
        if self.kind == 'raw':
            return self.value
        return self.value.to_bytes(SIZES[self.kind], 'big')


def property_field(name, value):
    return Field(name, 'property', Field(name, KINDS[PROPERTY_BY_NAME[name].kind], value))


class Packet:
    """A first byte and fields."""

    def __init__(self, name, first, fields):
        self.name = name
        self.first = first
        self.fields = fields
        self.is_longer = False  # the remaining length in more bytes than needed

    def encode(self):
        body = b''.join(field.encode() for field in self.fields)
        length = varint(len(body))
        if self.is_longer:
            length = bytes([*length[:-1], length[-1] | 128, 0])
        return bytes([self.first]) + length + body


class Case:
    """What both brokers are sent. The label: packet, field, what was done to it, version."""

    def __init__(self, version, label, connect, packet):
        self.version = version
        self.label = f'{version} {label}'
        self.connect = connect
        self.packet = packet


# Good packets


def properties(rng, version, choices):
    """Some of those, in version 5."""
    if version != '5':
        return []
    chosen = [property_field(*choice) for choice in choices if rng.random() < 0.4]
    return [Field('properties', 'properties', chosen)]


def connect(rng, version, number):
    will, user = rng.random() < 0.4, rng.random() < 0.4
    fields = [Field('protocol-name', 'string', b'MQTT'),
              Field('level', 'u8', 4 if version == '311' else 5),
              Field('flags', 'u8', 2 | will * 0x0c | user * 0xc0), Field('keep-alive', 'u16', 60)]
    fields += properties(rng, version, [
        ('session-expiry-interval', 0), ('receive-maximum', 10), ('maximum-packet-size', 1000),
        ('topic-alias-maximum', 5), ('request-response-information', 1),
        ('request-problem-information', 1), ('user-property', b'v')])
    fields.append(Field('client-id', 'string', b'differ%d' % number))
    if will:
        fields += properties(rng, version, [('will-delay-interval', 0), ('content-type', b'c'),
                                            ('payload-format-indicator', 1)])
        fields += [Field('will-topic', 'string', b'w/%d' % number),
                   Field('will-payload', 'binary', b'gone')]
    if user:
        fields += [Field('user-name', 'string', b'u'), Field('password', 'binary', b'p')]
    return Packet('CONNECT', 0x10, fields)


def publish(rng, version, number):
    qos = rng.randrange(3)
    fields = [Field('topic', 'string', b'd/%d' % number)]
    fields += [Field('packet-id', 'u16', 7)] if qos else []
    fields += properties(rng, version, [
        ('payload-format-indicator', 1), ('message-expiry-interval', 60), ('response-topic', b'r'),
        ('correlation-data', b'd'), ('content-type', b'c'), ('user-property', b'v')])
    return Packet('PUBLISH', 0x30 | qos << 1, fields + [Field('payload', 'raw', b'hello')])


def subscribe(rng, version, number):
    fields = [Field('packet-id', 'u16', 7)]
    fields += properties(rng, version, [('subscription-identifier', 3), ('user-property', b'v')])
    for count in range(rng.randrange(1, 3)):
        fields += [Field('filter', 'string', b'e/%d/%d' % (number, count)),
                   Field('options', 'u8', rng.randrange(3))]
    return Packet('SUBSCRIBE', 0x82, fields)


def unsubscribe(rng, version, number):
    fields = [Field('packet-id', 'u16', 7), *properties(rng, version, [('user-property', b'v')])]
    return Packet('UNSUBSCRIBE', 0xa2, fields + [Field('filter', 'string', b'e/%d' % number)])


def acknowledgement(rng, version, _number):
    """Of nothing that was sent: only PUBREL has an answer."""
    name, first = rng.choice([('PUBACK', 0x40), ('PUBREC', 0x50), ('PUBREL', 0x62),
                              ('PUBCOMP', 0x70)])
    fields = [Field('packet-id', 'u16', 7)]
    if version == '5' and rng.random() < 0.6:
        fields.append(Field('code', 'u8', 0))
        fields += properties(rng, version, [('reason-string', b'r'), ('user-property', b'v')])
    return Packet(name, first, fields)


def disconnect(rng, version, _number):
    fields = []
    if version == '5' and rng.random() < 0.6:
        fields = [Field('code', 'u8', 0), *properties(rng, version, [('reason-string', b'r')])]
    return Packet('DISCONNECT', 0xe0, fields)


def stranger(rng, _version, _number):
    """What a client never sends."""
    first = rng.choice([0x00, 0x20, 0x90, 0xb0, 0xd0])
    return Packet('stranger', first, [Field('body', 'raw', b'\0\0')])


def ping(_rng, _version, _number):
    return Packet('PINGREQ', 0xc0, [Field('body', 'raw', b'')])


MAKERS = [connect] * 4 + [publish] * 4 + [subscribe] * 3 + [unsubscribe, acknowledgement,
                                                            acknowledgement, disconnect, stranger,
                                                            ping]


# Changes; each gives the words for what it did


def change_value(rng, field):
    inner = field.value if field.kind == 'property' else field
    if inner.kind in ('string', 'binary', 'pair'):
        word = rng.choice(sorted(STRINGS))
        inner.value = STRINGS[word]
        return word
    if inner.kind in NUMBERS:
        inner.value = rng.choice(NUMBERS[inner.kind])
        return str(inner.value)
    inner_bytes = rng.choice([b'', b'\0', b'x' * 100]) if inner.kind == 'raw' else None
    if inner_bytes is None:
        return change_length(rng, inner)
    inner.value = inner_bytes
    return f'{len(inner_bytes)}-bytes'


def change_length(rng, field):
    inner = field.value if field.kind == 'property' else field
    inner.prefix_change = rng.choice([-1, 1, 2])
    return f'length{inner.prefix_change:+}'


def all_fields(packet):
    """With those inside properties: (list, place)."""
    found = []
    for place, field in enumerate(packet.fields):
        found.append((packet.fields, place))
        if field.kind == 'properties':
            found += [(field.value, inner) for inner in range(len(field.value))]
    return found


def change_field(rng, packet):
    places = all_fields(packet)
    if not places:
        return change_first(rng, packet)
    fields, place = rng.choice(places)
    field = fields[place]
    name = ('property-' if field.kind == 'property' else '') + field.name
    how = rng.randrange(10)
    if how < 6:
        return f'{name} {change_value(rng, field)}'
    if how == 6:
        del fields[place]
        return f'{name} dropped'
    if how == 7:
        fields.insert(place, field)
        return f'{name} twice'
    if how == 8 and fields is packet.fields:
        del fields[place + 1:]
        return f'{name} last'
    return f'{name} {change_length(rng, field)}'


def change_first(rng, packet):
    bits = rng.randrange(16)
    packet.first = packet.first & 0xf0 | bits
    return f'bits {bits}'


def add_property(rng, packet):
    """Any, at any place where there are some."""
    places = [field for field in packet.fields if field.kind == 'properties']
    if not places:
        return change_field(rng, packet)
    name = rng.choice(sorted(PROPERTY_BY_NAME))
    is_text = PROPERTY_BY_NAME[name].kind in ('string', 'binary', 'pair')
    rng.choice(places).value.append(property_field(name, b't' if is_text else 1))
    return f'property-{name} added'


def add_bytes(_rng, packet):
    packet.fields.append(Field('more', 'raw', b'\0'))
    return 'byte added'


def lengthen(_rng, packet):
    packet.is_longer = True
    return 'remaining-length longer'


CHANGES = [change_field] * 12 + [add_property] * 3 + [change_first] * 2 + [add_bytes, lengthen]


def case_of(seed, number):
    rng = random.Random(seed * 1000003 + number)
    version = rng.choice(['311', '5'])
    packet = rng.choice(MAKERS)(rng, version, number)
    label = packet.name
    label += ' ' + (rng.choice(CHANGES)(rng, packet) if rng.random() < 0.9 else 'good')
    if packet.name == 'CONNECT':
        return Case(version, label, packet.encode(), b'')
    opening = connect(random.Random(number), version, number)
    return Case(version, label, opening.encode(), packet.encode())
