"""What a page says of itself in its head: title, description, site, image. Pure.

The reader is a scanner that goes forward only, so that no page takes longer than its length; it builds nothing, so that
nesting is nothing to it. What it finds is text of strangers: cleaned of what cannot be seen, shortened, never markup.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

TYPES = ("text/html", "application/xhtml+xml")
TITLE, DESCRIPTION, SITE = 300, 600, 100
"""Characters that are kept."""
TAGS = 200
"""`meta`s that are looked at."""
TAG = 8_192
"""Characters of a tag."""
CHARSETS = frozenset(
    (
        *("utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "latin-1", "latin1"),
        *(f"iso-8859-{number}" for number in (*range(1, 12), *range(13, 17))),
        *(f"windows-{number}" for number in range(1250, 1259)),
        *(
            "koi8-r",
            "koi8-u",
            "macintosh",
            "big5",
            "gbk",
            "gb2312",
            "gb18030",
            "euc-kr",
            "euc-jp",
            "iso-2022-jp",
        ),
        *("shift_jis", "shift-jis", "windows-31j"),
    )
)
"""Encodings of texts. Others that Python knows are slow, or none."""

_NEXT = re.compile(
    r"<(!--|/head\b|body\b|meta(?=[\s/>])|title\b|(?:script|style|template|noscript|svg|math)\b)", re.I
)
_END = re.compile(r"(?:[^\"'>]+|\"[^\"]*\"|'[^']*')*+>")
_ATTRIBUTE = re.compile(r"([^\s\"'<>/=]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>`]+)))?")
_CHARSET = re.compile(rb"<meta[^>]{0,256}charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]{1,40})", re.I)
_CLOSING = {
    name: re.compile(f"</{name}", re.I)
    for name in ("script", "style", "template", "noscript", "svg", "math", "title")
}
_NAMES = {
    "title": ("og:title", "twitter:title", ""),
    "description": ("og:description", "description", "twitter:description"),
    "site": ("og:site_name", "application-name"),
    "image": ("og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"),
}
"""By what a page may say it, the best first; "" is the element `title`."""
_WANTED = frozenset(name for names in _NAMES.values() for name in names)


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of a page; "" for what it does not say. `image` is a URL as the page has it."""

    title: str = ""
    description: str = ""
    site: str = ""
    image: str = ""


def read(body: bytes, charset: str | None) -> Page:
    """`charset` is that of the answer's header."""
    found = _scan(decoded(body, charset))

    def best(kind: str, most: int) -> str:
        said = (clean(found.get(name, ""), most) for name in _NAMES[kind])
        return next((each for each in said if each), "")

    image = next((found[name] for name in _NAMES["image"] if found.get(name)), "")
    return Page(best("title", TITLE), best("description", DESCRIPTION), best("site", SITE), image.strip())


def decoded(body: bytes, charset: str | None) -> str:
    """The text of a page: by its byte order mark, by `charset`, or as its beginning says; else UTF-8."""
    if body.startswith(b"\xef\xbb\xbf"):
        charset = "utf-8"
    elif body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        charset = "utf-16"
    elif charset is None and (named := _CHARSET.search(body, 0, 1_024)) is not None:
        charset = named[1].decode("ascii").lower()
        charset = None if charset.startswith("utf-16") else charset  # it was read as what it is not
    if charset not in CHARSETS:
        charset = "utf-8"
    return body.decode("cp932" if charset == "windows-31j" else charset, "replace")


def clean(text: str, most: int) -> str:
    """One line of what can be seen, at most `most` characters."""
    text = html.unescape(text[: 8 * most])
    text = "".join(
        character
        if unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        else character
        if character in "\u200c\u200d"
        else " "
        for character in unicodedata.normalize("NFC", text)
    )
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _scan(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    place = tags = 0
    while (match := _NEXT.search(text, place)) is not None:
        name, place = match[1].lower(), match.end()
        if name in ("/head", "body"):
            break
        if name == "!--":
            place = text.find("-->", place)
        elif name in _CLOSING:
            closing = _CLOSING[name].search(text, place)
            if name == "title" and closing is not None:
                found.setdefault("", text[place : closing.start()].partition(">")[2])
            place = -1 if closing is None else closing.end()
        else:
            end = _END.match(text, place, place + TAG)
            place = -1 if end is None else end.end()
            tags += 1
            if end is not None:
                _add(found, end[0])
        if place < 0 or tags == TAGS:
            break
    return found


def _add(found: dict[str, str], tag: str) -> None:
    """A `meta`, from behind its name."""
    attributes: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(tag):
        attributes.setdefault(match[1].lower(), match[2] or match[3] or match[4] or "")
    content = attributes.get("content")
    if content is not None:
        for key in (attributes.get("property", "").lower(), attributes.get("name", "").lower()):
            if key and key in _WANTED:
                found.setdefault(key, html.unescape(content) if "image" in key else content)
