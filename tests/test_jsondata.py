from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from hubbub import jsondata
from hubbub.api import schemas
from hubbub.chat.directory import OPERATIONS
from hubbub.errors import ErrorCode, HubbubError

DEPTH, KEYS = 4, 6


def reference(raw: bytes) -> ErrorCode | None:
    """The slow, obviously right answer: what `check` must refuse `raw` with, or None."""
    depth = keys = 0
    doubled = False

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal doubled
        doubled = doubled or len({key for key, _ in found}) != len(found)
        return dict(found)

    def walk(value: Any, level: int) -> None:
        nonlocal depth, keys
        if isinstance(value, dict | list):
            depth = max(depth, level)
            keys += len(value) if isinstance(value, dict) else 0
            for inner in value.values() if isinstance(value, dict) else value:
                walk(inner, level + 1)
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise ValueError("not finite")
        elif isinstance(value, int):
            float(value)
        elif isinstance(value, str):
            value.encode()

    def constant(name: str) -> Any:
        raise ValueError(name)

    try:
        text = raw.decode()
        if text.startswith("\ufeff"):
            raise ValueError("BOM")
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
        walk(value, 1)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, OverflowError, RecursionError):
        return ErrorCode.INVALID_DATA
    if depth > DEPTH or keys > KEYS:
        return ErrorCode.LIMIT_EXCEEDED
    return ErrorCode.INVALID_DATA if doubled else None


def verdict(raw: bytes) -> ErrorCode | None:
    try:
        jsondata.check(raw, depth=DEPTH, keys=KEYS)
    except HubbubError as error:
        return (
            error.code if error.field == "data" and error.message.startswith("data: ") else ErrorCode.INTERNAL
        )
    return None


texts = st.text(st.sampled_from('ab:"\\é\u2028😀{}[],'), max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(values, st.booleans())
def test_it_agrees_with_the_reference_on_json(value: Any, ascii: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii).encode()
    assert verdict(raw) == reference(raw)


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_the_reference_on_broken_json(seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        b"{", b"}", b"[", b"]", b",", b":", b'"a"', b'"a"', b'"b"', b'":"', b"1", b"-0", b"1e999", b"1.5", b"null",
        b"true", b"NaN", b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\xff"', b" ", b"\n", b"9" * 310,
    ]  # fmt: skip
    seen: set[ErrorCode | None] = set()
    for _ in range(3000):
        if chance.random() < 0.5:
            raw = b"".join(chance.choice(pieces) for _ in range(chance.randint(1, 9)))
        else:
            rows = [chance.choice([b'"a"', b'"b"', b'"c:"']) + b":" + chance.choice(pieces) for _ in range(3)]
            raw = b"{" + b",".join(rows) + b"}"
        seen.add(verdict(raw))
        assert verdict(raw) == reference(raw), raw
    assert {None, ErrorCode.INVALID_DATA} <= seen


@pytest.mark.parametrize(("depth", "fits"), [(DEPTH - 1, True), (DEPTH, True), (DEPTH + 1, False)])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_depth_at_the_limit(depth: int, fits: bool, pair: tuple[bytes, bytes]) -> None:
    raw = pair[0] * depth + (b"" if pair[0] == b"[" else b"1") + pair[1] * depth
    assert (verdict(raw) is None) is fits


@pytest.mark.parametrize("count", [KEYS - 1, KEYS, KEYS + 1])
def test_keys_at_the_limit_and_over_all_levels(count: int) -> None:
    flat = b"{" + b",".join(b'"%d":0' % n for n in range(count)) + b"}"
    spread = b"[" + b",".join(b'{"a":0}' for _ in range(count)) + b"]"
    for raw in (flat, spread):
        assert verdict(raw) == (None if count <= KEYS else ErrorCode.LIMIT_EXCEEDED)


@pytest.mark.parametrize("value", [b"1", b'"a"', b"null", b"0.5"])
def test_scalars_have_no_depth(value: bytes) -> None:
    jsondata.check(value, depth=0, keys=0)


def test_the_value_is_given_back() -> None:
    assert jsondata.check(b'{"a":[1,2.5,null]}', depth=2, keys=1) == {"a": [1, 2.5, None]}


def test_the_field_is_named() -> None:
    with pytest.raises(HubbubError) as failure:
        jsondata.check(b"{", depth=1, keys=1, field="items.3.data")
    assert failure.value.field == "items.3.data"


def test_three_hundred_thousand_keys_are_refused() -> None:
    raw = b"{" + b",".join(b'"%d":0' % n for n in range(300_000)) + b"}"
    assert verdict(raw) == ErrorCode.LIMIT_EXCEEDED


class Item(msgspec.Struct, forbid_unknown_fields=True):
    price: int


class Order(msgspec.Struct):
    items: list[Item]


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"items":[{"price":"x"}]}', "items[0].price"),
        (b'{"items":5}', "items"),
        (b"5", None),
        (b'{"items":[{}]}', "items[0]"),
    ],
)
def test_the_field_of_a_validation_error_is_a_dotted_path(raw: bytes, field: str | None) -> None:
    with pytest.raises(msgspec.ValidationError) as failure:
        msgspec.json.decode(raw, type=Order)
    message, path = jsondata.invalid_field(failure.value)
    assert path == field
    assert "$" not in message


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"items":[{"price":"x"}]}', "items[0].price"),
        (b'{"items":[{}]}', "items[0].price"),
        (b'{"items":[{"price":1,"cost":2}]}', "items[0].cost"),
        (b"{}", "items"),
        (b"5", None),
    ],
)
def test_a_missing_or_unknown_field_is_itself_what_is_wrong(raw: bytes, field: str | None) -> None:
    with pytest.raises(msgspec.ValidationError) as failure:
        msgspec.json.decode(raw, type=Order)
    assert jsondata.wrong_field(failure.value)[1] == field


def patterns(type_: inspect.Type, seen: set[type]) -> Iterator[str]:
    """Those of texts in a type and in whatever it is made of."""
    match type_:
        case inspect.StrType(pattern=str(pattern)):
            yield pattern
        case inspect.StructType(cls=cls, fields=fields) if cls not in seen:
            seen.add(cls)
            for field in fields:
                yield from patterns(field.type, seen)
        case inspect.UnionType(types=types):
            for each in types:
                yield from patterns(each, seen)
        case inspect.Metadata(type=inner):
            yield from patterns(inner, seen)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            yield from patterns(item, seen)
        case inspect.DictType(key_type=key, value_type=value):
            yield from patterns(key, seen)
            yield from patterns(value, seen)


def test_all_patterns_are_known_in_words() -> None:
    bodies = [
        each for each in vars(schemas).values() if isinstance(each, type) and issubclass(each, msgspec.Struct)
    ]
    wanted = [operation.params for operation in OPERATIONS.values()] + bodies
    found = {pattern for each in wanted for pattern in patterns(inspect.type_info(each), set())}
    assert len(found) > 10
    at_end = r"(?!\n)"
    assert {pattern.removesuffix(at_end) for pattern in found} <= set(jsondata.IN_WORDS)
    for pattern in found:
        with pytest.raises(msgspec.ValidationError) as failure:
            msgspec.convert({"a": "\n"}, dict[str, Annotated[str, msgspec.Meta(pattern=pattern)]])
        message, path = jsondata.invalid_field(failure.value)
        assert message == f"Expected a text {jsondata.IN_WORDS[pattern.removesuffix(at_end)]}"
        assert path == "[...]"


def test_a_pattern_that_is_not_known_is_shown() -> None:
    with pytest.raises(msgspec.ValidationError) as failure:
        msgspec.convert("b", Annotated[str, msgspec.Meta(pattern=r"^a\.$")])
    assert jsondata.invalid_field(failure.value) == (r"Expected a text that matches ^a\.$", None)
