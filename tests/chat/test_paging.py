from __future__ import annotations

import pytest

from hubbub.chat.paging import PAGE, cursor, page_size, read_cursor
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError


def test_a_cursor_says_what_was_put_in_and_fits_a_url() -> None:
    made = cursor(1_700_000_000.123456, "\u00e4/?&", 7)
    assert read_cursor(made, tuple[float, str, int]) == (1_700_000_000.123456, "\u00e4/?&", 7)
    assert made.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        "?",
        "\u00e4",
        "\ud800",
        "bm9wZQ",
        cursor(1),
        cursor("a", "b"),
        cursor(1.5, "a", 2),
        cursor(1.5, "a\0"),
        "A" * 999,
    ],
)
def test_what_is_no_cursor_of_the_list_is_refused(value: str) -> None:
    with pytest.raises(HubbubError) as failure:
        read_cursor(value, tuple[float, str])
    assert (failure.value.code, failure.value.field) == (ErrorCode.VALIDATION_FAILED, "cursor")


@pytest.mark.parametrize(("asked", "size"), [(None, PAGE), (1, 1), (59, 59), (60, 60), (61, 0)])
def test_a_page_is_not_above_the_limit(asked: int | None, size: int) -> None:
    config = Config(limits={"page": 60})
    if size:
        assert page_size(config, asked) == size
        return
    with pytest.raises(HubbubError) as failure:
        page_size(config, asked)
    assert (failure.value.code, failure.value.field) == (ErrorCode.LIMIT_EXCEEDED, "limit")


def test_the_usual_page_is_not_above_the_limit_either() -> None:
    assert page_size(Config(limits={"page": 10}), None) == 10


@pytest.mark.parametrize(
    ("asked", "now", "size"),
    [(None, 60, 50), (None, 49, 49), (60, 15, 15), (15, 15, 15), (14, 15, 14), (1, 1, 1)],
)
def test_a_page_is_shorter_under_load(asked: int | None, now: int, size: int) -> None:
    config = Config(limits={"page": 60})
    limits = config.limits.with_pages_of(now)
    shorter = config.model_copy(update={"limits": limits})
    assert page_size(shorter, asked) == size
    assert page_size(config, asked) == (asked or PAGE), "whoever has the other one sees nothing of it"
    with pytest.raises(HubbubError) as failure:
        page_size(shorter, 61)
    assert failure.value.code is ErrorCode.LIMIT_EXCEEDED
