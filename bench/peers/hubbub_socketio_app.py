"""Hubbub speaking Socket.IO, with the handlers that its peers have, in the API that its users have.

Anybody may connect, as with the peers; a token is verified where one is sent. The switch is for symmetry: both
transports are there anyway. Usage: python hubbub_socketio_app.py PORT [polling]
"""

from __future__ import annotations

import sys
from typing import Any

from hubbub import Hubbub
from hubbub.config import load
from hubbub.socketio import Socket

app = Hubbub(load(server={"port": int(sys.argv[1])}, auth={"anonymous": True}))
sio = app.socketio


@sio.event
async def subscribe(socket: Socket, room: str) -> None:
    await sio.enter_room(socket, room)


@sio.event
async def publish(socket: Socket, room: str, data: Any) -> None:
    await sio.emit("message", data, to=room)


@sio.event
async def echo(socket: Socket, data: Any) -> None:
    """The ack that is sent by itself is the whole answer."""


if __name__ == "__main__":
    app.run()
