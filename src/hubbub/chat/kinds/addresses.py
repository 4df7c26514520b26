"""Addresses that clients are to open or show: of http and https alone, and the same to whoever reads them. Pure.

What a browser would read otherwise than it looks is refused (WHATWG URL): it drops tabs and line ends anywhere, takes
`\\` for `/`, and a host that normalises to something with `/` or `@` in it is another host.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from hubbub.chat.kinds.base import wrong

LONGEST = 2_048
"""Characters."""
_ADDRESS = re.compile(r"https?://[^\s/?#\\@]+(?:[/?#][^\s\\]*)?", re.IGNORECASE)
_REFUSED = re.compile(
    '[\x00-\x20\x7f-\xa0"<>`{}|^\\\\'  # controls, spaces, and what ends an attribute or a tag
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"  # what is not seen, or turns the direction
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U0010ffff]"  # surrogates, tags, private use
)


def address(value: str, field: str) -> str:
    """`value`, if it is an absolute http or https URL without a user's name. Raises VALIDATION_FAILED."""
    if len(value) > LONGEST:
        raise wrong(field, f"more than {LONGEST} characters")
    if _ADDRESS.fullmatch(value) is None or _REFUSED.search(value) is not None:
        raise wrong(field, "not an http or https URL")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port == 0 or unicodedata.normalize("NFKC", host) != host:
        raise wrong(field, "not an http or https URL")
    return value
