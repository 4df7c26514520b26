"""python-socketio under uvicorn, at its best: WebSocket only (unless told), no compression, uvloop and httptools.

Usage: python python_socketio_app.py PORT [polling | REDIS_URL]

With a URL it is a node among others, by its Redis manager.
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

import socketio  # type: ignore[import-untyped]

port, mode = sys.argv[1], "".join(sys.argv[2:])
server = socketio.AsyncServer(
    async_mode="asgi",
    client_manager=socketio.AsyncRedisManager(mode) if mode.startswith("redis:") else None,
    transports=["polling", "websocket"] if mode == "polling" else ["websocket"],
    http_compression=False,
    logger=False,
    engineio_logger=False,
)


@server.event  # type: ignore[untyped-decorator]
async def subscribe(sid: str, channel: str) -> None:
    await server.enter_room(sid, channel)


@server.event  # type: ignore[untyped-decorator]
async def publish(sid: str, channel: str, data: Any) -> None:
    await server.emit("message", data, to=channel)


@server.event  # type: ignore[untyped-decorator]
async def echo(sid: str, data: Any) -> None:
    """The ack that python-socketio sends by itself is the whole answer."""


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        lifespan="off",
        backlog=4096,
    )
