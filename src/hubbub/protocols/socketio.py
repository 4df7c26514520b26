"""Socket.IO v5: packets, and the parser that every client has: JSON with binary attachments. Pure.

Source: https://github.com/socketio/socket.io-protocol (revision 5). A packet is one Engine.IO text message,
`<type>[<attachments>-][<namespace>,][<id>][<data>]`, and as many binary messages as it has attachments; inside `data`
an attachment is `{"_placeholder":true,"num":<its number, from 0>}`.

Refused as a ProtocolError, which ends the connection: whatever the reference parser refuses, and what it takes only
by accident of JavaScript (`" "` as the number 0, `1e0` attachments, data that begins with blanks). Data that can be
read and that Hubbub does not pass on (too deep, too many keys, a key twice, numbers beyond a double, lone surrogates)
is `Invalid` and harms nobody but its sender.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NoReturn, Protocol

import msgspec
from msgspec import Raw, Struct

from hubbub.errors import ErrorCode, HubbubError, ProtocolError
from hubbub.jsondata import check
from hubbub.protocols.base import Payload

RESERVED = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)
"""What no event may be called: the reference implementation emits these itself."""
LARGEST_ID = 2**53 - 1
"""The largest whole number that JavaScript counts up to exactly."""


class PacketType(IntEnum):
    """The digit that a packet begins with. BINARY_* are only seen on the wire: `Packet` has EVENT and ACK."""

    CONNECT = 0
    DISCONNECT = 1
    EVENT = 2
    ACK = 3
    CONNECT_ERROR = 4
    BINARY_EVENT = 5
    BINARY_ACK = 6


class Packet(Struct, frozen=True, gc=False):
    """One packet, attachments and all; the same whichever parser read it.

    `data` is JSON: of an EVENT and an ACK the array, of a CONNECT an object or None, of a CONNECT_ERROR an object (or
    a string), of a DISCONNECT None. Bytes in it are placeholders for `attachments`, of which each is used once at the
    most. `value` is what `data` says, set by a decoder, because it had to look: nobody need parse it again.
    """

    type: PacketType
    namespace: str = "/"
    id: int | None = None
    data: Raw | None = None
    attachments: tuple[bytes, ...] = ()
    value: Any = None


class Invalid(Struct, frozen=True):
    """A packet whose data we do not take; answer it if it has an `id`, and go on. `code` is one of the error codes."""

    type: PacketType
    namespace: str
    id: int | None
    code: int
    message: str
    field: str | None = None


class Event(Struct, frozen=True, gc=False):
    """The array of an EVENT in its parts. A name that is a number is its decimal text."""

    name: str
    arguments: tuple[Raw, ...]


class Limits(Struct, frozen=True):
    """What one packet may have. `attachment_bytes` is for all attachments of a packet together."""

    attachments: int = 10
    attachment_bytes: int = 4_000_000
    namespace_length: int = 128
    json_depth: int = 32
    json_keys: int = 256


DEFAULTS = Limits()


class Decoder(Protocol):
    """One connection's packets, from its Engine.IO messages. Holds one packet at the most."""

    def feed(self, data: bytes, binary: bool) -> Packet | Invalid | None:
        """The packet that this message completes. `data` is without Engine.IO's digit (`b'2["x",1]'`).

        Raises ProtocolError only; the decoder is of no use after that.
        """


class Parser(Protocol):
    """What clients and server must have in common. Equal parsers write equal bytes."""

    @property
    def name(self) -> str: ...

    def decoder(self) -> Decoder: ...

    def encode(self, packet: Packet) -> tuple[Payload, ...]:
        """The packet as Engine.IO messages; a text one begins with Engine.IO's `4`."""


class JsonParser(Struct, frozen=True):
    """The parser of every client that was not given another one (npm `socket.io-parser` 4.2)."""

    limits: Limits = DEFAULTS
    name: str = "json"

    def decoder(self) -> JsonDecoder:
        return JsonDecoder(self.limits)

    def encode(self, packet: Packet) -> tuple[Payload, ...]:
        return encode(packet)


class JsonDecoder:
    """The Decoder of `JsonParser`."""

    __slots__ = ("_attachments", "_depth", "_due", "_keys", "_limits", "_size", "_waiting")

    def __init__(self, limits: Limits = DEFAULTS) -> None:
        self._limits = limits
        self._depth = limits.json_depth
        self._keys = limits.json_keys
        self._waiting: Packet | Invalid | None = None
        self._attachments: list[bytes] = []
        self._due = 0
        self._size = 0

    def feed(self, data: bytes, binary: bool) -> Packet | Invalid | None:
        if binary or self._waiting is not None:
            return self._attach(data, binary)
        if data.startswith(b"2["):  # an event in the main namespace that wants no ack, as most are
            return self._read(_EVENT, "/", None, data[1:], 0)
        if data.startswith(_EVENTS_WITH_ID):
            raw = data[1:].lstrip(b"0123456789")
            if raw.startswith(b"["):
                return self._read(_EVENT, "/", _id(data[1 : -len(raw)]), raw, 0)
        kind = _KINDS.get(data[:1])
        if kind is None:
            raise ProtocolError("an unknown Socket.IO packet type")
        rest = data[1:]
        due = 0
        if kind >= PacketType.BINARY_EVENT:
            count, dash, rest = rest.partition(b"-")
            if not dash:
                raise ProtocolError("a binary packet does not say how many attachments it has")
            due = self._count(count)
            kind = PacketType.EVENT if kind is PacketType.BINARY_EVENT else PacketType.ACK
        namespace = "/"
        if rest.startswith(b"/"):
            name, _, rest = rest.partition(b",")
            namespace = self._namespace(name)
        raw = rest.lstrip(b"0123456789")
        digits = rest[: len(rest) - len(raw)]
        id = _id(digits) if digits else None
        if not raw and kind in _WITHOUT_DATA:
            return Packet(kind, namespace, id)
        if not raw.startswith(_BEGINNINGS[kind]):
            raise ProtocolError(f"data of the wrong type in a Socket.IO {kind.name} packet")
        packet = self._read(kind, namespace, id, raw, due)
        if not due:
            return packet
        self._waiting = packet
        self._due = due
        self._size = 0
        return None

    def _read(
        self, kind: PacketType, namespace: str, id: int | None, raw: bytes, attachments: int
    ) -> Packet | Invalid:
        try:
            value = check(raw, depth=self._depth, keys=self._keys)
        except HubbubError as error:
            if error.code is ErrorCode.INVALID_DATA and not _is_json(raw):
                raise ProtocolError("the data of a Socket.IO packet is not JSON") from None
            return Invalid(kind, namespace, id, error.code, error.message, error.field)
        if kind is _EVENT:
            check_name(value)
        if attachments:
            check_placeholders(value, attachments)
        return Packet(kind, namespace, id, Raw(raw), (), value)

    def _count(self, digits: bytes) -> int:
        """How many attachments are announced."""
        if not digits.isdigit() or len(digits) > 10 or digits.strip(b"0") == b"":
            raise ProtocolError("a bad number of attachments")
        check_count(int(digits), self._limits)
        return int(digits)

    def _namespace(self, raw: bytes) -> str:
        try:
            return check_namespace(raw.decode(), self._limits)
        except UnicodeDecodeError:
            raise ProtocolError("the name of a namespace is not UTF-8") from None

    def _attach(self, data: bytes, binary: bool) -> Packet | Invalid | None:
        """Take an attachment; the packet it belongs to, if that was the last."""
        packet = self._waiting
        if packet is None:
            raise ProtocolError("a binary message that no Socket.IO packet announced")
        if not binary:
            raise ProtocolError("a text message while attachments are due")
        self._size += len(data)
        check_size(self._size, self._limits)
        self._due -= 1
        if type(packet) is Packet:
            self._attachments.append(data)
        if self._due:
            return None
        self._waiting = None
        if type(packet) is not Packet:
            return packet
        attachments = tuple(self._attachments)
        self._attachments.clear()
        return Packet(packet.type, packet.namespace, packet.id, packet.data, attachments, packet.value)


_EVENT = PacketType.EVENT  # looked up once
_EVENTS_WITH_ID = tuple(b"2%d" % digit for digit in range(10))
_KINDS = {b"%d" % kind: kind for kind in PacketType}
_WITHOUT_DATA = (PacketType.CONNECT, PacketType.DISCONNECT)
_BEGINNINGS: tuple[tuple[bytes, ...], ...] = ((b"{",), (), (b"[",), (b"[",), (b"{", b'"'))
"""How the data of each type begins."""


def encode(packet: Packet) -> tuple[Payload, ...]:
    """`packet` for JSON clients: one text Payload with Engine.IO's `4`, then the attachments in order."""
    attachments = packet.attachments
    head = b"4%d%d-" % (packet.type + 3, len(attachments)) if attachments else _HEADS[packet.type]
    if packet.namespace != "/":
        head += packet.namespace.encode() + b","
    if packet.id is not None:
        head += b"%d" % packet.id
    text = Payload(head if packet.data is None else b"".join((head, packet.data)))
    if not attachments:
        return (text,)
    return (text, *[Payload(each, True) for each in attachments])


_HEADS = tuple(b"4%d" % kind for kind in PacketType)  # indexed, as an enum's hash is slow


def event(packet: Packet) -> Event:
    """The parts of an EVENT's array, which a decoder has checked."""
    parts = _split(packet.data or b"[]")
    name = packet.value[0] if packet.value else msgspec.json.decode(parts[0])
    return Event(name if type(name) is str else _decimal(name), parts[1:])


_split = msgspec.json.Decoder(tuple[Raw, ...]).decode


def revive(value: Any, attachments: Sequence[bytes]) -> Any:
    """`value` with its placeholders replaced by the bytes they stand for; without attachments `value` itself.

    Raises ProtocolError for a placeholder that has no attachment.
    """
    if not attachments:
        return value
    if type(value) is dict:
        if value.get("_placeholder") is True:
            return attachments[_number(value, len(attachments))]
        return {key: revive(inner, attachments) for key, inner in value.items()}
    if type(value) is list:
        return [revive(inner, attachments) for inner in value]
    return value


def extract(arguments: Sequence[Any]) -> tuple[Raw, tuple[bytes, ...]]:
    """Python values as a packet's `data` (an array) and `attachments`: bytes may be anywhere inside.

    Takes what msgspec writes as JSON (Structs, dataclasses, dates too) and Raw JSON; bytearray and memoryview count
    as bytes. Raises TypeError for values without a JSON form, UnicodeEncodeError for lone surrogates, and ValueError
    for a dict that a receiver would take for a placeholder, where there are bytes.
    """
    if not any(map(_holds_bytes, arguments)):
        return Raw(_encode(arguments)), ()
    attachments: list[bytes] = []
    plain = [_without_bytes(each, attachments) for each in arguments]
    return Raw(_encode(plain)), tuple(attachments)


_encode = msgspec.json.Encoder().encode
_SCALARS = frozenset((str, int, float, bool, type(None)))
_BYTES = (bytes, bytearray, memoryview)


def _holds_bytes(value: Any) -> bool:
    kind = type(value)
    if kind in _SCALARS or kind is Raw:
        return False
    if kind is dict:
        return any(map(_holds_bytes, value.values()))
    if kind is list or kind is tuple:
        return any(map(_holds_bytes, value))
    return kind in _BYTES or _holds_bytes(_builtins(value))


def _without_bytes(value: Any, attachments: list[bytes]) -> Any:
    kind = type(value)
    if kind in _SCALARS or kind is Raw:
        return value
    if kind is dict:
        if value.get("_placeholder") is True:
            raise ValueError("a dict with _placeholder: True cannot go together with bytes")
        return {key: _without_bytes(inner, attachments) for key, inner in value.items()}
    if kind is list or kind is tuple:
        return [_without_bytes(inner, attachments) for inner in value]
    if kind in _BYTES:
        attachments.append(bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    return _without_bytes(_builtins(value), attachments)


def _builtins(value: Any) -> Any:
    """An object as msgspec's JSON would show it, except for bytes."""
    return msgspec.to_builtins(value, builtin_types=_BYTES, str_keys=True)


def check_name(array: Sequence[Any]) -> None:
    """Raise ProtocolError unless `array`, the data of an EVENT, begins with a name."""
    if array:
        name = array[0]
        if type(name) is str:
            if name not in RESERVED:
                return
            raise ProtocolError(f"the event name {name} is reserved")
        if type(name) is int or type(name) is float:
            return
    raise ProtocolError("an event without a name")


def check_namespace(name: str, limits: Limits = DEFAULTS) -> str:
    """`name`, if it can be a namespace: begins with a slash, has no comma, can be printed and is not too long.

    Raises ProtocolError. A control character could end a packet in a long-polling payload.
    """
    if len(name) > limits.namespace_length:
        raise ProtocolError("the name of a namespace is too long", code=ErrorCode.LIMIT_EXCEEDED)
    if name[:1] == "/" and "," not in name and name.isprintable():
        return name
    raise ProtocolError("a bad name of a namespace")


def check_count(attachments: int, limits: Limits) -> None:
    """Raise ProtocolError for more attachments than a packet may have."""
    if attachments > limits.attachments:
        raise ProtocolError(f"more than {limits.attachments} attachments", code=ErrorCode.LIMIT_EXCEEDED)


def check_size(size: int, limits: Limits) -> None:
    """Raise ProtocolError if a packet's attachments have more bytes together than they may."""
    if size > limits.attachment_bytes:
        raise ProtocolError(
            f"attachments of more than {limits.attachment_bytes} bytes", code=ErrorCode.MESSAGE_TOO_LARGE
        )


def check_placeholders(value: Any, attachments: int) -> None:
    """Raise ProtocolError for a placeholder without an attachment, or for the same one again.

    The reference implementation lets any number of placeholders stand for one attachment; here a packet of a few
    bytes must not become one of gigabytes when it is written inline. Attachments without a placeholder are let be.
    """
    used: set[int] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is dict:
            if item.get("_placeholder") is True:
                number = _number(item, attachments)
                if number in used:
                    raise ProtocolError("two placeholders for one attachment")
                used.add(number)
            else:
                stack.extend(item.values())
        elif type(item) is list:
            stack.extend(item)


def _number(placeholder: dict[str, Any], attachments: int) -> int:
    """Which attachment a placeholder stands for."""
    number = placeholder.get("num")
    if type(number) is int and 0 <= number < attachments:
        return number
    raise ProtocolError("a placeholder without an attachment")


def _id(digits: bytes) -> int:
    """An ack's id: what JavaScript can count."""
    if len(digits) <= 16:
        id = int(digits)
        if id <= LARGEST_ID:
            return id
    raise ProtocolError("the id of a Socket.IO packet is too large")


def _decimal(number: float) -> str:
    """A number as JavaScript writes it, for an event name."""
    if type(number) is float and number.is_integer() and abs(number) < 1e21:
        number = int(number)
    return str(number)


def _is_json(raw: bytes) -> bool:
    """Whether a reader less strict than ours could read `raw`. Slow: only asked when ours could not."""
    try:
        json.loads(raw.decode(), parse_constant=_refuse, parse_int=len, parse_float=len)
    except RecursionError:
        return True
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


JSON: Parser = JsonParser()
