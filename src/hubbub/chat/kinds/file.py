"""The kind `file`: a file that was uploaded before. Pure.

The sender names the file and may say something about it; what it is like, the server fills in when the message is sent.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from hubbub.chat import text
from hubbub.chat.kinds.base import Kind, More, decoded, encode
from hubbub.config.sections import LimitsConfig

FileId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[0-9A-Za-z_-]+$(?!\n)")]


class Thumbnail(Struct, frozen=True):
    """A smaller picture. Its URL is `files.url` with its place in the list as `thumbnail`; sides are in pixels."""

    width: int
    height: int


class FilePart(
    Struct, frozen=True, tag="file", tag_field="type", forbid_unknown_fields=True, omit_defaults=True
):
    """What is known of a file in a message: `size` in bytes, `duration` in seconds, sides in pixels. `caption` is the
    sender's; a sender's other fields are passed over, so that a part may be sent back as it came."""

    file: FileId
    caption: str = ""
    name: str = ""
    media_type: str = ""
    size: int = 0
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    thumbnails: tuple[Thumbnail, ...] = ()


_decode = msgspec.json.Decoder(FilePart).decode


def _check(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    part: FilePart = decoded(_decode, raw, field)
    said = text.text(part.caption, f"{field}.caption") if part.caption else ""
    return encode(FilePart(part.file, said)), said


def _text(raw: bytes) -> str:
    part: FilePart = _decode(raw)
    return "\n".join(each for each in (part.caption, part.name) if each)


def _more(raw: bytes) -> More:
    part: FilePart = _decode(raw)
    return More(files=(part.file,), needs="attach")


def filled(raw: bytes, known: FilePart) -> bytes:
    """The part `raw` with what is `known` of its file."""
    part: FilePart = _decode(raw)
    return encode(msgspec.structs.replace(known, caption=part.caption))


FILE = Kind(_check, _text, _more)
