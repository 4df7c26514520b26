"""The JSON parser: every form of packet, cut at every byte, and the values that pass through it."""

from __future__ import annotations

import dataclasses
import datetime
import math
from typing import Any

import msgspec
import pytest
from tests.protocols.packets import ACK, B4, CONNECT, EVENT, FORMS, ONE, TWO, packet, plain, read

from hubbub.errors import ProtocolError
from hubbub.model import Raw
from hubbub.protocols import socketio
from hubbub.protocols.base import Payload
from hubbub.protocols.socketio import JSON, Event, Invalid, JsonParser, Limits, Packet

# --- literal bytes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("raw", "expected"), FORMS, ids=lambda value: repr(value)[:24])
def test_packets(raw: bytes, expected: Packet) -> None:
    got = read(JSON, raw, *expected.attachments)
    assert plain(got) == plain(expected)
    assert isinstance(got, Packet)
    assert got.value == (None if expected.data is None else msgspec.json.decode(expected.data))
    assert JSON.encode(expected) == (
        Payload(b"4" + raw),
        *(Payload(each, True) for each in expected.attachments),
    )
    assert JSON.encode(got) == JSON.encode(expected)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"0/admin", packet(CONNECT, "/admin")),
        (b"1/admin", packet(socketio.PacketType.DISCONNECT, "/admin")),
        (b"0/,", packet(CONNECT)),
        (b'2/,["x"]', packet(EVENT, data=b'["x"]')),
        (b'2//,["x"]', packet(EVENT, "//", data=b'["x"]')),
        (b'2/a?b=c,["x"]', packet(EVENT, "/a?b=c", data=b'["x"]')),
        (b'2/12,3["x"]', packet(EVENT, "/12", 3, b'["x"]')),
        (b'2007["x"]', packet(EVENT, id=7, data=b'["x"]')),
        (b'2["x"] \n', packet(EVENT, data=b'["x"] \n')),
        (b"3[]", packet(ACK, data=b"[]")),
        (
            b'0{"a":{"_placeholder":true,"num":9}}',
            packet(CONNECT, data=b'{"a":{"_placeholder":true,"num":9}}'),
        ),
        (b'2["x",{"_placeholder":true,"num":9}]', packet(EVENT, data=b'["x",{"_placeholder":true,"num":9}]')),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_forms_that_nobody_writes_but_that_can_be_read(raw: bytes, expected: Packet) -> None:
    assert plain(read(JSON, raw)) == plain(expected)


def test_an_attachment_may_be_unused_and_one_may_be_empty_or_nested() -> None:
    got = read(JSON, b'53-["x",{"_placeholder":true,"num":1}]', b"", b"used", b"")
    assert isinstance(got, Packet)
    assert got.attachments == (b"", b"used", b"")
    assert socketio.revive(got.value, got.attachments) == ["x", b"used"]


def test_a_decoder_reads_packet_after_packet() -> None:
    decoder = JSON.decoder()
    for _ in range(2):
        assert decoder.feed(b'52-["x",%s,%s]' % (TWO, ONE), False) is None
        assert decoder.feed(b"first", True) is None
        got = decoder.feed(b"second", True)
        assert isinstance(got, Packet)
        assert socketio.revive(got.value, got.attachments) == ["x", b"second", b"first"]
        assert plain(decoder.feed(b'2["y"]', False)) == plain(packet(EVENT, data=b'["y"]'))
        assert plain(decoder.feed(b"33[]", False)) == plain(packet(ACK, id=3, data=b"[]"))


@pytest.mark.parametrize(("raw", "expected"), FORMS, ids=lambda value: repr(value)[:24])
def test_a_packet_cut_at_any_byte_is_another_packet_or_refused(raw: bytes, expected: Packet) -> None:
    """Never another exception, and never the same packet from fewer bytes (but for the comma of an empty one)."""
    for at in range(len(raw)):
        for part in (raw[:at], raw[at:] if at else b""):
            try:
                got = read(JSON, part, *expected.attachments)
            except ProtocolError:
                continue
            assert got is None or plain(got) != plain(expected) or part + b"," == raw


# --- events ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "arguments"),
    [
        (b'["x"]', "x", []),
        (b'["",null]', "", [b"null"]),
        (b'["a b", {"x" : 1},[2 ,3],"\\u00e9",1e5]', "a b", [b'{"x" : 1}', b"[2 ,3]", b'"\\u00e9"', b"1e5"]),
        (b"[1]", "1", []),
        (b"[-7,1]", "-7", [b"1"]),
        (b"[1.0]", "1", []),
        (b"[1.5]", "1.5", []),
        (b'["\\u0063onnected"]', "connected", []),
    ],
)
def test_the_parts_of_an_event(data: bytes, name: str, arguments: list[bytes]) -> None:
    got = read(JSON, b"2" + data)
    assert isinstance(got, Packet)
    for one in (got, packet(EVENT, data=data)):  # as decoded, and as made by hand
        parts = socketio.event(one)
        assert isinstance(parts, Event)
        assert (parts.name, list(map(bytes, parts.arguments))) == (name, arguments)


@pytest.mark.parametrize("raw", [b'2["x",%s]', b'0{"a":%s}', b"3[%s]", b'4{"a":%s}', b'21["x",%s]'])
@pytest.mark.parametrize(
    "data",
    [b'{"a":1,"a":2}', b"1e400", b'"\\ud800"', b"9" * 400, b"[" * 40 + b"]" * 40, b"[" * 2000 + b"]" * 2000],
    ids=lambda value: repr(value)[:12],
)
def test_data_that_is_not_passed_on_harms_nobody_else(raw: bytes, data: bytes) -> None:
    decoder = JSON.decoder()
    got = decoder.feed(raw % data, False)
    assert isinstance(got, Invalid)
    assert got.id == (1 if raw[:2] == b"21" else None)
    assert got.type == int(raw[:1])
    assert got.namespace == "/"
    assert got.message
    assert isinstance(decoder.feed(b'2["y"]', False), Packet)


def test_the_attachments_of_data_that_is_not_passed_on_are_taken_all_the_same() -> None:
    decoder = JSON.decoder()
    assert decoder.feed(b'52-/a,7["x",%s,%s,1e400]' % (ONE, TWO), False) is None
    assert decoder.feed(B4, True) is None
    got = decoder.feed(B4, True)
    assert isinstance(got, Invalid)
    assert (got.type, got.namespace, got.id) == (EVENT, "/a", 7)
    assert isinstance(decoder.feed(b'2["y"]', False), Packet)


# --- Python values --------------------------------------------------------------------------------------------


class Point(msgspec.Struct):
    x: int
    picture: bytes = b""


@dataclasses.dataclass
class Line:
    start: Point


@pytest.mark.parametrize(
    ("arguments", "data", "attachments"),
    [
        ([], b"[]", ()),
        (["x", 1, None, True, 1.5, "é"], '["x",1,null,true,1.5,"é"]'.encode(), ()),
        (("x", (1, 2)), b'["x",[1,2]]', ()),
        (["x", b"a"], b'["x",%s]' % ONE, (b"a",)),
        (["x", bytearray(b"a"), memoryview(b"b")], b'["x",%s,%s]' % (ONE, TWO), (b"a", b"b")),
        (["x", {"a": [b"1", {"b": b"2"}]}], b'["x",{"a":[%s,{"b":%s}]}]' % (ONE, TWO), (b"1", b"2")),
        (["x", b"", b""], b'["x",%s,%s]' % (ONE, TWO), (b"", b"")),
        (["x", Raw(b'{"a" : 1}')], b'["x",{"a" : 1}]', ()),
        (["x", Raw(b'{"a" : 1}'), b"1"], b'["x",{"a" : 1},%s]' % ONE, (b"1",)),
        (["x", Point(1, b"p")], b'["x",{"x":1,"picture":%s}]' % ONE, (b"p",)),
        (["x", [Line(Point(1, b"p"))]], b'["x",[{"start":{"x":1,"picture":%s}}]]' % ONE, (b"p",)),
        (["x", datetime.date(2026, 1, 2), {3}], b'["x","2026-01-02",[3]]', ()),
        (["x", datetime.date(2026, 1, 2), b"1"], b'["x","2026-01-02",%s]' % ONE, (b"1",)),
        (["x", {1: 2}], b'["x",{"1":2}]', ()),
        (["x", math.nan], b'["x",null]', ()),
        (["x", {"_placeholder": True, "num": 0}], b'["x",{"_placeholder":true,"num":0}]', ()),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_python_values_become_data(arguments: Any, data: bytes, attachments: tuple[bytes, ...]) -> None:
    before = repr(arguments)
    got = socketio.extract(arguments)
    assert (bytes(got[0]), got[1]) == (data, attachments)
    assert repr(arguments) == before


def test_what_has_no_json_form_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(TypeError):
        socketio.extract(["x", object()])
    with pytest.raises(TypeError):
        socketio.extract(["x", b"", object()])
    with pytest.raises(UnicodeEncodeError):
        socketio.extract(["\ud800"])
    with pytest.raises(ValueError, match="_placeholder"):
        socketio.extract(["x", b"1", {"a": {"_placeholder": True, "num": 0}}])
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(RecursionError):
        socketio.extract(circle)


@pytest.mark.parametrize("number", [-1, 1, 10**9, "length", True, False, None, 0.0, [0]])
def test_a_placeholder_without_an_attachment_is_not_revived(number: Any) -> None:
    with pytest.raises(ProtocolError):
        socketio.revive(["x", [{"_placeholder": True, "num": number}]], (b"a",))
    with pytest.raises(ProtocolError):
        socketio.revive(["x", {"_placeholder": True}], (b"a",))


def test_reviving_leaves_the_rest_and_the_original_alone() -> None:
    value = ["x", {"_placeholder": 1, "num": 0}, {"a": {"_placeholder": True, "num": 0}}, {"num": 0}]
    assert socketio.revive(value, (b"a",)) == ["x", {"_placeholder": 1, "num": 0}, {"a": b"a"}, {"num": 0}]
    assert value[2] == {"a": {"_placeholder": True, "num": 0}}
    assert socketio.revive(value, ()) is value


def test_parsers_are_values() -> None:
    assert JsonParser() == JSON
    assert hash(JsonParser()) == hash(JSON)
    assert JsonParser(Limits(attachments=1)) != JSON
    assert JSON.name == "json"
