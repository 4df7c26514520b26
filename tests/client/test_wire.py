from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub import model
from hubbub.client import wire
from hubbub.protocols.native import JsonCodec

REPLIES: list[model.Reply] = [
    model.Connected(1, "s", "x", "u", 1.0, 1.0, 1.0, subscriptions=(model.Subscribed(0, "a"),)),
    model.Subscribed(
        2, "a", model.Position("e", 1), publications=(model.Publication("a", "m", model.Raw(b"1")),)
    ),
    model.Published(3, model.Position("e", 1), "id"),
    model.ErrorReply(4, 100, "internal"),
]
PUSHES: list[model.Push | model.SessionPush] = [
    model.Publication("a", "m", model.Raw(b'{"a":1}'), id="m1", epoch="e", offset=1),
    model.Join("a", model.Member("s", "u")),
    model.Leave("a", model.Member("s", "u")),
    model.ServerSubscribed("a", model.Position("e", 1), True),
    model.ServerUnsubscribed("a", 104, "why"),
    model.Advice(spread=1.0),
    model.DisconnectPush(3000, "drain", True),
]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda each: type(each).__name__)
def test_what_the_server_answers_is_understood(reply: model.Reply) -> None:
    (payload,) = JsonCodec().reply(reply)
    assert list(wire.decode(payload.data)) == [reply]


@pytest.mark.parametrize("push", PUSHES, ids=lambda each: type(each).__name__)
def test_what_the_server_pushes_is_understood(push: model.Push | model.SessionPush) -> None:
    assert list(wire.decode(msgspec.json.encode(push))) == [push]


def test_a_results_content_stays_json() -> None:
    (payload,) = JsonCodec().reply(model.Result(5, model.Presence(2, 1)))
    (reply,) = wire.decode(payload.data)
    assert isinstance(reply, wire.ResultReply)
    assert msgspec.json.decode(reply.result, type=model.Presence) == model.Presence(2, 1)


def test_many_objects_in_a_frame_and_types_of_later_versions() -> None:
    text = b"\n".join([*map(msgspec.json.encode, PUSHES), b"", b'{"type":"new","id":{"x":1}}'])
    assert list(wire.decode(text.decode())) == PUSHES


@pytest.mark.parametrize(
    "command",
    [
        model.Connect(1, token="t"),
        model.Connect(1, resume=model.Resume("s", "x", {"a": model.Position("e", 1)})),
        model.Subscribe(2, "a", since=model.Position("e", 1)),
        model.Publish(3, "a", model.Raw(b'{"b":[1]}'), key="k"),
        model.Call(4, "m", model.Raw(b"null")),
    ],
    ids=lambda each: type(each).__name__,
)
def test_the_server_understands_what_is_sent(command: model.Command) -> None:
    assert JsonCodec().receive(wire.encode(command)) == (command,)


@given(st.binary())
def test_only_value_errors(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        list(wire.decode(data))
