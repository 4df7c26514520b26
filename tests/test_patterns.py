"""Patterns of texts that come from outside, which Python's `re` matches (msgspec's `Meta(pattern=...)`)."""

from __future__ import annotations

import re
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "src" / "hubbub"
PATTERN = re.compile(r'pattern=r"([^"]*)"')


def test_none_lets_a_line_break_follow() -> None:
    """`$` matches before one at the end, too. (Those of the settings are pydantic's, in which it does not.)"""
    found = [
        (path.name, pattern)
        for path in sorted(SOURCES.rglob("*.py"))
        if "config" not in path.parts
        for pattern in PATTERN.findall(path.read_text(encoding="utf-8"))
    ]
    assert len(found) > 10
    assert [each for each in found if not each[1].endswith(r"$(?!\n)")] == []
