"""What clients may send that is not what it should be (reliability 5.2), to both parsers."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import msgspec
import pytest
from tests.protocols.mutating import mutate
from tests.protocols.packets import ACK, B4, EVENT, FORMS, ONE, TWO, as_msgpack, packet, plain, read

from hubbub.errors import ErrorCode, ProtocolError
from hubbub.protocols import socketio
from hubbub.protocols.socketio import JSON, Invalid, JsonParser, Limits, Packet, Parser
from hubbub.protocols.socketio_msgpack import MSGPACK, MessagePackParser

SMALL = Limits(attachments=2, attachment_bytes=10, namespace_length=8)


@pytest.mark.parametrize(
    "raw",
    [
        # the official parser's tests, and reliability 5.2
        b'442["some","data"',
        b'0/admin,"invalid"',
        b"0[]",
        b"1/admin,{}",
        b'2/admin,"invalid',
        b"2/admin,{}",
        b'2[{"toString":"foo"}]',
        b'2[true,"foo"]',
        b'2[null,"bar"]',
        b'2["connect"]',
        b'2["disconnect","123"]',
        b"5",
        b"51",
        b"50-",
        b"5a-",
        b"51.23-",
        b"999",
        b'59999999999-["x"]',
        b"2" + b"1" * 101 + b'["x"]',
        # types
        b"",
        b" ",
        b"7",
        b"-1",
        b"\xd9\xa2[]",  # another script's 2
        b'\xef\xbb\xbf2["x"]',
        b"[]",
        b"null",
        # data of the wrong type
        b"2",
        b"3",
        b"4",
        b"212",
        b"3/admin,12",
        b"2/admin",
        b"2/admin,",
        b"2null",
        b'2"x"',
        b"3{}",
        b"3null",
        b"0null",
        b'0"x"',
        b"1[]",
        b"1null",
        b"4[]",
        b"4null",
        # names
        b"2[]",
        b"2[[]]",
        b"2[false]",
        b'2["connect_error"]',
        b'2["disconnecting"]',
        b'2["newListener"]',
        b'2["removeListener"]',
        b'2["\\u0063onnect"]',
        b'51-["connect",%s]' % ONE,
        b"51-[null,%s]" % ONE,
        # ids
        b'29007199254740992["x"]',
        b"2" + b"1" * 5000 + b'["x"]',
        b'2-1["x"]',
        b'2+1["x"]',
        b'21.5["x"]',
        b'21e3["x"]',
        b'2 ["x"]',
        b'21 ["x"]',
        '2٣["x"]'.encode(),
        # attachments
        b"5-[]",
        b'50-["x"]',
        b'500-["x"]',
        b'5-["x"]',
        b'5-1-["x"]',
        b'5+1-["x"]',
        b'5 1-["x"]',
        b'51e0-["x"]',
        b'50x1-["x"]',
        '5١-["x"]'.encode(),
        b"500000000001-[]",
        b'51["x"]',
        b"61-",
        b"61-{}",
        b'51-"x"',
        # namespaces
        b'2/a\x1eb,["x"]',
        b"0/\x00,",
        b"0/a\n,",
        b"0/\xff,",
        b"0/\xed\xa0\x80,",
        "0/\u202e,".encode(),
        b'2admin,["x"]',
        b'2["x"],',
        b"0/" + b"a" * 128,
        b"0/" + b"a" * 10_000 + b",{}",
        # JSON
        b'2["x"',
        b'2["x",]',
        b"2['x']",
        b'2["x"]["y"]',
        b'2["x",01]',
        b'2["x",NaN]',
        b'2["x",-Infinity]',
        b'2["x","\x1e"]',
        b'2["x","\xff"]',
        b'2["x","\xed\xa0\x80"]',
        b'0{"a"}',
        b"0{a:1}",
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_what_is_no_packet_ends_the_connection(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(JSON, raw)


@pytest.mark.parametrize(
    "number",
    [b"-1", b"1", b"1000000000", b'"length"', b"true", b"false", b"null", b"0.0", b"0.5", b"[0]", b'"0"'],
)
@pytest.mark.parametrize("form", [b'51-["x",%s]', b'51-["x",{"a":[[%s]]}]', b"61-[%s]"])
def test_a_placeholder_without_an_attachment_ends_the_connection_at_once(number: bytes, form: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(JSON, form % (b'{"_placeholder":true,"num":%s}' % number))
    with pytest.raises(ProtocolError):
        read(JSON, form % b'{"_placeholder":true}')


def test_one_attachment_does_not_become_many() -> None:
    with pytest.raises(ProtocolError, match="two placeholders"):
        read(JSON, b'52-["x",%s,[%s]]' % (ONE, ONE))


def test_text_while_an_attachment_is_due_ends_the_connection() -> None:
    for before in ((), (B4,)):
        decoder = JSON.decoder()
        decoder.feed(b'52-["x",%s,%s]' % (ONE, TWO), False)
        for each in before:
            decoder.feed(each, True)
        with pytest.raises(ProtocolError):
            decoder.feed(b'2["x"]', False)


def test_bytes_that_nobody_announced_end_the_connection() -> None:
    with pytest.raises(ProtocolError):
        JSON.decoder().feed(B4, True)
    decoder = JSON.decoder()
    decoder.feed(b'51-["x",%s]' % ONE, False)
    decoder.feed(B4, True)
    with pytest.raises(ProtocolError):
        decoder.feed(B4, True)


@pytest.mark.parametrize(
    "parser", [JsonParser(SMALL), MessagePackParser(SMALL)], ids=lambda parser: parser.name
)
def test_limits(parser: Parser) -> None:
    def outcome(sent: Packet) -> Any:
        try:
            if parser.name == "msgpack":
                got = read(parser, as_msgpack(sent))
            else:
                text, *attachments = JSON.encode(sent)
                got = read(parser, text.data[1:], *[each.data for each in attachments])
        except ProtocolError as error:
            return error.code
        return plain(got) == plain(sent)

    two = b'["x",%s,%s]' % (ONE, TWO)
    three = b'["x",%s,%s,{"_placeholder":true,"num":2}]' % (ONE, TWO)
    assert outcome(packet(EVENT, data=two, attachments=(b"12345", b"67890"))) is True
    assert outcome(packet(EVENT, data=two, attachments=(b"12345", b"678901"))) is ErrorCode.MESSAGE_TOO_LARGE
    assert outcome(packet(EVENT, data=three, attachments=(b"1", b"2", b"3"))) is ErrorCode.LIMIT_EXCEEDED
    assert outcome(packet(ACK, "/1234567", data=b"[]")) is True
    assert outcome(packet(ACK, "/12345678", data=b"[]")) is ErrorCode.LIMIT_EXCEEDED


@pytest.mark.parametrize("parser", [JSON, MSGPACK], ids=lambda parser: parser.name)
@pytest.mark.parametrize(
    "data",
    [
        b'["x",%s%s]' % (b"[" * 32, b"]" * 32),
        b'["x",{%s}]' % b",".join(b'"%d":1' % number for number in range(257)),
    ],
    ids=["depth", "keys"],
)
def test_what_is_too_deep_or_has_too_many_keys_is_answered(parser: Parser, data: bytes) -> None:
    sent = packet(EVENT, "/a", 5, data)
    got = read(parser, as_msgpack(sent) if parser.name == "msgpack" else b"2/a,5" + data)
    assert isinstance(got, Invalid)
    assert (got.type, got.namespace, got.id) == (EVENT, "/a", 5)
    assert (got.code, got.field) == (ErrorCode.LIMIT_EXCEEDED, "data")


def test_limits_are_for_each_packet() -> None:
    decoder = JsonParser(SMALL).decoder()
    for _ in range(3):
        decoder.feed(b'52-["x",%s,%s]' % (ONE, TWO), False)
        decoder.feed(b"12345", True)
        assert isinstance(decoder.feed(b"67890", True), Packet)


def test_a_packet_that_waits_holds_no_more_than_the_limit() -> None:
    """An empty attachment costs nothing, one that is too large is not kept, nor is that of refused data."""
    decoder = JsonParser(Limits(attachments=10, attachment_bytes=1000)).decoder()
    decoder.feed(b'59-/a,["x",1e400]', False)
    tracemalloc.start()
    for _ in range(8):
        decoder.feed(bytes(100), True)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1000
    with pytest.raises(ProtocolError) as failure:
        decoder.feed(bytes(300), True)
    assert failure.value.code is ErrorCode.MESSAGE_TOO_LARGE


# --- mutations ------------------------------------------------------------------------------------------------

RAWS = [raw for raw, _ in FORMS]
PACKED = [
    *[as_msgpack(sent) for _, sent in FORMS],
    # an ArrayBuffer of a byte, undefined, a date, a timestamp that JSON cannot say
    bytes.fromhex(
        "83a47479706502a36e7370a12fa46461746195a178c7010000d40000d70000000000000003e8d7ff0000000000000000"
    ),
    bytes.fromhex(
        "84a47479706503a36e7370a12fa2696405a46461746193cb7fe0000000000000ca3fc0000082a16101a162c403010203"
    ),
]
INSERTS = (
    b"\xff", b"\x1e", b'"', b"[" * 50, b"9" * 400, b"\\ud800", b"null", b"-", b"/", b",", b"51-", b"1e400", ONE, TWO,
    b"\xdd", b"\xc1", b"\xd4\x00\x00", b"\xc7\x01\x00\x00", b"\xd7\x00" + bytes(8), b"\xd7\xff" + bytes(8),
    b"\xc4\x01a", b"\xcb\x7f\xf0" + bytes(6), b"\xdf\xff\xff\xff\xff",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("parser", [JSON, MSGPACK], ids=lambda parser: parser.name)
def test_whatever_arrives_only_a_protocol_error_comes_out_and_what_is_accepted_can_be_sent(
    parser: Parser, seed: int
) -> None:
    """Only ProtocolError is raised. A packet that comes out is within the limits, and both parsers can say it so that
    it is read as the same packet again."""
    chance = random.Random(seed)
    counts = {"accepted": 0, "invalid": 0, "refused": 0}
    limits = Limits(attachments=3, attachment_bytes=100, json_depth=8, json_keys=8)
    made = MessagePackParser(limits) if parser.name == "msgpack" else JsonParser(limits)
    for _ in range(1500):
        if parser.name == "msgpack":
            messages = [mutate(chance, chance.choice(PACKED), PACKED, INSERTS)]
        else:
            raw, sent = chance.choice(FORMS)
            messages = [mutate(chance, raw, RAWS, INSERTS), *sent.attachments]
        if chance.random() < 0.2:
            messages.append(bytes(chance.randrange(200)))
        try:
            got = read(made, *messages)
        except ProtocolError:
            counts["refused"] += 1
            continue
        if isinstance(got, Invalid):
            counts["invalid"] += 1
            assert got.message
        elif got is not None:
            counts["accepted"] += 1
            holds(got, limits)
    assert counts["accepted"] > 20
    assert counts["refused"] > 200
    assert counts["invalid"] > 0


def holds(got: Packet, limits: Limits) -> None:
    assert len(got.attachments) <= limits.attachments
    assert sum(map(len, got.attachments)) <= limits.attachment_bytes
    assert len(got.namespace) <= limits.namespace_length
    assert got.id is None or 0 <= got.id <= 2**53 - 1
    if got.type is EVENT:
        assert socketio.event(got).name not in socketio.RESERVED
    text, *attachments = JSON.encode(got)
    assert b"\x1e" not in text.data
    again = read(JSON, text.data[1:], *[each.data for each in attachments])
    assert plain(again) == plain(got)
    (packed,) = MSGPACK.encode(got)
    again = read(MSGPACK, packed.data)
    assert isinstance(again, Packet)
    assert (again.type, again.namespace, again.id) == (got.type, got.namespace, got.id)
    assert revived(again) == revived(got)


def revived(got: Packet) -> Any:
    """The data as an application sees it; numbers as JavaScript does."""
    value = socketio.revive(got.value, got.attachments)
    return msgspec.msgpack.decode(msgspec.msgpack.encode(as_doubles(value)))


def as_doubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: as_doubles(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_doubles(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
