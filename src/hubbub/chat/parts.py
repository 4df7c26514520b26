"""The parts of a message: what they are, what of them is checked on entry, and what of them is searched. Pure.

A part is a JSON object with a `type`. The kinds in `KINDS` are known: they are checked, refuse fields that they do not
have, and are kept in one canonical form. A part of any other kind is the application's own: it is kept as it came,
byte for byte (but for line breaks between its tokens), as long as it is strict JSON of at most `limits.part_bytes`. A
new kind is a struct and a function that checks it, in `kinds/`, and a row in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict, replace

from hubbub.chat import limits, text
from hubbub.chat.kinds.base import Due, Kind, decoded, foreign, wrong
from hubbub.chat.kinds.card import CARD
from hubbub.chat.kinds.checklist import CHECKLIST
from hubbub.chat.kinds.embed import EMBED, LOCATION
from hubbub.chat.kinds.file import FILE
from hubbub.chat.kinds.plain import DATA, TEXT, decode_text, keep_text
from hubbub.chat.kinds.poll import POLL
from hubbub.chat.model import Annotations, Permission
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

TYPE_LENGTH = 64
"""Characters of a part's `type`."""


class Checked(Struct, frozen=True):
    """Parts that may be kept: each as JSON, all of them as a JSON array, and the text that search finds them by. What
    comes with them: what stands on the message from the beginning, the files that it shows, the permissions that it
    takes to send them, and what the agenda is to do with it."""

    parts: tuple[Raw, ...]
    json: str
    text: str
    annotations: Annotations | None = None
    files: tuple[str, ...] = ()
    needs: tuple[Permission, ...] = ()
    due: tuple[Due, ...] = ()


class Before(Struct, frozen=True):
    """What an edit replaces: the parts that were kept, and the number of the version that is made."""

    parts: tuple[Raw, ...]
    version: int


class _Typed(Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed).decode


def check(
    parts: Sequence[Raw], allowed: LimitsConfig, field: str = "parts", *, before: Before | None = None
) -> Checked:
    """The parts of a message that a client sends, as they are to be kept; those of an edit with what was `before`.

    Raises VALIDATION_FAILED, INVALID_DATA, LIMIT_EXCEEDED (`limits.parts`) and MESSAGE_TOO_LARGE (`limits.text_length`,
    `text_bytes`, `part_bytes`), with fields like `parts[0].text`.
    """
    if not parts:
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, f"{field}: a message has at least one part", field=field
        )
    limits.check(allowed, "parts", len(parts), field)
    kept: list[bytes] = []
    texts: list[str] = []
    length = size = 0
    special: list[tuple[Kind, bytes]] = []
    for place, part in enumerate(parts):
        raw = bytes(part)
        try:
            plain = decode_text(raw)  # as most are
        except (ValueError, RecursionError, MemoryError, msgspec.MsgspecError):
            plain = None
        if plain is not None:
            raw, said = keep_text(plain, f"{field}[{place}].text")
        elif (kind := KINDS.get(_type_of(raw, f"{field}[{place}]"))) is not None:
            if kind.alone and any(kind is other for other, _ in special):
                raise wrong(f"{field}[{place}]", "a message has one part of this type")
            if before is not None and kind.revise is not None:
                raw = _revised(kind, raw, f"{field}[{place}]", before)
            raw, said = kind.check(raw, f"{field}[{place}]", allowed)
            special.append((kind, raw))
        else:
            raw, said = foreign(raw, f"{field}[{place}]", allowed), ""
        kept.append(raw)
        if said:
            texts.append(said)
            length += len(said)
            size += text.size(said)
            if length > allowed.text_length:
                raise limits.exceeded("text_length", allowed.text_length, f"{field}[{place}].text")
            if size > allowed.text_bytes:
                raise limits.exceeded("text_bytes", allowed.text_bytes, f"{field}[{place}].text")
    whole = (b"[" + b",".join(kept) + b"]").decode()
    checked = Checked(tuple(map(Raw, kept)), whole, "\n".join(texts))
    return _with_more(checked, special) if special else checked


def _with_more(checked: Checked, special: Sequence[tuple[Kind, bytes]]) -> Checked:
    found = [kind.more(raw) for kind, raw in special if kind.more is not None]
    standing: dict[str, object] = {}
    for each in found:
        if each.annotations is not None:
            standing |= {name: value for name, value in asdict(each.annotations).items() if value}
    return replace(
        checked,
        annotations=replace(Annotations(), **standing) if standing else None,
        files=tuple(dict.fromkeys(file for each in found for file in each.files)),
        needs=tuple(dict.fromkeys(each.needs for each in found if each.needs is not None)),
        due=tuple(due for each in found for due in each.due),
    )


def _revised(kind: Kind, raw: bytes, field: str, before: Before) -> bytes:
    assert kind.revise is not None
    for old, known in _known(before.parts):
        if known is kind:
            try:
                kind.text(old)
            except msgspec.MsgspecError:  # from before the kind was known
                continue
            return kind.revise(raw, field, old, before.version)
    return raw


def _known(parts: Sequence[Raw]) -> Iterator[tuple[bytes, Kind]]:
    for part in parts:
        raw = bytes(part)
        if (kind := KINDS.get(_typed(raw).type)) is not None:
            yield raw, kind


def searchable(parts: Sequence[Raw]) -> str:
    """What search finds a message by: the text of its parts. `parts` were checked when they came (but for those that
    were kept before their kind was known, of which nothing is found)."""
    texts = []
    for raw, kind in _known(parts):
        with suppress(msgspec.MsgspecError):
            if said := kind.text(raw):
                texts.append(said)
    return "\n".join(texts)


def files_of(parts: Sequence[Raw]) -> tuple[str, ...]:
    """The files that a message's parts show. `parts` were checked when they came."""
    found: dict[str, None] = {}
    for raw, kind in _known(parts):
        with suppress(msgspec.MsgspecError):
            if kind.more is not None:
                found |= dict.fromkeys(kind.more(raw).files)
    return tuple(found)


def needs_of(parts: Sequence[Raw]) -> frozenset[Permission]:
    """The permissions that it took to send parts, beside `send`."""
    found: set[Permission] = set()
    for raw, kind in _known(parts):
        with suppress(msgspec.MsgspecError):
            if kind.more is not None and (needed := kind.more(raw).needs) is not None:
                found.add(needed)
    return frozenset(found)


def forwarded(parts: Sequence[Raw]) -> tuple[Raw, ...]:
    """What of a message's parts goes into another conversation, where it is checked as what is sent there: a poll and
    a checklist begin anew."""
    found = []
    for part in parts:
        raw = bytes(part)
        kind = KINDS.get(_typed(raw).type)
        if kind is not None and kind.forwarded is not None:
            with suppress(msgspec.MsgspecError):
                raw = kind.forwarded(raw)
        found.append(Raw(raw))
    return tuple(found)


def _type_of(raw: bytes, field: str) -> str:
    type: str = decoded(_typed, raw, field).type
    if type == "system":
        raise wrong(f"{field}.type", "only the server sends `system`")
    if not 0 < len(type) <= TYPE_LENGTH or not type.isprintable():
        raise wrong(f"{field}.type", f"must be 1 to {TYPE_LENGTH} printable characters")
    return type


KINDS: dict[str, Kind] = {
    "text": TEXT,
    "data": DATA,
    "poll": POLL,
    "checklist": CHECKLIST,
    "card": CARD,
    "location": LOCATION,
    "embed": EMBED,
    "file": FILE,
}
"""The known kinds of parts, by their `type`."""
