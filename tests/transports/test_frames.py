"""RFC 6455 frames, server side: Autobahn's cases, limits, memory, properties, oracles, mutation."""

from __future__ import annotations

import random
import sys
import tracemalloc
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.transports.autobahn import COMPRESSED, DEFLATE, KOSME, TABLE, fragments
from tests.transports.wire import (
    BINARY,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    Outcome,
    close,
    deliveries,
    masked,
    outcome,
    parser,
    retained,
)
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.speedups import apply_mask
from websockets.uri import parse_uri

from hubbub.transports import frames
from hubbub.transports.frames import (
    Binary,
    Close,
    Event,
    FrameError,
    FrameParser,
    Ping,
    Pong,
    Text,
    xor_mask,
)


@pytest.mark.parametrize("name", TABLE)
def test_case_is_judged_alike_however_it_is_cut(name: str) -> None:
    data, events, fault = TABLE[name]
    for chunks in deliveries(data):
        assert outcome(parser(), chunks) == Outcome(events, fault), [len(chunk) for chunk in chunks]


# --- failing early ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parts",
    [
        (KOSME + b"\xf4\x90", b"\x80\x80edited"),
        (KOSME + b"\xf4", b"\x90"),
        (b"\xed\xa0", b"\x80"),
        (b"\xe0", b"\x80"),
    ],
)
def test_invalid_text_fails_with_its_fragment(parts: tuple[bytes, ...]) -> None:
    """Autobahn 6.3.2, 6.4.1, 6.4.2: the message need not be over to be wrong."""
    stream = [masked(CONTINUATION if i else TEXT, part, fin=False) for i, part in enumerate(parts)]
    assert outcome(parser(), stream) == Outcome((), 1007)


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        (b"\xf1\x80", 1002),
        (b"\x83\x80", 1002),
        (b"\x81\x05", 1002),
        (b"\x89\xfe", 1002),
        (b"\x09\x80", 1002),
        (b"\x80\x80", 1002),
        (b"\x82\xfe\x04\x01", 1009),
        (b"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00", 1009),
    ],
)
def test_header_is_judged_before_anything_of_the_body_has_come(header: bytes, fault: int) -> None:
    assert outcome(parser(max_message=1024), [header]) == Outcome((), fault)


# --- limits (Autobahn 9) ----------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 125, 126, 1000, 65535, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_message_of_the_limit_passes_and_one_byte_more_does_not(limit: int, opcode: int) -> None:
    kind = Text if opcode == TEXT else Binary
    good, bad = b"." * limit, b"." * (limit + 1)
    half = limit // 2
    for data in (masked(opcode, good), fragments(opcode, good[:half], good[half:], b"")):
        assert outcome(parser(limit), [data]) == Outcome((kind(good),))
    for data in (
        masked(opcode, bad),
        fragments(opcode, bad[:half], bad[half:]),
        fragments(opcode, good, b"."),
    ):
        for chunks in ([data], [data[:3], data[3:]]):
            assert outcome(parser(limit), chunks) == Outcome((), 1009)


def test_control_frames_do_not_count_against_the_limit() -> None:
    stream = [masked(TEXT, b"1234", fin=False), masked(PING, b"." * 125), masked(CONTINUATION, b"5")]
    assert outcome(parser(5), stream) == Outcome((Ping(b"." * 125), Text(b"12345")))


def test_the_limit_is_whole_again_for_the_next_message() -> None:
    stream = fragments(TEXT, b"123", b"45") + fragments(TEXT, b"678", b"90") + masked(TEXT, b"12345")
    assert outcome(parser(5), [stream]) == Outcome((Text(b"12345"), Text(b"67890"), Text(b"12345")))


def test_fragments_are_counted_even_if_empty() -> None:
    assert outcome(parser(max_fragments=3), [fragments(TEXT, b"", b"", b"")]) == Outcome((Text(b""),))
    assert outcome(parser(max_fragments=3), [fragments(TEXT, b"", b"", b"", b"")]) == Outcome((), 1009)
    assert outcome(parser(max_fragments=1), [fragments(TEXT, b"", b"")]) == Outcome((), 1009)


def test_a_million_empty_fragments_end_at_the_limit() -> None:
    stream = [masked(TEXT, fin=False), *[masked(CONTINUATION, fin=False)] * 1_000_000]
    subject = parser(max_fragments=64)
    for frame in stream[:64]:
        subject.feed(frame)
    assert outcome(subject, stream[64:65]) == Outcome((), 1009)
    assert outcome(subject, stream[65:]) == Outcome(())
    assert retained(subject) == 0


def test_memory_held_for_an_unfinished_message_stays_within_the_limit() -> None:
    limit = 1 << 16
    subject = FrameParser(limit, 1 << 20)
    start, part = masked(BINARY, b"x", fin=False), masked(CONTINUATION, b"x", fin=False)
    subject.feed(start)
    tracemalloc.start()
    try:
        block = part * 1000
        for _ in range(limit // 1000):
            subject.feed(block)
        with pytest.raises(FrameError) as fault:
            subject.feed(block)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fault.value.disconnect.code == 1009
    assert peak < 3 * limit, "fragments are joined, not kept as objects"
    assert retained(subject) == 0


def test_an_incomplete_frame_holds_only_what_has_come() -> None:
    subject = parser(1 << 17)
    frame = masked(BINARY, b"." * (1 << 17))
    for at in range(0, len(frame) - 4096, 4096):
        assert subject.feed(frame[at : at + 4096]) == []
        assert retained(subject) == at + 4096
    assert subject.feed(frame[retained(subject) :] + b"\x81") == [Binary(b"." * (1 << 17))]
    assert retained(subject) == 1


def test_an_idle_parser_is_small_and_gives_all_memory_back() -> None:
    subject = parser()
    idle = sys.getsizeof(subject)
    stream = fragments(TEXT, b"a" * 3000, b"b" * 3000)
    outcome(subject, [stream[at : at + 1] for at in range(len(stream))])
    assert (subject._held, subject._message) == (None, None)
    assert idle <= 96


# --- the end ----------------------------------------------------------------------------------------------


def test_nothing_is_read_after_a_close() -> None:
    subject = parser()
    assert subject.feed(masked(TEXT, b"1", fin=False) + close(1001) + masked(TEXT, b"x")) == [Close(1001, "")]
    assert subject.feed(masked(TEXT, b"y")) == []
    assert subject.feed(b"\xff" * 100) == []
    assert retained(subject) == 0


def test_nothing_is_read_after_a_fault_and_what_came_before_it_is_told() -> None:
    subject = parser()
    with pytest.raises(FrameError) as fault:
        subject.feed(masked(TEXT, b"a") + masked(PING, b"b") + b"\x83\x80" + masked(TEXT, b"c"))
    assert fault.value.events == (Text(b"a"), Ping(b"b"))
    assert subject.feed(masked(TEXT, b"d")) == []
    assert retained(subject) == 0


def test_events_are_own_bytes() -> None:
    """An event must not be a view of a buffer that is about to be reused, nor a bytearray."""
    for chunks in deliveries(
        fragments(TEXT, b"ab", b"c") + masked(BINARY, b"." * 10000) + masked(PING, b"x")
    ):
        for event in outcome(parser(), chunks).events:
            assert not isinstance(event, Close)
            assert type(event.data) is bytes


# --- masks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04", MASK])
def test_any_mask_is_undone(mask: bytes) -> None:
    assert outcome(parser(), [masked(TEXT, b"Hello, world", mask=mask)]) == Outcome((Text(b"Hello, world"),))


@given(st.binary(max_size=70), st.binary(min_size=4, max_size=4))
def test_fallback_mask_is_the_c_function(data: bytes, mask: bytes) -> None:
    assert xor_mask(data, mask) == apply_mask(data, mask) == xor_mask(memoryview(data), bytearray(mask))


def test_parser_works_without_the_c_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "apply_mask", xor_mask)
    stream = masked(TEXT, b"Hello") + masked(BINARY, b"x" * 20000) + masked(PING)
    expected = Outcome((Text(b"Hello"), Binary(b"x" * 20000), Ping(b"")))
    assert all(outcome(parser(), chunks) == expected for chunks in deliveries(stream))


# --- compression ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_case_is_judged_alike_however_it_is_cut(name: str) -> None:
    data, events, fault = COMPRESSED[name]
    for chunks in deliveries(data):
        assert outcome(parser(1000, inflater=DEFLATE), chunks) == Outcome(events, fault)


def test_deflate_bomb_stays_flat() -> None:
    """300 kB that would inflate to 300 MB, with a limit of 1 MiB (websocket stacks have grown by 190 MB here)."""
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    bomb = masked(BINARY, block * 300, rsv=4)
    assert 300_000 < len(bomb) < 330_000
    subject = parser(1 << 20, inflater=DEFLATE)
    tracemalloc.start()
    try:
        result = outcome(subject, [bomb])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result == Outcome((), 1009)
    assert peak < 4 << 20


# --- properties and oracles -------------------------------------------------------------------------------


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, tuple[Event, ...]]:
    """What a well-behaved client may send: messages in fragments, control frames anywhere; and what they mean."""
    data = b""
    events: list[Event] = []

    def controls() -> bytes:
        out = b""
        for body in draw(st.lists(st.binary(max_size=125), max_size=2)):
            ping = draw(st.booleans())
            out += masked(PING if ping else PONG, body, mask=draw(st.binary(min_size=4, max_size=4)))
            events.append(Ping(body) if ping else Pong(body))
        return out

    for _ in range(draw(st.integers(0, 4))):
        text = draw(st.booleans())
        body = draw(st.text(max_size=200)).encode() if text else draw(st.binary(max_size=400))
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=3)))
        parts = [body[a:b] for a, b in pairwise([0, *cuts, len(body)])]
        data += controls()
        for i, part in enumerate(parts):
            opcode = CONTINUATION if i else TEXT if text else BINARY
            data += masked(
                opcode, part, fin=i == len(parts) - 1, mask=draw(st.binary(min_size=4, max_size=4))
            )
            if i < len(parts) - 1:
                data += controls()
        events.append(Text(body) if text else Binary(body))
    return data, tuple(events)


@given(streams(), st.lists(st.integers(0, 2000), max_size=6))
@settings(deadline=None)
def test_every_legal_stream_is_understood(stream: tuple[bytes, tuple[Event, ...]], cuts: list[int]) -> None:
    data, events = stream
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert outcome(parser(), [data[a:b] for a, b in pairwise(edges)]) == Outcome(events)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("text"), st.text(max_size=300)),
            st.tuples(st.just("binary"), st.binary(max_size=300)),
            st.tuples(st.just("ping"), st.binary(max_size=125)),
            st.tuples(st.just("pong"), st.binary(max_size=125)),
        ),
        max_size=5,
    ),
    st.sampled_from([1000, 1001, 3000, 4999]),
    st.text(max_size=30),
)
@settings(deadline=None)
def test_what_a_real_client_sends_is_understood(
    sent: list[tuple[str, str | bytes]], code: int, reason: str
) -> None:
    """The oracle makes the frames: websockets' client protocol, with its own random masks."""
    client = ClientProtocol(parse_uri("ws://localhost/"), state=OPEN)
    expected: list[Event] = []
    for kind, value in sent:
        data = value.encode() if isinstance(value, str) else value
        match kind:
            case "text":
                client.send_text(data)
                expected.append(Text(data))
            case "binary":
                client.send_binary(data)
                expected.append(Binary(data))
            case "ping":
                client.send_ping(data)
                expected.append(Ping(data))
            case _:
                client.send_pong(data)
                expected.append(Pong(data))
    client.send_close(code, reason)
    expected.append(Close(code, reason))
    assert outcome(parser(), client.data_to_send()) == Outcome(tuple(expected))


def mutants(seed: int, count: int) -> list[bytes]:
    """Legal streams with a few bytes changed, lost, doubled or moved; mutations favour the headers."""
    chance = random.Random(seed)
    pool = [data for data, _, fault in (TABLE | COMPRESSED).values() if fault is None and len(data) < 300]
    made = []
    for _ in range(count):
        stream = bytearray(b"".join(chance.choices(pool, k=chance.randint(1, 4))))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(stream) + 1)
            match chance.randrange(5):
                case 0 | 1 if at < len(stream):
                    stream[at] ^= 1 << chance.randrange(8)
                case 2:
                    del stream[at : at + chance.randint(1, 4)]
                case 3:
                    stream[at:at] = chance.randbytes(chance.randint(1, 4))
                case _:
                    stream[at:at] = stream[: chance.randint(1, 10)]
        made.append(bytes(stream))
    return made


@pytest.mark.parametrize("seed", range(8))
def test_mutated_streams_do_no_harm(seed: int) -> None:
    """Whatever bytes come: the only exception is FrameError; no more is kept than the longest message, a header
    and a control frame; the events and the verdict are the same however the stream is cut."""
    chance = random.Random(~seed)
    for data in mutants(seed, 300):
        whole = outcome(parser(200, 8, DEFLATE), [data])
        subject = parser(200, 8, DEFLATE)
        events: list[Event] = []
        fault = None
        at = 0
        while at < len(data) and fault is None:
            step = chance.choice((1, 2, 3, 7, 50))
            try:
                events += subject.feed(data[at : at + step])
            except FrameError as error:
                events += error.events
                fault = error.disconnect.code
            at += step
            assert retained(subject) <= 200 + 14 + 131
        assert Outcome(tuple(events), fault) == whole, data.hex()


def oracle(data: bytes) -> Outcome:
    """The same stream as websockets' server protocol sees it; it leaves UTF-8 in messages to its callers."""
    server = ServerProtocol(state=OPEN, max_size=LIMIT)
    server.receive_data(data)
    events: list[Event] = []
    message, text = b"", False
    for frame in server.events_received():
        assert isinstance(frame, Frame)
        body = bytes(frame.data)
        match frame.opcode:
            case Opcode.PING:
                events.append(Ping(body))
            case Opcode.PONG:
                events.append(Pong(body))
            case Opcode.CLOSE:
                pass
            case opcode:
                text = text if opcode is Opcode.CONT else opcode is Opcode.TEXT
                message = message + body if opcode is Opcode.CONT else body
                if frame.fin:
                    events.append(Text(message) if text else Binary(message))
    if server.close_rcvd is not None:
        # Even where it stands between fragments, which websockets refuses and RFC 6455, section 5.4, allows.
        return Outcome((*events, Close(int(server.close_rcvd.code), server.close_rcvd.reason)))
    assert server.parser_exc is not None
    return Outcome(tuple(events), 1002)


LIMIT = 2000
FILLER = bytes(2 * LIMIT)
"""Completes any frame that was cut, and then is refused by everyone."""


@pytest.mark.parametrize("seed", range(100, 108))
def test_mutated_streams_are_judged_as_websockets_judges_them(seed: int) -> None:
    """What websockets refuses, we refuse, after the same events; and what we read, it reads alike. We are stricter
    in two things only: text must be UTF-8, and lengths must be encoded in the fewest bytes."""
    agreed = 0
    for data in mutants(seed, 300):
        theirs = oracle(data + FILLER)
        ours = parser(LIMIT)
        try:
            events, fault = ours.feed(data + FILLER), ""
        except FrameError as error:
            events, fault = list(error.events), str(error)
        if fault in ("text is not UTF-8", "wrongly encoded length"):
            assert tuple(events) == theirs.events[: len(events)], data.hex()
        else:
            assert (tuple(events), bool(fault)) == (theirs.events, bool(theirs.fault)), data.hex()
            agreed += 1
    assert agreed > 100
