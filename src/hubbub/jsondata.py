"""The one check of JSON that is passed through: done on entry, so that no bytes can hurt a reader later.

msgspec's `Raw` lets invalid UTF-8, numbers beyond a double and duplicate keys through unread; this does not.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from hubbub.errors import ErrorCode, HubbubError

_decode = msgspec.json.Decoder().decode
LARGEST_DIGITS = 309
"""Decimal digits of the largest double; an integer that has as many may be beyond it."""
_LONG_NUMBER = re.compile(rb"(?<!\d)\d{%d}" % LARGEST_DIGITS)
_NESTING = (dict, list)
_PATTERN = re.compile(r"Expected `str` matching regex '(.*)'", re.DOTALL)
IN_WORDS = {
    r"^[^\x00-\x1f\x7f]+$": "without control characters such as line breaks, and not empty",
    r"^[^\x00-\x1f\x7f]*$": "without control characters such as line breaks",
    r"^[a-z0-9][a-z0-9_-]{0,63}$": "of 1 to 64 of a-z, 0-9, _ and -, a letter or digit first",
    r"^[a-z0-9][a-z0-9_-]{0,31}$": "of 1 to 32 of a-z, 0-9, _ and -, a letter or digit first",
    r"^[a-z0-9][a-z0-9._-]*$": "of a-z, 0-9, ., _ and -, a letter or digit first",
    r"^[a-z0-9_+-]{1,64}$": "of 1 to 64 of a-z, 0-9, _, + and -",
    r"^[A-Za-z0-9_.:-]{1,64}$": "of 1 to 64 of A-Z, a-z, 0-9, _, ., : and -",
    r"^[0-9A-Za-z_-]+$": "of A-Z, a-z, 0-9, _ and -",
    r"^[0-9A-Za-z._-]+$": "of A-Z, a-z, 0-9, ., _ and -",
    r"^[0-9A-Za-z]+$": "of A-Z, a-z and 0-9",
    r"^[0-9-]+$": "of 0-9 and -",
    r"^[a-z_.]+$": "of a-z, _ and .",
    r"^(\*\.)?[^\s/:@*]+$": "that is the name of a host, or *. and such a name",
}
"""What a text must be, for the patterns that texts have: who calls an API need not read regular expressions."""
_NAMED = re.compile(r"(?:unknown|required) field `(.*)`", re.DOTALL)


def check(raw: bytes, *, depth: int, keys: int, field: str = "data") -> Any:
    """The value of `raw`, if it is strict JSON within the limits.

    `depth` is the nesting of objects and arrays, `keys` the number of object keys at all levels together.
    Raises HubbubError INVALID_DATA for anything that is not UTF-8, not JSON (RFC 8259), not finite, a lone surrogate
    or a duplicate key, and LIMIT_EXCEEDED beyond a limit.
    """
    try:
        value = _decode(raw)
    except (ValueError, RecursionError, MemoryError, msgspec.MsgspecError) as error:
        text = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise HubbubError(ErrorCode.INVALID_DATA, f"{field}: {text}", field=field) from None
    if len(raw) >= LARGEST_DIGITS and _LONG_NUMBER.search(raw):
        _refuse_huge(value, field)
    if isinstance(value, (dict, list)):
        found = _flat_keys(value) if depth > 1 else -1  # as most are
        if found < 0:
            found = _measure(value, depth, field)
        if found > keys:
            raise HubbubError(
                ErrorCode.LIMIT_EXCEEDED, f"{field}: more than limits.json_keys = {keys} keys", field=field
            )
        # Every key has a colon: an excess means colons inside strings, or keys that were given twice.
        if raw.count(b":") != found:
            _refuse_duplicates(raw, field)
    return value


def _flat_keys(value: Any) -> int:
    """How many keys an object of scalars has, or an array of such objects and scalars; -1 for what nests deeper."""
    keys = 0
    for each in (value,) if type(value) is dict else value:
        if type(each) is dict:
            for inner in each.values():
                if type(inner) in _NESTING:
                    return -1
            keys += len(each)
        elif type(each) is list:
            return -1
    return keys


def _measure(value: Any, depth: int, field: str) -> int:
    """Keys in `value`; raises beyond `depth`."""
    keys = 0
    level: list[Any] = [value]
    while level:
        depth -= 1
        if depth < 0:
            raise HubbubError(
                ErrorCode.LIMIT_EXCEEDED, f"{field}: nested deeper than limits.json_depth", field=field
            )
        below: list[Any] = []
        for item in level:
            if type(item) is dict:
                keys += len(item)
                item = item.values()
            below.extend([inner for inner in item if type(inner) in _NESTING])
        level = below
    return keys


def _refuse_huge(value: Any, field: str) -> None:
    """An integer beyond a double is infinite to most readers; msgspec refuses only floats that are."""
    level: list[Any] = [value]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, int):
                try:
                    float(item)
                except OverflowError:
                    raise HubbubError(
                        ErrorCode.INVALID_DATA, f"{field}: Number out of range", field=field
                    ) from None
        level = below


def _refuse_duplicates(raw: bytes, field: str) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise HubbubError(
                ErrorCode.INVALID_DATA, f"{field}: an object has the same key twice", field=field
            )
        return result

    json.loads(raw, object_pairs_hook=once)


def invalid_field(error: msgspec.ValidationError) -> tuple[str, str | None]:
    """Message and dotted field path of a msgspec validation error (`Expected int - at $.items[0].price`)."""
    message, at, path = str(error).partition(" - at `$")
    if found := _PATTERN.fullmatch(message):
        message = f"Expected a text {_in_words(found[1])}"
    return message, path.rstrip("`").lstrip(".") or None if at else None


def _in_words(pattern: str) -> str:
    """`pattern` as msgspec shows it: with what is not plain in it escaped."""
    plain = pattern.replace("\\\\", "\\").removesuffix("(?!\\n)")
    return IN_WORDS.get(plain, f"that matches {plain}")


def wrong_field(error: msgspec.ValidationError) -> tuple[str, str | None]:
    """The same, where a field that is missing or unknown is itself what is wrong."""
    message, path = invalid_field(error)
    if named := _NAMED.search(message):
        path = f"{path}.{named[1]}" if path else named[1]
    return message, path
