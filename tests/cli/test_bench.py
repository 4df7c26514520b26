from __future__ import annotations

from tests.cli.conftest import Command


def test_arguments_are_handed_on(hubbub: Command) -> None:
    assert "fanout" in hubbub("bench", "--help").out
    assert hubbub("bench").out == hubbub("bench", "--help").out
    assert "--connections" in hubbub("bench", "fanout", "--help").out


def test_misuse_is_explained(hubbub: Command) -> None:
    outcome = hubbub("bench", "nonsense")
    assert (outcome.status, len(outcome.err.splitlines())) == (2, 2)


def test_a_run_that_fails_has_a_status_that_says_so(hubbub: Command) -> None:
    outcome = hubbub("bench", "echo", "--url", "ws://127.0.0.1:1")
    assert outcome.status == 1
    assert "is the server running?" in outcome.err
