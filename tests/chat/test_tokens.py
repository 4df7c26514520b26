from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.chat.tokens import LONGEST, TERMS, Token, phrase, terms, tokens

scripts = st.text(
    st.sampled_from("aZé ßŁø-_.@'\"*()\n\u0301\u200b\u200d\ufe0f東京ｶﾞが한글สวัสดีहिन्दी🎉٣½ﬁİ\u3099ـ'")
    | st.characters(),
    max_size=60,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Straße ÉCOLE Øl Łódź", "strasse ecole ol lodz"),
        ("İstanbul ısı Æsir Þór smørrebrød", "istanbul isi aesir thor smorrebrod"),
        ("ﬁne ＡＢＣ １２３ ٣٤ ½", "fine abc 123 34 1 2"),
        ("x\u0304y Νίκος ΝΊΚΟΣ ёлка", "xy νικοσ νικοσ елка"),
        ("don't l'école well-known snake_case", "don t l ecole well known snake case"),
        ("ada@example.com https://a-b.io/x?y=1", "ada example com https a b io x y 1"),
        ("v3.12 $1,000 C++ #tag @ada", "v3 12 1 000 c tag ada"),
        ("東京都", "東京 京都 都"),
        ("iPhone手機abc", "iphone 手機 機 abc"),
        ("ｶﾞガ", "ガガ ガ"),
        ("はか ばか", "はか か ばか か"),
        ("한국어를", "한국 국어 어를 를"),
        ("สวัสดี", "สว วั ัส สด ดี ี"),
        ("हिन्दी में", "हिन्दी में"),
        ("أَحْمَد שָׁלוֹם ــمحمد", "احمد שלום محمد"),
        ("party🎉time 👍🏽 👩\u200d💻", "party 🎉 time 👍 👩 💻"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zero width"),
        ("a" * 100, "a" * LONGEST),
        ("", ""),
        ("\x00\x01 ... \n", ""),
        ("NOT OR AND NEAR(a b)", "not or and near a b"),
        ("£c1", "c1"),
    ],
)
def test_what_text_is_found_by(text: str, expected: str) -> None:
    assert " ".join(terms(unicodedata.normalize("NFC", text))) == expected


def test_there_is_an_end() -> None:
    assert len(terms("a " * (TERMS + 1))) == TERMS
    assert len(terms("東" * (TERMS + 10))) == TERMS
    assert len(tokens("東" * (TERMS + 10))) == TERMS


def test_terms_stand_where_they_were_written() -> None:
    assert tokens("Éte\u0301 ﬁx 東京") == [
        Token("ete", 0, 4, 4),
        Token("fix", 5, 7, 7),
        Token("東京", 8, 10, 9),
        Token("京", 9, 10, 10),
    ]
    assert tokens("a ｶﾞx") == [Token("a", 0, 1, 1), Token("ガ", 2, 4, 4), Token("x", 4, 5, 5)]


@pytest.mark.parametrize(
    ("text", "prefix", "expected", "open_ended"),
    [
        ("Foo@Bar.com", False, "foo bar com", False),
        ("foo", True, "foo", True),
        ("f", True, "f", False),
        ("東", False, "東", True),
        ("東京都", False, "東京 京都", False),
        ("東京", True, "東京", False),
        ("手機abc", False, "手機 機 abc", False),
        ("abc手", False, "abc 手", True),
        ("x" * 100, True, "x" * LONGEST, False),
        ("!?", True, "", False),
    ],
)
def test_what_a_phrase_asks_for(text: str, prefix: bool, expected: str, open_ended: bool) -> None:
    found, is_open = phrase(text, prefix=prefix)
    assert (" ".join(found), is_open) == (expected, open_ended)


@given(scripts)
def test_places_and_terms_are_of_the_same_words(text: str) -> None:
    found = tokens(text)
    assert [token.term for token in found] == terms(text)
    for token in found:
        assert 0 <= token.start < token.first <= token.end <= len(text)
    assert found == sorted(found, key=lambda token: token.start)


@given(scripts)
def test_terms_are_what_both_databases_take_as_they_are(text: str) -> None:
    """FTS5's `ascii` cuts at ASCII that is neither letter nor digit and folds case; a tsvector is quoted with '."""
    for term in terms(text):
        assert term
        assert len(term) <= LONGEST
        for character in term:
            assert character.isalnum() or ord(character) > 127
            assert not character.isascii() or character == character.lower()
            assert not character.isspace()
            assert character != "£"
        term.encode()


@given(scripts)
def test_folding_again_changes_nothing(text: str) -> None:
    once = terms(text)
    words = [term for term in once if term.isascii()]
    assert terms(" ".join(words))[: len(words)] == words


@given(scripts.map(lambda text: unicodedata.normalize("NFC", text)), st.data())
def test_any_piece_of_paired_writing_is_found(text: str, data: st.DataObject) -> None:
    run = "東京都の天気は雨"
    start = data.draw(st.integers(0, len(run) - 1))
    end = data.draw(st.integers(start + 1, len(run)))
    wanted, open_ended = phrase(run[start:end])
    found = terms(f"{text} {run} x")
    spots = [
        n
        for n in range(len(found))
        if found[n : n + len(wanted) - 1] == list(wanted[:-1])
        and n + len(wanted) <= len(found)
        and (
            found[n + len(wanted) - 1].startswith(wanted[-1])
            if open_ended
            else found[n + len(wanted) - 1] == wanted[-1]
        )
    ]
    assert spots
