from __future__ import annotations

from tests.cli.conftest import Command


def test_arguments_are_handed_on(hubbub: Command) -> None:
    assert "fanout" in hubbub("bench", "--help").out
    assert hubbub("bench").out == hubbub("bench", "--help").out
    assert "--connections" in hubbub("bench", "fanout", "--help").out


def test_misuse_is_explained(hubbub: Command) -> None:
    outcome = hubbub("bench", "nonsense")
    assert (outcome.status, len(outcome.err.splitlines())) == (2, 2)
