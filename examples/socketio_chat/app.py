"""A chat for stock Socket.IO clients. In this folder: `hubbub serve app:app --dev`, and a web server for the page:
`python -m http.server 9000 --bind 127.0.0.1`, then http://127.0.0.1:9000/."""

from __future__ import annotations

import time
from typing import Annotated

from msgspec import Meta, Struct

from hubbub import ErrorCode, Hubbub, HubbubError, Principal
from hubbub.auth.base import ConnectionInfo
from hubbub.model import Operation
from hubbub.socketio import Socket

Room = Annotated[str, Meta(pattern="^[a-z]{1,20}$")]


class Said(Struct):
    """`id` is the page's own: it drops what it has shown already."""

    id: Annotated[str, Meta(min_length=1, max_length=40)]
    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class Names:
    """Whoever says a name is let in under it. Without this Policy `auth.token` would have to be a JWT."""

    async def authenticate(self, token: str | None, info: ConnectionInfo) -> Principal:
        if not token or len(token) > 24:
            raise HubbubError(ErrorCode.UNAUTHENTICATED, "A name has 1 to 24 characters.")
        return Principal(token)

    async def authorize(
        self, principal: Principal, operation: Operation, channel: str, token: str | None = None
    ) -> None:
        if operation == "publish":  # past the handlers below
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "Send the event `message`.")


app = Hubbub(policy=Names())  # by hubbub.toml the room lobby is the channel chat:lobby
sio = app.socketio


def here(socket: Socket) -> list[str]:
    return list(socket.rooms - {socket.sid})


@sio.event
async def join(socket: Socket, room: Room) -> None:
    """Go to a room. Who is in it, and what was said, the page asks by `hubbub:presence` and `hubbub:history`."""
    for other in here(socket):
        await socket.leave(other)
    await socket.join(room)


@sio.event
async def message(socket: Socket, said: Said) -> None:
    whole = {"id": said.id, "from": socket.user, "text": said.text, "time": time.time()}
    await sio.emit("message", whole, to=here(socket))


@sio.event
async def typing(socket: Socket) -> None:
    await socket.broadcast("typing", socket.user, to=here(socket), volatile=True)
