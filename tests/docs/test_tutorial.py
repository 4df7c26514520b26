"""The tutorial's code is the example's, to the byte; the example is what tests run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial" / "index.md").read_text(encoding="utf-8")
BOARD = ROOT / "examples" / "order_board"
SHOWN = dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)\n```', TUTORIAL, re.DOTALL))


@pytest.mark.parametrize("name", sorted(path.name for path in BOARD.iterdir() if path.is_file()))
def test_the_tutorial_shows_the_example(name: str) -> None:
    assert SHOWN.get(name) == (BOARD / name).read_text(encoding="utf-8").rstrip("\n")


def test_the_tutorial_shows_nothing_else() -> None:
    assert set(SHOWN) == {path.name for path in BOARD.iterdir() if path.is_file()}
