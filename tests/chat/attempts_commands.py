"""Attempts at commands, emoji, groups and previews; `tests/chat/attempts.py` has them with all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

COMMANDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "commands.register": lambda ids: {"name": "remind"},
    "commands.unregister": lambda ids: {"name": "remind"},
    "commands.list": lambda ids: {"conversation": ids.conversation},
    "commands.invoke": lambda ids: {"conversation": ids.conversation, "name": "remind"},
    "commands.answer": lambda ids: {"invocation": "0" * 24, "parts": [{"type": "text", "text": "hello"}]},
    "emoji.add": lambda ids: {"name": "parrot", "url": "https://example.org/parrot.gif"},
    "emoji.remove": lambda ids: {"name": "parrot"},
    "emoji.list": lambda ids: {},
    "groups.upsert": lambda ids: {"group": "support"},
    "groups.delete": lambda ids: {"group": "support"},
    "groups.add": lambda ids: {"group": "support", "users": [ids.user]},
    "groups.remove": lambda ids: {"group": "support", "user": ids.user},
    "groups.list": lambda ids: {},
    "groups.get": lambda ids: {"group": "support"},
    "groups.members": lambda ids: {"group": "support"},
    "previews.remove": lambda ids: {
        "conversation": ids.conversation,
        "message": ids.message,
        "url": "https://example.org/",
    },
}
