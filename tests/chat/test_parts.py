from __future__ import annotations

import json
import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from hubbub.chat.limits import LimitError
from hubbub.chat.parts import KINDS, Checked, check, searchable
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

LIMITS = LimitsConfig()


def checked(*parts: Any, limits: LimitsConfig = LIMITS) -> Checked:
    return check([Raw(p if isinstance(p, bytes) else json.dumps(p).encode()) for p in parts], limits)


def refused(*parts: Any, limits: LimitsConfig = LIMITS) -> HubbubError:
    with pytest.raises(HubbubError) as failure:
        checked(*parts, limits=limits)
    return failure.value


def kept(*parts: Any) -> list[Any]:
    found = checked(*parts)
    assert json.loads(found.json) == [json.loads(bytes(part)) for part in found.parts]
    return [json.loads(bytes(part)) for part in found.parts]


def test_text_is_kept_in_one_form() -> None:
    assert kept({"text": "Hello", "type": "text", "format": "plain"}) == [{"type": "text", "text": "Hello"}]
    raw = "# *raw* <b>&amp;</b>\n\t`x`"
    assert kept({"type": "text", "text": raw, "format": "markdown"}) == [
        {"type": "text", "text": raw, "format": "markdown"}
    ]


def test_text_is_normalised_before_it_is_counted() -> None:
    decomposed = "e\u0301" * 5
    limits = LimitsConfig(text_length=5)
    found = checked({"type": "text", "text": decomposed}, limits=limits)
    assert found.text == unicodedata.normalize("NFC", decomposed) == "é" * 5
    assert json.loads(found.json)[0]["text"] == "é" * 5


@pytest.mark.parametrize(
    ("setting", "unit", "size"),
    [("text_length", "a", 1), ("text_length", "👍", 1), ("text_bytes", "é", 2), ("text_bytes", "👍", 4)],
)
def test_text_is_bounded_in_code_points_and_bytes(setting: str, unit: str, size: int) -> None:
    limits = LimitsConfig(**{setting: 8 * size})
    for count in (7, 8):
        assert checked({"type": "text", "text": unit * count}, limits=limits).text == unit * count
    error = refused({"type": "text", "text": unit * 9}, limits=limits)
    assert isinstance(error, LimitError)
    assert (error.code, error.field, error.limit) == (
        ErrorCode.MESSAGE_TOO_LARGE,
        "parts[0].text",
        setting,
    )
    # All text parts count together.
    error = refused({"type": "text", "text": unit * 8}, {"type": "text", "text": unit}, limits=limits)
    assert error.field == "parts[1].text"


def test_parts_are_counted() -> None:
    limits = LimitsConfig(parts=3)
    part = {"type": "text", "text": "a"}
    for count in (2, 3):
        checked(*[part] * count, limits=limits)
    error = refused(*[part] * 4, limits=limits)
    assert (error.code, error.field) == (ErrorCode.LIMIT_EXCEEDED, "parts")
    error = refused()
    assert (error.code, error.field) == (ErrorCode.VALIDATION_FAILED, "parts")


@pytest.mark.parametrize("kind", ["x-poll", "data"])
def test_other_parts_are_bounded_in_bytes(kind: str) -> None:
    def part(size: int) -> bytes:
        if kind == "data":
            return b'{"type":"data","data":{"x":"%s"}}' % (b"a" * (size - 8))
        return b'{"type":"x-poll","x":"%s"}' % (b"a" * (size - 24))

    limits = LimitsConfig(part_bytes=100)
    for size in (99, 100):
        checked(part(size), limits=limits)
    error = refused(part(101), limits=limits)
    assert error.code == ErrorCode.MESSAGE_TOO_LARGE
    assert error.field == ("parts[0].data" if kind == "data" else "parts[0]")


@pytest.mark.parametrize(
    ("part", "field"),
    [
        (3, "parts[0]"),
        ([], "parts[0]"),
        (None, "parts[0]"),
        ({}, "parts[0].type"),
        ({"type": 3}, "parts[0].type"),
        ({"type": ""}, "parts[0].type"),
        ({"type": "x" * 65}, "parts[0].type"),
        ({"type": "a\nb"}, "parts[0].type"),
        ({"type": "system", "event": "member.joined", "users": ["ada"]}, "parts[0].type"),
        ({"type": "text"}, "parts[0].text"),
        ({"type": "text", "text": ""}, "parts[0].text"),
        ({"type": "text", "text": " \n\u3000"}, "parts[0].text"),
        ({"type": "text", "text": "a\u0000b"}, "parts[0].text"),
        ({"type": "text", "text": "a\u001bb"}, "parts[0].text"),
        ({"type": "text", "text": ["a"]}, "parts[0].text"),
        ({"type": "text", "text": "a", "format": "html"}, "parts[0].format"),
        ({"type": "text", "text": "a", "sender": "eve"}, "parts[0].sender"),
        ({"type": "data"}, "parts[0].data"),
        ({"type": "data", "data": 3}, "parts[0].data"),
        ({"type": "data", "data": [1]}, "parts[0].data"),
        ({"type": "data", "data": {}, "extra": 1}, "parts[0].extra"),
    ],
)
def test_what_is_wrong_is_named(part: Any, field: str) -> None:
    error = refused(part)
    assert (error.code, error.field) == (ErrorCode.VALIDATION_FAILED, field), error
    assert refused({"type": "x"}, part).field == field.replace("[0]", "[1]")


FOREIGN = b'{"type":"x-poll",  "z":1.50,"a":[1e5, -0.0, 12345678901234567890, "\\u00e9\\/", null]}'


def test_unknown_kinds_survive_byte_for_byte() -> None:
    found = checked(FOREIGN)
    assert bytes(found.parts[0]) == FOREIGN
    assert found.json.encode() == b"[" + FOREIGN + b"]"
    assert found.text == ""
    again = msgspec.json.decode(found.json, type=tuple[Raw, ...])
    assert [bytes(part) for part in again] == [FOREIGN]


def test_a_line_break_between_tokens_does_not_break_lines() -> None:
    found = checked(b'{"type":"x-poll",\r\n"a":\t1}', b'{"type":"data","data":{\n"a":1}}')
    assert bytes(found.parts[0]) == b'{"type":"x-poll",  "a":\t1}'
    assert bytes(found.parts[1]) == b'{"type":"data","data":{ "a":1}}'


HOSTILE = [
    b'{"type":"T","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"type":"T","a":' + b"[" * 40 + b"]" * 40 + b"}",
    b'{"type":"T","a":' + b"9" * 5_000 + b"}",
    b'{"type":"T","a":1e400}',
    b'{"type":"T","a":NaN}',
    b'{"type":"T","a":-Infinity}',
    b'{"type":"T","a":"\\ud800"}',
    b'{"type":"T","a":"\xff"}',
    b'{"type":"T","a":1,"a":2}',
    b'\xef\xbb\xbf{"type":"T"}',
    b'{"type":"T","a":{%s}}' % b",".join(b'"%d":0' % n for n in range(300)),
    b'{"type":"T","a":"\n"}',
    b'{"type":"T"',
    b'{"type":"T",}',
    b"{'type':'T'}",
]


@pytest.mark.parametrize("kind", [b"x-poll", b"poll", b"card", b"data", b"text"])
@pytest.mark.parametrize("raw", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_json_is_refused(raw: bytes, kind: bytes) -> None:
    part = raw.replace(b'"T"', b'"%s"' % kind)
    if kind == b"data":
        part = part.replace(b'"a":', b'"data":', 1)
    error = refused(part, limits=LimitsConfig(part_bytes=1_000_000))
    assert error.code in (
        ErrorCode.INVALID_DATA,
        ErrorCode.VALIDATION_FAILED,
        ErrorCode.LIMIT_EXCEEDED,
    )
    assert (error.field or "").startswith("parts[0]")


def test_what_is_searched_is_the_text() -> None:
    found = checked(
        {"type": "text", "text": "one"},
        {"type": "data", "data": {"text": "two"}},
        {"type": "x-poll", "text": "three"},
        {"type": "text", "text": "*four*", "format": "markdown"},
    )
    assert found.text == searchable(found.parts) == "one\n*four*"
    assert searchable(()) == ""


def test_every_known_kind_has_its_type() -> None:
    assert sorted(KINDS) == ["card", "checklist", "data", "embed", "file", "location", "poll", "text"]


@given(st.text(min_size=1, max_size=50))
def test_any_text_is_refused_or_kept_in_nfc(value: str) -> None:
    try:
        found = checked({"type": "text", "text": value})
    except HubbubError as error:
        assert error.field in ("parts[0].text", "parts[0]")  # noqa: PT017
    else:
        assert found.text == unicodedata.normalize("NFC", value)
        assert checked(*map(bytes, found.parts)) == found
        found.json.encode()
