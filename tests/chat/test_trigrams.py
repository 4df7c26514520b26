from __future__ import annotations

import asyncio

import asyncpg  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.chat.trigrams import THRESHOLD, most_similar, similarity, trigrams

words = st.text("abcdexyzé東1", max_size=8)
texts = st.text("abcABC éÉß東1-_.' ", max_size=20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cat", {"  c", " ca", "cat", "at "}),  # pg_trgm's own examples
        ("foo|bar", {"  b", "  f", " ba", " fo", "ar ", "bar", "foo", "oo "}),
        ("a", {"  a", " a "}),
        ("", set()),
        ("_-.", set()),
        ("AAAA", {"  a", " aa", "aaa", "aa "}),
    ],
)
def test_the_groups_of_a_text(text: str, expected: set[str]) -> None:
    assert trigrams(text) == expected


def test_similarity_of_known_words() -> None:
    assert similarity("word", "two words") == pytest.approx(4 / 11)  # pg_trgm's example
    assert similarity("budgte", "budget") == pytest.approx(0.4)
    assert similarity("", "") == similarity("abc", "xyz") == 0.0


@given(texts, texts)
def test_similarity_is_symmetric_and_a_share(one: str, other: str) -> None:
    found = similarity(one, other)
    assert found == similarity(other, one)
    assert 0.0 <= found <= 1.0
    assert similarity(one, one) == (1.0 if trigrams(one) else 0.0)
    assert (found > 0) == bool(trigrams(one) & trigrams(other))
    assert similarity(one.upper(), other.lower()) == similarity(one.upper().lower(), other.lower())


@given(words, st.lists(words))
def test_the_most_similar_is_the_first_of_the_best(word: str, candidates: list[str]) -> None:
    scores = [similarity(word, candidate) for candidate in candidates]
    best = max(scores, default=0.0)
    expected = candidates[scores.index(best)] if best >= THRESHOLD else None
    assert most_similar(word, candidates) == expected


def test_it_is_what_postgresql_says(postgres_url: str) -> None:
    alphabet = [
        "",
        "a",
        "cat",
        "cats",
        "Cats and dogs",
        "budget",
        "budgte",
        "quarterly",
        "quaterly",
        "x-y_z 12",
        "aaaa aa",
    ]
    pairs = [(one, other) for one in alphabet for other in alphabet]

    async def ask() -> list[float]:
        connection = await asyncpg.connect(postgres_url)
        try:
            await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            query = (
                "SELECT similarity(a, b) FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t (a, b, n) "
                "ORDER BY n"
            )
            return [row[0] for row in await connection.fetch(query, *map(list, zip(*pairs, strict=True)))]
        finally:
            await connection.close()

    assert asyncio.run(ask()) == pytest.approx([similarity(*pair) for pair in pairs], abs=1e-6)
