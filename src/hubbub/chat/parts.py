"""The parts of a message: what they are, what of them is checked on entry, and what of them is searched. Pure.

A part is a JSON object with a `type`. The kinds in `KINDS` are known: they are checked, refuse fields that they do not
have, and are kept in one canonical form. A part of any other kind is the application's own: it is kept as it came,
byte for byte (but for line breaks between its tokens), as long as it is strict JSON of at most `limits.part_bytes`. A
new kind is a struct, a function that checks it, and a row in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from hubbub import jsondata
from hubbub.chat import limits, text
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

TYPE_LENGTH = 64
"""Characters of a part's `type`."""


class TextPart(
    Struct, frozen=True, tag="text", tag_field="type", forbid_unknown_fields=True, omit_defaults=True
):
    """Text, in NFC. Markdown is kept raw: it is for clients to show, and to show safely."""

    text: str
    format: Literal["plain", "markdown"] = "plain"


class DataPart(Struct, frozen=True, tag="data", tag_field="type", forbid_unknown_fields=True):
    """The application's own JSON object."""

    data: Raw


class Checked(Struct, frozen=True):
    """Parts that may be kept: each as JSON, all of them as a JSON array, and the text that search finds them by."""

    parts: tuple[Raw, ...]
    json: str
    text: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A known kind of part. `check` gets the part as JSON, the name of its field and the limits; it gives the JSON to
    keep and the text that counts for `limits.text_length`, or raises a HubbubError that names the field. `text` is what
    search finds a part by that was kept."""

    check: Callable[[bytes, str, LimitsConfig], tuple[bytes, str]]
    text: Callable[[bytes], str]


class _Typed(Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed).decode
_text_part = msgspec.json.Decoder(TextPart).decode
_data_part = msgspec.json.Decoder(DataPart).decode
_encode = msgspec.json.Encoder().encode


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
    for place, part in enumerate(parts):
        raw = bytes(part)
        try:
            plain = _text_part(raw)  # as most are
        except (ValueError, RecursionError, MemoryError, msgspec.MsgspecError):
            plain = None
        if plain is not None:
            raw, said = _kept_text(plain, f"{field}[{place}].text")
        elif (kind := KINDS.get(_type_of(raw, f"{field}[{place}]"))) is not None:
            raw, said = kind.check(raw, f"{field}[{place}]", allowed)
        else:
            raw, said = _foreign(raw, f"{field}[{place}]", allowed), ""
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
    return Checked(tuple(map(Raw, kept)), whole, "\n".join(texts))


def searchable(parts: Sequence[Raw]) -> str:
    """What search finds a message by: the text of its parts. `parts` were checked when they came."""
    texts = []
    for part in parts:
        raw = bytes(part)
        if (kind := KINDS.get(_typed(raw).type)) is not None and (said := kind.text(raw)):
            texts.append(said)
    return "\n".join(texts)


def _type_of(raw: bytes, field: str) -> str:
    type: str = _decoded(_typed, raw, field).type
    if type == "system":
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED,
            f"{field}.type: only the server sends `system`",
            field=f"{field}.type",
        )
    if not 0 < len(type) <= TYPE_LENGTH or not type.isprintable():
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED,
            f"{field}.type: must be 1 to {TYPE_LENGTH} printable characters",
            field=f"{field}.type",
        )
    return type


def _decoded(decode: Callable[[bytes], Any], raw: bytes, field: str) -> Any:
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        message, path = jsondata.wrong_field(error)
        at = f"{field}.{path}" if path else field
        raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{at}: {message}", field=at) from None
    except (ValueError, RecursionError, MemoryError, msgspec.MsgspecError) as error:
        message = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise HubbubError(ErrorCode.INVALID_DATA, f"{field}: {message}", field=field) from None


def _text(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    return _kept_text(_decoded(_text_part, raw, field), f"{field}.text")


def _kept_text(part: TextPart, field: str) -> tuple[bytes, str]:
    said = text.text(part.text, field)
    return _encode(part if said is part.text else TextPart(said, part.format)), said


def _data(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    part = _decoded(_data_part, raw, field)
    kept = _foreign(bytes(part.data), f"{field}.data", allowed)
    if not kept.startswith(b"{"):
        at = f"{field}.data"
        raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{at}: Expected `object`", field=at)
    return _encode(DataPart(Raw(kept))), ""


def _foreign(raw: bytes, field: str, allowed: LimitsConfig) -> bytes:
    """JSON that is not ours to change. A line break is only between its tokens, and would end a line of a protocol."""
    if len(raw) > allowed.part_bytes:
        raise limits.exceeded("part_bytes", allowed.part_bytes, field)
    jsondata.check(raw, depth=allowed.json_depth, keys=allowed.json_keys, field=field)
    return raw.replace(b"\n", b" ").replace(b"\r", b" ")


def _text_of(raw: bytes) -> str:
    part: TextPart = _text_part(raw)
    return part.text


def _nothing(raw: bytes) -> str:
    return ""


KINDS: dict[str, Kind] = {
    "text": Kind(_text, _text_of),
    "data": Kind(_data, _nothing),
}
"""The known kinds of parts, by their `type`."""
