"""The links in what a message says, of which previews are made. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from hubbub.chat.kinds.plain import decode_text
from hubbub.chat.model import Annotations, Message, Preview

_LINK = re.compile(r"https?://[^\s<>\"'`]{1,2000}", re.IGNORECASE)
_BRACKETS = {")": "(", "]": "[", "}": "{"}


def links(parts: Sequence[Raw], most: int) -> tuple[str, ...]:
    """The first different ones in the text parts, as they are written."""
    found: dict[str, None] = {}
    for part in parts:
        raw = bytes(part)
        if b"://" not in raw:
            continue
        try:
            said = decode_text(raw).text
        except msgspec.MsgspecError:
            continue
        for link in _in(said):
            if len(found) == most:
                return tuple(found)
            found[link] = None
    return tuple(found)


def revised(message: Message, parts: Sequence[Raw], most: int) -> tuple[Preview, ...]:
    """The previews of a message that stay when it says something else."""
    standing = (message.annotations or Annotations()).previews
    if not standing:
        return ()
    kept = links(parts, most)
    return tuple(each for each in standing if each.url in kept)


def _in(text: str) -> Iterator[str]:
    for match in _LINK.finditer(text):
        link = match[0]
        while link[-1] in ".,;:!?*_~|)]}":
            opening = _BRACKETS.get(link[-1])
            if opening is not None and link.count(opening) >= link.count(link[-1]):
                break
            link = link[:-1]
        yield link
