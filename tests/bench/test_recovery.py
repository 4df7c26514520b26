"""What is made of the times of drops, and that they are measured: a few of them, on a machine that may be busy."""

from __future__ import annotations

import asyncio

import pytest
from bench.recovery import Figures, figures, measure, table
from tests.scenarios.server import HubbubProcess

pytestmark = pytest.mark.anyio


def test_figures_are_ranks() -> None:
    assert figures([0.1] * 94 + [0.8] * 6, 99) == Figures(100, 99, 100.0, 800.0, 800.0)
    assert figures([0.1] * 95 + [0.8] * 4 + [2.0], 0) == Figures(100, 0, 100.0, 100.0, 2000.0)
    assert figures([0.25], 1) == Figures(1, 1, 250.0, 250.0, 250.0)


def test_what_is_above_the_goal_is_missed() -> None:
    text = table({"one": figures([0.7] * 20, 20), "other": figures([0.701] * 20, 0)})
    assert "| one | 20 | 20 | 700 | 700 | 700 | ≤ 700 | reached |" in text
    assert "| other | 20 | 0 | 701 | 701 | 701 | ≤ 700 | **missed** |" in text


async def test_drops_are_measured() -> None:
    server = HubbubProcess()
    try:
        await asyncio.to_thread(server.open)
        found = await measure(server, "python", None, "websocket", 3, 1, (0.0, 0.1))
    finally:
        await asyncio.to_thread(server.close)
    assert (found.drops, found.anew) == (3, 0)
    assert 0 < found.p50 <= found.p95 <= found.max
