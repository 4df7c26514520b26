"""What brokers between nodes carry: frames of bytes, and the bodies that logs keep. Pure.

A frame is a header and a body. The header, big-endian: version (1 byte), kind (1), origin (8: the publishing process),
the monotonic clock of that process at the accept (8, a double), a number (8), the length of the epoch (1), the epoch
(UTF-8). The number is the offset, or for what is kept nowhere a serial number of the origin's. Brokers that give
offsets put the rest behind a `stamp` themselves. The body is its own version and an array in MessagePack: fields that
later versions add at its end are passed over; whatever else they change has another version and is refused.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import msgspec
from msgspec import UNSET, Raw, Struct

from hubbub.model import Envelope, Join, Leave, Member, Publication

VERSION = 1
ORIGIN_LENGTH = 8

_STAMP = struct.Struct(">BB8sd")
_PLACE = struct.Struct(">QB")
_HEADER = struct.Struct(">BB8sdQB")
_BODY_VERSION = bytes((VERSION,))


class Kind(IntEnum):
    """Where a publication is kept: nowhere, in the broker's log, or elsewhere by who gave it its offset."""

    FLEETING = 0
    LOGGED = 1
    CARRIED = 2


FLEETING, LOGGED, CARRIED = (int(kind) for kind in Kind)  # members cost a look-up each time


class UnreadableError(ValueError):
    """`reason` is `version` for what a newer version may understand, `malformed` for what none will."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Header(Struct, frozen=True, gc=False):
    """Of a frame. `number` is its offset or serial, `start` where its body begins."""

    kind: int
    origin: bytes
    accepted: float
    number: int
    epoch: str
    start: int


class _Said(Struct, frozen=True, array_like=True, tag=0, gc=False):
    channel: str
    event: str
    data: bytes
    id: str
    sender: str | None
    time: float
    conflation_key: str | None
    exclude: str | None
    attachments: tuple[bytes, ...] = ()
    spread: bool = False
    unless: tuple[str, ...] = ()
    volatile: bool = False
    hidden: tuple[str, ...] = ()


class _Moved(Struct, frozen=True, array_like=True, tag=1, gc=False):
    joined: bool
    channel: str
    session: str
    user: str
    info: bytes | None
    exclude: str | None
    unless: tuple[str, ...] = ()
    volatile: bool = False
    hidden: tuple[str, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Said | _Moved).decode


def body_of(envelope: Envelope, id: str = "") -> bytes:
    """The envelope, but for `accepted` and a publication's place. `id` is the publication's if it has none."""
    push = envelope.push
    if isinstance(push, Publication):
        return _BODY_VERSION + _encode(
            _Said(
                push.channel,
                push.event,
                bytes(push.data),
                push.id or id,
                push.sender,
                push.time,
                push.conflation_key,
                envelope.exclude,
                push.attachments,
                push.spread,
                envelope.unless,
                envelope.volatile,
                envelope.hidden,
            )
        )
    member = push.member
    return _BODY_VERSION + _encode(
        _Moved(
            type(push) is Join,
            push.channel,
            member.session,
            member.user,
            None if member.info is UNSET else bytes(member.info),
            envelope.exclude,
            envelope.unless,
            envelope.volatile,
            envelope.hidden,
        )
    )


def stamp(kind: int, origin: bytes, accepted: float) -> bytes:
    """The header's beginning; what follows is a number (8 bytes), and an epoch behind its length (1 byte)."""
    return _STAMP.pack(VERSION, kind, origin, accepted)


def place(number: int, epoch: str = "") -> bytes:
    """The header's end. Raises ValueError for an epoch of more than 255 bytes."""
    raw = epoch.encode()
    if len(raw) > 255:
        raise ValueError("an epoch is at most 255 bytes")
    return _PLACE.pack(number, len(raw)) + raw


def read_place(raw: bytes, start: int = 0) -> tuple[int, str, int]:
    """The number and epoch at `start` of `raw`, and where they end."""
    number, length = _PLACE.unpack_from(raw, start)
    start += _PLACE.size
    return number, raw[start : start + length].decode(), start + length


def frame_of(envelope: Envelope) -> bytes:
    """A whole frame of no origin, with the place that the publication has."""
    push = envelope.push
    if type(push) is Publication and push.offset is not None:
        kind, end = CARRIED, place(push.offset, push.epoch or "")
    else:
        kind, end = FLEETING, place(0)
    return stamp(kind, bytes(ORIGIN_LENGTH), 0.0) + end + body_of(envelope)


def read_header(frame: bytes) -> Header:
    """Raises UnreadableError."""
    try:
        version, kind, origin, accepted, number, length = _HEADER.unpack_from(frame)
    except struct.error:
        raise _unreadable(frame) from None
    start = _HEADER.size + length
    if version != VERSION or kind > CARRIED:
        raise _unreadable(frame)
    try:
        epoch = frame[_HEADER.size : start].decode()
    except UnicodeDecodeError:
        raise UnreadableError("malformed", "the epoch is not UTF-8") from None
    return Header(kind, origin, accepted, number, epoch, start)


def read_envelope(frame: bytes, header: Header, accepted: float = 0.0) -> Envelope:
    """What is in the frame behind its header. Raises UnreadableError."""
    if header.kind == FLEETING:
        return _envelope(frame, header.start, None, None, accepted)
    return _envelope(frame, header.start, header.epoch, header.number, accepted)


def read_publication(body: bytes, epoch: str, offset: int) -> Publication:
    """What a log has kept. Raises UnreadableError."""
    push = _envelope(body, 0, epoch, offset, 0.0).push
    if type(push) is not Publication:
        raise UnreadableError("malformed", "no publication")
    return push


def _envelope(raw: bytes, start: int, epoch: str | None, offset: int | None, accepted: float) -> Envelope:
    if raw[start : start + 1] != _BODY_VERSION:
        raise _unreadable(raw[start:])
    try:
        found = _decode(memoryview(raw)[start + 1 :])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableError("malformed", f"the body cannot be decoded: {error}") from None
    if type(found) is _Said:
        return Envelope(
            Publication(
                found.channel,
                found.event,
                Raw(found.data),
                found.id,
                found.sender,
                found.time,
                epoch,
                offset,
                found.conflation_key,
                found.attachments,
                found.spread,
            ),
            found.exclude,
            accepted,
            found.unless,
            found.volatile,
            found.hidden,
        )
    assert type(found) is _Moved
    member = Member(found.session, found.user, UNSET if found.info is None else Raw(found.info))
    push = (Join if found.joined else Leave)(found.channel, member)
    return Envelope(push, found.exclude, accepted, found.unless, found.volatile, found.hidden)


def _unreadable(raw: bytes) -> UnreadableError:
    """Why: of the first byte and the length."""
    if raw and raw[0] > VERSION:
        return UnreadableError("version", f"version {raw[0]} is newer than {VERSION}, which this node speaks")
    return UnreadableError("malformed", "no header as nodes write it")
