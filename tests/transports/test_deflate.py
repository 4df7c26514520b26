"""permessage-deflate (RFC 7692): the RFC's examples, hostile streams, offers; websockets as the oracle."""

from __future__ import annotations

import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension

from hubbub.transports.deflate import Deflate, negotiate
from hubbub.transports.frames import FrameError

BASE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
DEFLATE = Deflate(6)


def fault(data: bytes, limit: int = 1000) -> int:
    with pytest.raises(FrameError) as error:
        DEFLATE.inflate(data, limit)
    return error.value.disconnect.code


@pytest.mark.parametrize(
    ("compressed", "message"),
    [
        ("f2 48 cd c9 c9 07 00", b"Hello"),  # RFC 7692, 7.2.3.1
        ("00 05 00 fa ff 48 65 6c 6c 6f 00", b"Hello"),  # 7.2.3.3: no compression
        ("f3 48 cd c9 c9 07 00 00", b"Hello"),  # 7.2.3.4: a last block
        ("f2 48 05 00 00 00 ff ff ca c9 c9 07 00", b"Hello"),  # 7.2.3.5: two blocks
        ("00", b""),  # 7.2.3.6: an empty message
        ("02 00", b""),
        ("03 00 00", b""),
    ],
)
def test_inflate_literal(compressed: str, message: bytes) -> None:
    assert DEFLATE.inflate(bytes.fromhex(compressed), 5) == message


@pytest.mark.parametrize(
    "compressed",
    [
        "",
        "ff",
        "ff ff ff ff",
        "06",  # a block of the reserved type
        "00 05 00 00 00 48",  # a stored block whose lengths disagree
        "00 40 00 bf ff 48",  # a stored block of 64 bytes, cut
        "f2 48 cd c9",  # cut within a block
        "f2 48 cd c9 c9 07",
        "f3 48 cd c9 c9 07 00",  # a last block without the empty one behind it
        "f3 48 cd c9 c9 07 00 00 00",
        "f3 48 cd c9 c9 07 00 f3 48 cd c9 c9 07 00 00",  # goes on after the last block
        "78 9c f2 48 cd c9 c9 07 00",  # a zlib header
    ],
)
def test_broken_stream_is_a_protocol_error(compressed: str) -> None:
    assert fault(bytes.fromhex(compressed)) == 1002


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_limit_is_exact(size: int) -> None:
    assert DEFLATE.inflate(DEFLATE.compress(b"x" * size), size) == b"x" * size
    assert fault(DEFLATE.compress(b"x" * (size + 1)), size) == 1009


def test_a_bomb_is_not_inflated() -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)) * 300
    tracemalloc.start()
    try:
        assert fault(bomb, 1 << 16) == 1009
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 << 20


def test_a_message_is_compressed_alike_whatever_went_before() -> None:
    """No context takeover: that is what lets a group share one frame."""
    first = DEFLATE.compress(b"Hello" * 50)
    assert DEFLATE.compress(b"Hello" * 50) == first
    assert Deflate(6) == DEFLATE
    assert hash(DEFLATE) == hash(Deflate(6))


@given(st.binary(max_size=2000), st.integers(0, 9), st.integers(9, 15))
def test_round_trip(message: bytes, level: int, bits: int) -> None:
    assert Deflate(level, bits).inflate(Deflate(level, bits).compress(message), len(message)) == message


@pytest.mark.parametrize("bits", range(9, 16))
def test_window_is_kept(bits: int) -> None:
    """What is compressed for a small window can be inflated with one: piece by piece, or zlib would look back
    into its output instead."""
    block = random.Random(bits).randbytes(400)
    message = block + bytes(3 << bits) + block + block
    stream = zlib.decompressobj(-bits)
    rest = Deflate(9, bits).compress(message) + b"\x00\x00\xff\xff"
    pieces: list[bytes] = []
    while rest or pieces[-1]:
        pieces.append(stream.decompress(rest, 50))
        rest = stream.unconsumed_tail
    assert b"".join(pieces) == message


@pytest.mark.parametrize("seed", range(5))
def test_mutated_streams_raise_frame_errors_only(seed: int) -> None:
    """Whatever the bytes: a message within the limit, or FrameError with 1002 or 1009. And some are of each kind."""
    chance = random.Random(seed)
    verdicts: set[int] = set()
    for _ in range(500):
        data = bytearray(DEFLATE.compress(chance.randbytes(20) * chance.randint(1, 40)))
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            verdicts.add(len(DEFLATE.inflate(bytes(data), 500)) <= 500)
        except FrameError as error:
            verdicts.add(error.disconnect.code)
    assert verdicts == {True, 1002, 1009}


@pytest.mark.parametrize(
    ("offer", "response", "bits"),
    [
        ("permessage-deflate", BASE, 15),
        ("permessage-deflate; client_max_window_bits", BASE, 15),  # Chrome, Firefox, Safari
        ("permessage-deflate;client_max_window_bits=8", BASE, 15),
        ("permessage-deflate; client_max_window_bits=15; server_no_context_takeover", BASE, 15),
        ("permessage-deflate; client_no_context_takeover", BASE, 15),
        ("permessage-deflate; server_max_window_bits=10", BASE + "; server_max_window_bits=10", 10),
        ("permessage-deflate; server_max_window_bits=15", BASE + "; server_max_window_bits=15", 15),
        ('permessage-deflate ; server_max_window_bits = "12"', BASE + "; server_max_window_bits=12", 12),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", BASE, 15),
        (
            "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=9",
            BASE + "; server_max_window_bits=9",
            9,
        ),
        ("x-webkit-deflate-frame, permessage-deflate", BASE, 15),
        ('foo; bar=1; baz="q", permessage-deflate', BASE, 15),
        (", permessage-deflate,,", BASE, 15),
    ],
)
def test_offer_is_taken(offer: str, response: str, bits: int) -> None:
    assert negotiate(offer, 6) == (response, Deflate(6, bits))


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "   ",
        "foo",
        "x-webkit-deflate-frame",
        "permessage-deflate; unknown",
        "permessage-deflate; unknown=1",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=-10",
        "permessage-deflate; server_max_window_bits=١٠",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=x",
        "PERMESSAGE-DEFLATE; server_max_window_bits=99",
        "permessage-deflate; =1",
        "permessage-deflate;",
        "permessage-deflate; a b",
        'permessage-deflate; server_max_window_bits="10',
        "permessage-deflate, broken; =",
        "permessage-deflate" + "; a" * 5000 + "!\x00",
    ],
)
def test_offer_is_declined(offer: str) -> None:
    assert negotiate(offer, 6) is None


@pytest.mark.parametrize("server_bits", [None, 9, 12, 15])
@pytest.mark.parametrize("client_bits", [None, True, 9, 15])
def test_a_client_agrees_to_the_response(server_bits: int | None, client_bits: int | bool | None) -> None:
    factory = ClientPerMessageDeflateFactory(
        server_max_window_bits=server_bits, client_max_window_bits=client_bits
    )
    offer = build_extension([(factory.name, factory.get_request_params())])
    agreed = negotiate(offer, 6)
    assert agreed is not None
    ((name, parameters),) = parse_extension(agreed[0])
    assert name == factory.name
    extension = factory.process_response_params(parameters, [])
    assert extension.remote_no_context_takeover
    assert extension.local_no_context_takeover
    assert extension.remote_max_window_bits == agreed[1].window_bits
