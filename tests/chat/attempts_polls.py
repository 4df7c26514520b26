"""Attempts at polls, checklists and cards; `tests/chat/attempts.py` has them with all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RICH: list[dict[str, Any]] = [
    {"type": "poll", "question": "Ship it?", "options": [{"text": "Yes"}, {"text": "No"}]},
    {"type": "checklist", "items": [{"text": "Pack"}], "anyone": True},
    {
        "type": "card",
        "title": "Order 17",
        "actions": [{"type": "button", "id": "approve", "label": "Approve"}],
    },
]
"""Parts of a message about which there is something to attempt."""


def _of(ids: Any) -> dict[str, Any]:
    return {"conversation": ids.conversation, "message": ids.message}


POLLS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "polls.vote": lambda ids: {**_of(ids), "options": ["1"]},
    "polls.retract": _of,
    "polls.get": _of,
    "polls.close": _of,
    "polls.voters": _of,
    "checklists.check": lambda ids: {**_of(ids), "item": "1"},
    "checklists.uncheck": lambda ids: {**_of(ids), "item": "1"},
    "cards.press": lambda ids: {**_of(ids), "action": "approve"},
    "cards.answer": lambda ids: {"invocation": "0" * 24, "parts": [{"type": "text", "text": "hello"}]},
}
