"""Takes out of pictures what tells of their makers: position, camera, owner, comments, earlier versions. Pure.

Pixels are not touched: what is kept are the parts that they take to be shown, colour profiles among them, and which way
is up. So unknown parts go, and so does what stands behind the end of a picture, where other files like to hide.

JPEG (ITU T.81, annex B; EXIF and XMP in APP1, IPTC in APP13), PNG (third edition), GIF89a, WebP (RFC 9649) are taken
apart. In TIFF and in HEIF (AVIF, HEIC) offsets point everywhere, so that there the bytes of positions, and of XMP, are
overwritten where they stand.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator

ORIENTATION, GPS, SUB_IFDS = 0x0112, 0x8825, (0x014A, 0x8769)
TOLD = (0x02BC, 0x83BB, 0x8649, 0x010F, 0x0110, 0x013B, 0xA431)
"""XMP, IPTC, Photoshop's; camera and its number, artist."""
_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_DIRECTORIES = 64
"""Of one file that are looked at."""


class Broken(Exception):
    """The picture is not what it says it is."""


def untold(data: bytes, type: str) -> bytes:
    """The picture `data` with nothing in it but itself. Raises Broken. Types that are not known stay as they are."""
    take = _TAKERS.get(type)
    try:
        return data if take is None else take(data)
    except (struct.error, IndexError) as error:
        raise Broken("it ends too early") from error


# --- JPEG ---------------------------------------------------------------------------------------------------------

_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_ALONE = (0x01, *range(0xD0, 0xD8))


def _jpeg(data: bytes) -> bytes:
    out = [b"\xff\xd8"]
    up = 1
    for marker, start, end in _segments(data):
        body = data[start + 4 : start + 4 + 32] if 0xE0 <= marker <= 0xEF else b""
        if marker == 0xE1 and body.startswith(b"Exif\0"):
            up = _orientation(data[start + 10 : end]) if up == 1 else up
        elif _shows(marker, body):
            out.append(data[start:end])
    if up != 1:
        told = b"Exif\0\0" + _only(up)
        out.insert(1, b"\xff\xe1" + struct.pack(">H", len(told) + 2) + told)
    return b"".join(out)


def _shows(marker: int, body: bytes) -> bool:
    """Whether a segment is needed: of the application's those of JFIF, of colour profiles, and Adobe's on colours."""
    if marker == 0xE0:
        return body.startswith(b"JFIF\0")
    if marker == 0xE2:
        return body.startswith(b"ICC_PROFILE\0")
    if marker == 0xEE:
        return body.startswith(b"Adobe")
    return marker != 0xFE and not 0xE0 <= marker <= 0xEF


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Markers, and from where to where their segments go, entropy-coded data with the scan before it."""
    at = 2
    while True:
        if data[at] != 0xFF:
            raise Broken("there is no marker where one should be")
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        end = at + 2
        if marker not in (*_ALONE, 0xD9):
            length = struct.unpack_from(">H", data, at + 2)[0]
            end = at + 2 + length
            if length < 2 or end > len(data):
                raise Broken("a segment is longer than the file")
        if marker == 0xDA:
            found = _AFTER_SCAN.search(data, end)
            if found is None:
                raise Broken("it ends too early")
            end = found.start()
        yield marker, at, end
        if marker == 0xD9:
            return
        at = end


# --- PNG ----------------------------------------------------------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_SHOWS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB bKGD hIST pHYs sPLT cICP mDCV cLLI acTL fcTL fdAT".split()
)


def _png(data: bytes) -> bytes:
    out = [_PNG]
    at, up = len(_PNG), 1
    name = b""
    while name != b"IEND":
        length = struct.unpack_from(">I", data, at)[0]
        name = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise Broken("a chunk is longer than the file")
        if name == b"eXIf":
            up = _orientation(data[at + 8 : end - 4])
        elif name in _PNG_SHOWS:
            out.append(data[at:end])
        at = end
    if up != 1:
        told = b"eXIf" + _only(up)
        out.insert(2, struct.pack(">I", len(told) - 4) + told + struct.pack(">I", zlib.crc32(told)))
    return b"".join(out)


# --- GIF ----------------------------------------------------------------------------------------------------------

_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


def _gif(data: bytes) -> bytes:
    at = 13 + _colours(data[10])
    out = [data[:at]]
    while data[at] != 0x3B:
        begin = at
        if data[at] == 0x2C:
            at = _blocks(data, at + 10 + _colours(data[at + 9]) + 1)
            out.append(data[begin:at])
        elif data[at] == 0x21:
            label, app = data[at + 1], data[at + 3 : at + 14]
            at = _blocks(data, at + 2)
            if label == 0xF9 or (label == 0xFF and app in _LOOPS):
                out.append(data[begin:at])
        else:
            raise Broken("there is no block where one should be")
    return b"".join((*out, b";"))


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks(data: bytes, at: int) -> int:
    """Where the blocks that begin at `at` end."""
    while data[at]:
        at += data[at] + 1
    return at + 1


# --- WebP ---------------------------------------------------------------------------------------------------------

_WEBP_SHOWS = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"))
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


def _webp(data: bytes) -> bytes:
    end = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    out: list[bytes] = []
    at, up = 12, 1
    while at + 8 <= end:
        name, length = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            raise Broken("a chunk is longer than the file")
        if name == b"EXIF":
            up = _orientation(body.removeprefix(b"Exif\0\0"))
        elif name in _WEBP_SHOWS:
            out.append(name + struct.pack("<I", length) + body + b"\0" * (length & 1))
        at += 8 + length + (length & 1)
    if out and out[0].startswith(b"VP8X"):
        flags = out[0][8] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if up != 1 else 0)
        out[0] = out[0][:8] + bytes((flags,)) + out[0][9:]
        if up != 1:
            out.append(b"EXIF" + struct.pack("<I", len(_only(up))) + _only(up))
    kept = b"WEBP" + b"".join(out)
    return b"RIFF" + struct.pack("<I", len(kept)) + kept


# --- EXIF, and what is built on TIFF ------------------------------------------------------------------------------


def _only(up: int) -> bytes:
    """EXIF that says nothing but which way is up."""
    return b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHIHH", ORIENTATION, 3, 1, up, 0) + bytes(4)


def _orientation(tiff: bytes) -> int:
    """1 to 8; 1 is as it stands, also where it cannot be read."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    try:
        if order is not None:
            at = struct.unpack_from(f"{order}I", tiff, 4)[0]
            for tag, kind, _, place in _entries(tiff, at, order):
                if tag == ORIENTATION and kind == 3:
                    up: int = struct.unpack_from(f"{order}H", tiff, place)[0]
                    return up if 1 <= up <= 8 else 1
    except struct.error:
        pass
    return 1


def _entries(tiff: bytes | memoryview, at: int, order: str) -> Iterator[tuple[int, int, int, int]]:
    """Tag, type, bytes and place of the values of a directory's entries."""
    for number in range(struct.unpack_from(f"{order}H", tiff, at)[0]):
        entry = at + 2 + 12 * number
        tag, kind, count = struct.unpack_from(f"{order}HHI", tiff, entry)
        size = _TIFF_SIZES.get(kind, 1) * count
        place = entry + 8 if size <= 4 else struct.unpack_from(f"{order}I", tiff, entry + 8)[0]
        yield tag, kind, size, place


_TIFF = re.compile(rb"II\*\x00|MM\x00\*")
_XMP, _XMP_END = b"<x:xmpmeta", b"</x:xmpmeta>"


def _tiff(data: bytes) -> bytes:
    out = bytearray(data)
    _blank_positions(out, 0, TOLD)
    return _without_xmp(out)


def _heif(data: bytes) -> bytes:
    """EXIF stands somewhere in it, as an item."""
    out = bytearray(data)
    for found in _TIFF.finditer(data):
        _blank_positions(out, found.start(), ())
    return _without_xmp(out)


def _without_xmp(out: bytearray) -> bytes:
    at = out.find(_XMP)
    while at >= 0:
        end = out.find(_XMP_END, at)
        end = len(out) if end < 0 else end + len(_XMP_END)
        out[at:end] = b" " * (end - at)
        at = out.find(_XMP, end)
    return bytes(out)


def _blank_positions(out: bytearray, base: int, told: tuple[int, ...]) -> None:
    """Of the TIFF that begins at `base`, with the values of the tags `told`. Bytes that only look like one have no such
    directories."""
    tiff = memoryview(out)[base:]
    order = "<" if out[base] == 0x49 else ">"
    waiting, seen = [struct.unpack_from(f"{order}I", tiff, 4)[0] if len(tiff) >= 8 else 0], {0}
    while waiting and len(seen) < _DIRECTORIES:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        try:
            count = struct.unpack_from(f"{order}H", tiff, at)[0]
            for tag, kind, size, place in list(_entries(tiff, at, order)):
                if tag == GPS and kind in (4, 13) and size == 4:
                    _blank_directory(tiff, struct.unpack_from(f"{order}I", tiff, place)[0], order)
                elif tag in told:
                    tiff[place : place + size] = bytes(len(tiff[place : place + size]))
                elif tag in SUB_IFDS and size <= 4 * _DIRECTORIES:
                    waiting.extend(struct.unpack_from(f"{order}{size // 4}I", tiff, place))
            waiting.append(struct.unpack_from(f"{order}I", tiff, at + 2 + 12 * count)[0])
        except struct.error:
            continue


def _blank_directory(tiff: memoryview, at: int, order: str) -> None:
    """Values first, then what says where they were. Tags of a position are 0 to 31; others are no position."""
    entries = list(_entries(tiff, at, order))
    if not all(tag <= 31 for tag, *_ in entries):
        return
    for _, _, size, place in entries:
        end = min(place + size, len(tiff))
        tiff[place:end] = bytes(max(0, end - place))
    tiff[at : at + 2 + 12 * len(entries)] = bytes(2 + 12 * len(entries))


_TAKERS = {
    "image/jpeg": _jpeg,
    "image/png": _png,
    "image/gif": _gif,
    "image/webp": _webp,
    "image/tiff": _tiff,
    "image/avif": _heif,
    "image/heic": _heif,
    "image/heif": _heif,
}
