from __future__ import annotations

import datetime
import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def same(one: Any, other: Any) -> bool:
    """Equality of structs with Raw in them, which compare by identity."""
    return type(one) is type(other) and msgspec.json.encode(one) == msgspec.json.encode(other)


# --- literal bytes --------------------------------------------------------------------------------------------

COMMANDS: list[tuple[bytes, Any]] = [
    (b'{"type":"connect","id":1,"token":"t"}', model.Connect(1, "t")),
    (b'{"type":"connect","id":1}', model.Connect(1)),
    (
        b'{"type":"connect","id":2,"client":"js/1","resume":{"session":"s","secret":"x",'
        b'"positions":{"a":{"epoch":"e1","offset":7}}}}',
        model.Connect(2, resume=model.Resume("s", "x", {"a": AT}), client="js/1"),
    ),
    (b'{"type":"subscribe","id":3,"channel":"a"}', model.Subscribe(3, "a")),
    (
        b'{"type":"subscribe","id":3,"channel":"a","token":"t","since":{"epoch":"e1","offset":7},"presence":false}',
        model.Subscribe(3, "a", "t", AT, False),
    ),
    (b'{"type":"unsubscribe","id":4,"channel":"a"}', model.Unsubscribe(4, "a")),
    (b'{"type":"publish","id":5,"channel":"a","data":null}', model.Publish(5, "a", Raw(b"null"))),
    (
        b'{"type":"publish","id":5,"channel":"a","event":"e","data":{"x":[1,2.5]},"key":"k","echo":false,'
        b'"conflation_key":"c"}',
        model.Publish(5, "a", Raw(b'{"x":[1,2.5]}'), "e", "k", False, "c"),
    ),
    (b'{"type":"history","id":6,"channel":"a"}', model.HistoryQuery(6, "a")),
    (
        b'{"type":"history","id":6,"channel":"a","since":{"epoch":"e1","offset":7},"limit":2,"reverse":true}',
        model.HistoryQuery(6, "a", AT, 2, True),
    ),
    (b'{"type":"presence","id":7,"channel":"a"}', model.PresenceQuery(7, "a")),
    (b'{"type":"call","id":8,"method":"m"}', model.Call(8, "m")),
    (
        b'{"type":"call","id":8,"method":"m","params":[1],"key":"k"}',
        model.Call(8, "m", Raw(b"[1]"), "k"),
    ),
    (b'{"type":"refresh","id":9,"token":"t"}', model.Refresh(9, "t")),
    (b'{"type":"ping","id":10}', model.Ping(10)),
]


@pytest.mark.parametrize(("raw", "command"), COMMANDS, ids=lambda value: "")
def test_commands_in_json(raw: bytes, command: Any) -> None:
    (bytewise,) = JSON.receive(raw)
    (textwise,) = JSON.receive(raw.decode())
    assert same(bytewise, command)
    assert same(textwise, command)


@pytest.mark.parametrize(("raw", "command"), COMMANDS, ids=lambda value: "")
def test_the_same_commands_in_messagepack(raw: bytes, command: Any) -> None:
    (got,) = PACK.receive(msgspec.msgpack.encode(msgspec.json.decode(raw)))
    assert same(got, command)


def test_a_command_in_literal_messagepack() -> None:
    (got,) = PACK.receive(b"\x82\xa4type\xa4ping\xa2id\x05")
    assert got == model.Ping(5)


MEMBER = model.Member("s1", "alice", Raw(b'{"n":"A"}'))
PUBLICATION = Publication("a", "e", Raw(b'{"x":1}'), "p1", "bob", 1.5, "e1", 8)
REPLIES: list[tuple[Any, bytes]] = [
    (
        model.Connected(1, "s", "x", "alice", 6.0, 3.0, 60.0, "0.1"),
        b'{"type":"connected","id":1,"session":"s","secret":"x","user":"alice","ping_interval":6.0,'
        b'"ping_timeout":3.0,"resume_window":60.0,"version":"0.1"}',
    ),
    (
        model.Connected(1, "s", "x", "", 6, 3, 60, "", 9.0, True, True, (model.Subscribed(0, "a"),)),
        b'{"type":"connected","id":1,"session":"s","secret":"x","user":"","ping_interval":6,"ping_timeout":3,'
        b'"resume_window":60,"expires":9.0,"resumed":true,"recovered":true,'
        b'"subscriptions":[{"type":"subscribed","id":0,"channel":"a"}]}',
    ),
    (model.Subscribed(2, "a"), b'{"type":"subscribed","id":2,"channel":"a"}'),
    (
        model.Subscribed(2, "a", AT, True, True, (PUBLICATION,)),
        b'{"type":"subscribed","id":2,"channel":"a","position":{"epoch":"e1","offset":7},"recoverable":true,'
        b'"recovered":true,"publications":[{"type":"publication","channel":"a","event":"e","data":{"x":1},'
        b'"id":"p1","sender":"bob","time":1.5,"epoch":"e1","offset":8}]}',
    ),
    (
        model.Published(3, AT, "p1"),
        b'{"type":"published","id":3,"position":{"epoch":"e1","offset":7},"message":"p1"}',
    ),
    (model.Published(3), b'{"type":"published","id":3}'),
    (model.Result(4, model.Empty()), b'{"type":"result","id":4,"result":{}}'),
    (model.Result(4, Raw(b"[1]")), b'{"type":"result","id":4,"result":[1]}'),
    (model.Result(4, model.Refreshed(5.0)), b'{"type":"result","id":4,"result":{"expires":5.0}}'),
    (
        model.Result(4, model.History(AT, (), more=True)),
        b'{"type":"result","id":4,"result":{"position":{"epoch":"e1","offset":7},"publications":[],'
        b'"complete":true,"more":true}}',
    ),
    (
        model.Result(4, model.Presence(1, 1, (MEMBER,))),
        b'{"type":"result","id":4,"result":{"sessions":1,"users":1,"members":[{"session":"s1","user":"alice",'
        b'"info":{"n":"A"}}]}}',
    ),
    (
        model.Result(4, model.Presence(3, 2)),
        b'{"type":"result","id":4,"result":{"sessions":3,"users":2}}',
    ),
    (
        model.ErrorReply(5, 116, "slow", name="rate_limited", temporary=True, retry_after=0.5),
        b'{"type":"error","id":5,"code":116,"message":"slow","name":"rate_limited","temporary":true,'
        b'"retry_after":0.5}',
    ),
]
SESSION_PUSHES: list[tuple[Any, bytes]] = [
    (
        model.ServerSubscribed("a", AT, True),
        b'{"type":"subscribed","channel":"a","position":{"epoch":"e1","offset":7},"recoverable":true}',
    ),
    (
        model.ServerUnsubscribed("a", 104, "no"),
        b'{"type":"unsubscribed","channel":"a","code":104,"reason":"no"}',
    ),
    (
        model.Advice(reconnect_after=1.0, spread=2.0),
        b'{"type":"advice","action":"reconnect","reconnect_after":1.0,"spread":2.0}',
    ),
    (
        model.DisconnectPush(3000, "drain", True),
        b'{"type":"disconnect","code":3000,"reason":"drain","reconnect":true}',
    ),
]
PUSHES: list[tuple[Any, bytes]] = [
    (
        PUBLICATION,
        b'{"type":"publication","channel":"a","event":"e","data":{"x":1},"id":"p1","sender":"bob","time":1.5,'
        b'"epoch":"e1","offset":8}',
    ),
    (
        Publication("a", "e", Raw(b"null")),
        b'{"type":"publication","channel":"a","event":"e","data":null}',
    ),
    (
        model.Join("a", MEMBER),
        b'{"type":"join","channel":"a","member":{"session":"s1","user":"alice","info":{"n":"A"}}}',
    ),
    (
        model.Leave("a", model.Member("s1", "alice")),
        b'{"type":"leave","channel":"a","member":{"session":"s1","user":"alice"}}',
    ),
]


def as_pack(raw: bytes) -> bytes:
    return msgspec.msgpack.encode(msgspec.json.decode(raw))


@pytest.mark.parametrize(("reply", "raw"), REPLIES, ids=lambda value: "")
def test_replies(reply: Any, raw: bytes) -> None:
    assert [(each.data, each.binary) for each in JSON.reply(reply)] == [(raw, False)]
    assert [(each.data, each.binary) for each in PACK.reply(reply)] == [(as_pack(raw), True)]


@pytest.mark.parametrize(("push", "raw"), SESSION_PUSHES, ids=lambda value: "")
def test_pushes_to_one_session(push: Any, raw: bytes) -> None:
    assert [(each.data, each.binary) for each in JSON.push(push)] == [(raw, False)]
    assert [(each.data, each.binary) for each in PACK.push(push)] == [(as_pack(raw), True)]


@pytest.mark.parametrize(("push", "raw"), PUSHES, ids=lambda value: "")
def test_pushes_to_all(push: Any, raw: bytes) -> None:
    assert [(each.data, each.binary) for each in JSON.encoding("a").encode(push)] == [(raw, False)]
    assert [(each.data, each.binary) for each in PACK.encoding("a").encode(push)] == [(as_pack(raw), True)]


def test_a_reply_in_literal_messagepack() -> None:
    (payload,) = PACK.reply(model.Result(4, model.Empty()))
    assert payload.data == b"\x83\xa4type\xa6result\xa2id\x04\xa6result\x80"


def test_all_sessions_of_a_protocol_share_one_encoding() -> None:
    assert JSON.encoding("a") == JsonCodec().encoding("b")
    assert hash(JSON.encoding("a")) == hash(JsonCodec().encoding("b"))
    assert PACK.encoding("a") == MessagePackCodec().encoding("b")
    assert JSON.encoding("a") != PACK.encoding("a")


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
    assert same(item, model.Publish(1, "a", Raw(b"1")))


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


# --- properties -----------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_data_survives_every_way_between_json_and_messagepack(value: Any) -> None:
    command = {"type": "publish", "id": 1, "channel": "a", "data": value}
    (by_json,) = JSON.receive(msgspec.json.encode(command))
    (by_pack,) = PACK.receive(msgspec.msgpack.encode(command))
    for item in (by_json, by_pack):
        assert isinstance(item, model.Publish)
        push = Publication("a", "e", item.data)
        (as_json,) = JSON.encoding("a").encode(push)
        (packed,) = PACK.encoding("a").encode(push)
        assert msgspec.json.decode(as_json.data)["data"] == value
        assert msgspec.msgpack.decode(packed.data)["data"] == value


def mutate(chance: random.Random, raw: bytes) -> bytes:
    """`raw` with a few bytes flipped, cut, doubled or put in from another fixture."""
    data = bytearray(raw)
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0 if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                del data[at : at + chance.randint(1, 5)]
            case 2:
                data[at:at] = data[: chance.randint(0, 20)]
            case 3:
                data[at:at] = chance.choice(
                    (b"\xff", b"\n", b'"', b"[" * 50, b"9" * 400, b"\\ud800", b"null", b"\xdd")
                )
            case _:
                other = bytearray(chance.choice(COMMANDS)[0])
                data[at:at] = other[chance.randrange(len(other)) :]
    return bytes(data)


@pytest.mark.parametrize("seed", range(8))
def test_whatever_arrives_only_a_protocol_error_comes_out_and_what_is_accepted_can_be_sent(seed: int) -> None:
    """Only ProtocolError is ever raised; all that is accepted can be encoded for every audience."""
    chance = random.Random(seed)
    accepted = refused = 0
    for _ in range(1500):
        raw = chance.choice(COMMANDS)[0]
        codec: JsonCodec | MessagePackCodec = JSON
        if chance.random() < 0.5:
            raw, codec = as_pack(raw), PACK
        try:
            items = codec.receive(mutate(chance, raw))
        except ProtocolError:
            refused += 1
            continue
        for item in items:
            accepted += not isinstance(item, Invalid)
            if isinstance(item, Invalid):
                assert JSON.reply(model.ErrorReply(item.id, item.code, item.message, field=item.field))
            elif isinstance(item, model.Publish):
                push = Publication(item.channel, item.event, item.data)
                (packed,) = PACK.encoding("a").encode(push)
                msgspec.msgpack.decode(packed.data)
                msgspec.json.decode(JSON.encoding("a").encode(push)[0].data)
    assert accepted > 20
    assert refused > 50
