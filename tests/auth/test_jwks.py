"""Fetching a key set. Most of what may go wrong on the way is in `test_keys.py`, with what it does to the keys."""

from __future__ import annotations

import asyncio

import pytest
from tests.auth.keyserver import KeyServer

from hubbub.auth.jwks import MAX_BYTES, JwksSource
from hubbub.errors import ConfigError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keys",
        "https://",
        "http://id.example/keys",
        "http://10.0.0.1/keys",
        "http://127.0.0.1.evil.example/keys",
        "http://localhost@evil.example/keys",
        "http://localhost.evil.example/keys",
        "file:///etc/passwd",
        "ftp://127.0.0.1/keys",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"auth\.jwks_url must be https"):
        JwksSource(url)


@pytest.mark.parametrize(
    "url", ["https://id.example/keys", "http://localhost:1/", "http://127.0.0.2/", "http://[::1]/"]
)
def test_addresses_that_are_taken(url: str) -> None:
    assert JwksSource(url).url == url


async def test_an_answer_may_be_as_long_as_the_limit(key_server: KeyServer) -> None:
    key_server.serve(b" " * MAX_BYTES)
    assert await JwksSource(key_server.url).fetch() == b" " * MAX_BYTES
    key_server.serve(b" " * (MAX_BYTES + 1))
    with pytest.raises(ValueError, match="longer than"):
        await JwksSource(key_server.url).fetch()


async def test_the_thread_of_a_dripping_answer_ends_too(key_server: KeyServer) -> None:
    key_server.serve(drip="HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n")
    source = JwksSource(key_server.url, timeout=0.1)
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(source._get)
    key_server.release()
