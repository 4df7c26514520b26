"""Attempts at what is done later; `tests/chat/attempts.py` has them with all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

AT = 1_700_500_000.0
"""Some days after the tests' time begins."""
AGENDA: dict[str, Callable[[Any], dict[str, Any]]] = {
    "scheduled.create": lambda ids: {
        "conversation": ids.conversation,
        "parts": [{"type": "text", "text": "hello"}],
        "thread": ids.thread,
        "reply_to": ids.message,
        "mentions": {"users": [ids.user]},
        "at": AT,
    },
    "scheduled.update": lambda ids: {"scheduled": 1, "at": AT},
    "scheduled.cancel": lambda ids: {"scheduled": 1},
    "scheduled.send_now": lambda ids: {"scheduled": 1},
    "scheduled.list": lambda ids: {},
    "reminders.create": lambda ids: {
        "conversation": ids.conversation,
        "message": ids.message,
        "note": "look again",
        "at": AT,
    },
    "reminders.update": lambda ids: {"reminder": 1, "note": "mine"},
    "reminders.remove": lambda ids: {"reminder": 1},
    "reminders.list": lambda ids: {},
}
