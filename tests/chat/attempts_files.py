"""Attempts at files; `tests/chat/attempts.py` has them with all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FILE = "0" * 32
FILES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "files.create": lambda ids: {"name": "a.txt", "size": 5},
    "files.get": lambda ids: {"file": FILE},
    "files.list": lambda ids: {},
    "files.delete": lambda ids: {"file": FILE},
    "files.url": lambda ids: {"file": FILE},
    "files.urls": lambda ids: {"files": [{"file": FILE}]},
}
