"""Whatever an application says arrives as it was said, whichever parser the client has."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.packets import packet, plain

from hubbub.model import Raw
from hubbub.protocols import socketio
from hubbub.protocols.engineio import decode, poll, split, to_payload
from hubbub.protocols.socketio import JsonParser, Limits, Packet, PacketType, Parser
from hubbub.protocols.socketio_msgpack import MessagePackParser

ROOMY = Limits(attachments=1000, json_depth=100, json_keys=10_000)
TEXT, BINARY = JsonParser(ROOMY), MessagePackParser(ROOMY)
PARSERS: list[Parser] = [TEXT, BINARY]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = texts.filter(lambda name: name not in socketio.RESERVED)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.binary(max_size=300)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
namespaces = st.sampled_from(["/", "/admin", "/a/b", "//", "/é?x=1", "/12"])


ids = st.none() | st.integers(0, 2**53 - 1)


def exactly(value: Any) -> Any:
    """`value` so that 1, 1.0 and True, and 0.0 and -0.0, are not equal."""
    if isinstance(value, dict):
        return {key: exactly(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exactly(inner) for inner in value]
    return (type(value), repr(value))


def carried(parser: Parser, sent: Packet) -> Packet:
    """`sent` after its way through an answer to a poll, an upgrade, and the other side's decoder."""
    decoder = parser.decoder()
    got: Any = None
    for each in split(poll(parser.encode(sent))):
        payload = to_payload(each)
        message = decode(payload.data, payload.binary)
        assert message.type == 4
        assert got is None  # nothing comes out before the last message
        got = decoder.feed(message.data, message.binary)
    assert isinstance(got, Packet)
    return got


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@given(
    name=names,
    arguments=st.lists(values, max_size=3),
    namespace=namespaces,
    id=st.none() | st.integers(0, 2**53 - 1),
)
def test_events_and_acks_arrive_as_they_were_said(
    parser: Parser, name: str, arguments: list[Any], namespace: str, id: int | None
) -> None:
    for kind, said in ((PacketType.EVENT, [name, *arguments]), (PacketType.ACK, arguments)):
        data, attachments = socketio.extract(said)
        sent = Packet(kind, namespace, id, data, attachments)
        got = carried(parser, sent)
        assert (got.type, got.namespace, got.id) == (kind, namespace, id)
        assert exactly(socketio.revive(got.value, got.attachments)) == exactly(said)
        assert got.data is not None
        assert exactly(msgspec.json.decode(got.data)) == exactly(got.value)
        if kind is PacketType.EVENT:
            parts = socketio.event(got)
            assert parts.name == name
            revived = [
                socketio.revive(msgspec.json.decode(each), got.attachments) for each in parts.arguments
            ]
            assert exactly(revived) == exactly(arguments)


@given(name=names, arguments=st.lists(values, max_size=3))
def test_a_packet_of_one_parser_can_be_sent_on_by_the_other(name: str, arguments: list[Any]) -> None:
    data, attachments = socketio.extract([name, *arguments])
    there = carried(BINARY, Packet(PacketType.EVENT, data=data, attachments=attachments))
    back = carried(BINARY, carried(TEXT, there))
    assert exactly(socketio.revive(back.value, back.attachments)) == exactly([name, *arguments])


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@given(auth=st.dictionaries(texts, values.filter(lambda value: not socketio.extract([value])[1]), max_size=3))
def test_auth_arrives_as_it_was_said(parser: Parser, auth: dict[str, Any]) -> None:
    got = carried(parser, Packet(PacketType.CONNECT, "/a", data=Raw(msgspec.json.encode(auth))))
    assert exactly(got.value) == exactly(auth)


@pytest.mark.parametrize("seed", range(3))
def test_packets_one_after_the_other_do_not_mix(seed: int) -> None:
    chance = random.Random(seed)
    decoders = [(parser, parser.decoder()) for parser in PARSERS]
    for number in range(200):
        said = [
            "x",
            *[chance.choice((number, bytes([number]), {"a": b"b"})) for _ in range(chance.randrange(5))],
        ]
        data, attachments = socketio.extract(said)
        sent = packet(PacketType.EVENT, "/a", number, bytes(data), attachments)
        for parser, decoder in decoders:
            got: Any = None
            for payload in parser.encode(sent):
                got = decoder.feed(payload.data[0 if payload.binary else 1 :], payload.binary)
            assert plain(got) == plain(sent)


def test_a_thousand_attachments_if_the_limits_say_so() -> None:
    said = ["x", *[bytes([number % 256]) for number in range(1000)]]
    data, attachments = socketio.extract(said)
    sent = Packet(PacketType.EVENT, data=data, attachments=attachments)
    for parser in PARSERS:
        assert plain(carried(parser, sent)) == plain(sent)
