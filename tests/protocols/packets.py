"""Every form of packet in the documents of the Socket.IO protocol, revision 5, and in the reference parser's tests."""

from __future__ import annotations

from typing import Any

import msgspec

from hubbub.model import Raw
from hubbub.protocols.socketio import Invalid, Packet, PacketType, Parser

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR = list(PacketType)[:5]
B4 = b"\x01\x02\x03\x04"
ONE = b'{"_placeholder":true,"num":0}'
TWO = b'{"_placeholder":true,"num":1}'


def packet(
    kind: PacketType,
    namespace: str = "/",
    id: int | None = None,
    data: bytes | None = None,
    attachments: tuple[bytes, ...] = (),
) -> Packet:
    return Packet(kind, namespace, id, None if data is None else Raw(data), attachments)


FORMS: list[tuple[bytes, Packet]] = [
    (b"0", packet(CONNECT)),
    (b'0{"sid":"wZX3oN0bSVIhsaknAAAI"}', packet(CONNECT, data=b'{"sid":"wZX3oN0bSVIhsaknAAAI"}')),
    (b"0/admin,", packet(CONNECT, "/admin")),
    (b'0/admin,{"token":"123"}', packet(CONNECT, "/admin", data=b'{"token":"123"}')),
    (b"1", packet(DISCONNECT)),
    (b"1/admin,", packet(DISCONNECT, "/admin")),
    (b'2["foo"]', packet(EVENT, data=b'["foo"]')),
    (b'2["a",1,{}]', packet(EVENT, data=b'["a",1,{}]')),
    (b'2[1,"a",{}]', packet(EVENT, data=b'[1,"a",{}]')),
    (b'2/admin,["bar"]', packet(EVENT, "/admin", data=b'["bar"]')),
    (b'212["foo"]', packet(EVENT, id=12, data=b'["foo"]')),
    (b'2/admin,13["foo"]', packet(EVENT, "/admin", 13, b'["foo"]')),
    (b'20["foo"]', packet(EVENT, id=0, data=b'["foo"]')),
    ('2/é/b c,9007199254740991["é"]'.encode(), packet(EVENT, "/é/b c", 2**53 - 1, '["é"]'.encode())),
    (b"312[]", packet(ACK, id=12, data=b"[]")),
    (b'3/admin,13["bar"]', packet(ACK, "/admin", 13, b'["bar"]')),
    (b'3123["a",1,{}]', packet(ACK, id=123, data=b'["a",1,{}]')),
    (b'4{"message":"Not authorized"}', packet(CONNECT_ERROR, data=b'{"message":"Not authorized"}')),
    (
        b'4/admin,{"message":"x","data":{"code":1}}',
        packet(CONNECT_ERROR, "/admin", data=b'{"message":"x","data":{"code":1}}'),
    ),
    (b'4"Unauthorized"', packet(CONNECT_ERROR, data=b'"Unauthorized"')),
    (b'51-["baz",%s]' % ONE, packet(EVENT, data=b'["baz",%s]' % ONE, attachments=(B4,))),
    (
        b'52-/admin,["baz",%s,%s]' % (ONE, TWO),
        packet(EVENT, "/admin", data=b'["baz",%s,%s]' % (ONE, TWO), attachments=(b"\x01\x02", b"\x03\x04")),
    ),
    (b'51-14["foo",%s]' % ONE, packet(EVENT, id=14, data=b'["foo",%s]' % ONE, attachments=(B4,))),
    (
        b'51-/cool,23["a",{"b":["c",%s]}]' % ONE,
        packet(EVENT, "/cool", 23, b'["a",{"b":["c",%s]}]' % ONE, (b"abc",)),
    ),
    (b'61-15["bar",%s]' % ONE, packet(ACK, id=15, data=b'["bar",%s]' % ONE, attachments=(B4,))),
    (
        b'61-/back,127["a",%s,{}]' % ONE,
        packet(ACK, "/back", 127, b'["a",%s,{}]' % ONE, (b"",)),
    ),
]
"""A text message without Engine.IO's digit, and the packet that it and the packet's attachments are."""


def plain(item: Packet | Invalid | None) -> Any:
    """A packet without `value`, which only decoders set, as a value that can be compared: Raw cannot."""
    if not isinstance(item, Packet):
        return item
    data = None if item.data is None else bytes(item.data)
    return (item.type, item.namespace, item.id, data, item.attachments)


def read(parser: Parser, *messages: bytes) -> Packet | Invalid | None:
    """What a new decoder makes of `messages`: with JSON the first is text, others are binary."""
    decoder = parser.decoder()
    result: Packet | Invalid | None = None
    for number, message in enumerate(messages):
        result = decoder.feed(message, number > 0 or parser.name == "msgpack")
    return result


def as_msgpack(sent: Packet) -> bytes:
    """`sent` as a client with msgpack writes it, made without the code that is tested."""
    wire: dict[str, Any] = {"type": int(sent.type), "nsp": sent.namespace}
    if sent.data is not None:
        wire["data"] = _inline(msgspec.json.decode(sent.data), sent.attachments)
    if sent.id is not None:
        wire["id"] = sent.id
    return msgspec.msgpack.encode(wire)


def _inline(value: Any, attachments: tuple[bytes, ...]) -> Any:
    if isinstance(value, dict):
        if attachments and value.get("_placeholder") is True:
            return attachments[value["num"]]
        return {key: _inline(inner, attachments) for key, inner in value.items()}
    if isinstance(value, list):
        return [_inline(inner, attachments) for inner in value]
    return value
