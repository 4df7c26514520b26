"""Small true pictures, with and without what tells of their makers."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

PLACE = b"48.8583"
"""Stands, in words, in what `telling` pictures tell."""
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description exif:GPSLatitude="48.8583N" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)
CAMERA = "Secret Camera"


def chunk(name: bytes, data: bytes) -> bytes:
    """One of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png(width: int = 4, height: int = 3, more: bytes = b"", data: bytes | None = None) -> bytes:
    """A PNG, with the chunks `more` before its pixels."""
    rows = bytes(1 + 3 * width) * height if data is None else data
    return header(width, height) + more + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def image(width: int = 40, height: int = 30) -> Image.Image:
    """The left half is red, the right one blue."""
    made = Image.new("RGB", (width, height), (255, 0, 0))
    made.paste((0, 0, 255), (width // 2, 0, width, height))
    return made


def saved(made: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    made.save(buffer, format, **options)
    return buffer.getvalue()


def exif(orientation: int = 1) -> bytes:
    """With a camera, an owner and a position."""
    told = Image.Exif()
    told[0x0112] = orientation
    told[0x010F] = CAMERA
    told[0x0110] = CAMERA
    told[0x0131] = CAMERA
    gps = told.get_ifd(0x8825)
    gps[0], gps[1], gps[2], gps[3], gps[4] = b"\2\3\0\0", "N", (48.0, 51.0, 29.88), "E", (2.0, 17.0, 40.2)
    gps[27] = b"ASCII\0\0\0" + PLACE
    return told.tobytes()


def iptc() -> bytes:
    """A JPEG's segment of Photoshop's with the name of a city (IIM 2:90)."""
    record = b"\x1c\x02\x5a" + struct.pack(">H", len(PLACE)) + PLACE
    record += b"\0" * (len(record) % 2)
    body = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def telling(format: str, orientation: int = 1) -> bytes:
    """A picture that says where it was taken: in EXIF, in XMP, and for JPEG in IPTC and a comment too."""
    told = exif(orientation)
    if format == "JPEG":
        made = saved(image(), "JPEG", exif=told, xmp=XMP, comment=PLACE)
        return made[:2] + iptc() + made[2:]
    if format == "PNG":
        made = saved(image(), "PNG", exif=told)
        text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP) + chunk(b"tEXt", b"place\0" + PLACE)
        return made[:33] + text + made[33:]
    if format == "GIF":
        return saved(image(), "GIF", comment=PLACE)
    return saved(image(), format, exif=told, **({} if format == "TIFF" else {"xmp": XMP}))
