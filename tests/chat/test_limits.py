from __future__ import annotations

import pytest

from hubbub.chat.limits import LimitError, check, exceeded
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("marks", ErrorCode.LIMIT_EXCEEDED),
        ("name_length", ErrorCode.LIMIT_EXCEEDED),
        ("text_length", ErrorCode.MESSAGE_TOO_LARGE),
        ("text_bytes", ErrorCode.MESSAGE_TOO_LARGE),
        ("part_bytes", ErrorCode.MESSAGE_TOO_LARGE),
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
