"""Payloads to wire bytes: WebSocket frames, server-sent events and long-poll bodies. Pure.

The Framings here (`websocket`, `websocket_deflate(...)`, `sse`, `poll_body`) are hashable: connections with
equal encodings and equal framings share one encoded and framed push.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

from hubbub.protocols.base import Payload
from hubbub.transports import frames
from hubbub.transports.deflate import MAX_WINDOW_BITS, Deflate
from hubbub.transports.frames import FIN, RSV1

_short = Struct("!BB").pack
_medium = Struct("!BBH").pack
_long = Struct("!BBQ").pack
_LINE_BREAKS = bytes.maketrans(b"\r\n", b"  ")


# --- WebSocket --------------------------------------------------------------------------------------------


def frame(opcode: int, payload: bytes, flags: int = FIN) -> bytes:
    """An unmasked frame, as a server sends it (RFC 6455, section 5.2). `flags`: the bits FIN and RSV1-3."""
    size = len(payload)
    if size < 126:
        return _short(flags | opcode, size) + payload
    if size < 65536:
        return _medium(flags | opcode, 126, size) + payload
    return _long(flags | opcode, 127, size) + payload


def websocket(payloads: Sequence[Payload]) -> bytes:
    """Framing: a text or binary frame for each payload."""
    if len(payloads) == 1:
        payload = payloads[0]
        return frame(frames.BINARY if payload.binary else frames.TEXT, payload.data)
    return b"".join([websocket((payload,)) for payload in payloads])


@dataclass(frozen=True, slots=True)
class WebSocketDeflate:
    """Framing: as `websocket`, but payloads of at least `minimum` bytes that shrink are compressed."""

    minimum: int
    deflate: Deflate

    def __call__(self, payloads: Sequence[Payload]) -> bytes:
        return b"".join(map(self._frame, payloads))

    def _frame(self, payload: Payload) -> bytes:
        opcode = frames.BINARY if payload.binary else frames.TEXT
        if len(payload.data) >= self.minimum:
            compressed = self.deflate.compress(payload.data)
            if len(compressed) < len(payload.data):
                return frame(opcode, compressed, FIN | RSV1)
        return frame(opcode, payload.data)


def websocket_deflate(minimum: int, level: int, window_bits: int = MAX_WINDOW_BITS) -> WebSocketDeflate:
    """The Framing for connections that negotiated permessage-deflate with this window."""
    return WebSocketDeflate(minimum, Deflate(level, window_bits))


PING: Final = frame(frames.PING, b"")


def pong(data: bytes) -> bytes:
    """The answer to a Ping."""
    return frame(frames.PONG, data)


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; `reason` is cut to 123 bytes between characters.

    With a code that is never on the wire (NO_STATUS, 1006) the frame is empty: the echo of an empty one.
    """
    if not frames.may_be_sent(code):
        return frame(frames.CLOSE, b"")
    text = reason.encode(errors="replace")[:123].decode(errors="ignore").encode()
    return frame(frames.CLOSE, code.to_bytes(2, "big") + text)


# --- server-sent events (WHATWG HTML, section 9.2) --------------------------------------------------------


def sse_event(
    data: bytes, event: str | None = None, id: str | None = None, retry: int | None = None
) -> bytes:
    """One event; `retry` is in milliseconds. No value can end its line and begin another field or event.

    A line break in `data` (CR LF, CR or LF) arrives as LF. From `event` and `id`, line breaks and NULs are
    left out: the format cannot carry them.
    """
    fields = []
    if event:
        fields.append(b"event: " + _one_line(event))
    if id is not None:
        fields.append(b"id: " + _one_line(id))
    if retry is not None:
        fields.append(b"retry: %d" % retry)
    fields.extend(b"data: " + line for line in _lines(data))
    return b"\n".join(fields) + b"\n\n"


def sse_comment(text: str = "") -> bytes:
    """A comment: keeps a quiet stream alive, and no client sees it."""
    return b"\n".join(b": " + line for line in _lines(text.encode(errors="replace"))) + b"\n\n"


def sse(payloads: Sequence[Payload]) -> bytes:
    """Framing: a nameless event for each payload. A stream is UTF-8, so binary payloads go in base64."""
    return b"".join(
        sse_event(b64encode(payload.data) if payload.binary else payload.data) for payload in payloads
    )


def _lines(data: bytes) -> list[bytes]:
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.split(b"\n")


def _one_line(value: str) -> bytes:
    return value.encode(errors="replace").translate(None, b"\r\n\x00")


# --- long-poll --------------------------------------------------------------------------------------------


def poll_body(payloads: Sequence[Payload]) -> bytes:
    """Framing: the body of an answered poll, or a part of it.

    JSON payloads are lines (application/x-ndjson); a line break within one can only be JSON white space and
    becomes a blank. Binary payloads (MessagePack) are self-delimiting and simply follow each other.
    """
    return b"".join(
        payload.data if payload.binary else payload.data.translate(_LINE_BREAKS) + b"\n"
        for payload in payloads
    )
