"""Attempts at what is kept and taken out by law; `tests/chat/attempts.py` has them with all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RIGHTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "retention.update": lambda ids: {"conversation": ids.conversation, "retention": 60.0},
    "retention.hold": lambda ids: {"subject": "user", "id": ids.user, "reason": "mine"},
    "retention.release": lambda ids: {"subject": "user", "id": ids.user},
    "retention.holds": lambda ids: {},
    "rights.export": lambda ids: {"user": ids.user},
    "rights.erase": lambda ids: {"user": ids.user, "messages": "delete"},
    "administration.users": lambda ids: {"prefix": ids.user},
    "administration.user": lambda ids: {"user": ids.user},
    "administration.conversations": lambda ids: {"user": ids.user},
    "statistics.get": lambda ids: {"days": 3},
    "retention.archive": lambda ids: {"conversation": ids.conversation, "message": ids.message},
}
