"""How a file is served, so that no browser runs what is in it: headers, and ranges (RFC 9110, section 14). Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import quote

OCTETS = "application/octet-stream"
SANDBOX = (
    b"default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; "
    b"frame-ancestors 'none'; form-action 'none'; sandbox"
)
HARMLESS = ("image/", "audio/", "video/")
"""What browsers show without running it, but for what is XML."""
RANGE_LENGTH = 128
_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))[ \t]*")
_TOKEN = re.compile(r"[^A-Za-z0-9!#$&+.^_`|~ ()-]")

Header = tuple[bytes, bytes]


def matches(type: str, patterns: Collection[str]) -> bool:
    """Whether one of `patterns` is `type`, or of its family (`image/*`), or all (`*/*`)."""
    family = type.partition("/")[0]
    return any(each in (type, f"{family}/*", "*/*") for each in patterns)


def inline(type: str, allowed: Collection[str]) -> bool:
    """Whether browsers may show it in place. What can carry scripts never is, whatever the settings say."""
    return type.startswith(HARMLESS) and not type.endswith("xml") and matches(type, allowed)


def headers(type: str, name: str, allowed: Collection[str], *, download: bool = False) -> list[Header]:
    """What makes serving a file harmless. `type` is by its content and never as somebody said; what browsers may not
    show in place is a download of no type at all."""
    shown = inline(type, allowed)
    return [
        (b"content-type", (type if shown else OCTETS).encode()),
        (b"content-disposition", disposition(name, inline=shown and not download)),
        (b"content-security-policy", SANDBOX),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"cross-origin"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-frame-options", b"DENY"),
    ]


def disposition(name: str, *, inline: bool) -> bytes:
    """`Content-Disposition` with any name (RFC 6266, and RFC 8187 for what is not ASCII)."""
    kind = "inline" if inline else "attachment"
    plain = _TOKEN.sub("_", name).strip() or "file"
    value = f'{kind}; filename="{plain}"'
    if plain != name:
        value += f"; filename*=UTF-8''{quote(name.encode('utf-8', 'replace'), safe='')}"
    return value.encode("ascii")


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to before `end`."""

    start: int
    end: int


class Unsatisfiable(Exception):
    """Nothing of what was asked for is there (416)."""


def span(header: str | None, size: int) -> Span | None:
    """The one range that was asked for, or None for all of it: also for what is no range, for several (which section
    14.2 lets a server pass over, and which are an attack if they are many), and for other units. Raises Unsatisfiable.
    """
    if header is None or len(header) > RANGE_LENGTH:
        return None
    found = _RANGE.fullmatch(header)
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        if not int(suffix) or not size:
            raise Unsatisfiable
        return Span(max(0, size - int(suffix)), size)
    start = int(first)
    end = min(size, int(last) + 1) if last else size
    if last and int(last) < start:
        return None  # not a range at all (section 14.1.1)
    if start >= size:
        raise Unsatisfiable
    return Span(start, end)


def unchanged(header: str | None, etag: str) -> bool:
    """Whether `If-None-Match` has `etag` (section 13.1.2)."""
    if header is None:
        return False
    given: Sequence[str] = [each.strip().removeprefix("W/") for each in header[:4096].split(",")]
    return "*" in given or etag in given
