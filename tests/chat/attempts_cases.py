"""Attempts at what is reported, decided and restricted; `tests/chat/attempts.py` has them with all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CASES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "restrictions.set": lambda ids: {"user": ids.user, "kind": "mute", "conversation": ids.conversation},
    "restrictions.lift": lambda ids: {"user": ids.user, "kind": "mute", "conversation": ids.conversation},
    "restrictions.list": lambda ids: {"conversation": ids.conversation, "user": ids.user},
    "me.restrictions": lambda ids: {},
    "reports.create": lambda ids: {
        "conversation": ids.conversation,
        "message": ids.message,
        "reason": "spam",
    },
    "reports.list": lambda ids: {},
    "holds.list": lambda ids: {},
    "holds.withdraw": lambda ids: {"hold": "none"},
    "cases.list": lambda ids: {"conversation": ids.conversation, "user": ids.user},
    "cases.get": lambda ids: {"case": "none"},
    "cases.claim": lambda ids: {"case": "none"},
    "cases.release": lambda ids: {"case": "none"},
    "cases.note": lambda ids: {"case": "none", "text": "hm"},
    "cases.decide": lambda ids: {"case": "none", "action": "dismiss"},
    "cases.appeal": lambda ids: {"case": "none", "text": "please"},
    "cases.answer": lambda ids: {"case": "none", "granted": True},
    "cases.mine": lambda ids: {},
    "audit.list": lambda ids: {},
}
