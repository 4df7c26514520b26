"""The parts of a message: JSON objects with a `type`, of which applications have their own. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from hubbub.chat.model import Message


def parts_of(message: Message) -> list[dict[str, Any]]:
    """All parts of a message."""
    return [msgspec.json.decode(part) for part in message.parts]


def text_of(message: Message) -> str:
    """What a message says: its parts of the type `text`, a line for each."""
    return "\n".join(
        part["text"] for part in parts_of(message) if part.get("type") == "text" and "text" in part
    )
