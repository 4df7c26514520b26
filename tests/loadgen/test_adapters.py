"""Adapters: the very bytes that each protocol wants, and what each answer is."""

from __future__ import annotations

import pytest

from hubbub.loadgen.adapters import ADAPTERS, Hubbub, Kind, Plain, SocketIO, SocketIOToken


def test_hubbub_says_its_commands_as_the_native_protocol_has_them() -> None:
    hubbub = Hubbub()
    assert hubbub.connect("T") == (
        b'{"type":"connect","id":1,"token":"T","resume":null,"client":"hubbub-bench"}'
    )
    assert hubbub.subscribe(2, "bench:a") == (
        b'{"type":"subscribe","id":2,"channel":"bench:a","token":null,"since":null,"presence":false}'
    )
    publish = hubbub.publish(3, "bench:a", b'{"t":"1"}')
    assert publish.startswith(
        b'{"type":"publish","id":3,"channel":"bench:a","data":{"t":"1"},"event":"message"'
    )
    assert hubbub.echo(3, "bench:a", b'{"t":"1"}') == publish


def test_socketio_says_events_that_ask_for_an_ack() -> None:
    socketio = SocketIO()
    assert socketio.connect("T") == b"40"
    assert socketio.subscribe(2, "a") == b'422["subscribe","a"]'
    assert socketio.publish(3, "a", b'{"t":"1"}') == b'423["publish","a",{"t":"1"}]'
    assert socketio.echo(4, "a", b'{"t":"1"}') == b'424["echo",{"t":"1"}]'


def test_socketio_presents_a_token_only_when_told_to() -> None:
    assert SocketIOToken().connect("T") == b'40{"token":"T"}'
    assert SocketIOToken().echo(4, "a", b"1") == SocketIO().echo(4, "a", b"1")


def test_plain_says_objects_with_the_data_last() -> None:
    plain = Plain()
    assert plain.connect("T") is None
    assert plain.subscribe(2, "a") == b'{"type":"subscribe","id":2,"channel":"a"}'
    assert plain.publish(3, "a", b"1") == b'{"type":"publish","id":3,"channel":"a","data":1}'
    assert plain.echo(4, "a", b"1") == b'{"type":"echo","id":4,"data":1}'


@pytest.mark.parametrize(
    ("protocol", "payload", "kind"),
    [
        ("hubbub", b'{"type":"connected","id":1}', Kind.CONNECTED),
        ("hubbub", b'{"type":"subscribed","id":2,"channel":"a"}', Kind.REPLY),
        ("hubbub", b'{"type":"published","id":3}', Kind.REPLY),
        ("hubbub", b'{"type":"publication","channel":"a"}', Kind.PUSH),
        ("hubbub", b'{"type":"error","id":3,"code":116}', Kind.ERROR),
        ("hubbub", b'{"type":"disconnect","code":3001}', Kind.ERROR),
        ("hubbub", b'{"type":"join","channel":"a"}', Kind.OTHER),
        ("socketio", b'0{"sid":"x"}', Kind.OTHER),
        ("socketio", b"2", Kind.PING),
        ("socketio", b'40{"sid":"x"}', Kind.CONNECTED),
        ("socketio", b'42["message",1]', Kind.PUSH),
        ("socketio", b"433[]", Kind.REPLY),
        ("socketio", b'433[{"error":{"code":100}}]', Kind.ERROR),
        ("socketio", b'44{"message":"no"}', Kind.ERROR),
        ("socketio", b"41", Kind.ERROR),
        ("socketio", b"1", Kind.ERROR),
        ("socketio", b"6", Kind.OTHER),
        ("plain", b'{"type":"ok","id":1}', Kind.REPLY),
        ("plain", b'{"type":"publication","data":1}', Kind.PUSH),
        ("plain", b"", Kind.OTHER),
    ],
)
def test_what_an_answer_is(protocol: str, payload: bytes, kind: Kind) -> None:
    assert ADAPTERS[protocol]().kind(payload) is kind
