"""The fields that users and conversations have alike: checked, normalised, and as their columns hold them. Pure."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from hubbub.chat import limits, text
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError

Avatar = Annotated[
    str, Meta(max_length=2_048, description="Address of a picture: `https:`, `http:` or a path.")
]
_ADDRESS = re.compile(
    r"(?:https?://[^\s/?#\\]|/(?![/\\]))[^\s\\\x00-\x1f\x7f-\x9f\ud800-\udfff]*", re.IGNORECASE
)
_NOT_IN_IDS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def name(config: Config, value: str, field: str = "name") -> str:
    """A name as it is kept. Raises VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.name_length`)."""
    found = text.name(value, field)
    limits.check(config.limits, "name_length", len(found), field)
    return found


def topic(config: Config, value: str, field: str = "topic") -> str:
    """What a conversation is about. Raises VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.topic_length`)."""
    found = text.text(value, field)
    limits.check(config.limits, "topic_length", len(found), field)
    return found


def avatar(value: str, field: str = "avatar") -> str:
    """Raises VALIDATION_FAILED for what is no address of a picture, as `javascript:`."""
    if _ADDRESS.fullmatch(value) is None:
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, f"{field}: not an http or https URL, nor a path", field=field
        )
    return value


def custom(config: Config, value: Raw, field: str = "custom") -> str | None:
    """Custom JSON as it is kept: without spaces between; null is None. Raises MESSAGE_TOO_LARGE
    (`limits.custom_bytes`)."""
    found = msgspec.json.format(bytes(value), indent=-1)
    limits.check(config.limits, "custom_bytes", len(found), field)
    return None if found == b"null" else found.decode()


def raw(custom: str | None) -> Raw | UnsetType:
    """From the column."""
    return UNSET if custom is None else Raw(custom.encode())


def check_id(value: str, field: str = "user") -> None:
    """Raises VALIDATION_FAILED for what no token could name a user."""
    if _NOT_IN_IDS.search(value) is not None:
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, f"{field}: an id has no control characters", field=field
        )
