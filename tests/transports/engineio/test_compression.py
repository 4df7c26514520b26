"""Compressed answers to polls: when, for whom, and that they come out as they went in."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from tests.transports.engineio.echo import echo_server

from hubbub.transports.engineio.compression import choose, compress

DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (b"", None),
        (b"gzip, deflate", "gzip"),
        (b"gzip, deflate, br, zstd", "gzip"),
        (b"deflate, gzip", "deflate"),
        (b"gzip;q=0.5, deflate;q=0.8", "deflate"),
        (b"gzip;q=0.5, deflate;q=0.5", "gzip"),
        (b"br", None),
        (b"x-gzip", None),
        (b"identity", None),
        (b"*", "gzip"),
        (b"gzip;q=0, *", "deflate"),
        (b"gzip;q=0", None),
        (b"gzip;q=0, deflate;q=0", None),
        (b"*;q=0", None),
        (b"*;q=0, deflate", "deflate"),
        (b"deflate, *", "deflate"),
        (b"GZIP", "gzip"),
        (b"gzip ; q=0.1 , deflate;q=0.01", "gzip"),
        (b"gzip;q=nonsense", None),
        (b"gzip;level=9", "gzip"),
        (b",,;;, gzip", "gzip"),
        (b"\xff\x00", None),
    ],
)
def test_the_choice(accepted: bytes, coding: str | None) -> None:
    assert choose(accepted) == coding


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_compressed_comes_out_again(coding: str) -> None:
    body = b'42["message",{"a":1}]\x1e' * 100
    compressed = compress(coding, body)
    assert len(compressed) < len(body) / 10
    assert DECOMPRESS[coding](compressed) == body


@pytest.mark.anyio
@pytest.mark.parametrize(("size", "coding"), [(99, None), (100, "gzip"), (101, "gzip")])
async def test_answers_at_and_above_the_minimum(size: int, coding: str | None) -> None:
    async with (
        echo_server(socketio={"http_compression_minimum": 100}) as echo,
        await echo.polling() as client,
    ):
        client.client.send(b"x" * (size - 1))
        response = await client.get({"Accept-Encoding": "gzip, deflate"})
        assert response.headers.get("content-encoding") == coding
        assert response.headers["content-type"] == "text/plain; charset=UTF-8"
        body = DECOMPRESS[coding](response.body) if coding else response.body
        assert body == b"4" + b"x" * (size - 1)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("settings", "accepted"), [({"http_compression": False}, "gzip"), ({}, "br"), ({}, None)]
)
async def test_answers_that_stay_as_they_are(settings: dict[str, Any], accepted: str | None) -> None:
    async with echo_server(socketio=settings) as echo, await echo.polling() as client:
        client.client.send(b"x" * 5000)
        response = await client.get({"Accept-Encoding": accepted} if accepted else {})
        assert "content-encoding" not in response.headers
        assert len(response.body) == 5001
