"""Compressed answers to polls (RFC 9110, section 8.4.1). Pure."""

from __future__ import annotations

import zlib
from functools import lru_cache

LEVEL = 6
_WINDOWS = {"gzip": 31, "deflate": 15}  # zlib's numbers for the two formats (RFC 1952, RFC 1950)


def compress(coding: str, body: bytes) -> bytes:
    """`body` in one of the codings that `choose` gives."""
    stream = zlib.compressobj(LEVEL, zlib.DEFLATED, _WINDOWS[coding])
    return stream.compress(body) + stream.flush()


@lru_cache(maxsize=256)
def choose(accepted: bytes) -> str | None:
    """The coding for a client with this Accept-Encoding, None for none: the one of highest weight, then the one named
    first; what `*` stands for comes last, and for gzip before deflate."""
    named: dict[str, tuple[float, int]] = {}
    for place, part in enumerate(accepted.decode("latin-1").lower().split(",")):
        name, *parameters = [each.strip() for each in part.split(";")]
        named.setdefault(name, (_weight(parameters), place))
    best: tuple[float, bool, int] | None = None
    chosen = None
    for name in _WINDOWS:
        weight, place = named.get(name) or named.get("*", (0.0, 0))
        rank = (weight, name in named, -place)
        if weight > 0 and (best is None or rank > best):
            best, chosen = rank, name
    return chosen


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
