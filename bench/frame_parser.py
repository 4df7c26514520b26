"""The figures of docs/decisions/0001: our frame parser beside websockets', memory and time, in one run.

`python -m bench.frame_parser` prints a table. Times are the best of 15 rounds that the two take in turns;
memory is what Python allocated.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from hubbub.transports.frames import FrameParser

LIMIT = 65536
ROUNDS = 15
SIZES = (32, 128, 4096, 65000)


def masked(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=True)


def ours() -> FrameParser:
    return FrameParser(LIMIT, 64)


def theirs() -> ServerProtocol:
    return ServerProtocol(state=OPEN, max_size=LIMIT)


def bytes_each(make: Callable[[], object], count: int = 10_000) -> float:
    """What one object costs, with all that it holds, idle after one small frame."""
    kept: list[object] = [None] * count
    gc.collect()
    tracemalloc.start()
    for i in range(count):
        kept[i] = make()
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / count


def ours_used() -> FrameParser:
    parser = ours()
    parser.feed(SMALL)
    return parser


def theirs_used() -> ServerProtocol:
    protocol = theirs()
    protocol.receive_data(SMALL)
    protocol.events_received()
    return protocol


def compare(name: str, data: bytes, frames: int = 1) -> None:
    """A row of µs per frame, where `data` holds `frames` of them."""
    parser, protocol = ours(), theirs()

    def read_theirs(data: bytes) -> None:
        protocol.receive_data(data)
        protocol.events_received()

    rounds = [(seconds(parser.feed, data), seconds(read_theirs, data)) for _ in range(ROUNDS)]
    mine, other = map(min, zip(*rounds, strict=True))
    row(name, mine / frames * 1e6, other / frames * 1e6)


def seconds(read: Callable[[bytes], object], data: bytes) -> float:
    """Per read."""
    repeat = 1 + 10_000_000 // (2000 + len(data))
    start = time.perf_counter()
    for _ in range(repeat):
        read(data)
    return (time.perf_counter() - start) / repeat


def row(name: str, mine: float, other: float) -> None:
    print(f"| {name} | {mine:.2f} | {other:.2f} | {other / mine:.1f} |")


SMALL = masked(b"x" * 32)


def main() -> None:
    print(f"| | FrameParser | websockets {version('websockets')} | ratio |\n|---|---|---|---|")
    row("bytes each, new", bytes_each(ours), bytes_each(theirs))
    row("bytes each, after one frame", bytes_each(ours_used), bytes_each(theirs_used))
    for size in SIZES:
        compare(f"µs a frame of {size} bytes", masked(b"x" * size))
    compare("µs a frame of 32 bytes, 16 in one read", SMALL * 16, 16)
    compare("µs a frame of 128 bytes, not ASCII", masked("é".encode() * 64))


if __name__ == "__main__":
    main()
