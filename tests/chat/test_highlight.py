from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.chat import tokens
from hubbub.chat.highlight import MOST, SNIPPET, score, snippet, spans
from hubbub.chat.search_query import parse

DAY = 86_400.0


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("hello", "Hello, hello! Othello", ["Hello", "hello"]),
        ("ecole", "À l'École des E\u0301coles", ["École"]),
        ("strasse", "Die Straße ist", ["Straße"]),
        ("fix", "a ﬁx b", ["ﬁx"]),
        ('"quarterly report"', "the Quarterly -- Report, report", ["Quarterly -- Report"]),
        ("rep*", "report reply rap", ["report", "reply"]),
        ("東京", "東京都と東京", ["東京", "東京"]),
        ("東京都", "東京都と東京", ["東京都"]),
        ("京", "東京都と京", ["京", "京"]),
        ("ガラス", "ｶﾞﾗｽの窓", ["ｶﾞﾗｽ"]),
        ("ada@example.com", "mail ada@example.com now", ["ada@example.com"]),
        ("🎉", "party 🎉!", ["🎉"]),
        ("hello -bye", "hello bye", ["hello"]),
        ("nothing", "hello", []),
        ("هلا", "يا هَلا", ["هَلا"]),
    ],
)
def test_what_was_found_is_shown_where_it_stands(query: str, text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in spans(parse(query), text)] == expected


def test_there_is_an_end() -> None:
    assert len(spans(parse("a"), "a " * (MOST + 5))) == MOST


@given(
    st.lists(
        st.sampled_from(["Straße", "東京都", "é", "e\u0301", "ﬁ", "🎉", " ", "word", "-", "ｶﾞ", "İ"])
    ).map("".join),
    st.sampled_from(["strasse", "東京", "都", "e", "fi", "🎉", "word", "ガ", "i", "wo*"]),
)
def test_what_is_highlighted_is_what_was_asked_for(text: str, query: str) -> None:
    text = unicodedata.normalize("NFC", text)
    asked = parse(query)
    found = spans(asked, text)
    assert all(0 <= start < end <= len(text) for start, end in found)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    ((first, *_), is_prefix) = asked.wanted[0]
    there = tokens.terms(text)
    assert bool(found) == any(term == first or (is_prefix and term.startswith(first)) for term in there)
    line, marks = snippet(text, found)
    assert all(0 <= start < end <= len(line) for start, end in marks)
    if len(text) <= SNIPPET:
        assert [line[a:b] for a, b in marks] == [text[a:b] for a, b in found]


def test_a_snippet_is_about_the_first_match() -> None:
    text = "lorem " * 100 + "here it is\nat last " + "ipsum " * 100
    line, marks = snippet(text, spans(parse("here last"), text))
    assert line.startswith("\u2026lorem")
    assert line.endswith("\u2026")
    assert "\n" not in line
    assert len(line) <= SNIPPET + 2
    assert [line[a:b] for a, b in marks] == ["here", "last"]


def test_a_snippet_without_spaces_tears_no_character() -> None:
    text = "e\u0304" * 300
    line, _ = snippet(text, [(300, 302)])
    assert unicodedata.combining(line[1]) == 0
    assert line.strip("\u2026")[-1] == "\u0304"
    assert snippet("short", []) == ("short", [])
    assert snippet("x" * 500, []) == ("x" * SNIPPET + "\u2026", [])


def scored(query: str, text: str, age: float = 0.0, average: float = 4.0) -> float:
    return score(parse(query), tokens.terms(text), average, age)


def test_more_often_shorter_and_newer_is_better() -> None:
    assert scored("budget", "budget budget plan now") > scored("budget", "budget the plan now")
    assert scored("budget", "the budget") > scored("budget", "the budget " + "and more " * 20)
    assert scored("budget", "the budget") > scored("budget", "the budget", age=10 * DAY)
    assert scored("budg*", "budg") > scored("budg*", "budget")
    assert scored('"a b"', "a b a b") > scored('"a b"', "a b c d")
    assert scored("東", "東京 東") > scored("東", "東京 西京")
    assert 0 < scored("budget", "the budget", age=10_000 * DAY) < 1
