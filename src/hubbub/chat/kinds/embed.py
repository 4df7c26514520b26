"""The kinds `embed` and `location`: a page as its sender describes it, and a place. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from hubbub.chat import text
from hubbub.chat.kinds.addresses import address
from hubbub.chat.kinds.base import Kind, decoded, encode, short
from hubbub.config.sections import LimitsConfig


class EmbedPart(
    Struct, frozen=True, tag="embed", tag_field="type", forbid_unknown_fields=True, omit_defaults=True
):
    """What is behind a link, in the words of who sends it; the server fetches nothing for it."""

    url: str
    title: str | None = None
    description: str | None = None
    site: str | None = None
    image: str | None = None


class LocationPart(
    Struct, frozen=True, tag="location", tag_field="type", forbid_unknown_fields=True, omit_defaults=True
):
    """A place on Earth, in degrees (WGS 84); `accuracy` in metres. `live_until` (Unix seconds): whoever sends it moves
    it by edits until then."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    accuracy: Annotated[float, Meta(ge=0, le=1e8)] | None = None
    label: str | None = None
    live_until: Annotated[float, Meta(gt=0, le=1e11)] | None = None


_embed = msgspec.json.Decoder(EmbedPart).decode
_location = msgspec.json.Decoder(LocationPart).decode


def _said(*texts: str | None) -> str:
    return "\n".join(filter(None, texts))


def _check_embed(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    part: EmbedPart = decoded(_embed, raw, field)
    kept = EmbedPart(
        address(part.url, f"{field}.url"),
        None if part.title is None else short(part.title, f"{field}.title", allowed),
        None if part.description is None else text.text(part.description, f"{field}.description"),
        None if part.site is None else short(part.site, f"{field}.site", allowed),
        None if part.image is None else address(part.image, f"{field}.image"),
    )
    return encode(kept), _said(kept.title, kept.description, kept.site)


def _embed_text(raw: bytes) -> str:
    part = _embed(raw)
    return _said(part.title, part.description, part.site)


def _check_location(raw: bytes, field: str, allowed: LimitsConfig) -> tuple[bytes, str]:
    part: LocationPart = decoded(_location, raw, field)
    label = None if part.label is None else short(part.label, f"{field}.label", allowed)
    return encode(replace(part, label=label)), label or ""


def _location_text(raw: bytes) -> str:
    return _location(raw).label or ""


def _forwarded_location(raw: bytes) -> bytes:
    """Who forwards a place does not move with it."""
    return encode(replace(_location(raw), live_until=None))


EMBED = Kind(_check_embed, _embed_text)
LOCATION = Kind(_check_location, _location_text, forwarded=_forwarded_location)
