"""Attempts at pins, bookmarks, drafts and forwarding; `tests/chat/attempts.py` has them with all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _of(ids: Any) -> dict[str, Any]:
    return {"conversation": ids.conversation, "message": ids.message}


PINS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "pins.add": _of,
    "pins.remove": _of,
    "pins.list": lambda ids: {"conversation": ids.conversation},
    "bookmarks.add": lambda ids: {**_of(ids), "note": "mine"},
    "bookmarks.remove": _of,
    "bookmarks.list": lambda ids: {},
    "drafts.set": lambda ids: {
        "conversation": ids.conversation,
        "parts": [{"type": "text", "text": "hel"}],
        "thread": ids.thread,
        "reply_to": ids.message,
        "mentions": {"users": ["bob"]},
    },
    "drafts.remove": lambda ids: {"conversation": ids.conversation, "thread": ids.thread},
    "drafts.list": lambda ids: {},
    "messages.forward": lambda ids: {**_of(ids), "to": [ids.conversation]},
}
