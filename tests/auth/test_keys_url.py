"""Keys by URL: rotation, failures and redirects, against a real HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.auth.accepting import accepts, key_set, write
from tests.auth.keyserver import KeyServer
from tests.auth.signers import ALL, NOW, SECRET, Signer, jwk, signer

from hubbub.auth.keys import Keys, secret_key
from hubbub.config import AuthConfig
from hubbub.testing.clock import FakeClock

pytestmark = pytest.mark.anyio


class Url:
    """Keys at a URL, with its server, a clock and what was reported."""

    def __init__(self, server: KeyServer, **auth: Any) -> None:
        self.server = server
        self.clock = FakeClock(NOW)
        self.reports: list[str] = []
        self.keys = Keys(AuthConfig(jwks_url=server.url, **auth), self.clock, self.reports.append)

    async def settle(self) -> None:
        """Wait for the fetch that is under way."""
        fetching = self.keys._fetching
        if fetching is not None:
            await asyncio.wait([fetching])
            await asyncio.sleep(0)


@asynccontextmanager
async def at_url(server: KeyServer, **auth: Any) -> AsyncIterator[Url]:
    url = await asyncio.to_thread(Url, server, **auth)
    try:
        yield url
    finally:
        await url.keys.stop()


async def test_keys_are_fetched_at_start(key_server: KeyServer) -> None:
    key_server.serve(key_set(jwk(signer("RS256", "k"))))
    async with at_url(key_server) as url:
        assert not accepts(url.keys, signer("RS256", "k"))
        await url.keys.start()
        assert accepts(url.keys, signer("RS256", "k"))
        assert url.reports == []


async def test_keys_are_fetched_again_when_stale_and_kept_when_unchanged(key_server: KeyServer) -> None:
    key_server.serve(key_set(jwk(signer("ES256", "old"))))
    async with at_url(key_server, jwks_refresh=300) as url:
        await url.keys.start()
        before = url.keys.current
        url.clock.advance(299)
        assert url.keys._fetching is None
        url.clock.advance(1)
        await url.settle()
        assert key_server.requests == 2
        assert url.keys.current is before
        key_server.serve(key_set(jwk(signer("ES256", "new"))))
        url.clock.advance(300)
        await url.settle()
        assert accepts(url.keys, signer("ES256", "new"))
        assert not accepts(url.keys, signer("ES256", "old"))


async def test_rotation_is_found_by_an_unknown_key_id_once_in_ten_seconds(key_server: KeyServer) -> None:
    key_server.serve(key_set(jwk(signer("ES256", "old"))))
    async with at_url(key_server) as url:
        await url.keys.start()
        key_server.serve(key_set(jwk(signer("ES256", "old")), jwk(signer("ES256", "new"))))
        assert await url.keys.renew()
        assert accepts(url.keys, signer("ES256", "new"))
        assert accepts(url.keys, signer("ES256", "old"))
        assert key_server.requests == 2
        url.clock.advance(9.999)
        for _ in range(50):
            assert not await url.keys.renew()
        assert key_server.requests == 2
        url.clock.advance(0.001)
        assert await url.keys.renew()
        assert key_server.requests == 3


async def test_all_who_wait_share_one_fetch(key_server: KeyServer) -> None:
    key_server.serve(key_set(jwk(signer("ES256", "k"))))
    async with at_url(key_server) as url:
        assert await asyncio.gather(*(url.keys.renew() for _ in range(20))) == [True] * 20
        assert key_server.requests == 1


async def test_one_who_leaves_does_not_end_the_fetch_of_the_others(key_server: KeyServer) -> None:
    key_server.serve(key_set(jwk(signer("ES256", "k"))))
    async with at_url(key_server) as url:
        leaver = asyncio.create_task(url.keys.renew())
        stayer = asyncio.create_task(url.keys.renew())
        await asyncio.sleep(0)
        leaver.cancel()
        assert await stayer
        assert accepts(url.keys, signer("ES256", "k"))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": 500}, "HTTP status 500"),
        ({"status": 404}, "HTTP status 404"),
        ({"body": b"<html>"}, "not JSON"),
        ({"body": b'{"keys":[]}'}, "no usable key"),
        ({"body": b" " * (1024 * 1024 + 1)}, "longer than 1048576 bytes"),
        ({"body": b"", "drop": True}, "cannot be fetched"),
    ],
)
async def test_old_keys_go_on_when_the_url_fails(
    key_server: KeyServer, answer: dict[str, Any], said: str
) -> None:
    good = key_set(jwk(signer("ES256", "k")))
    key_server.serve(good)
    async with at_url(key_server) as url:
        await url.keys.start()
        key_server.serve(**answer)
        url.clock.advance(300)
        await url.settle()
        assert accepts(url.keys, signer("ES256", "k"))
        (report,) = url.reports
        assert report.startswith("auth.jwks_url: ")
        assert said in report
        # It is tried again soon, not after another 300 s.
        key_server.serve(key_set(jwk(signer("ES256", "k")), jwk(signer("ES256", "new"))))
        url.clock.advance(10)
        await url.settle()
        assert accepts(url.keys, signer("ES256", "new"))


async def test_a_server_that_is_not_there_is_no_obstacle_to_start(key_server: KeyServer) -> None:
    key_server.stop()
    async with at_url(key_server, hmac_secret=SECRET) as url:
        await url.keys.start()
        assert len(url.reports) == 1
        assert accepts(url.keys, Signer("HS256", SECRET.encode(), b"", secret_key(SECRET, ALL)))


async def test_a_server_that_says_nothing_is_given_up(key_server: KeyServer) -> None:
    key_server.serve(b"{}", hang=True)
    async with at_url(key_server) as url:
        assert url.keys._source is not None
        url.keys._source._timeout = 0.1
        await url.keys.start()
        (report,) = url.reports
        assert "no answer within 0.1 s" in report
        key_server.release()


@pytest.mark.parametrize("drip", ["HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"])
async def test_a_server_that_drips_is_given_up(key_server: KeyServer, drip: str) -> None:
    """Every byte comes in time, so only a deadline for the whole helps."""
    key_server.serve(drip=drip)
    async with at_url(key_server) as url:
        assert url.keys._source is not None
        url.keys._source._timeout = 0.1
        await asyncio.wait_for(url.keys.start(), 5)
        (report,) = url.reports
        assert "no answer within 0.1 s" in report
        key_server.release()


async def test_redirects_stay_at_home(key_server: KeyServer) -> None:
    good = key_set(jwk(signer("ES256", "k")))
    async with at_url(key_server) as url:
        for target in (
            "file:///etc/passwd",
            "ftp://127.0.0.1/keys",
            "http://localhost:1/keys",
            "data:,{}",
            "https://127.0.0.1:1/",
        ):
            key_server.serve(good, redirect=target)
            assert not await url.keys.reload()
            assert "HTTP status 302" in url.reports.pop()
        key_server.serve(good, redirect="/elsewhere")
        assert await url.keys.reload()
        assert accepts(url.keys, signer("ES256", "k"))


async def test_a_configured_key_is_not_replaced_by_a_fetched_one(
    key_server: KeyServer, tmp_path: Path
) -> None:
    path = write(tmp_path / "k.pem", signer("ES256", "k").public)
    key_server.serve(key_set(jwk(signer("ES256", "k", 1)), jwk(signer("ES256", "more"))))
    async with at_url(key_server, public_keys={"k": path}) as url:
        await url.keys.start()
        assert accepts(url.keys, signer("ES256", "k"))
        assert not accepts(url.keys, signer("ES256", "k", 1))
        assert accepts(url.keys, signer("ES256", "more"))


async def test_a_reload_fetches_too(key_server: KeyServer, tmp_path: Path) -> None:
    path = write(tmp_path / "k.pem", signer("ES256", "k").public)
    key_server.serve(key_set(jwk(signer("ES256", "one"))))
    async with at_url(key_server, public_keys={"k": path}) as url:
        await url.keys.start()
        key_server.serve(key_set(jwk(signer("ES256", "two"))))
        write(path, signer("ES256", "k", 1).public)
        assert await url.keys.reload()
        assert accepts(url.keys, signer("ES256", "two"))
        assert accepts(url.keys, signer("ES256", "k", 1))


async def test_nothing_is_fetched_without_a_url_or_after_stop(key_server: KeyServer) -> None:
    keys = Keys(AuthConfig(hmac_secret=SECRET), FakeClock(NOW))
    await keys.start()
    assert not await keys.renew()
    assert await keys.reload()
    await keys.stop()
    key_server.serve(key_set(jwk(signer("ES256", "k"))))
    async with at_url(key_server) as url:
        await url.keys.start()
        await url.keys.stop()
        url.clock.advance(10_000)
        assert url.keys._fetching is None
        assert key_server.requests == 1
