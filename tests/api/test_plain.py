"""Large bodies over real sockets: bounded memory, clients that leave, stall, or do not read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from tests.waiting import until

from hubbub.api import plain
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio
MIB = 1_048_576
LARGE = 100 * MIB
PATCH = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_server(
        chat={"enabled": True},
        storage={"url": f"sqlite:///{tmp_path / 'chat.db'}"},
        attachments={"url": f"file:{tmp_path / 'files'}"},
    ) as running:
        yield running


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {server.token('ada')}"}
    async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=100) as client:
        yield client


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


async def pieces(size: int, peak: list[int]) -> AsyncIterator[bytes]:
    piece = bytes(65_536)
    for place in range(0, size, len(piece)):
        if place % MIB == 0:
            peak.append(resident())
        yield piece[: size - place]


async def begun(http: httpx2.AsyncClient, size: int) -> str:
    answer = await http.post("/v1/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(size)})
    return str(answer.headers["location"])


async def test_a_hundred_megabytes_come_and_go_in_little_memory(http: httpx2.AsyncClient) -> None:
    small = await begun(http, MIB)
    await http.patch(small, headers=PATCH, content=bytes(MIB))  # what is loaded once is loaded
    before, peak = resident(), [0]
    path = await begun(http, LARGE)
    answer = await http.patch(path, headers=PATCH, content=pieces(LARGE, peak))
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(LARGE)), answer.text
    peak.append(resident())
    size = 0
    async with http.stream("GET", f"/v1/files/{path.rpartition('/')[2]}/content") as content:
        async for chunk in content.aiter_raw():
            size += len(chunk)
            if len(peak) < 1_000:
                peak.append(resident())
    assert size == LARGE
    assert max(peak) - before < LARGE // 3


async def connected(server: RunningServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(server.host, server.port)


def head(server: RunningServer, method: str, path: str, **fields: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {server.token('ada')}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def offset(http: httpx2.AsyncClient, path: str) -> int:
    answer = await http.head(path, headers={"Tus-Resumable": "1.0.0"})
    return int(answer.headers["upload-offset"])


async def send_part(server: RunningServer, path: str, size: int, part: bytes) -> asyncio.StreamWriter:
    _, writer = await connected(server)
    fields = {name.replace("-", "_"): value for name, value in PATCH.items()}
    writer.write(head(server, "PATCH", path, **fields, Content_Length=str(size)) + part)
    await writer.drain()
    return writer


async def test_what_came_before_the_client_left_is_kept(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    path = await begun(http, 10 * MIB)
    writer = await send_part(server, path, 10 * MIB, b"x" * 300_000)
    writer.close()
    async with asyncio.timeout(60):
        while await offset(http, path) != 300_000:  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0.01)
    rest = 10 * MIB - 300_000
    answer = await http.patch(path, headers={**PATCH, "Upload-Offset": "300000"}, content=b"y" * rest)
    assert answer.status_code == 204
    content = (await http.get(f"/v1/files/{path.rpartition('/')[2]}/content")).content
    assert content == b"x" * 300_000 + b"y" * rest


async def test_a_body_that_does_not_come_is_cut_off(
    server: RunningServer, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "PATIENCE", 0.3)
    path = await begun(http, MIB)
    reader, writer = await connected(server)
    fields = {name.replace("-", "_"): value for name, value in PATCH.items()}
    writer.write(head(server, "PATCH", path, **fields, Content_Length=str(MIB)) + b"abc")
    async with asyncio.timeout(60):
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        await reader.read()  # to the end: the connection is closed
    writer.close()
    assert await offset(http, path) == 3


async def test_who_does_not_read_is_cut_off(tmp_path: Path) -> None:
    async with running_server(
        chat={"enabled": True},
        storage={"url": f"sqlite:///{tmp_path / 'chat.db'}"},
        attachments={"url": f"file:{tmp_path / 'files'}"},
        limits={"write_timeout": 0.3},
    ) as server:
        headers = {"Authorization": f"Bearer {server.token('ada')}"}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=100) as http:
            path = await begun(http, 40 * MIB)
            await http.patch(path, headers=PATCH, content=pieces(40 * MIB, []))
            reader, writer = await connected(server)
            writer.write(head(server, "GET", f"/v1/files/{path.rpartition('/')[2]}/content"))
            await until(lambda: server.app.metrics.rejected["write_timeout"])
            size = 0
            async with asyncio.timeout(60):
                with contextlib.suppress(ConnectionError):
                    while chunk := await reader.read(MIB):
                        size += len(chunk)
            assert size < 40 * MIB
            writer.close()


async def test_a_client_that_leaves_is_not_sent_the_rest(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    path = await begun(http, 40 * MIB)
    await http.patch(path, headers=PATCH, content=pieces(40 * MIB, []))
    reader, writer = await connected(server)
    writer.write(head(server, "GET", f"/v1/files/{path.rpartition('/')[2]}/content"))
    await reader.readexactly(1_000)
    writer.transport.abort()
    answer = await http.get("/v1/me")
    assert answer.status_code == 200
