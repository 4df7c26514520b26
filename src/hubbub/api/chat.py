"""The routes of the chat: one for each operation in the directory, made from what the operation says of itself.

A request is put together to the params that a `call` would carry (`chat_params`), so that types, limits and refusals
are the same by both ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from litestar import Request, Response, delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler

from hubbub.api.chat_callers import Callers
from hubbub.api.chat_params import PLACEHOLDER, Reader
from hubbub.chat.operations import Operation

METHODS: dict[str, Any] = {"GET": get, "POST": post, "PUT": put, "PATCH": patch, "DELETE": delete}


def operation_id(operation: Operation[Any, Any]) -> str:
    """`chatMessagesSend` of `messages.send`."""
    return "chat" + "".join(word.capitalize() for word in operation.name.replace("_", ".").split(".") if word)


def route(operation: Operation[Any, Any]) -> HTTPRouteHandler:
    """The handler of an operation, below `/v1`."""
    reader = Reader(operation)

    async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
        callers: Callers = request.scope["state"]["callers"]
        chat = callers.chat
        caller = await callers.caller(request, operation)
        raw = reader.read(
            request.path_params, request.scope["query_string"], await request.body(), chat.config.limits
        )
        result = await chat.perform(operation, caller, chat.decode(operation, raw))
        return Response(
            msgspec.json.encode(result), status_code=operation.status, media_type="application/json"
        )

    path = PLACEHOLDER.sub(r"{\1:str}", operation.path)
    made: HTTPRouteHandler = METHODS[operation.method](
        path, status_code=operation.status, include_in_schema=False
    )(answer)
    return made


def routes(operations: Iterable[Operation[Any, Any]]) -> list[HTTPRouteHandler]:
    return [route(operation) for operation in operations]
