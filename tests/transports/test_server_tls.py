"""TLS on the one port: a certificate by settings, deadlines that hold before the handshake is done, slow readers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import websockets
from tests.waiting import until

from hubbub.testing.raw import RawClient, client_hello, masked, request
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio

AUTHORITY = trustme.CA()


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


def certificate(folder: Path, name: str = "127.0.0.1") -> dict[str, Path]:
    """Write a certificate for `name`; the settings that use it."""
    issued = AUTHORITY.issue_cert(name)
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return {"tls_certificate": chain, "tls_key": key}


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@contextlib.asynccontextmanager
async def secure(folder: Path, **sections: Any) -> AsyncIterator[RunningServer]:
    async with running_server(server=certificate(folder), **sections) as server:
        yield server


async def test_websockets_over_tls(tmp_path: Path) -> None:
    async with (
        secure(tmp_path) as server,
        websockets.connect(server.websocket_url, ssl=trusting()) as client,
    ):
        await client.send(f'{{"type":"connect","id":1,"token":"{server.token()}"}}')
        assert '"type":"connected"' in str(await client.recv())


@pytest.mark.parametrize(("scheme", "status"), [("https", 101), ("http", 403)])
async def test_the_own_origin_is_https(tmp_path: Path, scheme: str, status: int) -> None:
    async with secure(tmp_path) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port, ssl=trusting())
        writer.write(request(headers={"host": "a.example", "origin": f"{scheme}://a.example"}))
        assert int((await reader.readline()).split()[1]) == status
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28", b"\0" * 50]
)
async def test_what_is_not_tls_is_cut(tmp_path: Path, data: bytes) -> None:
    async with (
        secure(tmp_path) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.send(data)
        assert b"HTTP/1.1 2" not in await client.read_some()
        assert await client.read_end() in ("closed", "reset")


@pytest.mark.parametrize("part", [0, 1, 60])
async def test_a_tls_handshake_has_a_deadline(tmp_path: Path, part: int) -> None:
    async with (
        secure(tmp_path, limits={"handshake_timeout": 0.5}) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.send(client_hello()[:part])
        assert await client.read_end(within=3.0) in ("closed", "reset")


async def test_a_slow_reader_over_tls_is_bounded(tmp_path: Path) -> None:
    async with secure(tmp_path, limits={"queue_bytes": 100_000}, heartbeat={"ping_interval": 0.0}) as server:
        _, writer = await asyncio.open_connection(server.host, server.port, ssl=trusting(), limit=1024)
        token = server.token()
        writer.write(
            request()
            + masked(1, f'{{"type":"connect","id":1,"token":"{token}"}}'.encode())
            + masked(1, b'{"type":"subscribe","id":2,"channel":"news"}')
        )
        await until(lambda: "news" in server.app.hub.channels)
        async with asyncio.timeout(20):
            while not server.app.metrics.rejected["queue_bytes"]:
                await server.app.publish("news", "e", "x" * 20_000)
                await asyncio.sleep(0.001)
        await until(lambda: not server.app.node.websockets)
        assert server.app.metrics.disconnects[3002] == 1
        assert (server.app.node.queued_bytes, server.app.node.admission.total) == (0, 0)
        assert len(server.app.hub.detached) == 1
        writer.transport.abort()


async def test_a_violation_over_tls_ends_the_connection(tmp_path: Path) -> None:
    """There is no half-close in TLS, so this is another way out."""
    async with (
        secure(tmp_path) as server,
        websockets.connect(server.websocket_url, ssl=trusting()) as client,
    ):
        client.transport.write(masked(3))
        with pytest.raises(websockets.ConnectionClosed):
            async with asyncio.timeout(3):
                await client.recv()
        assert client.close_code == 1002
        await until(lambda: not server.app.node.websockets, within=2.0)
