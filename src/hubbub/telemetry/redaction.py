"""What may stand in a log: nothing that opens a door, and nothing that steers a terminal. Pure.

Secrets are found by the name that they are under and by their looks; user text is made printable, so that it can
neither begin a line of its own nor colour, move or hide anything (log injection).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

REDACTED = "[redacted]"
DEPTH = 8

_NAMES = r"token|secret|ticket|authorization|api_?key|cookie|password|passwd|private_?key|credentials?"
_SENSITIVE = re.compile(rf"(?:^|_)(?:{_NAMES})s?$", re.ASCII)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A whole header line: its value may have any form.
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(['\"]?\s*:\s*)[^\r\n]+"),
        rf"\1\2{REDACTED}",
    ),
    (re.compile(r"eyJ[A-Za-z0-9_-]*(?:\.|%2[eE])[A-Za-z0-9_.%-]*"), REDACTED),
    (re.compile(r"hubbub_[A-Za-z0-9_-]{32,}"), REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"), rf"\1 {REDACTED}"),
    # `?token=x`, `secret='x'` in a repr, and `"secret": "x"` in JSON.
    (
        re.compile(rf"(?i)((?:{_NAMES})s?(?:=|%3d)b?)(?:'[^']*'?|\"[^\"]*\"?|[^\s&#;,)'\"]+)"),
        rf"\1{REDACTED}",
    ),
    (
        re.compile(rf"(?i)((?:{_NAMES})s?\\?['\"]\s*:\s*b?)(?:'[^']*'?|\\?\"(?:[^\"\\]|\\[^\"])*\\?\"?)"),
        rf"\1{REDACTED}",
    ),
)

# C0 and C1 controls, line and paragraph separators, bidirectional overrides, zero-width marks, lone surrogates.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b-\u200f\ufeff\ud800-\udfff]"
)
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def escape(text: str, *, keep: str = "") -> str:
    """`text` with everything unprintable written as an escape, except the characters in `keep`."""
    return _UNPRINTABLE.sub(lambda found: found[0] if found[0] in keep else _escaped(found[0]), text)


def _escaped(character: str) -> str:
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def scrub(text: str) -> str:
    """`text` without anything in it that looks like a secret."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def is_sensitive(name: str) -> bool:
    """Whether a field of this name holds a secret: `token`, `X-Api-Key`, `client_secret`; not `token_bytes`."""
    return _SENSITIVE.search(_CAMEL.sub("_", name).replace("-", "_").lower()) is not None


def clean(value: Any, depth: int = DEPTH) -> Any:
    """`value` as plain data that may be logged. What is neither text, number nor collection becomes its repr."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return escape(scrub(value))
    if isinstance(value, bytes | bytearray):
        return escape(scrub(bytes(value).decode("utf-8", "backslashreplace")))
    if depth and isinstance(value, Mapping):
        return {_name(key): _field(_name(key), inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        # A header list holds pairs: the first says what the second is.
        if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str | bytes):
            name = _name(value[0])
            return [name, _field(name, value[1], depth - 1)]
        return [clean(inner, depth - 1) for inner in value]
    return escape(scrub(_shown(value)))


def _field(name: str, value: Any, depth: int) -> Any:
    # What is absent or merely counted may be said: it is often what one looks for.
    if is_sensitive(name) and value is not None and not isinstance(value, bool | int | float):
        return REDACTED
    return clean(value, depth)


def _name(key: object) -> str:
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    return escape(scrub(text))


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
