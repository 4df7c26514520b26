from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct

from hubbub.chat.kinds.base import decoded, foreign, part_of, short
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

LIMITS = LimitsConfig(option_length=3, part_bytes=20)


class Shape(Struct, tag="shape", tag_field="type", forbid_unknown_fields=True):
    sides: tuple[int, ...]


decode = msgspec.json.Decoder(Shape).decode


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        (b'{"type":"shape","sides":[1,"2"]}', ErrorCode.VALIDATION_FAILED, "parts[0].sides[1]"),
        (b'{"type":"shape","sides":[],"color":1}', ErrorCode.VALIDATION_FAILED, "parts[0].color"),
        (b"3", ErrorCode.VALIDATION_FAILED, "parts[0]"),
        (b'{"type":"shape",', ErrorCode.INVALID_DATA, "parts[0]"),
        (b'{"type":"shape","sides":' + b"[" * 100_000, None, "parts[0]"),
    ],
    ids=range(5),
)
def test_what_is_wrong_is_named(raw: bytes, code: ErrorCode | None, field: str) -> None:
    with pytest.raises(HubbubError) as failure:
        decoded(decode, raw, "parts[0]")
    assert failure.value.field is not None
    assert failure.value.field.startswith(field)
    assert code is None or failure.value.code == code


def test_a_part_is_found_by_its_type() -> None:
    shape = Raw(b'{"type":"shape","sides":[3]}')
    others = (Raw(b'{"type":"shaped","sides":[1]}'), Raw(b'{"type":"x","a":{"type":"shape"}}'))
    assert part_of((*others, shape), "shape", decode) == Shape((3,))
    assert part_of(others, "shape", decode) is None
    assert part_of((Raw(b'{"type":"shape","old":1}'), shape), "shape", decode) == Shape((3,))


@pytest.mark.parametrize(("value", "kept"), [("abc", "abc"), ("e\u0301", "é"), ("abcd", None), (" ", None)])
def test_labels_are_short(value: str, kept: str | None) -> None:
    if kept is not None:
        assert short(value, "label", LIMITS) == kept
        return
    with pytest.raises(HubbubError) as failure:
        short(value, "label", LIMITS)
    assert failure.value.field == "label"


@pytest.mark.parametrize("raw", [b'{"a":"aaaaaaaaaaaaaa"}', b'{"a":1,"a":2}', b"{"])
def test_what_is_passed_on_is_json_of_some_size(raw: Any) -> None:
    with pytest.raises(HubbubError):
        foreign(raw, "parts[0]", LIMITS)
    assert foreign(b'{"a":\r\n1}', "parts[0]", LIMITS) == b'{"a":  1}'
