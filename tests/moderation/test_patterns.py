from __future__ import annotations

import pytest

from hubbub.moderation.patterns import SIZE, Pattern, Seen

EVIL = [
    r"(a+)+$",
    r"(a|a)*b",
    r"^(.*?,){25}P",
    r"(a|aa)+$",
    r"(.*a){20}b",
    r"([a-zA-Z]+)*x",
    r"(x+x+)+y",
    r"^(\w+\s?)*z",
]
"""What takes an engine that backtracks for ever."""
REFUSED = [
    r"(?=a)b",
    r"(?<!a)b",
    r"(a)\1",
    r"(",
    r"[z-a]",
    r"a**",
    r"(?P<n>a)(?P=n)",
    r"\C",
    r"a{1001}",
    r"((a{100}){100}){100}",
]


@pytest.mark.parametrize("pattern", EVIL)
@pytest.mark.parametrize("text", ["a" * 50_000 + "!", "a," * 25_000, "x" * 50_000, "word " * 10_000])
def test_patterns_that_would_backtrack_end(pattern: str, text: str) -> None:
    """Their time is linear in the text: the timeout of the tests is all that is needed to tell."""
    made = Pattern(pattern)
    made.matches(Seen(text))
    assert len(made.find(Seen(text))) <= 1_000


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_takes_backtracking_or_too_much_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Pattern(pattern)


@pytest.mark.parametrize("pattern", ["", "a*", "a?", "^", "(|b)", ".*"])
def test_what_matches_everything_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="nothing in it"):
        Pattern(pattern)


def test_size() -> None:
    assert 0 < Pattern("abc").size < 50
    with pytest.raises(ValueError, match=f"of {SIZE}"):
        Pattern("a{1000}" * 6)


def test_case() -> None:
    assert Pattern("bad").matches(Seen("BAD"))
    assert not Pattern("bad", ignore_case=False).matches(Seen("BAD"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("so bad!", "bad"),
        ("so b\u200bad!", "b\u200bad"),
        ("so ｂａｄ!", "ｂａｄ"),
        ("so 𝓫𝓪𝓭!", "𝓫𝓪𝓭"),
        ("é ü bad", "bad"),
        ("🔥bad🔥", "bad"),
    ],
)
def test_places_are_of_the_text_as_it_was_written(text: str, said: str) -> None:
    pattern = Pattern("bad")
    assert pattern.matches(Seen(text))
    assert {text[begin:end] for begin, end in pattern.find(Seen(text))} == {said}
