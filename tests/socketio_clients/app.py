"""The application that the scenarios talk to; reference.js is the same one on Node's Socket.IO."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any
from urllib.parse import parse_qs

from hubbub.app import Hubbub
from hubbub.config import Config, development
from hubbub.socketio import ConnectionRefused, Socket, SocketIo

NAMESPACES = ("/", "/chat", re.compile(r"/dynamic-\d+"))


def make(
    *,
    path: str = "/socket.io",
    pingInterval: int = 25_000,
    pingTimeout: int = 20_000,
    recovery: int = 0,
    parser: str = "json",
    origin: str | None = None,
) -> Hubbub:
    """The application. Options are named and measured (in milliseconds) as in reference.js; pages from `origin` are
    let in."""
    settings = {
        "path": f"{path}/",
        "ping_interval": pingInterval / 1000,
        "ping_timeout": pingTimeout / 1000,
        "recovery_window": recovery / 1000,
        "parser": parser,
    }
    server = {"allowed_origins": (origin,) if origin is not None else ()}
    config = Config.model_validate({"auth": {"anonymous": True}, "server": server, "socketio": settings})
    app = Hubbub(development(config, secrets.token_urlsafe(32)))
    register(app.socketio)
    return app


def register(sio: SocketIo) -> None:
    reasons: dict[str, list[str]] = {}
    counting: set[asyncio.Task[None]] = set()

    async def count(namespace: str, to: Any, first: int, last: int) -> None:
        for number in range(first, last + 1):
            await sio.emit("tick", number, to=to, namespace=namespace)
            if number % 10 == 0:
                await asyncio.sleep(0)

    async def connect(socket: Socket, environ: dict[str, Any], auth: dict[str, Any] | None) -> None:
        auth = auth or {}
        if "refuse" in auth:
            raise ConnectionRefused("refused", auth["refuse"])
        query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        socket.data["who"] = {
            "id": socket.sid,
            "namespace": socket.namespace,
            "auth": auth,
            "query": {name: values[-1] for name, values in query.items()},
            "flavour": environ.get("HTTP_X_FLAVOUR"),
        }
        if "ticks" in auth:
            task = asyncio.create_task(count(socket.namespace, socket, 1, auth["ticks"]))
            counting.add(task)
            task.add_done_callback(counting.discard)

    async def disconnect(socket: Socket, reason: str) -> None:
        reasons.setdefault(socket.sid, []).append(reason)

    async def echo(socket: Socket, *values: Any) -> tuple[Any, ...]:
        return values

    async def again(socket: Socket, *values: Any) -> None:
        await socket.emit("again", values)

    async def who(socket: Socket) -> Any:
        return socket.data["who"]

    async def remember(socket: Socket, value: Any) -> Any:
        socket.data["value"] = value
        return value

    async def recall(socket: Socket) -> Any:
        return (socket.data.get("value"),)

    async def number(socket: Socket, value: int) -> None:
        socket.data.setdefault("numbers", []).append(value)

    async def numbers(socket: Socket) -> Any:
        return socket.data.get("numbers", [])

    async def join(socket: Socket, room: str) -> None:
        await socket.join(room)

    async def leave(socket: Socket, room: str) -> None:
        await socket.leave(room)

    async def rooms(socket: Socket) -> list[str]:
        return sorted(socket.rooms - {socket.sid})

    async def close_room(socket: Socket, room: str) -> None:
        await sio.close_room(room, socket.namespace)

    async def kick_room(socket: Socket, room: str) -> None:
        await sio.disconnect_all(room, socket.namespace)

    async def say(socket: Socket, to: list[str], unless: list[str], event: str, *values: Any) -> None:
        await sio.emit(
            event, values, to=to or None, skip_sid=unless, unless=unless, namespace=socket.namespace
        )

    async def say_to_others(socket: Socket, room: str, event: str, *values: Any) -> None:
        await socket.broadcast(event, values, to=room)

    async def say_volatile(socket: Socket, event: str, value: Any) -> None:
        await socket.emit(event, value, volatile=True)

    async def count_to(socket: Socket, room: str, first: int, last: int) -> None:
        await count(socket.namespace, room, first, last)

    async def flow(socket: Socket, rooms: list[str], number: int, bytes: bytes | None) -> None:
        values = (number, {"bytes": bytes}) if bytes else (number,)
        for room in rooms:
            await sio.emit("tick", values, to=room, namespace=socket.namespace)

    async def burst(socket: Socket, first: int, last: int) -> None:
        for value in range(first, last + 1):
            await socket.emit("tick", value)

    async def ask(socket: Socket, id: str | None, event: str, value: Any, milliseconds: int) -> Any:
        whom = id or socket.sid
        try:
            answer = await sio.call(
                event, value, whom, namespace=socket.namespace, timeout=milliseconds / 1000
            )
        except TimeoutError:
            return {"error": "timeout"}
        return {"answer": answer}

    async def ask_all(socket: Socket, room: str, event: str, value: Any, milliseconds: int) -> Any:
        answers = await sio.call_all(event, value, room, socket.namespace, milliseconds / 1000)
        return {"error": "timeout" if answers.missing else None, "answers": sorted(answers.values)}

    async def kick(socket: Socket) -> None:
        await socket.disconnect()

    async def why(socket: Socket, id: str) -> list[str]:
        return reasons.get(id, [])

    in_turn = (
        *(connect, disconnect, echo, again, who, remember, recall, number, numbers, join, leave, rooms),
        *(close_room, kick_room, say, say_to_others, say_volatile, flow, burst, kick, why),
    )
    for namespace in NAMESPACES:
        for handler in in_turn:
            sio.on(handler.__name__.replace("_", " "), handler, namespace)
        sio.on("count", count_to, namespace)
        for handler in (ask, ask_all):
            sio.on(handler.__name__.replace("_", " "), handler, namespace, concurrent=True)
