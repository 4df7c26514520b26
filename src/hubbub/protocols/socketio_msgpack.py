"""Socket.IO over MessagePack: the same packets as `socketio`, each a map in one binary message. Pure.

Compatible with npm `socket.io-msgpack-parser` 3.0, which is set on client and server: `{type, nsp, data?, id?}`, bytes
in their place, and nothing known of BINARY_EVENT and BINARY_ACK. Source: that package, and `notepack.io` 2.2 beneath
it, whose extensions of type 0 JavaScript writes for `undefined`, for dates and (on Node) for an ArrayBuffer.

`data` becomes JSON on entry, as `JSON.stringify` would say it, bytes becoming placeholders and attachments: so what is
above need not know which parser a client has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Raw, Struct
from msgspec.msgpack import Ext

from hubbub.errors import ErrorCode, HubbubError, ProtocolError
from hubbub.jsondata import check
from hubbub.protocols.base import Payload
from hubbub.protocols.socketio import (
    DEFAULTS,
    LARGEST_ID,
    Invalid,
    Limits,
    Packet,
    PacketType,
    Parser,
    check_count,
    check_name,
    check_namespace,
    check_placeholders,
    check_size,
    revive,
)


class MessagePackParser(Struct, frozen=True):
    """The parser of clients that were given `socket.io-msgpack-parser` (in Python: `serializer="msgpack"`)."""

    limits: Limits = DEFAULTS
    name: str = "msgpack"

    def decoder(self) -> MessagePackDecoder:
        return MessagePackDecoder(self.limits)

    def encode(self, packet: Packet) -> tuple[Payload, ...]:
        return encode(packet)


class MessagePackDecoder:
    """The Decoder of `MessagePackParser`. It keeps nothing from one message to the next."""

    __slots__ = ("_limits",)

    def __init__(self, limits: Limits = DEFAULTS) -> None:
        self._limits = limits

    def feed(self, data: bytes, binary: bool) -> Packet | Invalid | None:
        if not binary:
            raise ProtocolError("the msgpack parser takes binary messages")
        wire = _unpack(data)
        if type(wire) is not dict:
            raise ProtocolError("a Socket.IO packet that is no map")
        number = wire.get("type")
        if type(number) is not int or not 0 <= number <= PacketType.CONNECT_ERROR:
            raise ProtocolError("an unknown Socket.IO packet type")
        kind = _KINDS[number]
        namespace = wire.get("nsp")
        if type(namespace) is not str:
            raise ProtocolError("a Socket.IO packet without a namespace")
        check_namespace(namespace, self._limits)
        id = wire.get("id", _UNDEFINED)
        if id == _UNDEFINED:
            id = None
        elif type(id) is not int or not 0 <= id <= LARGEST_ID:
            raise ProtocolError("a bad id of a Socket.IO packet")
        content = wire.get("data", _UNDEFINED)
        if kind in _WITHOUT_DATA and (content is None or content == _UNDEFINED):
            return Packet(kind, namespace, id)  # Python's client says null here
        if type(content) not in _CONTENTS[number]:
            raise ProtocolError(f"data of the wrong type in a Socket.IO {kind.name} packet")
        return self._read(kind, namespace, id, content)

    def _read(self, kind: PacketType, namespace: str, id: int | None, content: Any) -> Packet | Invalid:
        if kind is PacketType.EVENT:
            check_name(content)
        attachments: list[bytes] = []
        try:
            raw = _encode_json(content if _is_plain(content) else _plain(content, attachments))
        except (ValueError, RecursionError) as error:
            text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            return Invalid(kind, namespace, id, ErrorCode.INVALID_DATA, f"data: {text}", "data")
        if attachments:
            if kind not in _WITH_ATTACHMENTS:
                raise ProtocolError(f"bytes in a Socket.IO {kind.name} packet")
            check_count(len(attachments), self._limits)
            check_size(sum(map(len, attachments)), self._limits)
        try:
            value = check(raw, depth=self._limits.json_depth, keys=self._limits.json_keys)
        except HubbubError as error:
            return Invalid(kind, namespace, id, error.code, error.message, error.field)
        if attachments:
            check_placeholders(value, len(attachments))
        return Packet(kind, namespace, id, Raw(raw), tuple(attachments), value)


_KINDS = tuple(PacketType)
_WITHOUT_DATA = (PacketType.CONNECT, PacketType.DISCONNECT)
_WITH_ATTACHMENTS = (PacketType.EVENT, PacketType.ACK)
_CONTENTS: tuple[tuple[type, ...], ...] = ((dict,), (), (list,), (list,), (dict, str))
"""What the data of each type may be."""


def encode(packet: Packet) -> tuple[Payload, ...]:
    """`packet` for msgpack clients: one binary Payload, the attachments in their places.

    Raises ProtocolError for a placeholder without an attachment.
    """
    wire: dict[str, Any] = {"type": int(packet.type), "nsp": packet.namespace}
    if packet.data is not None:
        wire["data"] = revive(_decode_json(packet.data), packet.attachments)
    if packet.id is not None:
        wire["id"] = packet.id
    try:
        return (Payload(_pack(wire), True),)
    except OverflowError:
        return (Payload(_pack(_within_64_bits(wire)), True),)


_encode_json = msgspec.json.Encoder().encode
_decode_json = msgspec.json.Decoder().decode
_pack = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

# notepack.io's extensions have type 0; only the length tells them apart, and whether it is in the header.
_UNDEFINED = Ext(0, b"\0")
_ARRAY_BUFFERS_LIKE_OTHERS = (b"\xc7\x01\x00", b"\xc7\x08\x00")
_DATE_BYTES = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP = 0xFF  # type -1, which msgspec decodes itself


def _unpack(data: bytes) -> Any:
    """The value of one MessagePack message, its extensions as Ext, but an ArrayBuffer of 1 or 8 bytes as bytes."""
    try:
        for header in _ARRAY_BUFFERS_LIKE_OTHERS:
            if header in data:  # perhaps inside of other bytes
                return msgspec.msgpack.decode(data, ext_hook=_array_buffers(data))
        return _decode(data)
    except (ValueError, TypeError, RecursionError, MemoryError, msgspec.MsgspecError) as error:
        text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ProtocolError(f"not MessagePack: {text}") from None


def _array_buffers(data: bytes) -> Callable[[int, memoryview], Any]:
    """An extension hook that knows ArrayBuffers by their headers; msgspec meets extensions in their order."""
    sized = _extensions(data)

    def extension(code: int, content: memoryview) -> Any:
        if next(sized, False) and code == 0:
            return bytes(content)
        return Ext(code, bytes(content))

    return extension


def _extensions(data: bytes) -> Iterator[bool]:
    """For every extension in `data`: does its header say a length? Only `data` itself says where to stop."""
    at = 0
    while at < len(data):
        head = data[at]
        at += 1
        if 0xA0 <= head < 0xC0:  # a short string
            at += head & 0x1F
        elif head in _LENGTHS:
            width = _LENGTHS[head]
            length = int.from_bytes(data[at : at + width], "big")
            at += width
            if 0xC7 <= head <= 0xC9:
                if data[at : at + 1] != b"\xff":
                    yield True
                at += 1
            at += length
        elif 0xD4 <= head <= 0xD8:
            if data[at : at + 1] != b"\xff":
                yield False
            at += 1 + (1 << (head - 0xD4))
        else:
            at += _WIDTHS.get(head, 0)


_LENGTHS = {
    **dict.fromkeys((0xC4, 0xC7, 0xD9), 1),
    **dict.fromkeys((0xC5, 0xC8, 0xDA), 2),
    **dict.fromkeys((0xC6, 0xC9, 0xDB), 4),
}
"""The bytes of the length of bytes, extensions and strings."""
_WIDTHS = {
    **dict.fromkeys((0xCC, 0xD0), 1),
    **dict.fromkeys((0xCD, 0xD1, 0xDC, 0xDE), 2),
    **dict.fromkeys((0xCA, 0xCE, 0xD2, 0xDD, 0xDF), 4),
    **dict.fromkeys((0xCB, 0xCF, 0xD3), 8),
}
"""The bytes after the first of numbers, and of the counts of arrays and maps."""


_SCALARS = frozenset((str, int, bool, type(None)))
_SAYABLE = _SCALARS | {float, dict, list}
_STRINGS = frozenset((str,))


def _is_plain(value: Any) -> bool:
    """Whether JSON can say `value` as it is, like most of what is sent."""
    level = [value]
    while level:
        below: list[Any] = []
        for item in level:
            inside = item
            if type(item) is dict:
                if not _STRINGS.issuperset(map(type, item)):
                    return False
                inside = item.values()
            elif type(item) is not list:
                if type(item) is float and not math.isfinite(item):
                    return False
                continue
            if not _SCALARS.issuperset(map(type, inside)):
                if not _SAYABLE.issuperset(map(type, inside)):
                    return False
                below.extend([inner for inner in inside if type(inner) not in _SCALARS])
        level = below
    return True


def _plain(value: Any, attachments: list[bytes]) -> Any:
    """`value` as JSON can say it, its bytes put into `attachments`. Raises ValueError for what JSON cannot say."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        if math.isfinite(value):
            return value
        raise ValueError("numbers must be finite")
    if kind is dict:
        plain = {}
        for key, inner in value.items():
            if type(key) is not str:
                raise ValueError("map keys must be strings")
            if inner != _UNDEFINED:
                plain[key] = _plain(inner, attachments)
        return plain
    if kind is list:
        return [_plain(inner, attachments) for inner in value]
    if kind is Ext and value.code == 0:
        if value == _UNDEFINED:
            return None
        if len(value.data) == _DATE_BYTES:
            return _date(int.from_bytes(value.data, "big", signed=True))
        value = bytes(value.data)
        kind = bytes
    if kind is not bytes:
        raise ValueError(f"{kind.__name__} values have no JSON form")
    attachments.append(value)
    return {"_placeholder": True, "num": len(attachments) - 1}


def _date(milliseconds: int) -> str:
    """A date as JavaScript's toISOString writes it. Raises ValueError outside of the years 1 to 9999."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        raise ValueError("dates must be in the years 1 to 9999") from None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _within_64_bits(value: Any) -> Any:
    """`value` with integers that MessagePack cannot say as the doubles nearest to them, as JavaScript reads them."""
    if type(value) is dict:
        return {key: _within_64_bits(inner) for key, inner in value.items()}
    if type(value) is list:
        return [_within_64_bits(inner) for inner in value]
    if type(value) is int and not -(2**63) <= value < 2**64:
        return float(value)
    return value


MSGPACK: Parser = MessagePackParser()
