from __future__ import annotations

import pytest

from hubbub.attachments.serving import (
    Span,
    Unsatisfiable,
    disposition,
    headers,
    inline,
    matches,
    span,
    unchanged,
)
from hubbub.config import AttachmentsConfig

DEFAULTS = AttachmentsConfig().inline_types
EVERYTHING = ("*/*", "image/*", "text/*", "application/*", "text/html", "image/svg+xml")
ACTIVE = (
    "text/html",
    "image/svg+xml",
    "application/xhtml+xml",
    "text/xml",
    "application/xml",
    "application/javascript",
    "text/javascript",
    "application/pdf",
    "application/x-shockwave-flash",
    "application/java-archive",
    "text/plain",
    "text/css",
    "application/octet-stream",
    "",
    "image",
    "model/gltf+xml",
    "video/x+xml",
)
NAMES = (
    "../../x",
    "..\\..\\x",
    "/etc/passwd",
    "C:\\x",
    "a\0.png",
    ".htaccess",
    "x" * 300,
    "CON",
    "a\r\nSet-Cookie: a=b",
    "x.png.html",
    "photo\u202egpj.exe",
    'quo"te; filename=x.html',
    "ünïcödé.txt",
    "%22%0d%0a.txt",
    "\ud800lone",
    "",
    "   ",
    "👩‍👩‍👧.png",
)


@pytest.mark.parametrize("type", ACTIVE)
@pytest.mark.parametrize("allowed", [DEFAULTS, EVERYTHING])
def test_what_can_carry_scripts_is_a_download_whatever_the_settings_say(
    type: str, allowed: tuple[str, ...]
) -> None:
    assert not inline(type, allowed)
    given = dict(headers(type, "x.html", allowed))
    assert given[b"content-type"] == b"application/octet-stream"
    assert given[b"content-disposition"].startswith(b"attachment")


@pytest.mark.parametrize("type", ["image/png", "image/webp", "audio/mpeg", "video/mp4"])
def test_pictures_and_the_like_are_shown_in_place(type: str) -> None:
    given = dict(headers(type, "x", DEFAULTS))
    assert given[b"content-type"] == type.encode()
    assert given[b"content-disposition"].startswith(b"inline")
    assert dict(headers(type, "x", DEFAULTS, download=True))[b"content-disposition"].startswith(b"attachment")
    assert not inline("image/tiff", DEFAULTS)


@pytest.mark.parametrize("type", ["image/png", "text/html"])
def test_all_answers_are_harmless(type: str) -> None:
    given = dict(headers(type, "x", DEFAULTS))
    assert given[b"x-content-type-options"] == b"nosniff"
    assert b"sandbox" in given[b"content-security-policy"]
    assert b"default-src 'none'" in given[b"content-security-policy"]
    assert b"script-src" not in given[b"content-security-policy"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shown", [True, False])
def test_no_name_breaks_out_of_its_header(name: str, shown: bool) -> None:
    value = disposition(name, inline=shown)
    text = value.decode("ascii")
    assert text.isprintable()
    kind, _, rest = text.partition("; filename=")
    assert kind == ("inline" if shown else "attachment")
    quoted, _, extended = rest.partition("; filename*=UTF-8''")
    assert quoted[0] == quoted[-1] == '"'
    assert not set(quoted[1:-1]) & set('"\\/;%\r\n')
    assert quoted[1:-1].strip()
    assert not set(extended) & set("\"\\/; '\r\n")


def test_a_plain_name_stays_as_it_is() -> None:
    assert disposition("report (final)-2.pdf", inline=False) == b'attachment; filename="report (final)-2.pdf"'
    assert disposition("ü.txt", inline=True) == b"inline; filename=\"_.txt\"; filename*=UTF-8''%C3%BC.txt"


@pytest.mark.parametrize(
    ("patterns", "answer"),
    [
        (("image/png",), True),
        (("image/*",), True),
        (("*/*",), True),
        (("video/*", "text/html"), False),
        ((), False),
    ],
)
def test_types_match_by_themselves_by_family_and_all(patterns: tuple[str, ...], answer: bool) -> None:
    assert matches("image/png", patterns) is answer


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=2-5", Span(2, 6)),
        ("bytes=2-", Span(2, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-300", Span(0, 10)),
        ("bytes=9-999999999999999999", Span(9, 10)),
        ("bytes= 1-2 ", Span(1, 3)),
        ("bytes=5-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=" + ",".join(f"{n}-" for n in range(10_000)), None),
        ("bytes=" + "0-," * 10_000, None),
        ("items=0-1", None),
        ("bytes=a-b", None),
        ("bytes=-", None),
        ("bytes=٣-٤", None),
        ("bytes=1-2x", None),
        ("bytes=" + "9" * 40 + "-", None),
        ("", None),
    ],
)
def test_one_range_is_served_and_anything_else_is_all_of_it(header: str | None, found: Span | None) -> None:
    assert span(header, 10) == found


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-11", "bytes=999999999999999999-", "bytes=-0"])
def test_what_is_beyond_the_end_is_refused(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        span(header, 10)
    with pytest.raises(Unsatisfiable):
        span("bytes=-5", 0)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        (None, False),
        ("", False),
    ],
)
def test_what_a_client_has_already_is_not_sent(header: str | None, answer: bool) -> None:
    assert unchanged(header, '"a"') is answer
