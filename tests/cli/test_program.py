from __future__ import annotations

import pytest
from tests.cli.conftest import Command

from hubbub import __version__
from hubbub.cli import program

COMMANDS = (
    *("serve", "token", "publish", "tail", "config", "migrate", "backup"),
    *("errors", "metrics", "doctor", "bench", "version"),
)


def test_without_arguments_it_says_what_there_is(hubbub: Command) -> None:
    outcome = hubbub()
    assert outcome.status == 0
    assert all(command in outcome.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, hubbub: Command) -> None:
    outcome = hubbub(command, "--help")
    assert outcome.status == 0
    assert "Usage" in outcome.out
    assert not outcome.err


def test_versions(hubbub: Command) -> None:
    assert hubbub("version").out == hubbub("--version").out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "what", "advice"),
    [
        (["nonsense"], "No such command 'nonsense'", "see `hubbub --help`"),
        (["serve", "--nonsense"], "No such option: --nonsense", "see `hubbub serve --help`"),
        (["publish", "lobby"], "Missing argument", "see `hubbub publish --help`"),
        (["serve", "--port", "x"], "valid integer", "see `hubbub serve --help`"),
    ],
)
def test_misuse_is_two_lines_and_status_2(
    arguments: list[str], what: str, advice: str, hubbub: Command
) -> None:
    outcome = hubbub(*arguments)
    assert outcome.status == 2
    first, second = outcome.err.splitlines()
    assert first.startswith("error: ")
    assert what in first
    assert second == f" next: {advice}."


def test_what_nobody_foresaw_is_no_traceback_either(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("why")

    monkeypatch.setattr(program, "cli", broken)
    outcome = hubbub("version")
    assert outcome.status == 2
    assert outcome.err.splitlines()[0] == "error: ZeroDivisionError: why"
    monkeypatch.setenv("HUBBUB_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        hubbub("version")


def test_an_interrupt_is_130(hubbub: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "cli", interrupted)
    assert hubbub("version") == (130, "", "")
