"""What a case does to a server, byte by byte, and what it sees: lines of text that two servers can be compared by.

Every line names what was done and what came of it; ids that servers make are written as SID. Nothing waits for
"nothing": a case shows that nothing came by something that comes after it (`Socket.mark`, `Poll.hangs`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from hubbub.testing.raw import BINARY, CLOSE, KEY, PING, PONG, TEXT, Frame, RawClient, masked

WITHIN = 5.0
"""Seconds after which a server that owes an answer is given up."""
COMPARED = (
    "content-type",
    "content-encoding",
    "cache-control",
    "set-cookie",
    "vary",
    "x-xss-protection",
    "access-control-",
    "sec-websocket-",
)
"""Headers that are part of an answer. How its body is framed, its date and the rest are the server's own."""
KINDS = {TEXT: "text", BINARY: "binary", PING: "ping", PONG: "pong", 0: "continuation"}
LONG = 200


class Answer(NamedTuple):
    """An answer of HTTP, its body whole and inflated."""

    status: int
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        kept = sorted((name, value) for name, value in self.headers.items() if name.startswith(COMPARED))
        head = [str(self.status), *(f"{name}: {value}" for name, value in kept)]
        if self.headers.get("connection", "").lower() == "close":
            head.append("connection: close")
        return plain(" | ".join([*head, repr(self.body.decode("utf-8", "backslashreplace"))]))


def plain(line: str) -> str:
    """The line without what differs from run to run."""
    line = re.sub(r'(\\?"[sp]id\\?":\\?")[^"\\]+', r"\1SID", line)
    line = re.sub(r"(set-cookie: \w+=)[^;]+", r"\1SID", line)
    return re.sub(r"x{100,}", lambda run: f"<{len(run[0])} x>", line)


class Wire:
    """One server, one case's view of it."""

    def __init__(self, host: str, port: int, path: str = "/socket.io/") -> None:
        self.host = host
        self.port = port
        self.path = path
        self.seen: list[str] = []
        self._open: list[RawClient] = []

    def see(self, what: str) -> None:
        self.seen.append(plain(what))

    async def connect(self) -> RawClient:
        client = await RawClient.open(self.host, self.port)
        self._open.append(client)
        return client

    def close(self) -> None:
        for client in self._open:
            client.close()

    # --- HTTP ---------------------------------------------------------------------------------------------

    async def begin(
        self,
        method: str,
        query: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        part: int | None = None,
        target: str | None = None,
    ) -> Poll:
        """Send a request and let the server take it up; `part`: only so many bytes of its body."""
        lines = [f"{method} {target or self.path + query} HTTP/1.1", "Host: localhost"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if body or method not in {"GET", "HEAD", "OPTIONS"}:
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        client = await self.connect()
        await client.send(head + body[:part])
        await self.settle()
        return Poll(self, client, method, body[part:] if part is not None else b"")

    async def request(
        self,
        method: str,
        query: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        target: str | None = None,
    ) -> Answer:
        """Send a request and see the answer."""
        return await (await self.begin(method, query, headers, body, target=target)).answer()

    async def settle(self) -> None:
        """Come back when the server has dealt with all that was sent to it before."""
        client = await RawClient.open(self.host, self.port)
        await client.send(f"GET {self.path}?transport=none HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await read_answer(client, "GET")
        client.close()

    # --- sessions -----------------------------------------------------------------------------------------

    async def poll(self, *, join: bool = True) -> Session:
        """A session by long-polling, unseen; by default in the main namespace."""
        begin = await self.begin("GET", "?EIO=4&transport=polling")
        body = (await read_answer(begin.client, "GET")).body
        session = Session(self, json.loads(body[1:])["sid"])
        if join:
            for method, packet in (("POST", b"40"), ("GET", b"")):
                await read_answer((await session.begin(method, packet)).client, method)
        return session

    async def websocket(
        self,
        query: str = "?EIO=4&transport=websocket",
        *,
        join: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Socket:
        """A session by WebSocket, unseen; by default in the main namespace."""
        channel = Socket(self, await self.connect())
        await channel.client.send(self.upgrade(query, headers))
        answer = await read_answer(channel.client, "GET")
        assert answer.status == 101, answer
        if "sid=" not in query:
            channel.sid = json.loads((await channel.client.read_frame(within=WITHIN)).payload[1:])["sid"]
            if join:
                await channel.join()
        return channel

    def upgrade(self, query: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The bytes of an upgrade request; `headers` replace or add."""
        values = {
            "Host": "localhost",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": KEY,
        } | dict(headers or {})
        lines = [f"GET {self.path}{query} HTTP/1.1", *(f"{name}: {value}" for name, value in values.items())]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"

    async def ask_upgrade(
        self, query: str, headers: Mapping[str, str] | None = None, *, method: str = "GET"
    ) -> Socket:
        """Ask for a WebSocket and see how that is answered."""
        channel = Socket(self, await self.connect())
        await channel.client.send(self.upgrade(query, headers).replace(b"GET", method.encode(), 1))
        answer = await read_answer(channel.client, "GET")
        shown = {name: value for name, value in answer.headers.items() if name != "sec-websocket-accept"}
        self.see(f"upgrade: {Answer(answer.status, shown, answer.body)}")
        return channel


class Poll:
    """A request that is under way."""

    def __init__(self, wire: Wire, client: RawClient, method: str, rest: bytes) -> None:
        self.wire = wire
        self.client = client
        self.method = method
        self._rest = rest

    async def finish(self) -> None:
        """Send the rest of the body. That the server has hung up shows in the answer."""
        try:
            await self.client.send(self._rest)
        except ConnectionError:
            return
        await self.wire.settle()

    async def answer(self) -> Answer:
        try:
            answer = await read_answer(self.client, self.method)
        except (EOFError, ConnectionError):
            self.wire.see(f"{self.method}: hung up without an answer")
            return Answer(0, {}, b"")
        self.wire.see(f"{self.method}: {answer}")
        return answer

    async def hangs(self) -> None:
        """See that it has no answer yet, though the server has dealt with everything."""
        await self.wire.settle()
        try:
            early = self.client.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            self.wire.see(f"{self.method}: hangs")
        else:
            self.wire.see(f"{self.method}: does not hang, {early!r}")

    async def abandon(self) -> None:
        """Hang up."""
        self.client.close()
        await self.wire.settle()


class Session:
    """A session of long-polling."""

    def __init__(self, wire: Wire, sid: str) -> None:
        self.wire = wire
        self.sid = sid

    @property
    def query(self) -> str:
        return f"?EIO=4&transport=polling&sid={self.sid}"

    @property
    def upgrade_query(self) -> str:
        return f"?EIO=4&transport=websocket&sid={self.sid}"

    async def begin(
        self, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Poll:
        return await self.wire.begin(method, self.query, headers, body)

    async def get(self, headers: Mapping[str, str] | None = None) -> Answer:
        return await (await self.begin("GET", b"", headers)).answer()

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        return await (await self.begin("POST", body, headers)).answer()

    async def probe(self) -> Socket:
        """A WebSocket for this session that has sent its probe and seen the answer."""
        channel = await self.wire.websocket(self.upgrade_query)
        await channel.send("2probe")
        await channel.read()
        return channel

    async def rest(self, most: int = 4) -> None:
        """See what further GETs bring, until one is refused or there is nothing to wait for."""
        for _ in range(most):
            poll = await self.begin()
            await self.post(b'42["message","mark"]')
            answer = await poll.answer()
            if answer.status != 200 or b'"mark"' in answer.body:
                return


class Socket:
    """A WebSocket."""

    def __init__(self, wire: Wire, client: RawClient) -> None:
        self.wire = wire
        self.client = client
        self.sid = ""
        self.id = ""
        self.last: Frame | None = None

    async def send(self, *messages: str | bytes) -> None:
        """Send text or binary messages, all in one segment."""
        frames = [
            masked(TEXT, each.encode()) if isinstance(each, str) else masked(BINARY, each)
            for each in messages
        ]
        await self.raw(b"".join(frames))

    async def raw(self, data: bytes) -> None:
        """Send bytes. That the server has hung up shows when reading."""
        try:
            await self.client.send(data)
        except ConnectionError:
            return
        await self.wire.settle()

    async def join(self) -> None:
        """Join the main namespace, unseen."""
        await self.send("40")
        self.id = json.loads((await self._unseen())[2:])["sid"]
        await self._unseen()

    async def _unseen(self) -> bytes:
        """The next packet; a ping before it is answered."""
        while (packet := (await self.client.read_frame(within=WITHIN)).payload) == b"2":
            await self.send("3")
        return packet

    async def read(self, count: int = 1) -> None:
        """See so many frames."""
        for _ in range(count):
            if not await self._see_frame():
                return

    async def _see_frame(self) -> Frame | None:
        """See the next frame; None after the last."""
        self.last = None
        try:
            frame = await self.client.read_frame(within=WITHIN)
        except (EOFError, ConnectionError):
            self.wire.see("socket: ended without a close frame")
            return None
        if frame.opcode == CLOSE:
            reason = f" {frame.reason!r}" if frame.reason else ""
            self.wire.see(f"socket: close {frame.code}{reason}")
            await self._answer_close(frame)
            return None
        payload = repr(frame.payload) if frame.opcode != TEXT else frame.payload.decode()
        self.wire.see(f"socket: {KINDS.get(frame.opcode, frame.opcode)} {payload}")
        self.last = frame
        return frame

    async def _answer_close(self, frame: Frame) -> None:
        """Close as RFC 6455, section 7.1.1 has it, and see that the server then hangs up."""
        with contextlib.suppress(ConnectionError):
            await self.client.send(masked(CLOSE, frame.payload[:2]))
        await self.client.read_end(within=WITHIN)
        self.wire.see("socket: ended")

    async def read_on(self, most: int = 20) -> None:
        """See everything to the end of the connection."""
        for _ in range(most):
            if await self._see_frame() is None:
                return
        raise AssertionError("it does not end")

    async def mark(self) -> None:
        """See what there is, up to now: to the answer of a further event, or to the end of the connection."""
        await self.send('42["message","mark"]')
        while (frame := await self._see_frame()) is not None:
            if frame.payload == b'42["message-back","mark"]':
                return

    def hang_up(self) -> None:
        self.client.close()


async def read_answer(client: RawClient, method: str) -> Answer:
    """The next answer on `client`, whatever way its body is framed."""
    lines = (await read_until(client, b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])
    }
    status = int(lines[0].split(" ")[1])
    if method == "HEAD" or status in {101, 204, 304}:
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        body = await read_chunks(client)
    else:
        body = await client.read(int(headers.get("content-length", "0")), within=WITHIN)
    inflate = {"gzip": 31, "deflate": 15}.get(headers.get("content-encoding", ""))
    return Answer(status, headers, zlib.decompress(body, inflate) if inflate else body)


async def read_chunks(client: RawClient) -> bytes:
    """A body in chunks (RFC 9112, section 7.1)."""
    body = b""
    while size := int(await read_until(client, b"\r\n"), 16):
        body += (await client.read(size + 2, within=WITHIN))[:-2]
    await read_until(client, b"\r\n")
    return body


async def read_until(client: RawClient, end: bytes) -> bytes:
    data = b""
    async with asyncio.timeout(WITHIN):
        while not data.endswith(end):
            data += await client.read(1)
    return data
