"""One operation by each way there is: REST, the native protocol's `call`, `hubbub:call` and an event of Socket.IO's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, cast
from urllib.parse import quote

from tests.api.chat_server import ChatServer
from tests.hub.world import Client
from tests.socketio.world import Peer
from tests.waiting import until

from hubbub.api.chat_params import BODY_METHODS, PLACEHOLDER
from hubbub.chat.directory import OPERATIONS
from hubbub.chat.operations import PREFIX, Operation
from hubbub.errors import ERRORS, ErrorCode
from hubbub.protocols.socketio import JsonDecoder, JsonParser, Limits
from hubbub.socketio import SocketIo

Params = dict[str, Any]
Answer = tuple[str, Any]
"""`done` and the result, or `refused` and code, field and message."""
Speak = Callable[[str, Params], Awaitable[Answer]]


def answer_of(error: dict[str, Any]) -> Answer:
    info = ERRORS[ErrorCode(error["code"])]
    assert (error["name"], error.get("temporary", False)) == (info.name, info.temporary)
    return "refused", (error["code"], error.get("field"), error["message"])


def rest(server: ChatServer, user: str, **headers: str) -> Speak:
    async def speak(name: str, params: Params) -> Answer:
        operation = OPERATIONS[name]
        request = request_of(operation, params)
        assert request is not None, f"no URL says {params}"
        path, given = request
        response = await server.call(user, operation.method, path, headers=headers, **given)
        if response.is_success:
            assert response.status_code == operation.status
            return "done", response.json()
        assert response.status_code == ERRORS[ErrorCode(response.json()["code"])].status
        return answer_of(response.json())

    return speak


def request_of(operation: Operation[Any, Any], params: Params) -> tuple[str, dict[str, Any]] | None:
    """The path and the rest of a request with `params`; None if no URL can say it."""
    path = operation.path
    left = dict(params)
    for name in PLACEHOLDER.findall(path):
        text = _text(left.pop(name))
        if text is None or text in ("", ".", "..") or (name == "user" and text in ("me", "query")):
            return None
        path = path.replace(f"{{{name}}}", quote(text, safe=""))
    if operation.method in BODY_METHODS:
        return f"/v1{path}", {"body": left}
    query = {key: _text(value) for key, value in left.items()}
    return None if None in query.values() else (f"/v1{path}", {"query": query})


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    return None if value is None else json.dumps(value)


async def native(server: ChatServer, user: str) -> Speak:
    """A session of the native protocol."""
    client = Client(server.world.node, server.world.node.client().connection)
    id = client.send(type="connect", token=server.token(user))
    await until(lambda: _reply(client, id) is not None)

    async def speak(name: str, params: Params) -> Answer:
        id = client.send(type="call", method=PREFIX + name, params=params)
        await until(lambda: _reply(client, id) is not None)
        reply = cast("dict[str, Any]", _reply(client, id))
        client.take()
        return ("done", reply["result"]) if reply["type"] == "result" else answer_of(reply)

    return speak


def _reply(client: Client, id: int) -> dict[str, Any] | None:
    return next(
        (each for each in client.peek() if each.get("id") == id and each["type"] != "publication"), None
    )


class SocketIoNode:
    """What a `Peer` needs of its world."""

    def __init__(self, server: ChatServer) -> None:
        limits = server.world.config.limits
        self.hub = server.world.hub
        parser = JsonParser(
            Limits(
                limits.attachments,
                limits.attachment_bytes,
                limits.namespace_length,
                limits.json_depth,
                limits.json_keys,
            )
        )
        self.sockets = SocketIo(self.hub, parser).sockets


async def socketio(node: SocketIoNode, server: ChatServer, user: str, *, by_name: bool) -> Speak:
    """A Socket.IO client: `hubbub:call`, or an event of the method's name."""
    peer = Peer(cast("Any", node), server.token(user), {})
    peer._decoder = JsonDecoder(Limits(json_keys=10**6))  # what the server sends may be more than it takes
    await peer.enter()

    async def speak(name: str, params: Params) -> Answer:
        method = PREFIX + name
        if by_name:
            id = peer.emit(method, params, ack=True)
        else:
            id = peer.emit("hubbub:call", {"method": method, "params": params}, ack=True)

        def answered() -> bool:
            peer.read()
            return id in peer.place().acks

        await until(answered)
        (content,) = peer.place().acks.pop(id)
        if isinstance(content, dict) and "error" in content:
            return answer_of(content["error"])
        return "done", content if by_name else content["result"]

    return speak
