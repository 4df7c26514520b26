"""An internet of our own: names that we resolve, and servers on loopback that stand for those at public addresses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from hubbub.config import PreviewsConfig
from hubbub.egress.addresses import parse, public
from hubbub.egress.fetch import Egress

PUBLIC = "93.184.215.14"
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Internet:
    """`names`: the answers of DNS to one question after the other; the last one stays. `dialled`: where was connected
    to. What is dialled at a public address is answered by `answer`."""

    def __init__(self) -> None:
        self.names: dict[str, list[Sequence[str]]] = {}
        self.asked: list[str] = []
        self.dialled: list[str] = []
        self.requests: list[bytes] = []
        self.answers: dict[str, Answer] = {}
        self.dead: set[str] = set()
        self.open = 0
        self.serving: set[asyncio.Task[None]] = set()
        self._port = 0

    def host(self, name: str, answer: Answer, *addresses: str) -> None:
        self.names[name] = [addresses or (PUBLIC,)]
        self.answers[name] = answer

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        await asyncio.sleep(0)
        answers = self.names.get(host)
        if answers is None:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def dial(
        self, address: str, port: int, tls: ssl.SSLContext | None, name: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.dialled.append(address)
        assert public(parse(address)), f"{address} was dialled"
        if address in self.dead:
            raise ConnectionRefusedError
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head)
            lines = head.decode().split("\r\n")
            host = next(line[6:] for line in lines if line.startswith("Host: ")).partition(":")[0]
            await self.answers[host](reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self.serving.discard(task)
            writer.close()

    def egress(self, **settings: Any) -> Egress:
        settings.setdefault("timeout", 30.0)
        return Egress(PreviewsConfig(**settings), resolve=self.resolve, dial=self.dial)

    @property
    def paths(self) -> list[str]:
        return [request.split()[1].decode() for request in self.requests]


@asynccontextmanager
async def internet(found: Internet | None = None) -> AsyncIterator[Internet]:
    """One that ends with nothing asked of private addresses."""
    found = found or Internet()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found._port = server.sockets[0].getsockname()[1]
    try:
        yield found
        assert all(public(parse(each)) for each in found.dialled)
    finally:
        server.close()
        for task in found.serving:
            task.cancel()
        if found.serving:
            await asyncio.wait(found.serving)


@asynccontextmanager
async def server(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """One on loopback that gives the same answer to all; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        writer.close()

    found = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield found.sockets[0].getsockname()[1]
    finally:
        found.close()


def says(body: bytes, type: str = "text/html", *headers: str, status: str = "200 OK") -> Answer:
    """The answer with this body, whole."""
    return raw(
        "\r\n".join(
            (f"HTTP/1.1 {status}", f"Content-Type: {type}", f"Content-Length: {len(body)}", *headers, "", "")
        ).encode()
        + body
    )


def redirects(location: str, status: str = "302 Found") -> Answer:
    return raw(f"HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


def raw(data: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def endless(head: bytes, chunk: bytes, sent: list[int], pause: float = 0.0) -> Answer:
    """`head`, and then `chunk` again and again; `sent` counts them."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(chunk)
            await writer.drain()
            sent[0] += 1
            if pause:
                await asyncio.sleep(pause)

    return answer
