from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.chat.search_query import MOST, Phrase, Query, fts5, parse, tsquery

HOSTILE = [
    "",
    '"',
    '"""',
    '-"',
    '- "a',
    "*",
    "a*b*",
    "***a***",
    "AND OR NOT",
    "NEAR(a b, 2)",
    "a AND (b OR",
    "terms: x",
    "{terms} : x",
    "^a + b",
    "'; DROP TABLE message_search; --",
    "a' & 'b' | !c:* <-> d\\",
    "\x00a\x00b",
    "\u202eabc\u202c \u200f\u200e",
    "🎉 -👍🏽 👩\u200d💻*",
    "£cbig £xff",
    "-- -a -\u2212b",
    "東* -京 「都」",
    "x" * 10_000,
    "a " * 5_000,
    '"' * 10_000,
    "\ud800 \udfff",
]


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("Hello Wörld", [["hello"], ["world"]], []),
        ('"hello there" you', [["hello", "there"], ["you"]], []),
        ("“hello there” «a b»", [["hello", "there"], ["a", "b"]], []),
        ('hello -world -"not this"', [["hello"]], [["world"], ["not", "this"]]),
        ("well-known ada@example.com", [["well", "known"], ["ada", "example", "com"]], []),
        ("hel*", [["hel*"]], []),
        ("-hel*", [], [["hel*"]]),
        ('"open end', [["open", "end"]], []),
        ("a a A", [["a"]], []),
        ("東京都 都", [["東京", "京都"], ["都*"]], []),
        ("- * !", [], []),
        ("b*", [["b"]], []),
        ('quo"ted wo"rd', [["quo"], ["ted", "wo"], ["rd"]], []),
    ],
)
def test_what_is_asked_for(text: str, wanted: list[list[str]], unwanted: list[list[str]]) -> None:
    assert parse(text) == Query(tuple(map(made, wanted)), tuple(map(made, unwanted)))


def made(terms: list[str]) -> Phrase:
    return Phrase(tuple(term.rstrip("*") for term in terms), terms[-1].endswith("*"))


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("hello wor", made(["wor*"])),
        ("hello wor ", made(["wor"])),
        ('"hello wor"', made(["hello", "wor"])),
        ("hello w", made(["w"])),
        ("hello well-kn", made(["well", "kn*"])),
    ],
)
def test_the_last_word_may_go_on_while_it_is_typed(text: str, last: Phrase) -> None:
    assert parse(text, prefix=True).wanted[-1] == last


def test_there_is_an_end() -> None:
    query = parse(" ".join(f"w{n}" for n in range(MOST + 9)))
    assert len(query.wanted) == MOST


def test_the_query_in_the_words_of_each_database() -> None:
    query = parse('hello "a b" wor* -x -y*')
    assert fts5(query, ["£c1", "£c2"]) == (
        '("hello" AND "a b" AND "wor"* AND ("£c1" OR "£c2")) NOT ("x" OR "y")'
    )
    assert tsquery(query, ["£c1", "£c2"]) == (
        "('hello') & ('a' <-> 'b') & ('wor':*) & !('x') & !('y') & ('£c1' | '£c2')"
    )
    assert fts5(parse("hello"), []) == '"hello"'


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(":memory:")
    opened.execute("CREATE VIRTUAL TABLE t USING fts5(terms, tokenize = 'ascii', columnsize = 0)")
    opened.execute("INSERT INTO t VALUES ('a b c')")
    yield opened
    opened.close()


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_typed_is_a_mistake(index: sqlite3.Connection, text: str) -> None:
    understood(index, text)


@given(st.text(st.sampled_from("ab -\"*'()&|!:<>^+{}\\東京é\x00\u0301🎉NOT") | st.characters(), max_size=40))
def test_nothing_at_all_is_a_mistake(index: sqlite3.Connection, text: str) -> None:
    understood(index, text)


def understood(index: sqlite3.Connection, text: str) -> None:
    for prefix in (False, True):
        query = parse(text, prefix=prefix)
        if query.wanted:
            index.execute("SELECT count(*) FROM t WHERE t MATCH ?", (fts5(query, ["£c1"]),)).fetchone()
            said = tsquery(query, ["£c1"])
            terms = re.findall(r"'([^']*)'", said)
            assert re.sub(r"'[^']*'", "", said).strip("()!&|:*<-> ") == ""
            assert not any("\\" in term or "\0" in term for term in terms)
