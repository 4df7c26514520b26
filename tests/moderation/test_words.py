from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.moderation.evasion import WAYS

from hubbub.moderation.words import LENGTH, MOST, Words, check

LIST = Words(
    {
        "rude": ["badword", "viagra", "ass", "free money"],
        "within": ["*nazi*", "damn*"],
        "asian": ["バカ", "傻瓜"],
    }
)


def found(text: str, words: Words = LIST) -> set[str]:
    return {hit.word for hit in words.find(text)}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("word", ["badword", "viagra"])
def test_a_word_is_found_whatever_disguises_it(way: str, word: str) -> None:
    written = WAYS[way](word)
    for text in (written, f"so {written} then", f"so {written}, then"):
        hits = [hit for hit in LIST.find(text) if hit.word == word]
        assert hits, text
        begin, end = hits[0].span
        said = text[begin:end]
        assert said.strip() == said
        assert said[0] in written
        assert said[-1] in written


@pytest.mark.parametrize(
    "text",
    [
        "as she was classic",
        "the class assumes",
        "455 and 8455",
        "bad word",
        "a s",
        "freemoneyed",
        "assess",
        "as, s",
        "你是好人",
        "カバ",
        "I a m h e r e",
        "x-ray e-mail re-use",
    ],
)
def test_what_is_another_word_is_not_found(text: str) -> None:
    assert not found(text)


def test_wholes_and_parts() -> None:
    assert found("neonazis") == {"*nazi*"}
    assert found("damnation") == {"damn*"}
    assert found("goddamn") == set()
    assert found("badwords") == set()
    assert found("badword1 2badword") == {"badword"}
    assert found("これはバカです") == {"バカ"}
    assert found("你是傻瓜吗") == {"傻瓜"}


def test_phrases() -> None:
    for text in ("free money", "FREE   money", "free\nmoney", "fr33 m0ney", "f r e e m o n e y", "freemoney"):
        assert found(text) == {"free money"}, text
    assert not found("free the money")


@pytest.mark.parametrize(
    ("text", "is_there"),
    [
        ("рот", True),  # all of it could be Latin, and nothing says that it is not
        ("Открой рот шире", False),  # Russian
        ("what a рот", True),
        ("what a poт", True),
        ("Открой pот", True),  # one Latin letter in a Russian word
    ],
)
def test_words_of_another_script_are_what_they_are_among_their_like(text: str, is_there: bool) -> None:
    assert (found(text, Words({"a": ["pot"]})) == {"pot"}) is is_there


def test_words_of_other_scripts_are_found() -> None:
    words = Words({"a": ["идиот", "כלב", "كلب", "straße", "naïve", "κακός", "개새끼"]})
    for text in (
        "Ты ИДИОТ!",
        "идиoт",
        "כֶּלֶב",
        "كَلْب",
        "STRASSE",
        "strasse",
        "naive",
        "NAÏVE",
        "ΚΑΚΌΣ",
        "개새끼야",
    ):
        assert found(text, words), text


def test_vowels_that_are_marks_make_another_word() -> None:
    assert not found("कुल", Words({"a": ["कल"]}))
    assert not found("が", Words({"a": ["か"]}))
    assert found("कल", Words({"a": ["कल"]}))
    assert not found("कि ता ब", Words({"a": ["किताब"]}))  # syllables are no letters


def test_one_sign_may_be_several_letters() -> None:
    words = Words({"a": ["strasse", "fish", "ish"]})
    assert found("Straße", words) == {"strasse"}
    assert found("ﬁsh", words) == {"fish"}
    assert found("straſſe", words) == {"strasse"}


def test_what_has_no_letters_is_found_as_it_is() -> None:
    words = Words({"a": ["🍆", "(:"]})
    assert found("so 🍆🍆", words) == {"🍆"}
    assert found("(: hi", words) == {"(:"}


def test_letters_that_are_doubled_are_not_drawn_out() -> None:
    words = Words({"a": ["god", "good", "kill", "hi", "1488"]})
    assert found("good", words) == {"good"}
    assert found("gooood", words) == {"god", "good"}
    assert found("kil", words) == set()
    assert found("kill!! hi! hi!!!", words) == {"kill", "hi"}
    assert found("1488", words) == {"1488"}
    assert found("I4BB", words) == set()


def test_lists_are_told_apart() -> None:
    words = Words({"a": ["one", "both"], "b": ["two", "both"]})
    assert {hit.word: set(hit.lists) for hit in words.find("one two both")} == {
        "one": {"a"},
        "two": {"b"},
        "both": {"a", "b"},
    }


def test_spans_are_of_the_text_as_it_was_written() -> None:
    text = "oh b\u200ba\u0301dw0rd! v-i-a-g-r-a."
    assert {text[slice(*hit.span)] for hit in LIST.find(text)} == {"b\u200ba\u0301dw0rd", "v-i-a-g-r-a"}


@pytest.mark.parametrize("bad", ["", " ", "*", "**", "a*b", "x" * (LENGTH + 1)])
def test_what_is_no_word_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="it "):
        check(bad)


def test_words_are_kept_without_needless_spaces() -> None:
    assert check("  free \t money ") == "free money"
    assert check("x" * LENGTH) == "x" * LENGTH


def test_there_is_an_end_to_what_is_found() -> None:
    assert len(LIST.find("badword " * 5_000)) == MOST


@given(st.text(max_size=200))
def test_any_text_can_be_searched(text: str) -> None:
    for hit in LIST.find(text):
        begin, end = hit.span
        assert 0 <= begin < end <= len(text)


@given(st.text(alphabet="abdorw 1!.-*\u0301\u200bоа🔥", max_size=60), st.text(alphabet="\n .,", max_size=3))
def test_a_word_between_spaces_is_always_found(text: str, space: str) -> None:
    assert "badword" in found(f"{text} {space}badword{space} {text}")
