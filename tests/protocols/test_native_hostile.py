"""What clients may send that is not what it should be: several at once, odd ids, hostile JSON and MessagePack."""

from __future__ import annotations

import datetime
import math
from typing import Any

import msgspec
import pytest

from hubbub import model
from hubbub.errors import ErrorCode, ProtocolError
from hubbub.model import Invalid, Position, Publication, Raw
from hubbub.protocols.native import JsonCodec, MessagePackCodec

JSON = JsonCodec()
PACK = MessagePackCodec()
AT = Position("e1", 7)
PUBLISH = b'{"type":"publish","id":1,"channel":"a","data":%s}'


def receive(data: bytes | str) -> list[Any]:
    return list(JSON.receive(data))


# --- several objects a frame, ids, unknown things -------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        (b'{"type":"ping","id":1}\n{"type":"ping","id":2}', [1, 2]),
        (b'{"type":"ping","id":1}\r\n\r\n{"type":"ping","id":2}\n', [1, 2]),
        (b"\n", []),
        (b" \n \n", []),
        (b'\n{"type":"ping","id":3}\n', [3]),
        (b' {"type" : "ping" , "id" : 4 } ', [4]),
    ],
)
def test_several_commands_share_a_frame(raw: bytes, ids: list[int]) -> None:
    assert [each.id for each in receive(raw)] == ids


def test_commands_before_a_broken_one_are_not_lost() -> None:
    with pytest.raises(ProtocolError) as failure:
        receive(b'{"type":"ping","id":1}\n{"type":"nope","id":2}\n{"type"\n{"type":"ping","id":3}')
    assert [each.id for each in failure.value.commands] == [1, 2]


def test_a_frame_holds_no_more_than_the_batch() -> None:
    codec = JsonCodec(batch=3)
    assert len(codec.receive(b'{"type":"ping","id":1}\n' * 3)) == 3
    with pytest.raises(ProtocolError, match=r"limits\.batch = 3"):
        codec.receive(b'{"type":"ping","id":1}\n' * 4)


@pytest.mark.parametrize("id", [0, -1, 2**53 + 1, 2**63, 2**64 - 1, 2**64, -(2**63)])
def test_whole_numbers_come_back_exactly(id: int) -> None:
    (command,) = receive(b'{"type":"ping","id":%d}' % id)
    (payload,) = JSON.reply(model.Result(command.id, model.Empty()))
    assert payload.data == b'{"type":"result","id":%d,"result":{}}' % id


@pytest.mark.parametrize(
    ("raw", "id", "field"),
    [
        (b'{"type":"ping"}', 0, None),
        (b'{"type":"ping","id":"1"}', 0, "id"),
        (b'{"type":"ping","id":1.5}', 0, "id"),
        (b'{"type":"ping","id":true}', 0, "id"),
        (b'{"type":"ping","id":null}', 0, "id"),
        (b'{"type":"ping","id":' + b"9" * 5000 + b"}", 0, "id"),
        (b'{"type":"nope","id":3}', 3, "type"),
        (b'{"type":5,"id":3}', 3, "type"),
        (b'{"id":3}', 3, None),
        (b'{"type":"subscribe","id":3}', 3, None),
        (b'{"type":"subscribe","id":3,"channel":5}', 3, "channel"),
        (b'{"type":"subscribe","id":3,"channel":"a","since":{"epoch":"e","offset":"1"}}', 3, "since.offset"),
        (b'{"type":"publish","id":3,"channel":"a"}', 3, None),
        (b"[]", 0, None),
        (b"null", 0, None),
        (b'"ping"', 0, None),
        (b"5", 0, None),
    ],
)
def test_what_is_json_but_no_command_is_answered_and_the_connection_goes_on(
    raw: bytes, id: int, field: str | None
) -> None:
    (item,) = receive(raw)
    assert isinstance(item, Invalid)
    assert (item.id, item.code, item.field) == (id, ErrorCode.BAD_REQUEST, field)
    assert item.message


def test_unknown_fields_are_ignored_and_privileged_ones_cannot_be_set() -> None:
    (item,) = receive(
        b'{"type":"publish","id":1,"channel":"a","data":1,"sender":"victim","offset":9,"__proto__":{},"time":1}'
    )
    assert msgspec.json.encode(item) == msgspec.json.encode(model.Publish(1, "a", Raw(b"1")))


# --- hostile JSON (reliability 5.7) ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"x",
        b'{"type":"ping","id":1} x',
        b'{"type":"ping","id":1}{"type":"ping","id":2}',
        b'{\n"type":"ping","id":1}',
        b'\xef\xbb\xbf{"type":"ping","id":1}',
        b"\xff\xfe{\x00}\x00",
        b'{"type":"ping","id":01}',
        b'{"type":"ping","id":1,}',
        b"{'type':'ping','id':1}",
        b'{"type":"subscribe","id":1,"channel":"\xff"}',
        b'{"type":"subscribe","id":1,"channel":"\\ud800"}',
        PUBLISH % b'"\\ud800"',
        PUBLISH % b"NaN",
        PUBLISH % b"-Infinity",
        PUBLISH % b'"\x01"',
        PUBLISH % (b"[" * 100_000 + b"]" * 100_000),
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        '{"type":"ping","id":1,"x":"\ud800"}',
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_no_json_ends_the_connection(raw: bytes | str) -> None:
    with pytest.raises(ProtocolError):
        receive(raw)


DATA: list[tuple[bytes, ErrorCode]] = [
    (b"9" * 5000, ErrorCode.INVALID_DATA),
    (b"9" * 309, ErrorCode.INVALID_DATA),
    (b"[[-%s]]" % (b"9" * 400), ErrorCode.INVALID_DATA),
    (b"1e400", ErrorCode.INVALID_DATA),
    (b"[-1e400]", ErrorCode.INVALID_DATA),
    (b'"\xff"', ErrorCode.INVALID_DATA),
    (b'{"\xc0\x80":1}', ErrorCode.INVALID_DATA),
    (b'"\xed\xa0\x80"', ErrorCode.INVALID_DATA),  # a surrogate in UTF-8
    (b'{"a":1,"a":2}', ErrorCode.INVALID_DATA),
    (b'[{"b":{"a":1,"\\u0061":2}}]', ErrorCode.INVALID_DATA),
    (b'{"a":1,"a":2,"b":"::"}', ErrorCode.INVALID_DATA),
    (b"[" * 33 + b"]" * 33, ErrorCode.LIMIT_EXCEEDED),
    (b"{" + b",".join(b'"%d":1' % n for n in range(257)) + b"}", ErrorCode.LIMIT_EXCEEDED),
]


@pytest.mark.parametrize(("data", "code"), DATA, ids=lambda value: repr(value)[:24])
@pytest.mark.parametrize("command", ["publish", "call"])
def test_data_that_may_not_be_passed_on_is_refused_with_its_id(
    data: bytes, code: ErrorCode, command: str
) -> None:
    field = "data" if command == "publish" else "params"
    (item,) = receive(
        b'{"type":"%s","id":7,"channel":"a","method":"m","%s":%s}' % (command.encode(), field.encode(), data)
    )
    assert isinstance(item, Invalid)
    assert (item.id, item.code, item.field) == (7, code, field)


@pytest.mark.parametrize(
    "data",
    [
        b"18446744073709551616",
        b"-99999999999999999999999999",
        b"0.1",
        b"-0.0",
        b"1e5",
        b"4.9e-324",
        b'"\\u0000"',
        b'"\\ud83d\\ude00"',
        '"\u2028 \u202e 😀"'.encode(),
        b'{"":{"":0}}',
        b'{"a:b":":","c":"\\u003a"}',
        b"[" * 32 + b"]" * 32,
        b"9" * 308,
        b'"%s"' % (b"9" * 4000),
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_data_is_carried_byte_for_byte(data: bytes) -> None:
    (item,) = receive(PUBLISH % data)
    assert isinstance(item, model.Publish)
    assert bytes(item.data) == data
    (payload,) = JSON.encoding("a").encode(Publication("a", "e", item.data))
    assert payload.data.endswith(b'"data":' + data + b"}")
    assert PACK.encoding("a").encode(Publication("a", "e", item.data))  # and the others can be told too


def test_numbers_beyond_64_bits_are_doubles_in_messagepack() -> None:
    (payload,) = PACK.encoding("a").encode(Publication("a", "e", Raw(b'{"n":[18446744073709551616,1,-9e3]}')))
    assert msgspec.msgpack.decode(payload.data)["data"] == {"n": [2.0**64, 1, -9000.0]}


def test_an_unknown_command_with_a_deep_field_is_only_an_error() -> None:
    (item,) = receive(b'{"type":"nope","id":1,"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
    assert isinstance(item, Invalid)


# --- MessagePack ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        b"bytes",
        math.nan,
        math.inf,
        -math.inf,
        datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        msgspec.msgpack.Ext(5, b"x"),
        {1: 2},
        {None: 2},
        {True: 2},
        {b"a": 1},
        {1.5: 1},
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else repr(value),
)
@pytest.mark.parametrize("depth", [0, 3])
def test_what_json_cannot_say_is_refused(value: Any, depth: int) -> None:
    for _ in range(depth):
        value = [{"a": value}]
    with pytest.raises(ProtocolError, match="not MessagePack that JSON can say"):
        PACK.receive(msgspec.msgpack.encode({"type": "publish", "id": 1, "channel": "a", "data": value}))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        b"\x81\xa1a",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 60_000 + b"\xc0",
        b"\x81\xa1a" * 20_000 + b"\xc0",
        b"\x81\x91\x01\x01",
        b"\x81\x80\x01",
        b"\xa1\xff",
        b"\xa3\xed\xa0\x80",
        b"\x82\xa4type\xa4ping\xa2id\x05\x00",
        "text",
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_broken_messagepack_ends_the_connection(raw: bytes | str) -> None:
    with pytest.raises(ProtocolError):
        PACK.receive(raw)


def test_messagepack_keeps_to_the_same_limits() -> None:
    deep: Any = 1
    for _ in range(33):
        deep = [deep]
    (item,) = PACK.receive(msgspec.msgpack.encode({"type": "publish", "id": 4, "channel": "a", "data": deep}))
    assert isinstance(item, Invalid)
    assert (item.id, item.code) == (4, ErrorCode.LIMIT_EXCEEDED)


def test_newlines_in_messagepack_strings_do_not_part_commands() -> None:
    command = {"type": "publish", "id": 1, "channel": "a", "data": "one\ntwo\r\n{}"}
    (item,) = PACK.receive(msgspec.msgpack.encode(command))
    assert msgspec.json.decode(item.data) == "one\ntwo\r\n{}"  # type: ignore[union-attr]
