from __future__ import annotations

import sys
import time

import pytest

from hubbub.cli.tables import ago, facts, moment, plain, said, size, table

HEAD = ("USER", "NAME", "COUNT")


def test_columns_are_as_wide_as_they_must_be(capsys: pytest.CaptureFixture[str]) -> None:
    table(HEAD, [("ada", "Ada", 1_200), ("bob", "東京", 3)], "", numbers=("COUNT",))
    assert capsys.readouterr().out == (
        "USER  NAME  COUNT\n"
        "ada   Ada   1,200\n"
        "bob   東京      3\n"
    )  # fmt: skip


def test_where_there_is_nothing_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    table(HEAD, [], "no users")
    assert capsys.readouterr().out == "no users\n"


@pytest.mark.parametrize(("columns", "name"), [("30", "a" * 9 + "…"), ("10", "a" * 7 + "…")])
def test_on_a_narrow_terminal_names_are_cut_and_ids_are_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str, name: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    table(HEAD, [("i" * 11, "a" * 40, 7)], "", numbers=("COUNT",), cut=("NAME",))
    assert capsys.readouterr().out.splitlines()[1] == f"{'i' * 11}  {name}      7"


def test_wide_letters_are_cut_by_their_width(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("NO_COLOR", "1")
    table(("A", "B"), [("東京タワー東京タワー", "x")], "", cut=("A",))
    assert capsys.readouterr().out.splitlines()[1] == "東京タワー東京タ…  x"


def test_what_users_write_does_not_move_the_cursor() -> None:
    assert plain("a\nb\t\x1b[2Jc\u202e") == "a b �[2Jc�"
    assert plain(1_234_567) == "1,234,567"


def test_facts_that_are_not_there_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    facts((("name", "Ada"), ("avatar", None), ("conversations", 1_000)))
    assert capsys.readouterr().out == "name           Ada\nconversations  1,000\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(5, "now"), (-5, "now"), (300, "5 min ago"), (-7_000, "in 2 h"), (200_000, "2 d ago")],
)
def test_times_are_told_from_now(monkeypatch: pytest.MonkeyPatch, seconds: float, words: str) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    assert ago(1_800_000_000.0 - seconds) == words


def test_times_that_are_far_away_are_days() -> None:
    assert ago(1_000_000_000.0).startswith("2001-09-0")
    assert len(ago(1_000_000_000.0)) == 10
    assert (ago(9e15), moment(9e15)) == ("for good", "for good")
    assert (ago(None, "never"), moment(None)) == ("never", "")
    assert moment(1_000_000_000.0).startswith("2001-09-0")


def test_sizes_and_parts() -> None:
    assert [size(each) for each in (0, 1023, 1536, 5 * 1024**3)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert said([{"type": "text", "text": "hello"}, {"type": "poll"}]) == "hello [poll]"
