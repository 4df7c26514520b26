"""RFC 6455's frames as a server reads them: bytes in, whole messages and control frames out. Pure.

Why not a library's parser: docs/decisions/0001-own-frame-parser.md. Compression (RFC 7692) is in `deflate`.
"""

from __future__ import annotations

import codecs
from typing import Final, Protocol

from msgspec import Struct

from hubbub import errors

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FIN: Final = 0x80
RSV1: Final = 0x40
NO_STATUS: Final = 1005
"""The code of a Close that carried none (RFC 6455, section 7.1.5). Never on the wire."""

_RSV2_OR_3 = 0x30
_CONTROL = 0x08
_FINAL_TEXT = FIN | TEXT
_FINAL_BINARY = FIN | BINARY
_WHOLE_MESSAGE = (_FINAL_TEXT, _FINAL_BINARY)
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_VIEW_FROM = 8192
"""From this many bytes on, a view of the payload is cheaper than a copy of it (measured)."""


def xor_mask(data: bytes | bytearray | memoryview, mask: bytes | bytearray) -> bytes:
    """`data` with the 4-byte `mask` applied (RFC 6455, section 5.3); for want of websockets' C function."""
    size = len(data)
    key = bytes(mask) * (size // 4) + bytes(mask[: size % 4])
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


try:
    from websockets.speedups import apply_mask
except ImportError:
    apply_mask = xor_mask


class Text(Struct, frozen=True, gc=False):
    """A whole text message; `data` is UTF-8 for certain, so that a decoder need not check again."""

    data: bytes


class Binary(Struct, frozen=True, gc=False):
    """A whole binary message."""

    data: bytes


class Ping(Struct, frozen=True, gc=False):
    """A ping: answer it with a pong of the same `data` (at most 125 bytes)."""

    data: bytes


class Pong(Struct, frozen=True, gc=False):
    """A pong, asked for or not."""

    data: bytes


class Close(Struct, frozen=True, gc=False):
    """The peer closes. `code` is NO_STATUS when it gave none. Nothing after it is read."""

    code: int
    reason: str


Event = Text | Binary | Ping | Pong | Close


class FrameError(Exception):
    """The peer broke the protocol: fail the connection with `disconnect`. `events` came before the fault."""

    def __init__(self, disconnect: errors.Disconnect, message: str) -> None:
        super().__init__(message)
        self.disconnect = disconnect
        self.events: tuple[Event, ...] = ()


class Inflater(Protocol):
    """What the parser needs of a negotiated compression."""

    def inflate(self, data: bytes, limit: int) -> bytes:
        """The message whose compressed form is `data`; FrameError when it is broken or over `limit` bytes."""


def may_be_sent(code: int) -> bool:
    """Whether a close frame may carry `code` (RFC 6455, section 7.4, and the IANA registry)."""
    return 3000 <= code <= 4999 or (1000 <= code <= 1014 and not 1004 <= code <= 1006)


class _Message:
    """The fragments so far of one message."""

    __slots__ = ("body", "compressed", "decoder", "fragments", "text")

    def __init__(self, *, text: bool, compressed: bool) -> None:
        self.text = text
        self.compressed = compressed
        self.body = bytearray()
        self.fragments = 0
        self.decoder = codecs.getincrementaldecoder("utf-8")() if text and not compressed else None


class FrameParser:
    """One connection's incoming frames.

    It holds at most one incomplete frame and one incomplete message: `max_message` bytes in all, and a header
    or control frame. Lengths are judged before anything of the body is kept.
    With an `inflater`, `max_message` bounds the compressed and the inflated size alike.
    """

    __slots__ = ("_held", "_inflater", "_max_fragments", "_max_message", "_message", "_over", "_room")

    def __init__(self, max_message: int, max_fragments: int, inflater: Inflater | None = None) -> None:
        self._max_message = max_message
        self._max_fragments = max_fragments
        self._inflater = inflater
        self._held: bytearray | None = None
        self._message: _Message | None = None
        self._over = False
        self._room = max_message

    def feed(self, data: bytes) -> list[Event]:
        """What `data`, after all that was fed before it, completes. After a Close or a FrameError: nothing.

        Raises FrameError with PROTOCOL_ERROR (1002), INVALID_UTF8 (1007) or TOO_LARGE (1009: too many bytes,
        or more than `max_fragments` fragments, the empty ones counted).
        """
        events: list[Event] = []
        if self._over:
            return events
        source: bytes | bytearray = data
        if self._held is not None:
            self._held += data
            source = self._held
        at = 0
        size = len(source)
        try:
            while size - at >= 2 and (end := self._frame(source, at, size, events)):
                at = end
        except FrameError as fault:
            self._end()
            fault.events = tuple(events)
            raise
        if at == size:
            self._held = None
        elif at or self._held is None:
            self._held = bytearray(memoryview(source)[at:])
        return events

    def _end(self) -> None:
        self._over = True
        self._held = None
        self._message = None

    def _frame(self, data: bytes | bytearray, at: int, size: int, events: list[Event]) -> int:
        """Read the frame at `at`, of which two bytes are there; its end, or 0 while it is incomplete."""
        first = data[at]
        length = data[at + 1] - 0x80
        plain = first in _WHOLE_MESSAGE
        if not plain or self._message is not None:
            self._check_opening(first)
        if length < 0:
            raise FrameError(errors.PROTOCOL_ERROR, "unmasked frame")
        body = at + 6
        if length > 125:
            if first & _CONTROL:
                raise FrameError(errors.PROTOCOL_ERROR, "control frame longer than 125 bytes")
            shortest = length
            body += 2 if length == 126 else 8
            if body - 4 > size:
                return 0
            if length == 126:
                length = data[at + 2] << 8 | data[at + 3]
            else:
                shortest = 65536
                length = int.from_bytes(data[at + 2 : at + 10], "big")
            if length < shortest or length >> 63:
                raise FrameError(errors.PROTOCOL_ERROR, "wrongly encoded length")
        if length > self._room and not first & _CONTROL:
            raise FrameError(errors.TOO_LARGE, f"message longer than {self._max_message} bytes")
        end = body + length
        if end > size:
            return 0
        mask = data[body - 4 : body]
        if length < _VIEW_FROM:
            payload = apply_mask(data[body:end], mask)
        else:
            payload = apply_mask(memoryview(data)[body:end], mask)
        if not plain:
            return self._read(first, payload, events, end, size)
        if first == _FINAL_BINARY:
            events.append(Binary(payload))
        else:
            if not payload.isascii():
                _check_text(payload)
            events.append(Text(payload))
        return end

    def _check_opening(self, first: int) -> None:
        """Whether a frame may begin with the byte `first` here."""
        opcode = first & 0x0F
        if opcode not in _OPCODES:
            raise FrameError(errors.PROTOCOL_ERROR, "reserved opcode")
        starts = opcode in (TEXT, BINARY)
        if first & _RSV2_OR_3 or (first & RSV1 and not (starts and self._inflater)):
            raise FrameError(errors.PROTOCOL_ERROR, "reserved bit")
        if opcode & _CONTROL:
            if not first & FIN:
                raise FrameError(errors.PROTOCOL_ERROR, "fragmented control frame")
        elif starts:
            if self._message is not None:
                raise FrameError(errors.PROTOCOL_ERROR, "new message within a fragmented one")
        elif self._message is None:
            raise FrameError(errors.PROTOCOL_ERROR, "continuation of nothing")
        elif self._message.fragments >= self._max_fragments:
            raise FrameError(errors.TOO_LARGE, f"more than {self._max_fragments} fragments")

    def _read(self, first: int, payload: bytes, events: list[Event], end: int, size: int) -> int:
        """Take in a frame that is not a whole plain message. Returns where to go on."""
        opcode = first & 0x0F
        if opcode == PING:
            events.append(Ping(payload))
        elif opcode == PONG:
            events.append(Pong(payload))
        elif opcode == CLOSE:
            events.append(_read_close(payload))
            self._end()
            return size
        else:
            self._read_fragment(first, payload, events)
        return end

    def _read_fragment(self, first: int, payload: bytes, events: list[Event]) -> None:
        message = self._message or _Message(text=first & 0x0F == TEXT, compressed=bool(first & RSV1))
        final = bool(first & FIN)
        if message.decoder is not None:
            try:
                message.decoder.decode(payload, final)
            except UnicodeDecodeError:
                raise FrameError(errors.INVALID_UTF8, "text is not UTF-8") from None
        message.body += payload
        message.fragments += 1
        if not final:
            self._message = message
            self._room = self._max_message - len(message.body)
            return
        self._message = None
        self._room = self._max_message
        whole = bytes(message.body)
        if message.compressed and self._inflater is not None:
            whole = self._inflater.inflate(whole, self._max_message)
            if message.text:
                _check_text(whole)
        events.append(Text(whole) if message.text else Binary(whole))


def _check_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        raise FrameError(errors.INVALID_UTF8, "text is not UTF-8") from None


def _read_close(payload: bytes) -> Close:
    if not payload:
        return Close(NO_STATUS, "")
    code = int.from_bytes(payload[:2], "big")  # of one byte: below 256, so invalid
    if not may_be_sent(code):
        raise FrameError(errors.PROTOCOL_ERROR, "invalid close code")
    try:
        return Close(code, payload[2:].decode())
    except UnicodeDecodeError:
        raise FrameError(errors.INVALID_UTF8, "close reason is not UTF-8") from None
