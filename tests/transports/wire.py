"""What the tests of framing share: frames as a client makes them, byte by byte, and ways to deliver them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hubbub.transports.frames import Event, FrameError, FrameParser, Inflater

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
MASK = b"\x37\xfa\x21\x3d"
"""The masking key of the RFC's own examples."""


def masked(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes = MASK) -> bytes:
    """A client's frame; `rsv` is the three reserved bits as a number. Deliberately not the code under test."""
    head = (0x80 if fin else 0) | rsv << 4 | opcode
    size = len(payload)
    if size < 126:
        length = bytes([head, 0x80 | size])
    elif size < 1 << 16:
        length = bytes([head, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([head, 0x80 | 127]) + size.to_bytes(8, "big")
    return length + mask + bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))


def close(code: int, reason: bytes = b"") -> bytes:
    return masked(CLOSE, code.to_bytes(2, "big") + reason)


@dataclass(frozen=True)
class Outcome:
    """What a stream came to: all events, then the close code of the fault, if there was one."""

    events: tuple[Event, ...]
    fault: int | None = None


def outcome(parser: FrameParser, chunks: Iterable[bytes]) -> Outcome:
    events: list[Event] = []
    for chunk in chunks:
        try:
            events += parser.feed(chunk)
        except FrameError as fault:
            return Outcome((*events, *fault.events), fault.disconnect.code)
    return Outcome(tuple(events))


def parser(
    max_message: int = 1 << 17, max_fragments: int = 64, inflater: Inflater | None = None
) -> FrameParser:
    return FrameParser(max_message, max_fragments, inflater)


def deliveries(data: bytes) -> Iterator[list[bytes]]:
    """`data` whole, byte by byte, and cut in two at each byte; long data is cut more coarsely."""
    yield [data]
    step = 1 if len(data) <= 2000 else len(data) // 7
    yield [data[at : at + step] for at in range(0, len(data), step)]
    for cut in range(step, len(data), step):
        yield [data[:cut], data[cut:]]


def retained(parser: FrameParser) -> int:
    """The bytes that a parser keeps between feeds."""
    held = len(parser._held or b"")
    return held + (len(parser._message.body) if parser._message else 0)
