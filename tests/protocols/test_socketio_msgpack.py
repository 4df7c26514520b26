"""The msgpack parser: what npm's `socket.io-msgpack-parser` 3.0.2 writes, and what nobody should."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.msgpack import Ext
from tests.protocols.packets import ACK, CONNECT, EVENT, FORMS, ONE, as_msgpack, packet, plain, read

from hubbub.errors import ErrorCode, ProtocolError
from hubbub.protocols.socketio import Invalid, Packet, PacketType
from hubbub.protocols.socketio_msgpack import MSGPACK, MessagePackParser

DISCONNECT = PacketType.DISCONNECT


def event(*arguments: str) -> bytes:
    """`{type: 2, nsp: "/", data: ["x", ...arguments]}`, each of these in hexadecimal."""
    head = "83a47479706502a36e7370a12fa464617461"
    return bytes.fromhex(head + f"{0x91 + len(arguments):02x}a178" + "".join(arguments))


@pytest.mark.parametrize(("raw", "expected"), FORMS, ids=lambda value: repr(value)[:24])
def test_packets(raw: bytes, expected: Packet) -> None:
    got = read(MSGPACK, as_msgpack(expected))
    assert plain(got) == plain(expected)
    assert isinstance(got, Packet)
    assert got.value == (None if expected.data is None else msgspec.json.decode(expected.data))
    (payload,) = MSGPACK.encode(expected)
    assert payload.binary
    assert msgspec.msgpack.decode(payload.data) == msgspec.msgpack.decode(as_msgpack(expected))


@pytest.mark.parametrize(
    ("wire", "expected"),
    [
        ("83a47479706500a36e7370a12fa464617461d40000", packet(CONNECT)),  # data: undefined
        (
            "83a47479706500a36e7370a62f61646d696ea46461746181a5746f6b656ea178",
            packet(CONNECT, "/admin", data=b'{"token":"x"}'),
        ),
        ("82a47479706501a36e7370a12f", packet(DISCONNECT)),
        (
            "84a47479706502a36e7370a12fa46461746196a17801cb3ff8000000000000c0d4000082a161d40000a16201"
            "a76f7074696f6e7381a8636f6d7072657373c3",  # the options that the client leaves in
            packet(EVENT, data=b'["x",1,1.5,null,null,{"b":1}]'),
        ),
        (
            "84a47479706503a36e7370a22f61a26964cd01c8a46461746191c403010203",
            packet(ACK, "/a", 456, b"[%s]" % ONE, (b"\x01\x02\x03",)),
        ),
        (
            "83a47479706502a36e7370a12fa46461746196a16ecf001fffffffffffffd3ffe0000000000001"
            "cf0000000100000000d3ffffffff7fffffffa6c3a9f09f9880",
            packet(
                EVENT, data='["n",9007199254740991,-9007199254740991,4294967296,-2147483649,"é😀"]'.encode()
            ),
        ),
        # python-socketio: null for nothing
        ("83a47479706501a464617461c0a36e7370a12f", packet(DISCONNECT)),
        ("83a47479706500a464617461c0a36e7370a12f", packet(CONNECT)),
        ("83a47479706500a46461746180a36e7370a12f", packet(CONNECT, data=b"{}")),
        # an ack's id that is undefined
        ("84a47479706502a36e7370a12fa26964d40000a46461746191a178", packet(EVENT, data=b'["x"]')),
    ],
)
def test_what_clients_write(wire: str, expected: Packet) -> None:
    assert plain(read(MSGPACK, bytes.fromhex(wire))) == plain(expected)


@pytest.mark.parametrize(
    ("arguments", "data", "attachments"),
    [
        (["d70000000000000000" + "00"], b'"1970-01-01T00:00:00.000Z"', ()),
        (["d7000000018bcfe5687b"], b'"2023-11-14T22:13:20.123Z"', ()),
        (["d700ffffffffffffffff"], b'"1969-12-31T23:59:59.999Z"', ()),
        (["d40000"], b"null", ()),
        (["c7010000"], ONE, (b"\0",)),
        (["c708000102030405060708"], ONE, (b"\1\2\3\4\5\6\7\x08",)),
        (["c70300010203"], ONE, (b"\1\2\3",)),
        (["c70000"], ONE, (b"",)),
        (["c800010000"], b"null", ()),  # a length that nobody writes
        # an ArrayBuffer and what looks like it but for the header, in one message
        (["c7010000", "d40000"], ONE + b",null", (b"\0",)),
        (["d40000", "c7010000", "d40000"], b"null," + ONE + b",null", (b"\0",)),
        (
            ["d7000000000000000005", "c708000000000000000005"],
            b'"1970-01-01T00:00:00.005Z",' + ONE,
            (bytes(7) + b"\5",),
        ),
        (
            ["dc00c7" + "00" * 199, "d40000", "c7010000"],
            b"[%s],null," % b",".join([b"0"] * 199) + ONE,
            (b"\0",),
        ),
        # ... and that only looks like the header
        (["c404c7010009", "d40000"], ONE + b",null", (b"\xc7\1\0\x09",)),
        (["c403c70100", "81a161d40000"], ONE + b",{}", (b"\xc7\1\0",)),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_javascripts_extensions(arguments: list[str], data: bytes, attachments: tuple[bytes, ...]) -> None:
    got = read(MSGPACK, event(*arguments))
    assert plain(got) == plain(packet(EVENT, data=b'["x",' + data + b"]", attachments=attachments))


@pytest.mark.parametrize(
    "option", ["d6ff00000000", "d7ff0000000000000000", "c70cff" + "00" * 12, "d4050a", "c703050a0b0c"]
)
def test_fields_of_others_do_not_disturb(option: str) -> None:
    head = bytes.fromhex("84a76f7074696f6e73" + option)
    got = read(MSGPACK, head + event("c7010000", "d40000")[1:])
    assert plain(got) == plain(packet(EVENT, data=b'["x",%s,null]' % ONE, attachments=(b"\0",)))


@pytest.mark.parametrize(
    "argument",
    [
        "cb7ff8000000000000",  # not a number
        "cb7ff0000000000000",  # infinite
        "91cbfff0000000000000",
        "81a161ca7f800000",
        "d6ff00000000",  # a timestamp
        "d4010a",  # an extension of somebody else
        "c7020a0102",
        "810101",  # a key that is no string
        "81c0c0",
        "81c4016101",
        "81c701000001",
        "d7007fffffffffffffff",  # a date in no year
        "d7008000000000000000",
        "81a161" * 40 + "c0",
        "91" * 500 + "c0",
        "93" + "93" * 40 + "c0c0c4" * 40 + "0101",
    ],
    ids=lambda value: value[:24],
)
def test_what_json_cannot_say_is_answered(argument: str) -> None:
    got: Any
    try:
        got = read(MSGPACK, event(argument))
    except ProtocolError:
        assert argument.startswith("93")  # the arrays do not end
        return
    assert isinstance(got, Invalid)
    assert (got.type, got.namespace, got.id, got.field) == (EVENT, "/", None, "data")
    assert got.code in (ErrorCode.INVALID_DATA, ErrorCode.LIMIT_EXCEEDED)


NO_NAMESPACES: list[Any] = [None, 1, b"/", "", "a", "/a,b", "/\x1e", "/" + "a" * 128]
NO_EVENTS: list[Any] = [None, {}, "x", 1, b"x", [], [None], [True], [["x"]], [b"x"]]


@pytest.mark.parametrize(
    "wire",
    [
        *[{"type": kind, "nsp": "/", "data": ["x"]} for kind in (-1, 5, 6, 9, 2.0, "2", True, None, [2])],
        *[{"type": kind, "nsp": "/"} for kind in (True, False, 0.0)],
        {"nsp": "/", "data": ["x"]},
        *[{"type": 2, "nsp": name, "data": ["x"]} for name in NO_NAMESPACES],
        {"type": 2, "data": ["x"]},
        *[{"type": 2, "nsp": "/", "data": ["x"], "id": id} for id in (-1, 2**53, 1.0, "1", True, None, [1])],
        *[{"type": 2, "nsp": "/", "data": data} for data in NO_EVENTS],
        *[{"type": 2, "nsp": "/", "data": [name]} for name in ("connect", "disconnect", "newListener")],
        {"type": 2, "nsp": "/", "data": [{"toString": "foo"}]},
        {"type": 2, "nsp": "/"},
        {"type": 3, "nsp": "/"},
        {"type": 3, "nsp": "/", "data": {}},
        {"type": 0, "nsp": "/", "data": []},
        {"type": 0, "nsp": "/admin", "data": "invalid"},
        {"type": 0, "nsp": "/", "data": {"a": b"bytes"}},
        {"type": 1, "nsp": "/", "data": {}},
        {"type": 4, "nsp": "/", "data": []},
        {"type": 4, "nsp": "/"},
        {"type": 4, "nsp": "/", "data": {"a": b"bytes"}},
        {"type": 2, "nsp": "/", "data": ["x", *[b""] * 11]},
        {"type": 2, "nsp": "/", "data": ["x", bytes(4_000_001)]},
        {"type": 2, "nsp": "/", "data": ["x", b"a", {"_placeholder": True, "num": 0}]},
        {"type": 2, "nsp": "/", "data": ["x", b"a", {"_placeholder": True, "num": 1}]},
        [],
        None,
        2,
        "2",
        b"",
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_what_is_no_packet_ends_the_connection(wire: Any) -> None:
    with pytest.raises(ProtocolError):
        read(MSGPACK, msgspec.msgpack.encode(wire))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xc1",
        b"\x81\xa1a",
        event() + b"\0",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 60_000 + b"\xc0",
        event("a1ff"),
        event("a3eda080"),
        event("81d4000001"),  # an extension as a key
        event("d5ff0000"),  # a timestamp of no length that there is
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_broken_messagepack_ends_the_connection(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(MSGPACK, raw)


def test_text_ends_the_connection() -> None:
    with pytest.raises(ProtocolError):
        MSGPACK.decoder().feed(b'2["x"]', False)


@pytest.mark.parametrize("raw", [as_msgpack(sent) for _, sent in FORMS], ids=lambda raw: repr(raw)[:40])
def test_a_packet_cut_at_any_byte_is_refused(raw: bytes) -> None:
    for at in range(len(raw)):
        for part in (raw[:at], raw[at:] if at else b""):
            with pytest.raises(ProtocolError):
                read(MSGPACK, part)


def test_numbers_beyond_64_bits_are_doubles() -> None:
    (payload,) = MSGPACK.encode(packet(EVENT, data=b'["x",{"a":[18446744073709551616]},-1e3,1]'))
    assert msgspec.msgpack.decode(payload.data)["data"] == ["x", {"a": [2.0**64]}, -1000.0, 1]


def test_a_packet_with_a_wrong_placeholder_is_not_written() -> None:
    with pytest.raises(ProtocolError):
        MSGPACK.encode(packet(EVENT, data=b'["x",{"_placeholder":true,"num":1}]', attachments=(b"a",)))


def test_parsers_are_values() -> None:
    assert MessagePackParser() == MSGPACK
    assert hash(MessagePackParser()) == hash(MSGPACK)
    assert MSGPACK.name == "msgpack"


# --- every kind of MessagePack among extensions ---------------------------------------------------------------


def pieces(chance: random.Random) -> Iterator[tuple[bytes, Any]]:
    """MessagePack of every width, and the JSON value or the bytes that it must become."""
    while True:
        size = chance.choice((0, 1, 7, 31, 32, 255, 256, 65_536))
        number = chance.choice(
            (0, 1, -1, -33, 127, 128, -129, 256, 65_536, -65_537, 2**32, -(2**31) - 1, 2**53)
        )
        fields = {str(each): each for each in range(chance.choice((0, 1, 16)))}
        for value in ("é" * size, bytes(size), number, 1.5, None, True, fields, list(range(size % 1000))):
            yield msgspec.msgpack.encode(value), value
        yield b"\xca\x3f\xc0\0\0", 1.5
        yield b"\xd4\0\0", None
        yield b"\xd7\0" + bytes(5) + b"\xc7\1\0", "1970-01-01T03:37:21.920Z"
        yield b"\xc7\1\0\0", b"\0"
        yield b"\xc7\x08\0" + bytes(8), bytes(8)
        yield msgspec.msgpack.encode(Ext(0, bytes(size + 9))), bytes(size + 9)


@pytest.mark.parametrize("seed", range(4))
def test_an_array_buffer_is_told_from_undefined_wherever_it_is(seed: int) -> None:
    chance = random.Random(seed)
    kinds = pieces(chance)
    for _ in range(60):
        chosen = [next(kinds) for _ in range(40)]
        chance.shuffle(chosen)
        taken: list[tuple[bytes, Any]] = []
        room = 8
        for wire, value in chosen:
            room -= isinstance(value, bytes)
            if room >= 0 or not isinstance(value, bytes):
                taken.append((wire, value))
        count = len(taken).to_bytes(2, "big")
        got = read(
            MSGPACK,
            b"\x83\xa4type\x03\xa3nsp\xa1/\xa4data\xdc" + count + b"".join([each for each, _ in taken]),
        )
        assert isinstance(got, Packet)
        assert got.attachments == tuple(value for _, value in taken if isinstance(value, bytes))
        left = iter(range(len(got.attachments)))
        assert got.value == [
            {"_placeholder": True, "num": next(left)} if isinstance(value, bytes) else value
            for _, value in taken
        ]
