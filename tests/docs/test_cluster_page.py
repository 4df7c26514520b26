"""The page about several nodes says what the code does."""

from __future__ import annotations

import math
import re
from pathlib import Path

from hubbub.config.cluster import LoadConfig
from hubbub.telemetry.levels import SHEDDING, Level, Shedding
from hubbub.transports import drain, server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "cluster.md").read_text(encoding="utf-8")
LEVELS = [SHEDDING[level] for level in Level if level is not Level.NORMAL]


def row(name: str) -> list[str]:
    """The cells of the table of what is given up."""
    (found,) = re.findall(rf"(?m)^\| [`]?{re.escape(name)}[^|]*\| (.+) \|$", PAGE)
    return [cell.strip() for cell in found.split("|")]


def number(text: str) -> float:
    found = re.match(r"[0-9.]+", text)
    return float(found[0]) if found else math.inf


def test_the_table_is_that_of_the_code() -> None:
    assert [number(cell) for cell in row("typing")] == [each.typing for each in LEVELS]
    assert [number(cell) for cell in row("presence")] == [each.presence for each in LEVELS]
    assert [number(cell) for cell in row("receipts")] == [each.receipts for each in LEVELS]
    shares = [1.0 if cell == "all" else number(cell) / 100 for cell in row("history")]
    assert shares == [each.history for each in LEVELS]
    assert [cell == "refused" for cell in row("new sessions")] == [each.anonymous for each in LEVELS]
    assert [cell == "refused" for cell in row("all new sessions")] == [each.new for each in LEVELS]


def test_nothing_is_given_up_that_the_table_does_not_name() -> None:
    assert len(Shedding.__slots__) == len(re.findall(r"(?m)^\| .* \| .* \| .* \| .* \|$", PAGE)) - 1


def test_the_thresholds_are_the_defaults() -> None:
    config = LoadConfig()
    for share in (config.busy, config.overloaded, config.critical, config.hysteresis):
        assert f"{share * 100:g} %" in PAGE


def test_the_times_of_a_node_that_ends() -> None:
    rest = drain.PATIENCE + drain.CLAIMING + drain.STOPPING + server.GRACE
    assert f"no more than {rest:g} seconds after the window" in PAGE
    assert f"for {drain.CLAIMING:g} seconds at the most" in PAGE


def test_what_is_included_exists() -> None:
    for name in re.findall(r'--8<-- "([^"]+)"', PAGE):
        assert (ROOT / name).is_file()
