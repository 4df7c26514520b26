"""The application of server.cjs on Hubbub."""

from __future__ import annotations

import re
import secrets
from typing import Any

from tests.reference.table import Options

from hubbub.app import Hubbub
from hubbub.auth.base import ConnectionInfo
from hubbub.config import Config, development
from hubbub.errors import FORCED
from hubbub.model import Operation, Principal
from hubbub.socketio import ConnectionRefused, Socket, SocketIo

NAMESPACES = ("/", "/custom", re.compile(r"/dynamic-\d+"))


class Everybody:
    """A Policy as Node's Socket.IO has it: tokens are the application's affair."""

    async def authenticate(self, token: str | None, info: ConnectionInfo) -> Principal:
        return Principal(user="")

    async def authorize(
        self, principal: Principal, operation: Operation, channel: str, token: str | None = None
    ) -> None:
        return


def make(options: Options) -> Hubbub:
    """The application with these options."""
    sections = {
        "server": {"allowed_origins": options.origins},
        "limits": {"packet_bytes": options.max_payload, "handshake_timeout": options.connect_timeout},
        "socketio": {
            "path": options.path,
            "ping_interval": options.ping_interval,
            "ping_timeout": options.ping_timeout,
            "upgrade_timeout": options.upgrade_timeout,
            "transports": options.transports,
            "upgrades": options.upgrades,
            "parser": options.parser,
            "recovery": "never",
        },
    }
    config = development(Config.model_validate(sections), secrets.token_urlsafe(32))
    app = Hubbub(config, policy=Everybody())
    register(app.socketio)
    return app


def register(sio: SocketIo) -> None:
    reasons: dict[str, str] = {}

    async def connect(socket: Socket, environ: dict[str, Any], auth: dict[str, Any] | None) -> None:
        await socket.emit("auth", auth or {})

    async def disconnect(socket: Socket, reason: str) -> None:
        reasons[socket.sid] = reason

    async def message(socket: Socket, *values: Any) -> None:
        await socket.emit("message-back", values)

    async def message_with_ack(socket: Socket, *values: Any) -> tuple[Any, ...]:
        return values

    async def burst(socket: Socket, count: int, size: int) -> None:
        for at in range(count):
            await socket.emit("one", (at, "x" * size))

    async def ask(socket: Socket, *values: Any) -> None:
        async def answered(*answer: Any) -> None:
            await socket.emit("answered", answer)

        await sio.emit("question", values, to=socket, namespace=socket.namespace, callback=answered)

    async def leave(socket: Socket) -> None:
        await socket.disconnect()

    async def drop(socket: Socket) -> None:
        socket._connection.client.link.close(FORCED)

    async def kick(socket: Socket) -> None:
        await socket.disconnect(close=True)

    async def parting(socket: Socket) -> None:
        await socket.emit("last words")
        await kick(socket)

    async def say_then_leave(socket: Socket) -> None:
        await socket.emit("last words")
        await socket.disconnect()

    async def why(socket: Socket, id: str) -> str | None:
        return reasons.get(id)

    handlers = (connect, disconnect, message, burst, ask, leave, drop, kick, parting, why)
    for namespace in (*NAMESPACES, "/picky"):
        for handler in handlers:
            if namespace != "/picky" or handler is not connect:
                sio.on(handler.__name__, handler, namespace)
        sio.on("message-with-ack", message_with_ack, namespace)
        sio.on("say then leave", say_then_leave, namespace)

    async def refused(socket: Socket) -> None:
        raise ConnectionRefused("not you", {"code": 7})

    async def refused_plainly(socket: Socket) -> None:
        raise ConnectionRefused("no")

    async def picky(socket: Socket, environ: dict[str, Any], auth: dict[str, Any] | None) -> None:
        if (auth or {}).get("token") != "abc":
            raise ConnectionRefused("bad token")
        await connect(socket, environ, auth)

    sio.on("connect", refused, "/refused")
    sio.on("connect", refused_plainly, "/refused-plainly")
    sio.on("connect", picky, "/picky")
