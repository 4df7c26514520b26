from __future__ import annotations

import pytest

from hubbub.chat.limits import LimitError, check, check_due, exceeded
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("marks", ErrorCode.LIMIT_EXCEEDED),
        ("name_length", ErrorCode.LIMIT_EXCEEDED),
        ("text_length", ErrorCode.MESSAGE_TOO_LARGE),
        ("text_bytes", ErrorCode.MESSAGE_TOO_LARGE),
        ("part_bytes", ErrorCode.MESSAGE_TOO_LARGE),
        ("card_bytes", ErrorCode.MESSAGE_TOO_LARGE),
        ("custom_bytes", ErrorCode.MESSAGE_TOO_LARGE),
    ],
)
def test_a_refusal_names_the_limit_its_value_and_the_field(name: str, code: ErrorCode) -> None:
    error = exceeded(name, 3, "marks")
    assert (error.code, error.limit, error.field) == (code, name, "marks")
    assert error.message == f"marks: more than limits.{name} = 3"


@pytest.mark.parametrize(("size", "fits"), [(0, True), (2, True), (3, True), (4, False)])
def test_a_limit_is_what_still_fits(size: int, fits: bool) -> None:
    limits = LimitsConfig(marks=3)
    if fits:
        check(limits, "marks", size, "marks")
        return
    with pytest.raises(LimitError) as failure:
        check(limits, "marks", size, "marks")
    assert failure.value.limit == "marks"


@pytest.mark.parametrize(
    ("when", "code"),
    [
        (0.0, ErrorCode.VALIDATION_FAILED),
        (1_000.0, ErrorCode.VALIDATION_FAILED),
        (1_000.5, None),
        (1_100.0, None),
        (1_100.5, ErrorCode.LIMIT_EXCEEDED),
        (float("inf"), ErrorCode.LIMIT_EXCEEDED),
    ],
)
def test_what_is_due_is_ahead_and_not_too_far(when: float, code: ErrorCode | None) -> None:
    limits = LimitsConfig(schedule_ahead=100.0)
    if code is None:
        check_due(limits, 1_000.0, (("poll.close", when),))
        return
    with pytest.raises(HubbubError) as failure:
        check_due(limits, 1_000.0, (("poll.close", 1_050.0), ("poll.close", when)), "closes")
    assert (failure.value.code, failure.value.field) == (code, "closes")
