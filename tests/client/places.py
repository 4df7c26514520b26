"""Servers for tests of the client: real ones, and networks that let only some things through."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

from hubbub.testing.server import RunningServer, running_server

T = TypeVar("T")
WITHIN = 20.0


@contextlib.asynccontextmanager
async def chat_server(database: str, folder: Path, **sections: Any) -> AsyncIterator[RunningServer]:
    """A server with conversations and files."""
    chat = {"enabled": True, "receipts_interval": 0.01, **sections.pop("chat", {})}
    files = {"url": f"file:{folder / 'files'}", **sections.pop("attachments", {})}
    async with running_server(chat=chat, storage={"url": database}, attachments=files, **sections) as server:
        yield server


async def until(condition: Callable[[], object]) -> None:
    """Wait for what comes about by itself."""
    async with asyncio.timeout(WITHIN):
        while not condition():  # noqa: ASYNC110 (nothing tells us)
            await asyncio.sleep(0.002)


async def take(iterator: AsyncIterator[T], count: int) -> list[T]:
    """The next `count` of what is iterated."""
    async with asyncio.timeout(WITHIN):
        return [await anext(iterator) for _ in range(count)]


class Gate:
    """A proxy that reads requests as a company's does: those that are `blocked` are answered with 403, the answers to
    `buffered` ones are passed on once they have ended."""

    def __init__(
        self,
        host: str,
        target: int,
        *,
        blocked: Callable[[bytes], bool] = lambda head: False,
        buffered: Callable[[bytes], bool] = lambda head: False,
    ) -> None:
        self._target = (host, target)
        self._blocked = blocked
        self._buffered = buffered
        self.requests: list[bytes] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def __aenter__(self) -> Gate:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head.split(b"\r\n")[0])
        if self._blocked(head):
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 7\r\nConnection: close\r\n\r\nblocked")
            await writer.drain()
        else:
            await self._pass(head, reader, writer)

    async def _pass(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, thither = await asyncio.open_connection(*self._target)
        thither.write(head)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                while data := await source.read(65_536):
                    sink.write(data)
                    await sink.drain()

        async def back() -> None:
            if not self._buffered(head):
                await pump(there, writer)
                return
            # The head goes through; the body when it is whole.
            writer.write(await there.readuntil(b"\r\n\r\n"))
            writer.write(await there.read())

        forth = asyncio.create_task(pump(reader, thither))
        try:
            await back()
        finally:
            forth.cancel()
            thither.transport.abort()
