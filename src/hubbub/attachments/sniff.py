"""What a file is, by its first bytes: nobody's word is taken for it. Pure.

The types are those that matter here: what browsers may show in place must be known for certain, what runs must not
pass for something else, and people want to see what they get. Whatever is not known is `application/octet-stream`, and
that is a download. Signatures are those of the formats' own specifications; for what browsers take for HTML see WHATWG
MIME Sniffing, section 7.1.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

HEAD = 65_536
"""Bytes that are enough."""
OCTETS = "application/octet-stream"

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\xff\x0a", "image/jxl"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "image/jxl"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (b"%PDF-", "application/pdf"),
    (b"%!PS", "application/postscript"),
    (b"{\\rtf", "application/rtf"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"MThd\0\0\0\x06", "audio/midi"),
    (b"#!AMR", "audio/amr"),
    (b"caff\0\x01", "audio/x-caf"),
    (b"FLV\x01", "video/x-flv"),
    (b"\0\0\x01\xba", "video/mpeg"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa\0\x62\xce\x6c", "video/x-ms-asf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\0", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"PK\x05\x06", "application/zip"),
    (b"MSCF\0\0\0\0", "application/vnd.ms-cab-compressed"),
    (b"MZ", "application/x-dosexec"),
    (b"\x7fELF", "application/x-executable"),
    (b"\xfe\xed\xfa\xce", "application/x-mach-binary"),
    (b"\xfe\xed\xfa\xcf", "application/x-mach-binary"),
    (b"\xce\xfa\xed\xfe", "application/x-mach-binary"),
    (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    (b"L\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0", "application/x-ms-shortcut"),
    (b"dex\n0", "application/vnd.android.dex"),
    (b"\0asm", "application/wasm"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"CWS", "application/x-shockwave-flash"),
    (b"ZWS", "application/x-shockwave-flash"),
    (b"SQLite format 3\0", "application/vnd.sqlite3"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"OTTO\0", "font/otf"),
    (b"\0\x01\0\0\0", "font/ttf"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"mif1": "image/heif",
    b"msf1": "image/heif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"3gp4": "video/3gpp",
    b"3gp5": "video/3gpp",
    b"3gp6": "video/3gpp",
    b"isom": "video/mp4",
    b"iso2": "video/mp4",
    b"iso4": "video/mp4",
    b"iso5": "video/mp4",
    b"iso6": "video/mp4",
    b"mp41": "video/mp4",
    b"mp42": "video/mp4",
    b"avc1": "video/mp4",
    b"dash": "video/mp4",
    b"M4V ": "video/mp4",
    b"MSNV": "video/mp4",
}
"""Of ISO media files (ISO/IEC 14496-12, section 4.3); others are not known to us."""
_OFFICE = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_ZIPPED = re.compile(rb"PK\x03\x04.{22}(..)..", re.DOTALL)
_MIMETYPE = re.compile(rb"mimetype(application/[a-z0-9.+-]{1,80})")
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|link|img|svg:|"
    rb"base|form|object|embed|frame|frameset|video|audio|template|input|button|math|details|!--)(?=[\s/>-]|$)",
    re.IGNORECASE,
)
_SVG = re.compile(rb"<(?:[a-z0-9_-]{1,20}:)?svg[\s/>]", re.IGNORECASE)
_XHTML = b"http://www.w3.org/1999/xhtml"
_SPACE = b" \t\n\x0c\r"
_MP3_RATES = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_HERTZ = (44_100, 48_000, 32_000)
_TEXT_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")


def sniff(head: bytes, size: int | None = None) -> str:
    """The media type of a file that begins with `head`: `HEAD` bytes of it, or all if it has fewer. `size` is that of
    the whole file."""
    whole = size is None or size <= len(head)
    for found in (_by_start(head), *(look(head) for look in _LOOKS)):
        if found is not None:
            return found
    return _text(head, whole) or OCTETS


def _by_start(head: bytes) -> str | None:
    return next((type for start, type in _STARTS if head.startswith(start)), None)


def _riff(head: bytes) -> str | None:
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        return "audio/aiff"
    return _RIFF.get(head[8:12]) if head.startswith(b"RIFF") else None


def _iso(head: bytes) -> str | None:
    """By the major brand and, where that is a general one, by those it is compatible with."""
    if head[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(head[:4], "big"), 256)
    brands = [head[at : at + 4] for at in (8, *range(16, end - 3, 4))]
    if brands[0] in (b"mif1", b"msf1"):
        brands = sorted(brands, key=lambda each: each in (b"mif1", b"msf1"))
    return next((_BRANDS[each] for each in brands if each in _BRANDS), None)


def _matroska(head: bytes) -> str | None:
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return None
    return "video/webm" if b"\x42\x82\x84webm" in head[:64] else "video/x-matroska"


def _ogg(head: bytes) -> str | None:
    if not head.startswith(b"OggS\0"):
        return None
    if any(mark in head[:512] for mark in (b"\x80theora", b"\x01video", b"fishead\0")):
        return "video/ogg"
    return "audio/ogg"


def _bitmap(head: bytes) -> str | None:
    if (
        head.startswith(b"BM")
        and head[6:10] == bytes(4)
        and head[14:18] in (b"\x28\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0")
    ):
        return "image/bmp"
    if (
        head.startswith(b"\0\0\x01\0")
        and 0 < int.from_bytes(head[4:6], "little") <= 64
        and head[9:10] == b"\0"
    ):
        return "image/x-icon"
    return None


def _class_or_universal(head: bytes) -> str | None:
    """Programs for Java and for macOS begin alike: the next number is the version of the one, which has been 45 and
    more, and of the other the architectures, which are few."""
    if not head.startswith(b"\xca\xfe\xba\xbe"):
        return None
    return "application/x-mach-binary" if int.from_bytes(head[4:8], "big") < 40 else "application/java-vm"


def _zip(head: bytes) -> str | None:
    """Archives, and what is one inside: the names of the first entries tell."""
    first = _ZIPPED.match(head)
    if first is None:
        return "application/zip" if head.startswith(b"PK\x03\x04") else None
    said = _MIMETYPE.match(head, 30)
    if said is not None:
        type = said[1].split(b"PK")[0].decode()
        return (
            type if type.startswith(("application/vnd.oasis.", "application/epub+zip")) else "application/zip"
        )
    names = head[30:]
    if b"META-INF/MANIFEST.MF" in names or b"META-INF/\xfe\xca" in names:
        return "application/java-archive"
    if b"AndroidManifest.xml" in names:
        return "application/vnd.android.package-archive"
    if names.startswith((b"[Content_Types].xml", b"_rels/", b"docProps/", b"word/", b"xl/", b"ppt/")):
        for folder, type in _OFFICE:
            if folder in names:
                return type
    return "application/zip"


def _tar(head: bytes) -> str | None:
    return "application/x-tar" if head[257:262] == b"ustar" else None


def _mp3(head: bytes) -> str | None:
    """MPEG audio and AAC without a header of the file: one frame, and where it ends another."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:  # ADTS
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if len(head) > 5 else 0
        again = head[length : length + 2]
        return (
            "audio/aac"
            if length > 7 and len(again) == 2 and again[0] == 0xFF and again[1] & 0xF6 == 0xF0
            else None
        )
    if head[1] & 0xFE != 0xFA or head[2] >> 4 in (0, 15) or head[2] >> 2 & 3 == 3:
        return None
    length = 144_000 * _MP3_RATES[head[2] >> 4] // _MP3_HERTZ[head[2] >> 2 & 3] + (head[2] >> 1 & 1)
    again = head[length : length + 2]
    return "audio/mpeg" if len(again) == 2 and again[0] == 0xFF and again[1] & 0xFE == 0xFA else None


def _late_pdf(head: bytes) -> str | None:
    """Readers of PDF take it also when something stands before it."""
    return "application/pdf" if b"%PDF-" in head[:1024] else None


_LOOKS: tuple[Callable[[bytes], str | None], ...] = (
    _riff,
    _iso,
    _matroska,
    _ogg,
    _bitmap,
    _class_or_universal,
    _zip,
    _tar,
    _mp3,
    _late_pdf,
)


def _text(head: bytes, whole: bool) -> str | None:
    """Text, and what browsers would make of it."""
    charset = "utf-8"
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            charset = name
            break
    try:
        words = codecs.getincrementaldecoder(charset)().decode(head, whole).removeprefix("\ufeff").encode()
    except ValueError:
        return _markup(head.lstrip(_SPACE))
    markup = _markup(words.lstrip(_SPACE))
    if markup is not None:
        return markup
    if not words or _TEXT_CONTROLS.search(words):
        return None
    return "text/x-script" if words.startswith(b"#!") else "text/plain"


def _markup(words: bytes) -> str | None:
    if not words.startswith(b"<"):
        return None
    if words[:5].lower() == b"<?php":
        return "application/x-httpd-php"
    if _SVG.search(words):
        return "image/svg+xml"
    if words.startswith(b"<?xml"):
        return "application/xhtml+xml" if _XHTML in words else "application/xml"
    return "text/html" if _HTML.match(words) or _HTML.search(words[:1024]) else None
