"""What the hub says, as Socket.IO clients read it: the literal bytes of every case."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import (
    Acknowledged,
    Advice,
    DisconnectPush,
    Empty,
    ErrorReply,
    Join,
    Leave,
    Member,
    Publication,
    Published,
    Push,
    Raw,
    Result,
    ServerSubscribed,
    ServerUnsubscribed,
    Subscribed,
)
from hubbub.protocols.base import Payload
from hubbub.protocols.socketio import JSON, RESERVED, Parser
from hubbub.protocols.socketio_encoding import Failure, NamespaceCodec, refusal
from hubbub.protocols.socketio_msgpack import MessagePackParser

MSGPACK: Parser = MessagePackParser()
ONE = b'{"_placeholder":true,"num":0}'


def codec(
    namespace: str = "/", epoch: str | None = None, *, spread: bool = False, parser: Parser = JSON
) -> NamespaceCodec:
    return NamespaceCodec(namespace, parser, epoch, spread=spread)


def said(data: bytes, event: str = "x", **rest: Any) -> Publication:
    return Publication("a", event, Raw(data), **rest)


def texts(*items: bytes) -> tuple[Payload, ...]:
    """Text payloads, and behind a `!` binary ones."""
    return tuple(Payload(each[1:], True) if each.startswith(b"!") else Payload(each) for each in items)


# --- publications ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("publication", "plain", "numbered"),
    [
        (said(b'{"a":1}'), b'42["x",{"a":1}]', b'42["x",{"a":1},"e.7"]'),
        (said(b"null"), b'42["x",null]', b'42["x",null,"e.7"]'),
        (said(b'"text"', "é \n"), '42["é \\n","text"]'.encode(), '42["é \\n","text","e.7"]'.encode()),
        (said(b"[1,2]"), b'42["x",[1,2]]', b'42["x",[1,2],"e.7"]'),
        (said(b"[1,2]", spread=True), b'42["x",1,2]', b'42["x",1,2,"e.7"]'),
        (said(b"[]", spread=True), b'42["x"]', b'42["x","e.7"]'),
        (said(b"[[1]]", spread=True), b'42["x",[1]]', b'42["x",[1],"e.7"]'),
        *[(said(b"1", name), b'42["hubbub:%b",1]' % name.encode(), None) for name in sorted(RESERVED)],
    ],
    ids=lambda value: value.event if isinstance(value, Publication) else "",
)
def test_a_publication_is_an_event(publication: Publication, plain: bytes, numbered: bytes | None) -> None:
    assert codec().events.encode(publication, 7) == texts(plain)
    if numbered is not None:
        assert codec(epoch="e").events.encode(publication, 7) == texts(numbered)


def test_in_other_namespaces_it_says_so() -> None:
    assert codec("/chat").events.encode(said(b"1"), 1) == texts(b'42/chat,["x",1]')
    assert codec("/chat", "e").events.encode(said(b"1"), 1) == texts(b'42/chat,["x",1,"e.1"]')


def test_attachments_follow_in_their_order() -> None:
    two = said(b'[%b,{"b":{"_placeholder":true,"num":1}}]' % ONE, attachments=(b"\1", b"\2"), spread=True)
    assert codec().events.encode(two) == texts(
        b'452-["x",%b,{"b":{"_placeholder":true,"num":1}}]' % ONE, b"!\1", b"!\2"
    )
    one = said(ONE, attachments=(b"\1",))
    assert codec("/c", "e").events.encode(one, 3) == texts(b'451-/c,["x",%b,"e.3"]' % ONE, b"!\1")


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b"[1,2]", b'42["x",1,2]'),
        (b" [ 1, 2 ] ", b'42["x",1, 2]'),
        (b"[]", b'42["x"]'),
        (b"[ ]", b'42["x"]'),
        (b'{"a":[1]}', b'42["x",{"a":[1]}]'),
        (b'"[1]"', b'42["x","[1]"]'),
        (b"[[1],2]", b'42["x",[1],2]'),
    ],
)
def test_where_data_is_to_be_spread_the_items_of_an_array_are_arguments(data: bytes, event: bytes) -> None:
    assert codec(spread=True).events.encode(said(data)) == texts(event)
    (numbered,) = codec(epoch="e", spread=True).events.encode(said(data), 2)
    assert msgspec.json.decode(numbered.data[2:]) == [*msgspec.json.decode(event[2:]), "e.2"]


def test_an_event_before_the_first_number_has_an_offset_too() -> None:
    # Its last argument would be taken for one otherwise.
    assert codec(epoch="e").events.encode(said(b'"text"'), 0) == texts(b'42["x","text","e.0"]')


MEMBER = Member("s1", "alice")


@pytest.mark.parametrize(
    ("push", "event"),
    [
        (
            Join("a", MEMBER),
            b'"hubbub:join",{"type":"join","channel":"a","member":{"session":"s1","user":"alice"}}',
        ),
        (
            Leave("a", MEMBER),
            b'"hubbub:leave",{"type":"leave","channel":"a","member":{"session":"s1","user":"alice"}}',
        ),
    ],
    ids=["join", "leave"],
)
def test_who_comes_and_goes_is_an_event_of_our_own(push: Push, event: bytes) -> None:
    assert codec().events.encode(push) == texts(b"42[%b]" % event)
    assert codec(epoch="e").events.encode(push, 4) == texts(b'42[%b,"e.4"]' % event)


# --- events that ask for an acknowledgement -------------------------------------------------------------------


def test_an_event_that_asks_has_its_offset_in_a_small_one_behind_it() -> None:
    assert codec().events.event("q", b"1", sequence=5, ack=12) == texts(b'4212["q",1]')
    assert codec(epoch="e").events.event("q", b"1", sequence=5, ack=12) == texts(
        b'4212["q",1]', b'42["hubbub:offset","e.5"]'
    )
    assert codec("/c", "e").events.event("q", ONE, (b"\1",), sequence=5, ack=0) == texts(
        b'451-/c,0["q",%b]' % ONE, b"!\1", b'42/c,["hubbub:offset","e.5"]'
    )


def test_an_event_without_a_number_has_no_offset() -> None:
    assert codec(epoch="e").events.event("q", b"1") == texts(b'42["q",1]')
    assert codec(epoch="e").events.event("q", b"", ack=3) == texts(b'423["q"]')


# --- replies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [None, "e"])
def test_what_a_handler_returned_is_the_acknowledgement(epoch: str | None) -> None:
    each = codec("/c", epoch)
    assert each.reply(Acknowledged(3, Raw(b"[]"))) == texts(b"43/c,3[]")
    assert each.reply(Acknowledged(0, Raw(b'[1,"a"]'))) == texts(b'43/c,0[1,"a"]')
    assert each.reply(Acknowledged(3, Raw(b"[%b]" % ONE), (b"\1",))) == texts(b"461-/c,3[%b]" % ONE, b"!\1")


def test_the_reply_to_a_command_is_the_one_argument_of_its_acknowledgement() -> None:
    assert codec().reply(Published(4, message="m")) == texts(
        b'434[{"type":"published","id":4,"message":"m"}]'
    )
    assert codec().reply(Result(4, Empty())) == texts(b'434[{"type":"result","id":4,"result":{}}]')
    assert codec().reply(Subscribed(4, "a")) == texts(b'434[{"type":"subscribed","id":4,"channel":"a"}]')


def test_what_nobody_asked_to_be_told_is_not() -> None:
    assert codec().reply(Published(-1, message="m")) == ()


ERROR = (
    b'{"code":116,"name":"rate_limited","message":"slow down","temporary":true,"retry_after":1.5,"field":"f"}'
)


@pytest.mark.parametrize("epoch", [None, "e"])
def test_an_error_answers_or_is_an_event_of_our_own_that_moves_no_offset(epoch: str | None) -> None:
    def error(id: int) -> ErrorReply:
        return ErrorReply(id, 116, "slow down", "rate_limited", temporary=True, retry_after=1.5, field="f")

    assert codec(epoch=epoch).reply(error(3)) == texts(b'433[{"error":%b}]' % ERROR)
    assert codec("/c", epoch).reply(error(0)) == texts(b'43/c,0[{"error":%b}]' % ERROR)
    assert codec("/c", epoch).reply(error(-1)) == texts(b'42/c,["hubbub:error",%b]' % ERROR)


def test_an_error_says_no_more_than_there_is_to_say() -> None:
    brief = ErrorReply(1, 100, "internal error", "internal")
    assert codec().reply(brief) == texts(
        b'431[{"error":{"code":100,"name":"internal","message":"internal error"}}]'
    )


def test_a_refusal_is_the_same_failure_as_in_an_acknowledgement() -> None:
    error = HubbubError(ErrorCode.RATE_LIMITED, "slow down", retry_after=1.5, field="f")
    assert msgspec.json.encode(Failure.of(error)) == ERROR
    assert refusal(JSON, "/c", "slow down", ERROR) == texts(b'44/c,{"message":"slow down","data":%b}' % ERROR)
    assert refusal(JSON, "/", "Invalid namespace") == texts(b'44{"message":"Invalid namespace"}')


# --- pushes for one session -----------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [None, "e"])
def test_advice_and_farewell_are_events_of_our_own_that_move_no_offset(epoch: str | None) -> None:
    each = codec("/c", epoch)
    assert each.push(Advice(reconnect_after=0.0, spread=2.0)) == texts(
        b'42/c,["hubbub:advice",{"type":"advice","action":"reconnect","reconnect_after":0.0,"spread":2.0}]'
    )
    assert each.push(DisconnectPush(3502, "disconnected by the server", reconnect=False)) == texts(
        b'42/c,["hubbub:disconnect",{"type":"disconnect","code":3502,"reason":"disconnected by the server",'
        b'"reconnect":false}]'
    )


def test_that_a_room_was_entered_or_left_is_not_told() -> None:
    assert codec().push(ServerSubscribed("a")) == ()
    assert codec().push(ServerUnsubscribed("a", 104)) == ()


# --- packets --------------------------------------------------------------------------------------------------


def test_the_answer_to_a_connect() -> None:
    assert codec().connected("s1", None) == texts(b'40{"sid":"s1"}')
    assert codec("/c").connected("s1", "s1.secret") == texts(b'40/c,{"sid":"s1","pid":"s1.secret"}')


def test_nothing_is_read_by_the_codec_of_one_namespace() -> None:
    assert codec().receive(b'2["x"]') == ()


# --- msgpack --------------------------------------------------------------------------------------------------


def unpacked(payloads: tuple[Payload, ...]) -> list[Any]:
    assert all(each.binary for each in payloads)
    return [msgspec.msgpack.decode(each.data) for each in payloads]


def test_over_msgpack_each_packet_is_one_binary_message_with_its_bytes_in_place() -> None:
    each = codec("/c", "e", parser=MSGPACK)
    one = said(b'[1,{"b":%b}]' % ONE, attachments=(b"\1",), spread=True)
    assert unpacked(tuple(each.events.encode(one, 9))) == [
        {"type": 2, "nsp": "/c", "data": ["x", 1, {"b": b"\1"}, "e.9"]}
    ]
    assert unpacked(each.events.event("q", b"1", sequence=5, ack=12)) == [
        {"type": 2, "nsp": "/c", "id": 12, "data": ["q", 1]},
        {"type": 2, "nsp": "/c", "data": ["hubbub:offset", "e.5"]},
    ]
    assert unpacked(tuple(each.reply(Acknowledged(3, Raw(b"[%b]" % ONE), (b"\1",))))) == [
        {"type": 3, "nsp": "/c", "id": 3, "data": [b"\1"]}
    ]
    assert unpacked(each.connected("s1", None)) == [{"type": 0, "nsp": "/c", "data": {"sid": "s1"}}]
    assert unpacked(refusal(MSGPACK, "/c", "no", b"[1]")) == [
        {"type": 4, "nsp": "/c", "data": {"message": "no", "data": [1]}}
    ]


# --- audiences ------------------------------------------------------------------------------------------------


def test_a_codec_has_one_encoding_for_all_channels_and_no_other_codec_has_it() -> None:
    one, other = codec(epoch="e"), codec(epoch="e")
    assert one.encoding("a") is one.encoding("b") is one.events
    assert len({one.events, other.events}) == 2
    assert one.events.journaled
