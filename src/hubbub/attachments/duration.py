"""How long sounds and films last, where headers say so: ISO media files, WAV, FLAC and Ogg. Nothing is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

MOST = 366 * 86_400.0
"""Seconds; whatever says more is not believed."""
PARTS = 200
"""Boxes and chunks that are looked at in one file."""
OGG_TAIL = 65_536
"""Bytes in which the last page of an Ogg file begins: pages are no longer."""
OPUS_RATE = 48_000


def lasting(file: BinaryIO, type: str, size: int) -> float | None:
    """Seconds that a file of `size` bytes and of this type lasts, or None where that is not to be told."""
    read = _READERS.get(type)
    if read is None:
        return None
    try:
        seconds = read(file, size)
    except (struct.error, IndexError, ZeroDivisionError):
        return None
    return round(seconds, 3) if seconds is not None and 0 < seconds <= MOST else None


def _iso(file: BinaryIO, size: int) -> float | None:
    """The movie header's (ISO/IEC 14496-12, section 8.2.2)."""
    for name, start, end in _boxes(file, 0, size):
        if name == b"moov":
            for inner, at, _ in _boxes(file, start, end):
                if inner == b"mvhd":
                    file.seek(at)
                    header = file.read(32)
                    if header[0]:
                        scale, length = struct.unpack_from(">IQ", header, 20)
                        unknown = 2**64 - 1
                    else:
                        scale, length = struct.unpack_from(">II", header, 12)
                        unknown = 2**32 - 1
                    return None if length == unknown else length / scale
    return None


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, and from where to where its content goes, of each box."""
    for _ in range(PARTS):
        file.seek(at)
        header = file.read(16)
        if at + 8 > end or len(header) < 8:
            return
        length, start = int.from_bytes(header[:4], "big"), at + 8
        if length == 1:
            length, start = struct.unpack_from(">Q", header, 8)[0], at + 16
        elif length == 0:
            length = end - at
        if length < start - at or at + length > end:
            return
        yield header[4:8], start, at + length
        at += length


def _wav(file: BinaryIO, size: int) -> float | None:
    """The bytes of `data`, by the bytes of a second in `fmt`."""
    at, rate = 12, 0
    for _ in range(PARTS):
        file.seek(at)
        header = file.read(24)
        length = struct.unpack_from("<I", header, 4)[0]
        if header.startswith(b"fmt "):
            rate = struct.unpack_from("<I", header, 16)[0]
        elif header.startswith(b"data"):
            return float(min(length, size - at - 8) / rate)
        at += 8 + length + (length & 1)
    return None


def _flac(file: BinaryIO, size: int) -> float | None:
    """Samples and rate of STREAMINFO (RFC 9639, section 8.2)."""
    file.seek(18)
    packed = struct.unpack(">Q", file.read(8))[0]
    return float((packed & (1 << 36) - 1) / (packed >> 44))


def _ogg(file: BinaryIO, size: int) -> float | None:
    """Where the last page says that it ends (RFC 3533, section 6), in samples of Opus or Vorbis."""
    file.seek(0)
    head = file.read(64)
    skipped = 0
    if head[28:36] == b"OpusHead":
        rate, skipped = OPUS_RATE, struct.unpack_from("<H", head, 38)[0]
    elif head[28:35] == b"\x01vorbis":
        rate = struct.unpack_from("<I", head, 40)[0]
    else:
        return None
    file.seek(max(0, size - OGG_TAIL))
    tail = file.read(OGG_TAIL)
    ends = struct.unpack_from("<q", tail, tail.rindex(b"OggS") + 6)[0] if b"OggS" in tail else 0
    return float((ends - skipped) / rate)


_READERS: dict[str, Callable[[BinaryIO, int], float | None]] = {
    **dict.fromkeys(("video/mp4", "video/quicktime", "video/3gpp", "audio/mp4"), _iso),
    "audio/wav": _wav,
    "audio/flac": _flac,
    "audio/ogg": _ogg,
}
