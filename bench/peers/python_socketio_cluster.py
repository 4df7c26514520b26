"""python-socketio with its Redis manager, under uvicorn: WebSocket only, no compression, uvloop and httptools.

Usage: python python_socketio_cluster.py PORT REDIS_URL
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

import socketio  # type: ignore[import-untyped]

server = socketio.AsyncServer(
    async_mode="asgi",
    client_manager=socketio.AsyncRedisManager(sys.argv[2]),
    transports=["websocket"],
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


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        access_log=False,
        lifespan="off",
        backlog=4096,
    )
