"""A load balancer without stickiness: each request goes to another node."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Sequence

HEAD = 65_536


class Balancer:
    """Sends each request, and each WebSocket, to one of `ports` by chance; connections are not used twice. `statuses`
    counts the answers, `served` the requests of each port."""

    def __init__(self, ports: Sequence[int], seed: int = 1) -> None:
        self.ports = list(ports)
        self.statuses: Counter[int] = Counter()
        self.served: Counter[int] = Counter()
        self.failed: list[str] = []
        self._chance = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._ended = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Balancer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=HEAD)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *reason: object) -> None:
        assert self._server is not None
        self._server.close()
        self._ended = True
        for _ in range(3):
            for _ in range(
                10
            ):  # who was accepted just now begins to be served; what was cut off closes its socket
                await asyncio.sleep(0)
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for _ in range(10):
            await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._ended:
            writer.transport.abort()
            return
        self._tasks.add(task)
        try:
            await self._pass(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort() if writer.is_closing() else writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *headers = head[:-4].split(b"\r\n")
        if not any(each.lower().startswith(b"upgrade:") for each in headers):
            headers = [each for each in headers if not each.lower().startswith(b"connection:")]
            headers.append(b"Connection: close")
        port = self._chance.choice(self.ports)
        self.served[port] += 1
        to, back = await asyncio.open_connection("127.0.0.1", port, limit=HEAD)
        back.write(b"\r\n".join((line, *headers)) + b"\r\n\r\n")

        async def requests() -> None:
            while data := await reader.read(65_536):
                back.write(data)
                await back.drain()

        async def answers() -> None:
            begin = await to.readuntil(b"\r\n\r\n")
            status = int(begin.split(b" ", 2)[1])
            self.statuses[status] += 1
            if status >= 400:
                self.failed.append(f"{line.decode()} -> {status} by {port}")
            writer.write(begin)
            while data := await to.read(65_536):
                writer.write(data)
                await writer.drain()
            writer.close()

        up, down = asyncio.create_task(requests()), asyncio.create_task(answers())
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (up, down):
                each.cancel()
            with contextlib.suppress(OSError):
                await asyncio.gather(up, down, return_exceptions=True)
            back.transport.abort()
