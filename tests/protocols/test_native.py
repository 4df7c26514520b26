from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.mutating import mutate

from hubbub import model
from hubbub.errors import ProtocolError
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


BYTES = [raw for raw, *_ in COMMANDS]
INSERTS = (b"\xff", b"\n", b'"', b"[" * 50, b"9" * 400, b"\\ud800", b"null", b"\xdd")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_arrives_only_a_protocol_error_comes_out_and_what_is_accepted_can_be_sent(seed: int) -> None:
    """Only ProtocolError is ever raised; all that is accepted can be encoded for every audience."""
    chance = random.Random(seed)
    accepted = refused = 0
    for _ in range(1500):
        raw = chance.choice(BYTES)
        codec: JsonCodec | MessagePackCodec = JSON
        if chance.random() < 0.5:
            raw, codec = as_pack(raw), PACK
        try:
            items = codec.receive(mutate(chance, raw, BYTES, INSERTS))
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
