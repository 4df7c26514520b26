from __future__ import annotations

import io
import struct
import zipfile

import pytest
from tests.attachments.pictures import image, png, saved

from hubbub.attachments.sniff import HEAD, sniff

FRAME = b"\xff\xfb\x90\x44" + bytes(413)


def zipped(*names: str, mimetype: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        if mimetype:
            made.writestr("mimetype", mimetype)
        for name in names:
            made.writestr(name, "x")
    return buffer.getvalue()


def iso(major: bytes, *brands: bytes) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(brands)
    return struct.pack(">I", len(body) + 4) + body + bytes(40)


KNOWN = {
    "png": (png(), "image/png"),
    "jpeg": (saved(image(), "JPEG"), "image/jpeg"),
    "gif": (saved(image(), "GIF"), "image/gif"),
    "webp": (saved(image(), "WEBP"), "image/webp"),
    "avif": (saved(image(), "AVIF"), "image/avif"),
    "bmp": (saved(image(), "BMP"), "image/bmp"),
    "tiff": (saved(image(), "TIFF"), "image/tiff"),
    "ico": (saved(image(), "ICO"), "image/x-icon"),
    "heic": (iso(b"mif1", b"mif1", b"heic"), "image/heic"),
    "mp4": (iso(b"isom", b"isom"), "video/mp4"),
    "m4a": (iso(b"M4A ", b"isom"), "audio/mp4"),
    "mov": (iso(b"qt  "), "video/quicktime"),
    "mp4 of a brand we do not know": (iso(b"xxxx", b"mp42"), "video/mp4"),
    "no brand": (iso(b"html", b"html"), "application/octet-stream"),
    "webm": (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01\x42\x82\x84webm", "video/webm"),
    "mkv": (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01\x42\x82\x88matroska", "video/x-matroska"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "audio/wav"),
    "avi": (b"RIFF\x24\0\0\0AVI LIST", "video/x-msvideo"),
    "riff": (b"RIFF\x24\0\0\0HTML\1\2", "application/octet-stream"),
    "aiff": (b"FORM\0\0\0\x24AIFF", "audio/aiff"),
    "flac": (b"fLaC\0\0\0\x22", "audio/flac"),
    "opus": (b"OggS\0\2" + bytes(22) + b"OpusHead", "audio/ogg"),
    "theora": (b"OggS\0\2" + bytes(22) + b"\x80theora", "video/ogg"),
    "mp3": (b"ID3\3\0\0", "audio/mpeg"),
    "bare mp3": (FRAME * 2, "audio/mpeg"),
    "no mp3": (FRAME[:4] + b"<html>", "application/octet-stream"),
    "pdf": (b"%PDF-1.7\n", "application/pdf"),
    "late pdf": (b"\x99\x98 junk\n%PDF-1.7\n", "application/pdf"),
    "zip": (zipped("a.html"), "application/zip"),
    "jar": (zipped("META-INF/MANIFEST.MF"), "application/java-archive"),
    "docx": (
        zipped("[Content_Types].xml", "word/document.xml"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    "odt": (
        zipped(mimetype="application/vnd.oasis.opendocument.text"),
        "application/vnd.oasis.opendocument.text",
    ),
    "epub": (zipped(mimetype="application/epub+zip"), "application/epub+zip"),
    "liar": (zipped(mimetype="application/xhtml+xml"), "application/zip"),
    "exe": (b"MZ\x90\0", "application/x-dosexec"),
    "elf": (b"\x7fELF\2", "application/x-executable"),
    "mach-o": (b"\xcf\xfa\xed\xfe", "application/x-mach-binary"),
    "universal": (b"\xca\xfe\xba\xbe\0\0\0\2", "application/x-mach-binary"),
    "class": (b"\xca\xfe\xba\xbe\0\0\0\x34", "application/java-vm"),
    "html": (b"<!DOCTYPE html><p>", "text/html"),
    "late html": (b"\xef\xbb\xbf \n<ScRiPt>alert(1)", "text/html"),
    "comment": (b"<!-- x --><html>", "text/html"),
    "wide html": ("<html>".encode("utf-16"), "text/html"),
    "latin html": (b"<html>\xe9", "text/html"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
    "svg in xml": (b'<?xml version="1.0"?>\n<x:svg xmlns:x="a"/>', "image/svg+xml"),
    "xhtml": (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">', "application/xhtml+xml"),
    "xml": (b'<?xml version="1.0"?><a/>', "application/xml"),
    "php": (b"<?php echo 1;", "application/x-httpd-php"),
    "script": (b"#!/bin/sh\n", "text/x-script"),
    "text": (b"All is well.\n", "text/plain"),
    "comparison": (b"a < b", "text/plain"),
    "utf-16": ("Größe".encode("utf-16"), "text/plain"),
    "octets": (b"\x93\x01\x02\xff", "application/octet-stream"),
    "null": (b"text\0", "application/octet-stream"),
    "nothing": (b"", "application/octet-stream"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_type_is_what_the_bytes_say(name: str) -> None:
    content, type = KNOWN[name]
    assert sniff(content[:HEAD], len(content)) == type


@pytest.mark.parametrize("name", KNOWN)
def test_no_beginning_of_a_file_is_too_short(name: str) -> None:
    for end in range(min(64, len(KNOWN[name][0]))):
        sniff(KNOWN[name][0][:end])


def test_text_may_be_cut_within_a_letter() -> None:
    head = b"x" + "ü".encode() * (HEAD // 2)
    assert sniff(head[:HEAD], len(head)) == "text/plain"
    assert sniff(head[:HEAD], HEAD) == "application/octet-stream", "here the letter is broken"
