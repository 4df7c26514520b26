"""Links in a text, and the hosts that they lead to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hubbub.moderation.base import Span
from hubbub.moderation.patterns import Seen

DOT = r"(?:\.|\[\.\]|\(\.\))"
LINK = re.compile(
    # With a scheme: all up to a space. Without one: a name with dots, whose last label is of letters.
    r"(?:https?|hxxps?|ftp|wss?)(?::|\[:\])//(?P<rest>[^\s<>\"'`]{1,2000})"
    rf"|(?<![\w@.-])(?P<bare>(?:[\w-]{{1,63}}{DOT}){{1,8}}(?:[^\W\d_]{{2,24}}|xn--[a-z0-9-]{{1,59}}))(?![\w-]*@)(?![\w-])",
    re.IGNORECASE,
)
INNER_DOT = re.compile(r"\.[\w\])]")
"""A name without a scheme has one; the end of a sentence has not."""
BEFORE_PATH = re.compile(r"[/?#\\]")


def links(seen: Seen) -> Iterator[tuple[str, Span]]:
    """The host of each link, as `host` makes it, and where the link is."""
    text = seen.bare if seen.bare is not None else seen.original
    if "//" not in text and INNER_DOT.search(text) is None:
        return
    for match in LINK.finditer(text):
        begin, end = match.span()
        if seen.bare is not None:
            begin, end = seen.places[begin], seen.places[end - 1] + 1
        rest = match["rest"]
        if rest is None:
            yield host(match["bare"]), (begin, end)
        else:
            # Browsers take a backslash for a slash, and what is before an @ for a user.
            yield host(BEFORE_PATH.split(rest, 1)[0].rpartition("@")[2]), (begin, end)


def host(name: str) -> str:
    """A host as it is compared: in lower case, as DNS has it (IDNA), without a port."""
    if name.startswith("["):
        return name.partition("]")[0].lower() + "]"
    name = name.replace("[.]", ".").replace("(.)", ".").rstrip(".,;:!?)]}*_'\"").lower()
    name = name.partition(":")[0]
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def within(name: str, hosts: Sequence[str]) -> bool:
    """Whether a host is one of `hosts`; `*.example.com` is all below it, and `example.com` itself."""
    return any(
        name == each or (each.startswith("*.") and (name == each[2:] or name.endswith(each[1:])))
        for each in hosts
    )
