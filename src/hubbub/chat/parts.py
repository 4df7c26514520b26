"""The parts of a message: what they are, what of them is checked on entry, and what of them is searched. Pure.

A part is a JSON object with a `type`. The kinds in `KINDS` are known: they are checked, refuse fields that they do not
have, and are kept in one canonical form. A part of any other kind is the application's own: it is kept as it came,
byte for byte (but for line breaks between its tokens), as long as it is strict JSON of at most `limits.part_bytes`. A
new kind is a struct and a function that checks it, in `kinds/`, and a row in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import asdict

from hubbub.chat import limits, text
from hubbub.chat.kinds.base import Kind, decoded, foreign, wrong
from hubbub.chat.kinds.plain import DATA, TEXT, decode_text, keep_text
from hubbub.chat.model import Annotations, Permission
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

TYPE_LENGTH = 64
"""Characters of a part's `type`."""


class Checked(Struct, frozen=True):
    """Parts that may be kept: each as JSON, all of them as a JSON array, and the text that search finds them by. What
    comes with them: what stands on the message from the beginning, the files that it shows, and the permissions that it
    takes to send them."""

    parts: tuple[Raw, ...]
    json: str
    text: str
    annotations: Annotations | None = None
    files: tuple[str, ...] = ()
    needs: tuple[Permission, ...] = ()


class _Typed(Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed).decode


def check(parts: Sequence[Raw], allowed: LimitsConfig, field: str = "parts") -> Checked:
    """The parts of a message that a client sends, as they are to be kept.

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
    return msgspec.structs.replace(
        checked,
        annotations=msgspec.convert(standing, Annotations) if standing else None,
        files=tuple(dict.fromkeys(file for each in found for file in each.files)),
        needs=tuple(dict.fromkeys(each.needs for each in found if each.needs is not None)),
    )


def searchable(parts: Sequence[Raw]) -> str:
    """What search finds a message by: the text of its parts. `parts` were checked when they came."""
    texts = []
    for part in parts:
        raw = bytes(part)
        if (kind := KINDS.get(_typed(raw).type)) is not None and (said := kind.text(raw)):
            texts.append(said)
    return "\n".join(texts)


def files_of(parts: Sequence[Raw]) -> tuple[str, ...]:
    """The files that a message's parts show. `parts` were checked when they came."""
    found: dict[str, None] = {}
    for part in parts:
        raw = bytes(part)
        kind = KINDS.get(_typed(raw).type)
        if kind is not None and kind.more is not None:
            found |= dict.fromkeys(kind.more(raw).files)
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
}
"""The known kinds of parts, by their `type`."""
