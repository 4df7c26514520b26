"""Channel names and the patterns that tokens grant on them. Pure.

A name is 1 to `max_length` ASCII letters, digits and `_-.:@/=+,~`. It neither begins nor ends with a colon,
which parts the namespace from the rest. `.` and `..` may not stand alone between slashes (`a/../b`): a name
travels in URL paths, where proxies would fold them into another name. `a..b` is fine. No name is ever a glob:
`*` is not among the characters, so a client cannot smuggle a pattern to where only a name is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Operation, Permission

USER_NAMESPACE = "user:"
"""Channels of one user: `user:<id>`. The user itself may always follow its own."""

SESSION_NAMESPACE = "session:"
"""Channels of one session: the server's alone. No client may use them, whatever its token says."""

_CHARACTERS = r"[A-Za-z0-9_\-.:@/=+,~]"
_CHANNEL = re.compile(rf"(?!:)(?!(?:[^/]*/)*\.\.?(?:/|\Z)){_CHARACTERS}+(?<!:)")
_PATTERN = re.compile(r"[A-Za-z0-9_\-.:@/=+,~*]+")


@lru_cache(maxsize=8192)  # publishes name the same channels again and again
def _is_name(name: str) -> bool:
    return _CHANNEL.fullmatch(name) is not None


def check_channel(name: str, max_length: int) -> None:
    """Raises INVALID_CHANNEL unless `name` can be the name of a channel."""
    if len(name) > max_length:
        raise HubbubError(
            ErrorCode.INVALID_CHANNEL,
            f"invalid channel name: longer than {max_length} characters",
            field="channel",
        )
    if not _is_name(name):
        raise HubbubError(ErrorCode.INVALID_CHANNEL, f"invalid channel name: {_fault(name)}", field="channel")


def _fault(name: str) -> str:
    if not name:
        return "it is empty"
    if _PATTERN.fullmatch(name) is None or "*" in name:
        return "only ASCII letters, digits and _-.:@/=+,~ may stand in it"
    if name[0] == ":" or name[-1] == ":":
        return "it may not begin or end with a colon"
    return ". and .. may not stand alone between slashes"


def is_pattern(pattern: str, max_length: int) -> bool:
    """Whether `pattern` is made of a channel name's characters and `*`, and is not too long."""
    return len(pattern) <= max_length and _PATTERN.fullmatch(pattern) is not None


def reserved(name: str) -> bool:
    """Whether `name` belongs to the server, so that clients may neither subscribe nor publish to it."""
    return name.startswith(SESSION_NAMESPACE)


# Patterns come from tokens and configuration, where few differ.
@lru_cache(maxsize=4096)
def _pieces(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.split("*"))


def matches(pattern: str, name: str) -> bool:
    """Whether `pattern`, in which `*` stands for any run of characters, is the whole of `name`.

    Each piece between stars is found at its leftmost place after the last one, so the time is linear.
    """
    pieces = _pieces(pattern)
    if len(pieces) == 1:
        return pattern == name
    first, last = pieces[0], pieces[-1]
    if not (name.startswith(first) and name.endswith(last, len(first))):
        return False
    start, end = len(first), len(name) - len(last)
    for piece in pieces[1:-1]:
        found = name.find(piece, start, end)
        if found < 0:
            return False
        start = found + len(piece)
    return True


def permits(permissions: Iterable[Permission], operation: Operation, channel: str) -> bool:
    """Whether any of the `permissions` allows `operation` on `channel`; never on a reserved one."""
    if reserved(channel):
        return False
    for permission in permissions:  # No generator: this is on the path of every publish.
        if operation in permission.operations and matches(permission.pattern, channel):
            return True
    return False
