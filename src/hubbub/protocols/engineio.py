"""Engine.IO v4: packets, the long-polling payload, the opening packet. Pure.

Source: https://github.com/socketio/engine.io-protocol (revision 4). In a WebSocket text message, and between the
separators of a long-polling body, a packet is one ASCII digit and its data. Binary messages have no digit: on
WebSocket they are the binary message itself, in long-polling `b` and base64 (RFC 4648, section 4, padded).
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from enum import IntEnum

import msgspec
from msgspec import Struct

from hubbub.errors import ErrorCode, ProtocolError
from hubbub.protocols.base import Payload


class PacketType(IntEnum):
    """The digit that a packet begins with."""

    OPEN = 0
    CLOSE = 1
    PING = 2
    PONG = 3
    MESSAGE = 4
    UPGRADE = 5
    NOOP = 6


class Packet(Struct, frozen=True, gc=False):
    """One packet, `data` without its digit (and without base64). Only a MESSAGE is `binary`."""

    type: PacketType
    data: bytes = b""
    binary: bool = False


SEPARATOR = b"\x1e"
CLOSE = b"1"
PING = b"2"
PONG = b"3"
UPGRADE = b"5"
NOOP = b"6"
PROBE = b"2probe"
PROBE_ANSWER = b"3probe"

_TYPES = {ord("0") + kind: kind for kind in PacketType}
_BINARY = ord("b")


def decode(frame: bytes, binary: bool) -> Packet:
    """The packet in one WebSocket message. That its text is UTF-8 is the WebSocket's to check.

    Raises ProtocolError: an empty text, an unknown digit, bad base64 (`b` in a text is understood here as well, as
    the reference implementation does).
    """
    if binary:
        return Packet(PacketType.MESSAGE, frame, True)
    if not frame:
        raise ProtocolError("an empty Engine.IO packet")
    first = frame[0]
    kind = _TYPES.get(first)
    if kind is not None:
        return Packet(kind, frame[1:])
    if first == _BINARY:
        return Packet(PacketType.MESSAGE, _from_base64(frame), True)
    raise ProtocolError("an unknown Engine.IO packet type")


def decode_payload(body: bytes, *, packets: int) -> tuple[Packet, ...]:
    """The packets in the body of a long-polling POST, at most `packets` of them.

    Raises ProtocolError: too many packets, not UTF-8, a packet that `decode` refuses; the ones before that packet
    are in the error's `commands`, as the reference implementation still delivers them.
    """
    if body.count(SEPARATOR) >= packets:
        raise ProtocolError(f"more than {packets} packets in one payload", code=ErrorCode.LIMIT_EXCEEDED)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise ProtocolError("an Engine.IO payload is not UTF-8") from None
    decoded: list[Packet] = []
    try:
        for each in body.split(SEPARATOR):
            decoded.append(decode(each, False))  # noqa: PERF401 - what came before a fault is wanted
    except ProtocolError as error:
        raise ProtocolError(error.message, commands=tuple(decoded)) from None
    return tuple(decoded)


def open_packet(
    sid: str,
    *,
    upgrades: tuple[str, ...],
    ping_interval: float,
    ping_timeout: float,
    max_payload: int,
) -> bytes:
    """The first packet on a connection, its keys in the reference implementation's order.

    `ping_interval` and `ping_timeout` are seconds here and whole milliseconds in the packet; `max_payload` is bytes.
    """
    return b"0" + msgspec.json.encode(
        {
            "sid": sid,
            "upgrades": upgrades,
            "pingInterval": round(ping_interval * 1000),
            "pingTimeout": round(ping_timeout * 1000),
            "maxPayload": max_payload,
        }
    )


def poll(payloads: Sequence[Payload]) -> bytes:
    """The Framing of long-polling: packets joined by separators, binary ones as base64.

    A text Payload is a whole packet, digit included. None holds a separator, because JSON escapes it.
    """
    if len(payloads) == 1 and not payloads[0].binary:  # as most are
        return payloads[0].data
    return SEPARATOR.join(
        [b"b" + b2a_base64(each.data, newline=False) if each.binary else each.data for each in payloads]
    )


def split(body: bytes) -> list[bytes]:
    """The packets that `poll` joined, each as it was written; none in an empty body."""
    return body.split(SEPARATOR) if body else []


def to_payload(packet: bytes) -> Payload:
    """One of `split`'s packets as a WebSocket sends it: for what still waits when a connection upgrades.

    Raises ProtocolError for bad base64, which `poll` does not write.
    """
    if packet.startswith(b"b"):
        return Payload(_from_base64(packet), True)
    return Payload(packet)


def _from_base64(packet: bytes) -> bytes:
    """The bytes behind the `b`."""
    try:
        return a2b_base64(packet[1:], strict_mode=True)
    except Base64Error:
        raise ProtocolError("bad base64 in an Engine.IO packet") from None
