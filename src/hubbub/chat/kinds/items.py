"""What polls and checklists have in common: numbered items. Pure.

An item has an id by which votes and ticks hold to it through edits. Annotations and their events tell ids to members
who may not read the message, so an id is a number and can say nothing. Who sends may give ids or leave them out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import count

from msgspec import Struct

from hubbub.chat import limits
from hubbub.chat.kinds.base import short, wrong
from hubbub.config.sections import LimitsConfig

_ID = re.compile(r"[0-9]{1,9}(?:-[0-9]{1,9})?")


class Item(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """An option of a poll, or an item of a checklist."""

    id: str | None = None
    text: str


def keep(
    items: Sequence[Item], field: str, least: int, limit: str, allowed: LimitsConfig
) -> tuple[tuple[Item, ...], list[str]]:
    """The items with ids, and what they say. Raises VALIDATION_FAILED, and LIMIT_EXCEEDED (`limits.<limit>`,
    `limits.option_length`)."""
    if len(items) < least:
        raise wrong(field, f"at least {least} of them")
    limits.check(allowed, limit, len(items), field)
    taken = {item.id for item in items if item.id is not None}
    free = (id for id in map(str, count(1)) if id not in taken)
    kept: dict[str, Item] = {}
    said: dict[str, int] = {}
    for place, item in enumerate(items):
        at = f"{field}[{place}]"
        words = short(item.text, f"{at}.text", allowed)
        if words in said:
            raise wrong(f"{at}.text", f"the same as {field}[{said[words]}].text")
        said[words] = place
        id = next(free) if item.id is None else item.id
        if _ID.fullmatch(id) is None:
            raise wrong(f"{at}.id", "an id is a number, as text; leave it out to get one")
        if id in kept:
            raise wrong(f"{at}.id", "another has this id")
        kept[id] = Item(id=id, text=words)
    return tuple(kept.values()), list(said)


def revise(items: Sequence[Item], old: Sequence[Item], version: int) -> tuple[Item, ...]:
    """The items of an edit: of those without an id, whoever says what an old one says is that one, and the others are
    new, with ids that nothing had before them: whoever votes for what was taken away hits nothing else."""
    taken = {item.id for item in items}
    known = {item.text: item.id for item in old if item.id not in taken}
    fresh = _fresh(version, taken | {item.id for item in old})
    found = []
    for item in items:
        if item.id is None:
            same = known.pop(unicodedata.normalize("NFC", item.text), None)
            item = Item(id=same if same is not None else next(fresh), text=item.text)
        found.append(item)
    return tuple(found)


def _fresh(version: int, taken: set[str | None]) -> Iterator[str]:
    return (id for number in count(1) if (id := f"{version}-{number}") not in taken)
