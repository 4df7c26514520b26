from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.api.server import Server

from hubbub.api.body import decode
from hubbub.api.schemas import BatchRequest, DisconnectRequest, PublishRequest
from hubbub.config import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

LIMITS = LimitsConfig(json_depth=4, json_keys=5)
INVALID, FIELD, LIMIT = ErrorCode.INVALID_DATA, ErrorCode.VALIDATION_FAILED, ErrorCode.LIMIT_EXCEEDED


def item(data: bytes, rest: bytes = b"") -> bytes:
    return b'{"channel":"a","data":' + data + rest + b"}"


# What `data` may not be: bytes, code, and the field that is blamed.
BAD_DATA: list[tuple[bytes, ErrorCode]] = [
    (b'{"a":1,"a":2}', INVALID),
    (b'{"a":{"b":1,"b":1}}', INVALID),
    (b"1e400", INVALID),
    (b"[-1e999]", INVALID),
    (b'"\xff"', INVALID),
    (b"[[[[[1]]]]]", LIMIT),
    (b'{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}', LIMIT),
]


@pytest.mark.parametrize(("data", "code"), BAD_DATA)
def test_data_is_strict(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(HubbubError) as refused:
        decode(item(data), PublishRequest, LIMITS)
    assert (refused.value.code, refused.value.field) == (code, "data")


@pytest.mark.parametrize(("data", "code"), BAD_DATA)
def test_the_data_of_an_item_is_strict_and_named(data: bytes, code: ErrorCode) -> None:
    with pytest.raises(HubbubError) as refused:
        decode(b'{"items":[' + item(b"1") + b"," + item(data) + b"]}", BatchRequest, LIMITS)
    assert (refused.value.code, refused.value.field) == (code, "items[1].data")


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        (b"", INVALID, "body"),
        (b"{", INVALID, "body"),
        (b"nonsense", INVALID, "body"),
        (b"NaN", INVALID, "body"),
        (b"\xff\xfe", INVALID, "body"),
        (b"\xef\xbb\xbf{}", INVALID, "body"),
        (b"[" * 5000, INVALID, "body"),
        (item(b"NaN"), INVALID, "body"),
        (item(b'"\\ud800"'), INVALID, "body"),
        (item(b'{"\\udfff":1}'), INVALID, "body"),
        (item(b"1", b',"channel":"b"'), INVALID, "body"),
        (item(b"1", b',"event":"\xff"'), INVALID, "body"),
        (item(b"1", b',"event":"\\ud800"'), INVALID, "body"),
        (item(b"1") + b"x", INVALID, "body"),
        (b"null", FIELD, "body"),
        (b"[]", FIELD, "body"),
        (b"{}", FIELD, "channel"),
        (b'{"channel":"a"}', FIELD, "data"),
        (b'{"channel":7,"data":1}', FIELD, "channel"),
        (b'{"channel":null,"data":1}', FIELD, "channel"),
        (item(b"1", b',"key":1'), FIELD, "key"),
        (item(b"1", b',"id":"x"'), FIELD, "id"),
        (item(b"1", b',"a b`c":0'), FIELD, "a b`c"),
    ],
)
def test_what_does_not_fit_is_named(raw: bytes, code: ErrorCode, field: str) -> None:
    with pytest.raises(HubbubError) as refused:
        decode(raw, PublishRequest, LIMITS)
    assert (refused.value.code, refused.value.field) == (code, field)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"items":[' + item(b"1") + b',{"channel":"a"}]}', "items[1].data"),
        (b'{"items":[' + item(b"1", b',"offset":3') + b"]}", "items[0].offset"),
        (b'{"items":{}}', "items"),
    ],
)
def test_a_field_within_an_item_is_named(raw: bytes, field: str) -> None:
    with pytest.raises(HubbubError) as refused:
        decode(raw, BatchRequest, LIMITS)
    assert (refused.value.code, refused.value.field) == (FIELD, field)


@pytest.mark.parametrize("data", [b"null", b"0", b'""', b"[]", b"{}", b' {"a" : [1.5e3]} ', b'"a:b\\u0000"'])
def test_data_is_carried_as_it_is(data: bytes) -> None:
    assert bytes(decode(item(data), PublishRequest, LIMITS).data) == data.strip()


def test_numbers_are_not_made_of_strings() -> None:
    with pytest.raises(HubbubError):
        decode(b'{"code":"4001"}', DisconnectRequest, LIMITS)


@pytest.mark.parametrize(
    "extra",
    [
        "id",
        "offset",
        "epoch",
        "sender",
        "time",
        "user",
        "type",
        "scope",
        "position",
        "__class__",
        "Channel",
        "channel ",
    ],
)
@pytest.mark.anyio
async def test_nothing_can_be_slipped_in(server: Server, extra: str) -> None:
    body: dict[str, Any] = {"channel": "a", "data": 1, extra: "x"}
    await server.refused(FIELD, "POST", "/v1/publish", body, field=extra)
    assert server.world.metrics.publications == 0


@pytest.mark.parametrize(("data", "code"), BAD_DATA[:5])
@pytest.mark.anyio
async def test_nothing_of_a_bad_batch_is_published(server: Server, data: bytes, code: ErrorCode) -> None:
    raw = b'{"items":[' + item(b"1") + b"," + item(data) + b"]}"
    await server.refused(code, "POST", "/v1/publish/batch", raw=raw, field="items[1].data")
    assert server.world.metrics.publications == 0


@pytest.mark.anyio
async def test_a_body_is_wanted(server: Server) -> None:
    await server.refused(FIELD, "POST", "/v1/publish", field="body")


@pytest.mark.parametrize(
    "media_type", ["application/x-www-form-urlencoded", "text/plain", "application/msgpack", ""]
)
@pytest.mark.anyio
async def test_bodies_are_json_whatever_they_are_called(server: Server, media_type: str) -> None:
    raw = msgspec.json.encode({"channel": "a", "data": 1})
    await server.ok("POST", "/v1/publish", raw=raw, headers={"Content-Type": media_type})
