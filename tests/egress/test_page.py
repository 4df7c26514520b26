from __future__ import annotations

import pytest

from hubbub.egress import page
from hubbub.egress.page import DESCRIPTION, SITE, TITLE, Page


def head(content: str) -> bytes:
    return f"<!doctype html><html><head>{content}</head><body>x</body></html>".encode()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", Page()),
        ("<title>A &amp; B</title>", Page("A & B")),
        ("<TITLE lang=en>\n A\n\tB </TITLE>", Page("A B")),
        ("<title>a</title><title>b</title>", Page("a")),
        ("<title>a</title><meta property='og:title' content=b>", Page("b")),
        ("<meta property=og:title content=''><title>a</title>", Page("a")),
        ('<META NAME="Description" CONTENT="it&#39;s > that">', Page(description="it's > that")),
        ('<meta content="x" property="og:description"/><meta name=description content=y>', Page(description="x")),
        ("<meta name=twitter:title content=x><meta property=og:site_name content=S>", Page("x", site="S")),
        ("<meta property=og:image content=/a.png?b=1&amp;c=2>", Page(image="/a.png?b=1&c=2")),
        ("<meta property=og:image content=http://a/><meta property=og:image:secure_url content=https://a/>", Page(image="https://a/")),
        ("<!-- <title>no</title> --><title>yes</title>", Page("yes")),
        ("<script>'<title>no</title>'</script><style><title>no</style><title>yes</title>", Page("yes")),
        ("<svg><title>no</title></svg><noscript><title>no</title></noscript><title>yes</title>", Page("yes")),
        ("</head><title>no</title>", Page()),
        ("<body><title>no</title>", Page()),
        ("<title>never closed", Page()),
        ("<metadata property=og:title content=no><meta><meta content=no><meta property=og:title>", Page()),
        ("<meta property='og:title' content='<script>alert(1)</script>'>", Page("<script>alert(1)</script>")),
        ("<title>a\u202eb\u200b\x00c\ue000d\u2028e\u00adf</title>", Page("a b c d e f")),
        ("<title>نامه\u200cای</title>", Page("نامه\u200cای")),
        (f"<title>{'x' * 400}</title>", Page("x" * (TITLE - 1) + "…")),
        (f"<meta name=description content={'y' * DESCRIPTION}>", Page(description="y" * DESCRIPTION)),
        (f"<meta property=og:site_name content={'z' * 101}>", Page(site="z" * (SITE - 1) + "…")),
    ],
)  # fmt: skip
def test_what_a_page_says_of_itself(content: str, found: Page) -> None:
    assert page.read(head(content), None) == found


@pytest.mark.parametrize(
    ("body", "charset", "title"),
    [
        ("<title>é</title>".encode(), None, "é"),
        ("<title>é</title>".encode("latin-1"), "iso-8859-1", "é"),
        ("<title>é</title>".encode("latin-1"), None, "\ufffd"),
        ("<meta charset='windows-1251'><title>Я</title>".encode("cp1251"), None, "Я"),
        (
            "<meta http-equiv=x content='text/html; charset=shift_jis'><title>日</title>".encode("shift_jis"),
            None,
            "日",
        ),
        ("<title>日</title>".encode("cp932"), "windows-31j", "日"),
        ("\ufeff<title>é</title>".encode(), "iso-8859-1", "é"),
        ("<title>é</title>".encode("utf-16"), None, "é"),
        ("<meta charset=utf-16><title>é</title>".encode(), None, "é"),
        (b"<title>x</title>", "idna", "x"),
        (b"<title>x</title>", "zip", "x"),
        (b"<title>x</title>", "no such", "x"),
        (b"\xff\xfe\x00\xd8", None, ""),
    ],
)
def test_in_what_encoding(body: bytes, charset: str | None, title: str) -> None:
    assert page.read(body, charset).title == title


def test_all_encodings_are_known() -> None:
    for name in page.CHARSETS:
        assert page.decoded(b"abcd", name)


MIB = 1 << 20


@pytest.mark.parametrize(
    "piece",
    [
        *(
            b"<",
            b"<div>",
            b"<meta ",
            b'<meta "',
            b"<!--",
            b"<title",
            b"<script",
            b"<meta a='b' ",
            b"<meta a=b>",
            b"a ",
        ),
        *(b"&", b"<title>&#", b"\xcc\x81", b"<meta '\"", b"<b><i>", b"</head", b"<svg>", b"<meta charset = "),
    ],
)
def test_hostile_pages(piece: bytes) -> None:
    """None takes long: pytest's time limit is the judge of what is not linear."""
    for beginning in (b"", b"<title>", b"<meta ", b"<meta content='"):
        found = page.read(beginning + piece * (MIB // len(piece)), None)
        assert len(found.title) <= TITLE
