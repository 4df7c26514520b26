from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from bench.chat_size.__main__ import ask, document, render
from bench.chat_size.filling import BIG, SMALL, alone, fill
from bench.chat_size.measures import MEASURES, Figure

SIZES = {SMALL: 1_000, BIG: 2_000}


@pytest.fixture(params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url: str = (
        f"sqlite:///{tmp_path / 'size.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("empty_postgres_url")
    )
    fill(url, SIZES)
    return url


def test_everything_is_asked_and_answered(filled: str) -> None:
    """Each measure fails by itself if it finds less than was written."""
    figures = asyncio.run(ask(filled, SIZES, "", rounds=1))
    assert [each.measure for each in figures] == list(MEASURES)
    found = document({"sqlite": figures}, SIZES)
    assert json.loads(json.dumps(found))["databases"]["sqlite"]["common word"]["goal"] == 5
    assert alone(SMALL) != alone(BIG)


def test_figures_are_judged() -> None:
    figures = [Figure(MEASURES[0], 1.0, 1.5), Figure(MEASURES[0], 1.0, 1.6), Figure(MEASURES[-1], 1.0, 5.0)]
    lines = render("sqlite", figures, 1_000_000).splitlines()[-3:]
    assert [line.split("|")[-2].strip() for line in lines] == ["met", "missed", "met"]
