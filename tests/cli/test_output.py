from __future__ import annotations

import io
import sys

import pytest

from hubbub.cli.output import Problem, coloured, report, seconds, words, wrapped


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("90s", 90),
        ("15m", 900),
        ("1h", 3600),
        ("1h30m", 5400),
        ("7d", 604800),
        ("2w", 1209600),
    ],
)
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "h", "1x", "-1h", "1h x", "1 h", "1e9s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (90061, "1 d 1 h"),
        (-60, "1 min"),
    ],
)
def test_durations_in_words(duration: float, expected: str) -> None:
    assert words(duration) == expected


def test_a_problem_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(Problem("it is broken.", "Mend it.")) == 2
    assert capsys.readouterr().err == "error: it is broken.\n next: mend it.\n"


@pytest.mark.parametrize("advice", ["HUBBUB_X says so.", "`hubbub doctor` knows."])
def test_names_keep_their_case(advice: str, capsys: pytest.CaptureFixture[str]) -> None:
    report(Problem("x", advice))
    assert capsys.readouterr().err.endswith(f"next: {advice}\n")


def test_a_terminal_gets_lines_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", "40")
    lines = wrapped("word " * 30, 7).split("\n")
    assert all(len(line) <= 40 for line in lines)
    assert all(line.startswith(" " * 7) for line in lines[1:])


def test_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert coloured(Terminal())
    assert not coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())
