"""Attempts at the rules of moderation and what is with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

RULES = [
    {
        "name": "words",
        "when": [{"type": "shape", "characters": 9_000}],
        "action": "reject",
    }
]
MODERATION: dict[str, Callable[[Any], dict[str, Any]]] = {
    "moderation.rules.get": lambda ids: {},
    "moderation.rules.list": lambda ids: {},
    "moderation.rules.draft": lambda ids: {"rules": RULES},
    "moderation.rules.publish": lambda ids: {},
    "moderation.rules.rollback": lambda ids: {"version": 1},
    "moderation.blocklists.list": lambda ids: {},
    "moderation.blocklists.get": lambda ids: {"list": "rude"},
    "moderation.blocklists.put": lambda ids: {"list": "rude", "words": ["darn"]},
    "moderation.blocklists.change": lambda ids: {"list": "rude", "add": ["drat"]},
    "moderation.blocklists.delete": lambda ids: {"list": "rude"},
    "moderation.try": lambda ids: {"text": "hello"},
    "moderation.samples.add": lambda ids: {
        "test_set": "first",
        "samples": [{"text": "hello", "expected": "allow"}],
    },
    "moderation.samples.list": lambda ids: {"test_set": "first"},
    "moderation.samples.delete": lambda ids: {"test_set": "first"},
    "moderation.replay": lambda ids: {"test_set": "first"},
}
