"""The kinds `text` and `data`: what somebody says, and the application's own. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from hubbub.chat import text
from hubbub.chat.kinds.base import Kind, decoded, encode, foreign, nothing, wrong
from hubbub.config.sections import LimitsConfig


class TextPart(
    Struct, frozen=True, tag="text", tag_field="type", forbid_unknown_fields=True, omit_defaults=True
):
    """Text, in NFC. Markdown is kept raw: it is for clients to show, and to show safely."""

    text: str
    format: Literal["plain", "markdown"] = "plain"


class DataPart(Struct, frozen=True, tag="data", tag_field="type", forbid_unknown_fields=True):
    """The application's own JSON object."""

    data: Raw


decode_text = msgspec.json.Decoder(TextPart).decode
_data_part = msgspec.json.Decoder(DataPart).decode


def keep_text(part: TextPart, field: str) -> tuple[bytes, str]:
    """The part to keep, and what it says; `field` is its `text`."""
    said = text.text(part.text, field)
    return encode(part if said is part.text else TextPart(said, part.format)), said


def _text(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    return keep_text(decoded(decode_text, raw, field), f"{field}.text")


def _data(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    part = decoded(_data_part, raw, field)
    kept = foreign(bytes(part.data), f"{field}.data", allowed)
    if not kept.startswith(b"{"):
        raise wrong(f"{field}.data", "Expected `object`")
    return encode(DataPart(Raw(kept))), ""


def _text_of(raw: bytes) -> str:
    part: TextPart = decode_text(raw)
    return part.text


TEXT = Kind(_text, _text_of)
DATA = Kind(_data, nothing)
