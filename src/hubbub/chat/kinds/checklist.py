"""The kind `checklist`: items that can be ticked. Who ticks is in `chat/checklists.py`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from hubbub.chat.kinds.base import Kind, decoded, encode, part_of, short
from hubbub.chat.kinds.items import Item, keep, revise
from hubbub.config.sections import LimitsConfig


class ChecklistPart(
    Struct, frozen=True, tag="checklist", tag_field="type", forbid_unknown_fields=True, omit_defaults=True
):
    """`anyone`: whoever may react may tick items, and not only who has sent it."""

    items: tuple[Item, ...]
    title: str | None = None
    anyone: bool = False


_decode = msgspec.json.Decoder(ChecklistPart).decode


def checklist_in(parts: Sequence[Raw]) -> ChecklistPart | None:
    """The checklist of a message, if it has one. `parts` were checked when they came."""
    return part_of(parts, "checklist", _decode)


def _check(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    part: ChecklistPart = decoded(_decode, raw, field)
    title = None if part.title is None else short(part.title, f"{field}.title", allowed)
    items, said = keep(part.items, f"{field}.items", 1, "checklist_items", allowed)
    return encode(replace(part, title=title, items=items)), "\n".join((*filter(None, (title,)), *said))


def _revise(raw: bytes, field: str, old: bytes, version: int) -> bytes:
    part: ChecklistPart = decoded(_decode, raw, field)
    return encode(replace(part, items=revise(part.items, _decode(old).items, version)))


def _text(raw: bytes) -> str:
    part = _decode(raw)
    return "\n".join((*filter(None, (part.title,)), *(item.text for item in part.items)))


CHECKLIST = Kind(_check, _text, alone=True, revise=_revise)
