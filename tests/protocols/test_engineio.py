from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.mutating import mutate

from hubbub.errors import ErrorCode, ProtocolError
from hubbub.protocols import engineio
from hubbub.protocols.base import Payload
from hubbub.protocols.engineio import Packet, PacketType

BYTES = b"\x01\x02\x03\x04"

# --- literal bytes --------------------------------------------------------------------------------------------

PACKETS: list[tuple[bytes, Packet]] = [
    (
        b'0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,'
        b'"maxPayload":1000000}',
        Packet(
            PacketType.OPEN,
            b'{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,'
            b'"maxPayload":1000000}',
        ),
    ),
    (b"1", Packet(PacketType.CLOSE)),
    (b"2", Packet(PacketType.PING)),
    (b"2probe", Packet(PacketType.PING, b"probe")),
    (b"3", Packet(PacketType.PONG)),
    (b"3probe", Packet(PacketType.PONG, b"probe")),
    (b"4", Packet(PacketType.MESSAGE)),
    (b"4hello", Packet(PacketType.MESSAGE, b"hello")),
    (b"4\xe2\x82\xac", Packet(PacketType.MESSAGE, "€".encode())),
    (b'42["x",1]', Packet(PacketType.MESSAGE, b'2["x",1]')),
    (b"5", Packet(PacketType.UPGRADE)),
    (b"6", Packet(PacketType.NOOP)),
    (b"bAQIDBA==", Packet(PacketType.MESSAGE, BYTES, True)),
    (b"b", Packet(PacketType.MESSAGE, b"", True)),
]


@pytest.mark.parametrize(("raw", "packet"), PACKETS, ids=lambda value: repr(value)[:12])
def test_packets(raw: bytes, packet: Packet) -> None:
    assert engineio.decode(raw, False) == packet
    assert engineio.decode_payload(raw, packets=1) == (packet,)


@pytest.mark.parametrize("raw", [b"", BYTES, b"4", b"bAA==", b"\xff\x1e"])
def test_a_binary_websocket_message_is_a_message_as_it_is(raw: bytes) -> None:
    assert engineio.decode(raw, True) == Packet(PacketType.MESSAGE, raw, True)


def test_the_packets_that_have_nothing_to_say_are_what_they_are_called() -> None:
    for raw, kind, data in (
        (engineio.CLOSE, PacketType.CLOSE, b""),
        (engineio.PING, PacketType.PING, b""),
        (engineio.PONG, PacketType.PONG, b""),
        (engineio.UPGRADE, PacketType.UPGRADE, b""),
        (engineio.NOOP, PacketType.NOOP, b""),
        (engineio.PROBE, PacketType.PING, b"probe"),
        (engineio.PROBE_ANSWER, PacketType.PONG, b"probe"),
    ):
        assert engineio.decode(raw, False) == Packet(kind, data)


def test_the_opening_packet_is_that_of_the_reference_to_the_byte() -> None:
    assert engineio.open_packet(
        "lv_VI97HAXpY6yYWAAAC",
        upgrades=("websocket",),
        ping_interval=25,
        ping_timeout=20.0,
        max_payload=1_000_000,
    ) == (
        b'0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,'
        b'"maxPayload":1000000}'
    )
    assert (
        engineio.open_packet("s", upgrades=(), ping_interval=0.3, ping_timeout=0.2999, max_payload=1)
        == b'0{"sid":"s","upgrades":[],"pingInterval":300,"pingTimeout":300,"maxPayload":1}'
    )


def test_a_payload_of_several_packets() -> None:
    body = b"4hello\x1e2\x1e4\xe2\x82\xac\x1ebAQIDBA==\x1e1"
    assert engineio.decode_payload(body, packets=5) == (
        Packet(PacketType.MESSAGE, b"hello"),
        Packet(PacketType.PING),
        Packet(PacketType.MESSAGE, "€".encode()),
        Packet(PacketType.MESSAGE, BYTES, True),
        Packet(PacketType.CLOSE),
    )


def test_polling_answers() -> None:
    assert engineio.poll([Payload(b'42["x"]')]) == b'42["x"]'
    assert engineio.poll([Payload(BYTES, True)]) == b"bAQIDBA=="
    assert engineio.poll([Payload(b""), Payload(b"", True)]) == b"\x1eb"
    assert engineio.poll([Payload(b'451-["x"]'), Payload(BYTES, True), Payload(b"2")]) == (
        b'451-["x"]\x1ebAQIDBA==\x1e2'
    )
    assert engineio.poll([Payload(bytes(100), True)]) == b"b" + b"A" * 134 + b"=="  # in one line


def test_what_waits_at_an_upgrade_is_taken_apart_again() -> None:
    assert engineio.split(b"") == []
    assert engineio.split(b"2") == [b"2"]
    assert engineio.split(b'451-["x"]\x1ebAQIDBA==\x1e2') == [b'451-["x"]', b"bAQIDBA==", b"2"]
    assert engineio.to_payload(b'42["b"]') == Payload(b'42["b"]')
    assert engineio.to_payload(b"bAQIDBA==") == Payload(BYTES, True)
    assert engineio.to_payload(b"b") == Payload(b"", True)


def test_the_framing_can_be_part_of_a_groups_key() -> None:
    assert hash(engineio.poll) == hash(engineio.poll)


# --- hostile --------------------------------------------------------------------------------------------------

BAD_BASE64 = [
    b"bA", b"bAA", b"bAAA", b"bA===", b"bAA=", b"bAA==A", b"bAA==AA==", b"b=", b"b====", b"bA A=", b"bAA==\n",
    b"bAA==\r\n", b"b-_AA", b"b\xffAA=", "bÄA==".encode(), b"b\x00AA=",
]  # fmt: skip


@pytest.mark.parametrize(
    "raw", [b"", b"7", b"9", b"94103", b":::", b" 2", b"B", b"\x00", b"\xff", b"-1", b"a", b"{", *BAD_BASE64]
)
def test_what_is_no_packet_ends_the_connection(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        engineio.decode(raw, False)
    with pytest.raises(ProtocolError):
        engineio.decode_payload(raw, packets=1)


@pytest.mark.parametrize("raw", BAD_BASE64)
def test_no_bad_base64_is_upgraded(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        engineio.to_payload(raw)


@pytest.mark.parametrize("raw", [b"4\xff", b"2\x1e4\xc3", b"4\xed\xa0\x80", b"4a\x1e4\xc0\x80"])
def test_a_payload_that_is_not_utf8_is_refused_as_a_whole(raw: bytes) -> None:
    with pytest.raises(ProtocolError) as failure:
        engineio.decode_payload(raw, packets=5)
    assert failure.value.commands == ()


@pytest.mark.parametrize(
    ("raw", "before"),
    [
        (b"4a\x1e4b\x1e9\x1e4c", [b"a", b"b"]),
        (b"4a\x1e", [b"a"]),
        (b"\x1e4a", []),
        (b"4a\x1e\x1e4b", [b"a"]),
        (b"4a\x1ebA", [b"a"]),
    ],
)
def test_packets_before_a_broken_one_are_not_lost(raw: bytes, before: list[bytes]) -> None:
    with pytest.raises(ProtocolError) as failure:
        engineio.decode_payload(raw, packets=5)
    assert [each.data for each in failure.value.commands] == before


def test_a_payload_holds_no_more_packets_than_allowed() -> None:
    assert len(engineio.decode_payload(b"4\x1e4\x1e4", packets=3)) == 3
    for body in (b"4\x1e4\x1e4\x1e4", b"\x1e" * 100_000):
        with pytest.raises(ProtocolError) as failure:
            engineio.decode_payload(body, packets=3)
        assert failure.value.code is ErrorCode.LIMIT_EXCEEDED
        assert failure.value.commands == ()


def test_a_packet_cut_at_any_byte_is_another_packet_or_refused() -> None:
    for raw, packet in PACKETS:
        for at in range(len(raw)):
            for part in (raw[:at], raw[at:]) if at else (b"",):
                try:
                    engineio.decode(part, False)
                    again = engineio.decode_payload(part, packets=2)
                except ProtocolError:
                    continue
                assert len(again) == 1
                assert again[0] != packet or part == raw


# --- properties -----------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_characters="\x1e", exclude_categories=["Cs"])).map(str.encode)
payloads = st.builds(Payload, texts.map(lambda text: b"4" + text)) | st.builds(
    Payload, st.binary(), st.just(True)
)


@given(st.lists(payloads, min_size=1, max_size=5))
def test_what_a_poll_says_is_read_as_it_was_meant(sent: list[Payload]) -> None:
    body = engineio.poll(sent)
    assert [engineio.to_payload(each) for each in engineio.split(body)] == sent
    read = engineio.decode_payload(body, packets=len(sent))
    assert [(each.data, each.binary) for each in read] == [
        (each.data if each.binary else each.data[1:], each.binary) for each in sent
    ]


INSERTS = (b"\xff", b"\x1e", b"\x1e" * 20, b"b", b"=", b"9", b"\x00", b"probe")


@pytest.mark.parametrize("seed", range(4))
def test_whatever_arrives_only_a_protocol_error_comes_out(seed: int) -> None:
    """Only ProtocolError is raised; what is accepted is no larger than what came, and no more than was allowed."""
    chance = random.Random(seed)
    raws = [raw for raw, _ in PACKETS]
    counts: dict[str, int] = {"accepted": 0, "refused": 0}
    for _ in range(2000):
        body = engineio.SEPARATOR.join(chance.choices(raws, k=chance.randint(1, 4)))
        body = mutate(chance, body, raws, INSERTS)
        packets: Any
        try:
            packets = engineio.decode_payload(body, packets=6)
        except ProtocolError as error:
            counts["refused"] += 1
            packets = error.commands
        else:
            counts["accepted"] += 1
        assert len(packets) <= 6
        assert sum(len(each.data) for each in packets) <= len(body)
        assert all(type(each) is Packet for each in packets)
        assert all(each.type is PacketType.MESSAGE for each in packets if each.binary)
    assert min(counts.values()) > 200
