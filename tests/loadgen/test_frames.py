"""Frames: what is counted must not depend on how the bytes were split."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from hubbub.loadgen.frames import PING, TEXT, FrameCounter, FrameReader, masked

SIZES = st.lists(st.sampled_from([0, 1, 2, 125, 126, 127, 128, 300, 65_535, 65_536, 70_000]), max_size=8)
CUTS = st.lists(st.integers(1, 200), max_size=20).map(lambda cuts: [*cuts, 5_000])
unhurried = settings(deadline=None, max_examples=60)


def server_frame(size: int, opcode: Opcode = Opcode.TEXT) -> bytes:
    return Frame(opcode, b"x" * size).serialize(mask=False)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut into lengths that go round `cuts`."""
    parts, at, turn = [], 0, 0
    while at < len(data):
        parts.append(data[at : at + cuts[turn % len(cuts)]])
        at += len(parts[-1])
        turn += 1
    return parts


def finish(parser: Generator[None, None, Frame]) -> Frame:
    """The frame, which must be there already."""
    try:
        next(parser)
    except StopIteration as done:
        frame: Frame = done.value
        return frame
    raise AssertionError("the frame is not whole")


@unhurried
@given(SIZES, CUTS)
def test_counter_counts_the_same_however_the_bytes_are_split(sizes: list[int], cuts: list[int]) -> None:
    counter = FrameCounter()
    buffer = bytearray(5_000)
    counted = 0
    for part in pieces(b"".join(map(server_frame, sizes)), cuts):
        buffer[: len(part)] = part
        counted += counter.feed(buffer, len(part))
    assert counted == sum(size >= 126 for size in sizes)
    assert counter.short == sum(size < 126 for size in sizes)


def test_counter_counts_a_message_only_when_it_is_whole() -> None:
    data = server_frame(128) + server_frame(0, Opcode.PING) + server_frame(128)
    for cut in range(1, len(data)):
        counter = FrameCounter()
        first = counter.feed(data[:cut], cut)
        assert first == (1 if cut >= 132 else 0)
        assert first + counter.feed(data[cut:], len(data) - cut) == 2


@unhurried
@given(SIZES, CUTS)
def test_reader_gives_every_payload_once_and_in_order(sizes: list[int], cuts: list[int]) -> None:
    reader = FrameReader()
    seen = [frame for part in pieces(b"".join(map(server_frame, sizes)), cuts) for frame in reader.feed(part)]
    assert seen == [(TEXT, b"x" * size) for size in sizes]


@pytest.mark.parametrize(
    ("size", "opcode"), [(0, PING), (125, PING), (0, TEXT), (125, TEXT), (126, TEXT), (65_535, TEXT)]
)
def test_client_frames_are_what_the_websockets_library_reads(size: int, opcode: int) -> None:
    payload = bytes(i % 251 for i in range(size))
    stream = StreamReader()
    stream.feed_data(masked(payload, opcode))
    frame = finish(Frame.parse(stream.read_exact, mask=True, max_size=None))
    assert (frame.opcode, frame.data, frame.fin) == (opcode, payload, True)
