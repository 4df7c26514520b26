"""A TCP proxy on loopback that treats what passes through it as a bad network would.

async with FaultProxy("127.0.0.1", port) as proxy:
    client = await RawClient.open("127.0.0.1", proxy.port)
    proxy.to_client.black_hole = True      # from now on the client hears nothing, and TCP stays open
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Set
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

CHUNK = 65_536
LINGER = 0.02
"""Seconds in which bytes go out, before a reset throws away what the peer has not read."""
Request = Literal["websocket", "sse", "http"]
"""What an HTTP request asks for: to become a WebSocket, a stream of events, anything else."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a connection is to be reset: when `needle` has passed for the `nth` time, on whichever connections, and
    `spill` more bytes of what it came with: in the middle of a frame; None: all of that. An empty needle is in
    every chunk, which on a quiet connection is a frame. One that comes in two pieces is not seen."""

    needle: bytes
    nth: int = 1
    spill: int | None = 0


@dataclass(slots=True)
class Way:
    """What happens to bytes that go one way; to be changed at any time.

    `delay` and `jitter` are seconds for each chunk (the order is kept); `bandwidth` is bytes a second, 0 for no
    bound; `slice` is how many bytes a write may have, 0 for any; `black_hole` swallows what comes; `frozen` stops
    reading, so that TCP's window closes; after `reset_after` bytes the connection is reset, in the middle of a frame
    perhaps; with `cut` it is reset once, at what the Cut says. `passed` and `swallowed` count bytes, `cuts` those that
    were made.
    """

    delay: float = 0.0
    jitter: float = 0.0
    bandwidth: float = 0.0
    slice: int = 0
    black_hole: bool = False
    frozen: bool = False
    reset_after: int | None = None
    cut: Cut | None = None
    passed: int = 0
    swallowed: int = 0
    cuts: int = 0
    _found: int = field(default=0, repr=False)

    def cut_at(self, data: bytes) -> int | None:
        """How much of `data` passes before the cut, if it is due in it; it is then used up."""
        if self.cut is None:
            return None
        cut, at = self.cut, 0
        while (place := data.find(cut.needle, at)) >= 0:
            self._found += 1
            at = place + max(1, len(cut.needle))
            if self._found == cut.nth:
                self.cut, self._found = None, 0
                self.cuts += 1
                return len(data) if cut.spill is None else min(len(data), place + len(cut.needle) + cut.spill)
            if not cut.needle:
                break
        return None


def asked(data: bytes) -> Request | None:
    """What a chunk that goes to the server asks for, if a request of HTTP's begins with it."""
    if not data.startswith((b"GET ", b"POST ", b"DELETE ")):
        return None
    head = data.partition(b"\r\n\r\n")[0].lower()
    if b"\r\nupgrade: websocket" in head:
        return "websocket"
    return "sse" if b"text/event-stream" in head else "http"


class _Link:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.task: asyncio.Task[None] | None = None

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in (self.client, self.server):
            if sock.fileno() >= 0:
                # A task that waits for it, though cancelled, would take the reader of whoever gets the number next.
                loop.remove_reader(sock)
                loop.remove_writer(sock)
                sock.close()

    def reset(self) -> None:
        for sock in (self.client, self.server):
            if sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()


class FaultProxy:
    """Listens on a free port (`port`) of the address `listen` and connects each client to `host:target`.

    `to_server` and `to_client` hold for all connections, those that come later included. With `refusing` new ones
    are reset at once; `accepted` counts all of them. Requests of the kinds in `refused` are reset, those in
    `unanswered` are swallowed, as by what stands between and does not know them. Use it as an async context manager;
    `seed` makes the jitter repeatable.
    """

    def __init__(self, host: str, target: int, *, seed: int = 0, listen: str = "127.0.0.1") -> None:
        self.to_server = Way()
        self.to_client = Way()
        self.refusing = False
        self.refused: Set[Request] = frozenset()
        self.unanswered: Set[Request] = frozenset()
        self.accepted = 0
        self.port = 0
        self._target = (host, target)
        self._listen = listen
        self._random = random.Random(seed)
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None

    async def __aenter__(self) -> FaultProxy:
        self._listener = socket.create_server((self._listen, 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept(self._listener))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._accepting is not None
        assert self._listener is not None
        tasks = [self._accepting, *(link.task for link in self._links if link.task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()
        for link in self._links:  # whose task had not begun
            link.close()
        self._links.clear()

    @property
    def connections(self) -> int:
        """How many connections are open through the proxy."""
        return len(self._links)

    def reset(self) -> None:
        """Reset all connections, on both sides, now."""
        for link in self._links:
            if link.task is not None:
                link.task.cancel()
            link.reset()
        self._links.clear()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(listener)
            self.accepted += 1
            server = socket.socket()
            for sock in (client, server):
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client, server)
            if self.refusing:
                link.reset()
                continue
            self._links.add(link)
            link.task = asyncio.create_task(self._carry(link))

    async def _carry(self, link: _Link) -> None:
        try:
            await asyncio.get_running_loop().sock_connect(link.server, self._target)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(link, link.client, link.server, self.to_server))
                group.create_task(self._pump(link, link.server, link.client, self.to_client))
        except* OSError:
            link.reset()
        finally:
            link.close()
            self._links.discard(link)

    async def _pump(self, link: _Link, source: socket.socket, target: socket.socket, way: Way) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._thaw(way)
            data = await loop.sock_recv(source, CHUNK)
            await self._thaw(way)  # what came while it waited for it
            kind = asked(data) if way is self.to_server and (self.refused or self.unanswered) else None
            if kind in self.refused:
                raise ConnectionResetError(f"refused: {kind}")
            if way.black_hole or kind in self.unanswered:
                way.swallowed += len(data)
                if not data:
                    return
                continue
            if not data:
                target.shutdown(socket.SHUT_WR)
                return
            if way.delay or way.jitter:
                await asyncio.sleep(max(0.0, way.delay + way.jitter * self._random.uniform(-1, 1)))
            end = way.cut_at(data)
            if end is not None:
                data = data[:end]
            size = way.slice or (max(1, int(way.bandwidth / 50)) if way.bandwidth else len(data) or 1)
            for at in range(0, len(data), size):
                await self._write(link, target, way, data[at : at + size])
            if end is not None:
                await asyncio.sleep(LINGER)
                raise ConnectionResetError("cut")

    @staticmethod
    async def _thaw(way: Way) -> None:
        while way.frozen:  # noqa: ASYNC110 (a flag that tests set as they please)
            await asyncio.sleep(0.01)

    async def _write(self, link: _Link, target: socket.socket, way: Way, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        if way.reset_after is not None and way.passed + len(data) >= way.reset_after:
            data = data[: max(0, way.reset_after - way.passed)]
            await loop.sock_sendall(target, data)
            way.passed += len(data)
            await asyncio.sleep(LINGER)
            raise ConnectionResetError("reset_after")
        await loop.sock_sendall(target, data)
        way.passed += len(data)
        await asyncio.sleep(len(data) / way.bandwidth if way.bandwidth else 0)
