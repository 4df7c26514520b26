"""Covering what rules have found in the text parts of a message. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from hubbub.chat.kinds.plain import TextPart, decode_text
from hubbub.chat.parts import Checked, searchable
from hubbub.moderation.base import Finding, Span
from hubbub.moderation.covering import cover

_encode = msgspec.json.Encoder().encode


def masked(content: Checked, masks: Iterable[Finding]) -> Checked:
    """The content with the places of all `masks` covered, each sign as people see it by one sign of the mask."""
    spans: defaultdict[int, list[tuple[Span, str]]] = defaultdict(list)
    for finding in masks:
        for part, begin, end in finding.places:
            spans[part].append(((begin, end), finding.mask))
    said = list(content.parts)
    for place, covered in spans.items():
        kept: TextPart = decode_text(bytes(said[place]))
        text = kept.text
        for mask in {mask for _, mask in covered}:
            text = cover(text, [span for span, each in covered if each == mask], mask)
        said[place] = Raw(_encode(TextPart(text, kept.format)))
    whole = (b"[" + b",".join(map(bytes, said)) + b"]").decode()
    return replace(content, parts=tuple(said), json=whole, text=searchable(said))
