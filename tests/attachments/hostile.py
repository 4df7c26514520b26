"""Files that mean harm, from a seed: active content under all names and disguises, polyglots, bombs and wrecks."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.attachments import pictures

MARK = b"hostile-payload"
SCRIPT = b"<script>alert('" + MARK + b"')</script>"
PAGE = b"<html><body onload=alert('" + MARK + b"')>" + SCRIPT
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(\'' + MARK + b"')\"><script>1</script></svg>"
JS = b"alert('" + MARK + b"')"
NAMES = (
    "../../x.png",
    "..\\..\\x.html",
    "/etc/passwd",
    "C:\\x.exe",
    "a\0.png",
    ".htaccess",
    "x" * 300 + ".html",
    "CON",
    "con.png",
    "a\r\nContent-Type: text/html\r\n\r\n" + SCRIPT.decode(),
    "x.png.html",
    "x.html.png",
    "photo\u202egpj.exe",
    "\u2066x\u2069.svg",
    'x"; filename="x.html',
    "x.jpg;.html",
    "%2e%2e%2fx.html",
    "\ud800.html",
    "",
    " . . ",
    "x.svg",
    "x.png",
    "x.jpg",
    "x.gif",
    "x.mp4",
    "x.txt",
    "index.html",
    "crossdomain.xml",
    "x.shtml",
    "x.html\u200b",
    "x.p\u0000ng",
    "aux.h.",
    "x.html::$DATA",
    "\U000e0041\U000e0042.html",
    "<img src=x onerror=alert(1)>.png",
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """A file, what somebody calls it, and what kind of harm it means."""

    kind: str
    name: str
    content: bytes


Make = Callable[[random.Random], bytes]


def _page(rng: random.Random) -> bytes:
    before = rng.choice(
        [b"", b"\xef\xbb\xbf", b" \n\t", b"<!-- x -->", b"\x0c", b"<!DOCTYPE html>", b"\0", b"GIF", b"text "]
    )
    tag = rng.choice(
        [
            PAGE,
            SCRIPT,
            b"<iframe src=javascript:alert(1)>",
            b"<img src=x onerror=alert(1)>",
            b"<a href=x>",
            b"<math>",
        ]
    )
    content = before + (tag.upper() if rng.random() < 0.3 else tag)
    if rng.random() < 0.2:
        return rng.choice(
            [b"\xff\xfe" + content.decode("latin-1").encode("utf-16-le"), b"+ADw-script+AD4-alert(1)"]
        )
    return content


def _xml(rng: random.Random) -> bytes:
    prolog = rng.choice(
        [b"", b'<?xml version="1.0"?>', b"\xef\xbb\xbf<?xml version='1.0'?>\n", b"<!DOCTYPE svg>"]
    )
    return prolog + rng.choice(
        [
            SVG,
            SVG.replace(b"<svg", b"<x:svg"),
            b'<html xmlns="http://www.w3.org/1999/xhtml">' + SCRIPT + b"</html>",
            b'<!DOCTYPE a [<!ENTITY a "' + b"b" * 500 + b'">]><svg>' + b"&a;" * 300 + b"</svg>",
            b'<?xml-stylesheet href="javascript:alert(1)"?><a/>',
            b'<cross-domain-policy><allow-access-from domain="*"/></cross-domain-policy>',
        ]
    )


def _program(rng: random.Random) -> bytes:
    start = rng.choice(
        [b"MZ\x90\0", b"\x7fELF\2\1\1", b"\xca\xfe\xba\xbe\0\0\0\x34", b"\xcf\xfa\xed\xfe", b"#!/bin/sh\n", b"<?php ",
         b"\0asm\1\0\0\0", b"FWS\x09", b"CWS\x0a", b"@echo off\r\n", JS, b"*{background:url(javascript:alert(1))}",
         b"%PDF-1.7 /OpenAction << /S /JavaScript /JS (app.alert(1)) >>", b"{\\rtf1",
         b"MIME-Version: 1.0\r\n\r\n" + PAGE]
    )  # fmt: skip
    return start + MARK + rng.randbytes(rng.randrange(60))


def _archive(rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return gzip.compress(PAGE)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr(rng.choice(["META-INF/MANIFEST.MF", "../../x", "x.html", "word/document.xml"]), PAGE)
        made.writestr("bomb", bytes(rng.choice([100, 1_000_000])))
    return buffer.getvalue()


def _picture(rng: random.Random) -> bytes:
    format = rng.choice(["PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "TIFF"])
    return pictures.saved(pictures.image(), format)


def _appended(rng: random.Random) -> bytes:
    """GIFAR and its like."""
    return _picture(rng) + rng.choice([_archive, _page, _xml, _program])(rng) + MARK


def _inside(rng: random.Random) -> bytes:
    """Active content where a picture has room for words."""
    payload = rng.choice([PAGE, SVG, SCRIPT, JS])
    kind = rng.randrange(6)
    if kind == 0:
        return pictures.png(
            more=pictures.chunk(rng.choice([b"tEXt", b"iTXt", b"zTXt", b"eXIf", b"evIL"]), payload)
        )
    if kind == 1:
        return pictures.saved(pictures.image(), "JPEG", comment=payload)
    if kind == 2:
        made = pictures.saved(pictures.image(), "JPEG")
        marker = bytes((0xFF, rng.choice([0xE0, 0xE1, 0xE2, 0xED, 0xEF, 0xFE])))
        return made[:2] + marker + struct.pack(">H", len(payload) + 2) + payload + made[2:]
    if kind == 3:
        return pictures.saved(pictures.image(), "GIF", comment=payload)
    if kind == 4:
        made = pictures.saved(pictures.image(), "WEBP", xmp=payload)
        return made + (b"EVIL" + struct.pack("<I", len(payload)) + payload)
    return b"GIF89a/*" + rng.randbytes(4) + b"*/=1;" + JS


def _bomb(rng: random.Random) -> bytes:
    side = rng.choice([50_000, 2**31 - 1, 65_535, 20_000])
    kind = rng.randrange(4)
    if kind == 0:
        return pictures.png(side, side, data=bytes(1000))
    if kind == 1:
        made = bytearray(pictures.saved(pictures.image(), "JPEG"))
        at = made.index(b"\xff\xc0")
        made[at + 5 : at + 9] = b"\xff\xff\xff\xff"
        return bytes(made)
    if kind == 2:
        return b"GIF89a\xff\xff\xff\xff" + pictures.saved(pictures.image(), "GIF")[10:]
    return b"BM" + struct.pack("<IIIIIIHH", 1000, 0, 54, 40, side, side, 1, 24) + bytes(40)


def _wreck(rng: random.Random) -> bytes:
    """A picture with bits turned, cut short, or with nothing behind its first bytes."""
    content = bytearray(_picture(rng))
    kind = rng.randrange(3)
    if kind == 0:
        for _ in range(rng.randrange(1, 20)):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        return bytes(content)
    if kind == 1:
        return bytes(content[: rng.randrange(len(content))])
    return bytes(content[:16]) + rng.choice([PAGE, rng.randbytes(200), b"\xff" * 100, b""])


def _media(rng: random.Random) -> bytes:
    """What is shown in place and has active content within."""
    box = struct.pack(">I", 8 + len(PAGE)) + b"free" + PAGE
    return rng.choice(
        [
            b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + box,
            b"\0\0\0\x18ftypavif\0\0\0\0avifmif1" + box,
            b"\0\0\0\x18ftyphtml\0\0\0\0htmlhtml" + box,
            b"ID3\3\0\0\0\0\0\x0a" + PAGE,
            b"RIFF\xff\xff\xff\xffWAVEfmt " + PAGE,
            b"RIFF\xff\xff\xff\xffHTML" + PAGE,
            b"OggS\0" + PAGE,
            b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01\x42\x82\x84webm" + PAGE,
            b"\xff\xfb\x90\x44" + PAGE,
        ]
    )


MAKERS: dict[str, Make] = {
    "page": _page,
    "xml": _xml,
    "program": _program,
    "archive": _archive,
    "appended": _appended,
    "inside": _inside,
    "bomb": _bomb,
    "wreck": _wreck,
    "media": _media,
}


def hostile(count: int = 1000, seed: int = 6) -> Iterator[Hostile]:
    """As many of them, of all kinds in turn."""
    rng = random.Random(seed)
    kinds = list(MAKERS.items())
    for number in range(count):
        kind, make = kinds[number % len(kinds)]
        yield Hostile(kind, rng.choice(NAMES), make(rng))
