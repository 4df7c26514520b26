"""permessage-deflate (RFC 7692), always without context takeover. Pure.

No state outlives a message: an idle connection costs nothing, and one compressed frame serves a whole group.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hubbub import errors
from hubbub.transports.frames import FrameError

MAX_WINDOW_BITS: Final = 15
_MIN_WINDOW_BITS = 9  # the RFC allows 8, zlib's raw deflate does not
_NAME = "permessage-deflate"
_FLUSH_TAIL = b"\x00\x00\xff\xff"
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_PARAMETER = rf'\s*;\s*({_TOKEN})(?:\s*=\s*(?:({_TOKEN})|"({_TOKEN})"))?'
_OFFER = re.compile(rf"[\s,]*({_TOKEN})((?:{_PARAMETER})*)\s*(?:,|$)")
_PARAMETERS = re.compile(_PARAMETER)


@dataclass(frozen=True, slots=True)
class Deflate:
    """A negotiated compression: the zlib `level` and the window's bits of what the server sends."""

    level: int
    window_bits: int = MAX_WINDOW_BITS

    def compress(self, data: bytes) -> bytes:
        """A compressed message's payload (RFC 7692, section 7.2.1)."""
        stream = zlib.compressobj(self.level, zlib.DEFLATED, -self.window_bits)
        return (stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH))[: -len(_FLUSH_TAIL)]

    def inflate(self, data: bytes, limit: int) -> bytes:
        """The message whose payload is `data` (section 7.2.2); at most `limit` + 1 bytes are ever inflated.

        FrameError: TOO_LARGE over `limit`, PROTOCOL_ERROR for a stream that is broken, cut short or goes on.
        """
        stream = zlib.decompressobj(-MAX_WINDOW_BITS)
        try:
            # zlib does not say whether it stopped within a block: only a whole stream is ended by our block.
            message = stream.decompress(data + _FLUSH_TAIL + _LAST_BLOCK, limit + 1)
        except zlib.error:
            raise FrameError(errors.PROTOCOL_ERROR, "invalid deflate stream") from None
        if len(message) > limit:
            raise FrameError(errors.TOO_LARGE, f"message longer than {limit} bytes")
        # A peer's own last block is followed by one empty block's header (section 7.2.3.4).
        if not stream.eof or stream.unused_data not in (b"", b"\x00" + _FLUSH_TAIL + _LAST_BLOCK):
            raise FrameError(errors.PROTOCOL_ERROR, "incomplete deflate stream")
        return message


def negotiate(header: str, level: int) -> tuple[str, Deflate] | None:
    """The answer to a Sec-WebSocket-Extensions header: its value and the compression, or None for none.

    The first offer of permessage-deflate that can be met is taken (RFC 7692, section 5). One with a parameter
    that is unknown, doubled or out of range is passed over; so is an 8-bit window, which zlib cannot make.
    A header that cannot be read is as good as none.
    """
    for name, parameters in _offers(header):
        if name != _NAME:
            continue
        bits = _window_bits(parameters)
        if bits is None:
            continue
        response = f"{_NAME}; server_no_context_takeover; client_no_context_takeover"
        if "server_max_window_bits" in dict(parameters):
            response += f"; server_max_window_bits={bits}"
        return response, Deflate(level, bits)
    return None


def _offers(header: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each extension of the header with its parameters; a parameter without a value has an empty one."""
    offers = []
    header = header.rstrip(" \t,")
    at = 0
    while at < len(header):
        found = _OFFER.match(header, at)
        if found is None:
            return
        parameters = [(key, value or quoted) for key, value, quoted in _PARAMETERS.findall(found[2])]
        offers.append((found[1], parameters))
        at = found.end()
    yield from offers


def _window_bits(parameters: list[tuple[str, str]]) -> int | None:
    """The server's window for an offer, or None if the offer is to be declined (RFC 7692, section 7.1)."""
    values = dict(parameters)
    if len(values) != len(parameters):
        return None
    bits = MAX_WINDOW_BITS
    for name, value in parameters:
        match name:
            case "server_no_context_takeover" | "client_no_context_takeover":
                if value:
                    return None
            case "client_max_window_bits":
                if value and value not in _BITS:
                    return None
            case "server_max_window_bits":
                bits = _BITS.get(value, 0)
                if bits < _MIN_WINDOW_BITS:
                    return None
            case _:
                return None
    return bits


_BITS = {str(bits): bits for bits in range(8, MAX_WINDOW_BITS + 1)}
