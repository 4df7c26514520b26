from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.client.places import chat_server, until

from hubbub.client import Client, ClientError, ErrorCode, HubbubError
from hubbub.testing.proxy import FaultProxy

pytestmark = pytest.mark.anyio
SIZE = 3_000_000


async def test_files_up_and_down(sqlite_url: str, tmp_path: Path) -> None:
    large = os.urandom(SIZE)
    path = tmp_path / "film.bin"
    path.write_bytes(large)

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, SIZE, 100_000):
            yield large[at : at + 100_000]

    async with chat_server(sqlite_url, tmp_path) as server, Client(server.url, server.token()) as client:
        chat, told = client.chat, []
        small = await chat.upload(b"All is well.", name="bericht ä.txt")
        assert (small.name, small.size, small.state) == ("bericht ä.txt", 12, "ready")
        files = [
            await chat.upload(path, progress=lambda sent, size: told.append((sent, size))),
            await chat.upload(large, name="bytes.bin"),
            await chat.upload(pieces(), name="iterated.bin", size=SIZE),
        ]
        assert [each.name for each in files] == ["film.bin", "bytes.bin", "iterated.bin"]
        assert told[-1] == (SIZE, SIZE)
        assert told == sorted(told)
        for each in files:
            assert await chat.read_file(each.id) == large
        told.clear()
        copy = tmp_path / "copy"
        assert (
            await chat.download(files[0].id, copy, progress=lambda got, size: told.append((got, size)))
            == SIZE
        )
        assert copy.read_bytes() == large
        assert told[-1] == (SIZE, SIZE)
        with pytest.raises(HubbubError) as unknown:
            await chat.read_file("0" * 32)
        assert unknown.value.code == ErrorCode.NOT_FOUND
        with pytest.raises(ClientError, match="needs its size"):
            await chat.upload(pieces())


async def test_transfers_are_taken_up_where_they_broke_off(sqlite_url: str, tmp_path: Path) -> None:
    large = os.urandom(SIZE)
    cuts = [SIZE // 3, SIZE * 2 // 3]
    async with chat_server(sqlite_url, tmp_path) as server, FaultProxy(server.host, server.port) as proxy:
        async with Client(f"http://127.0.0.1:{proxy.port}", server.token()) as client:

            def cutting(done: int, size: int) -> None:
                if cuts and done > cuts[0]:
                    cuts.pop(0)
                    proxy.reset()

            file = await client.chat.upload(large, name="film.bin", progress=cutting)
            assert not cuts
            cuts += [SIZE // 3, SIZE * 2 // 3]
            await client.chat.download(file.id, tmp_path / "copy", progress=cutting)
            assert not cuts
            assert (tmp_path / "copy").read_bytes() == large
        await until(lambda: not proxy.connections)


async def test_a_file_that_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    files = {"refused_types": ["text/plain"], "file_bytes": 2_000_000}
    async with (
        chat_server(sqlite_url, tmp_path, attachments=files) as server,
        Client(server.url, server.token()) as client,
    ):
        with pytest.raises(HubbubError) as refused:
            await client.chat.upload(b"plain text")
        assert refused.value.code == ErrorCode.FILE_REFUSED
        with pytest.raises(HubbubError) as large:
            await client.chat.upload(b"x" * 2_500_000)
        assert large.value.code in (ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.QUOTA_EXCEEDED)


async def test_an_upload_may_be_cancelled(sqlite_url: str, tmp_path: Path) -> None:
    begun = asyncio.Event()
    async with chat_server(sqlite_url, tmp_path) as server, Client(server.url, server.token()) as client:
        upload = client.chat.upload(os.urandom(SIZE), progress=lambda sent, size: begun.set())
        task = asyncio.create_task(upload)
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not client.http._busy
