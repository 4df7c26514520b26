"""A server that does what a script says, one script a connection: for what a real one does only at rare moments."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

WITHIN = 10.0
"""Seconds after which a test that waits for what does not come has failed."""


class Peer:
    """The server's side of one connection."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    async def take(self, type: str) -> dict[str, Any]:
        """The next command, which must be of this type."""
        command: dict[str, Any] = json.loads(await self.socket.recv())
        assert command["type"] == type, command
        return command

    async def give(self, *objects: dict[str, Any]) -> None:
        """Objects in one frame."""
        await self.socket.send("\n".join(map(json.dumps, objects)))

    async def accept(self, **fields: Any) -> dict[str, Any]:
        """Answer `connect`; the answer is the command."""
        command = await self.take("connect")
        await self.give(connected(command["id"], **fields))
        return command

    def cut(self) -> None:
        """End the connection as a broken network does."""
        self.socket.transport.abort()

    async def stay(self) -> None:
        """Until the client goes."""
        with contextlib.suppress(ConnectionClosed):
            async for _ in self.socket:
                pass


Script = Callable[[Peer], Awaitable[None]]


def connected(id: int, **fields: Any) -> dict[str, Any]:
    return {
        "type": "connected",
        "id": id,
        "session": "s1",
        "secret": "x",
        "user": "ada",
        "ping_interval": 6.0,
        "ping_timeout": 3.0,
        "resume_window": 60.0,
    } | fields


def subscribed(id: int, channel: str, offset: int, **fields: Any) -> dict[str, Any]:
    position = {"epoch": "e", "offset": offset}
    return {
        "type": "subscribed",
        "id": id,
        "channel": channel,
        "position": position,
        "recoverable": True,
    } | fields


def publication(channel: str, offset: int, epoch: str = "e") -> dict[str, Any]:
    return {
        "type": "publication",
        "channel": channel,
        "event": "message",
        "data": offset,
        "id": f"m{offset}",
        "epoch": epoch,
        "offset": offset,
    }


def error(id: int, code: int, message: str = "no", **fields: Any) -> dict[str, Any]:
    return {"type": "error", "id": id, "code": code, "message": message} | fields


@contextlib.asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[str]:
    """The address of a server that plays the scripts in turn. What a script raises is raised at the end."""
    remaining, failures = list(scripts), []

    async def play(socket: ServerConnection) -> None:
        try:
            if not remaining:
                raise AssertionError("one connection too many")
            await remaining.pop(0)(Peer(socket))
        except ConnectionClosed:
            pass
        except Exception as problem:
            failures.append(problem)

    async with serve(play, "127.0.0.1", 0, subprotocols=[Subprotocol("hubbub.v1.json")]) as server:
        host, port = next(iter(server.sockets)).getsockname()[:2]
        async with asyncio.timeout(WITHIN):
            yield f"ws://{host}:{port}"
    if failures:
        raise failures[0]
    assert remaining == []
