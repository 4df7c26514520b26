from __future__ import annotations

import io
import struct
import wave

import pytest

from hubbub.attachments.duration import lasting


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return struct.pack(">I", len(body) + 8) + name + body


def film(scale: int, length: int, version: int = 0, before: bytes = b"") -> bytes:
    dates = bytes(16 if version else 8)
    numbers = struct.pack(">IQ" if version else ">II", scale, length)
    header = box(b"mvhd", bytes((version, 0, 0, 0)), dates, numbers, bytes(80))
    return box(b"ftyp", b"isom", bytes(4)) + before + box(b"moov", box(b"udta", b"x"), header)


def wav(seconds: float) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as made:
        made.setnchannels(2)
        made.setsampwidth(2)
        made.setframerate(8_000)
        made.writeframes(bytes(int(4 * 8_000 * seconds)))
    return buffer.getvalue()


def flac(rate: int, samples: int) -> bytes:
    return (
        b"fLaC\0\0\0\x22"
        + bytes(10)
        + struct.pack(">Q", rate << 44 | 1 << 41 | 15 << 36 | samples)
        + bytes(16)
    )


def page(ends: int, content: bytes) -> bytes:
    return b"OggS\0\2" + struct.pack("<q", ends) + bytes(12) + b"\1" + bytes((len(content),)) + content


OPUS = page(0, b"OpusHead\1\2" + struct.pack("<HI", 312, 44_100) + bytes(3))
VORBIS = page(0, b"\x01vorbis" + bytes(4) + b"\2" + struct.pack("<I", 44_100) + bytes(14))
KNOWN = {
    "film": (film(1_000, 2_500), "video/mp4", 2.5),
    "long numbers": (film(600, 1_500, 1), "video/quicktime", 2.5),
    "moov at the end": (film(1_000, 2_500, 0, box(b"mdat", bytes(100_000))), "video/mp4", 2.5),
    "a wide box": (
        film(1_000, 2_500, 0, struct.pack(">I4sQ", 1, b"mdat", 26) + bytes(10)),
        "audio/mp4",
        2.5,
    ),
    "live": (film(1_000, 2**32 - 1), "video/mp4", None),
    "no scale": (film(0, 5), "video/mp4", None),
    "nothing in it": (film(1_000, 0), "video/mp4", None),
    "for ever": (film(1, 2**63, 1), "video/mp4", None),
    "no moov": (box(b"ftyp", b"isom", bytes(4)), "video/mp4", None),
    "an empty header": (box(b"moov", box(b"mvhd")), "video/mp4", None),
    "boxes without end": (box(b"ftyp") * 100_000, "video/mp4", None),
    "a box too long": (b"\xff\xff\xff\xffmoov", "video/mp4", None),
    "a box too short": (b"\0\0\0\1moov" + struct.pack(">Q", 3), "video/mp4", None),
    "wav": (wav(1.5), "audio/wav", 1.5),
    "wav that lies": (wav(1.5)[:40] + b"\xff\xff\xff\xff" + wav(1.5)[44:], "audio/wav", 1.5),
    "no wav": (b"RIFF\0\0\0\0WAVE", "audio/wav", None),
    "flac": (flac(48_000, 72_000), "audio/flac", 1.5),
    "no flac": (b"fLaC", "audio/flac", None),
    "opus": (OPUS + page(72_312, b"x"), "audio/ogg", 1.5),
    "vorbis": (VORBIS + page(66_150, b"x"), "audio/ogg", 1.5),
    "no end": (OPUS + page(-1, b"x"), "audio/ogg", None),
    "another codec": (page(0, b"Speex   "), "audio/ogg", None),
    "a picture": (b"\x89PNG", "image/png", None),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_headers_say(name: str) -> None:
    content, type, seconds = KNOWN[name]
    assert lasting(io.BytesIO(content), type, len(content)) == seconds


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_cut_raises_nothing(name: str) -> None:
    content, type, _ = KNOWN[name]
    for end in range(0, min(len(content), 400), 3):
        lasting(io.BytesIO(content[:end]), type, end)
