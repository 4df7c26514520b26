"""The AsyncAPI 3.0 document of the native protocol: from the structs of `model` and the registered handlers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

import msgspec

from hubbub import __version__, model
from hubbub.api.chat_asyncapi import add_chat
from hubbub.chat.operations import Operation as ChatOperation
from hubbub.errors import DISCONNECTS, ERRORS
from hubbub.hub.handlers import Handler

Document = dict[str, Any]
Wire = type[msgspec.Struct]

CHANNEL = "session"
REFERENCE = "#/components/schemas/{name}"
DESCRIPTION = """\
Hubbub's native protocol, version 1. A client opens a WebSocket with the subprotocol `hubbub.v1.json` (or
`hubbub.v1.msgpack`, the same objects in MessagePack) and sends `connect` first. Each command carries an `id`, which its
reply repeats; what the server sends unasked is a push and has none. Several JSON objects may share a frame, separated
by newlines.
"""
REPLIES: dict[Wire, Wire] = {
    model.Connect: model.Connected,
    model.Subscribe: model.Subscribed,
    model.Publish: model.Published,
}
"""What answers a command that no plain `result` answers. Each may be answered by `error` instead."""

COMMANDS: tuple[Wire, ...] = get_args(model.Command)
ANSWERS: tuple[Wire, ...] = get_args(model.Reply)
RESULTS: tuple[Any, ...] = get_args(
    next(each.type for each in msgspec.structs.fields(model.Result) if each.name == "result")
)
PUSHES: tuple[Wire, ...] = (*get_args(model.Push), *get_args(model.SessionPush))


def _tag(type_: Wire) -> str:
    return str(type_.__struct_config__.tag)


def asyncapi_document(
    handlers: Mapping[str, Handler],
    *,
    operations: Sequence[ChatOperation[Any, Any]] = (),
    host: str = "localhost:8000",
    secure: bool = False,
    root: str = "",
) -> Document:
    """The document, with an operation for each handler and each of the chat's `operations`. `root` is the path where
    the application is mounted."""
    schemas = _schemas(handlers.values())
    messages = {each.__name__: _message(each, schemas) for each in (*COMMANDS, *ANSWERS, *PUSHES)}
    actions = {f"receive{each.__name__}": _command(each) for each in COMMANDS}
    actions |= {f"send{each.__name__}": _push(each) for each in PUSHES}
    for name, handler in _named(handlers).items():
        called, answered = f"call.{name}", f"result.{name}"
        messages[called], messages[answered] = _call(handler, schemas), _result(handler, schemas)
        actions[called] = {
            "action": "receive",
            "title": handler.method,
            "channel": {"$ref": f"#/channels/{CHANNEL}"},
            "messages": [_in_channel(called)],
            "reply": _reply(answered),
        } | _described(handler.doc)
    document: Document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Hubbub native protocol",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "this": {
                "host": host,
                "protocol": "wss" if secure else "ws",
                **({"pathname": root} if root else {}),
            }
        },
        "channels": {
            CHANNEL: {
                "address": "/v1/ws",
                "title": "A session's connection",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "headers": {
                            "type": "object",
                            "properties": {
                                "Sec-WebSocket-Protocol": {"enum": ["hubbub.v1.json", "hubbub.v1.msgpack"]}
                            },
                        },
                        "bindingVersion": "0.1.0",
                    }
                },
            }
        },
        "operations": actions,
        "components": {"messages": messages, "schemas": schemas.components},
        "x-errors": [
            {
                "code": int(code),
                "name": row.name,
                "text": row.text,
                "temporary": row.temporary,
                "advice": row.advice,
            }
            for code, row in ERRORS.items()
        ],
        "x-disconnects": [
            {
                "code": row.code,
                "name": row.name,
                "text": row.text,
                "reconnect": row.reconnect,
                "advice": row.advice,
            }
            for row in DISCONNECTS.values()
        ],
    }
    if operations:
        add_chat(document, operations, CHANNEL)
    return document


# --- schemas ----------------------------------------------------------------------------------------------


def _without_raw_defaults(type_: Wire) -> Wire:
    """A twin of `type_` that msgspec can describe: it cannot write down a default that is `Raw`."""
    fields: list[Any] = []
    for each in msgspec.structs.fields(type_):
        if each.required:
            fields.append((each.name, each.type))
        else:
            raw = isinstance(each.default, model.Raw)
            fields.append((each.name, each.type, msgspec.UNSET if raw else each.default))
    return msgspec.defstruct(
        type_.__name__, fields, tag=_tag(type_), namespace={"__doc__": inspect.getdoc(type_)}
    )


CALL = _without_raw_defaults(model.Call)


class _Schemas:
    """The schema of each type, all with one set of components, so that equal names are told apart."""

    def __init__(self, types: list[Any]) -> None:
        schemas, self.components = msgspec.json.schema_components(
            [CALL if each is model.Call else each for each in types], ref_template=REFERENCE
        )
        self._by_type = [(type_, schema) for type_, schema in zip(types, schemas, strict=True)]

    def of(self, type_: Any) -> Document:
        """The schema of `type_`; any JSON for a result that msgspec cannot describe."""
        return next((schema for known, schema in self._by_type if known is type_), {})


def _schemas(handlers: Iterable[Handler]) -> _Schemas:
    # `Result` is a union that only encodes, which msgspec cannot describe: see `_message`.
    types: list[Any] = [*COMMANDS, *ANSWERS, *PUSHES, *RESULTS]
    types.remove(model.Result)
    for handler in handlers:
        for each in (handler.params, handler.result):
            if each is not None and not any(each is known for known in types) and _describable(each):
                types.append(each)
    return _Schemas(types)


def _describable(type_: Any) -> bool:
    try:
        msgspec.json.schema_components([type_])
    except (TypeError, ValueError):
        return False
    return True


# --- messages and operations ------------------------------------------------------------------------------


def _message(type_: Wire, schemas: _Schemas) -> Document:
    return {
        "name": _tag(type_),
        "title": type_.__name__,
        "payload": _any_result(schemas) if type_ is model.Result else schemas.of(type_),
    } | _described(inspect.getdoc(type_) or "")


def _any_result(schemas: _Schemas) -> Document:
    return _answer({"anyOf": [schemas.of(each) for each in RESULTS]})


def _answer(result: Document) -> Document:
    """A `result` message with that content."""
    return {
        "type": "object",
        "properties": {"type": {"const": "result"}, "id": {"type": "integer"}, "result": result},
        "required": ["type", "id", "result"],
    }


def _call(handler: Handler, schemas: _Schemas) -> Document:
    params: Document = {"type": "null"} if handler.params is None else schemas.of(handler.params)
    constant = {"properties": {"method": {"const": handler.method}, "params": params}}
    return {
        "name": "call",
        "title": f"Call {handler.method}",
        "payload": {"allOf": [schemas.of(model.Call), constant]},
    } | _described(handler.doc)


def _result(handler: Handler, schemas: _Schemas) -> Document:
    result: Document = {"type": "null"} if handler.result is type(None) else schemas.of(handler.result)
    return {
        "name": "result",
        "title": f"Result of {handler.method}",
        "payload": _answer(result),
    }


def _command(type_: Wire) -> Document:
    return {
        "action": "receive",
        "title": _tag(type_),
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "messages": [_in_channel(type_.__name__)],
        "reply": _reply(REPLIES.get(type_, model.Result).__name__),
    } | _described(inspect.getdoc(type_) or "")


def _push(type_: Wire) -> Document:
    return {
        "action": "send",
        "title": _tag(type_),
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "messages": [_in_channel(type_.__name__)],
    } | _described(inspect.getdoc(type_) or "")


def _reply(message: str) -> Document:
    return {
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "messages": [_in_channel(message), _in_channel(model.ErrorReply.__name__)],
    }


def _in_channel(message: str) -> Document:
    return {"$ref": f"#/channels/{CHANNEL}/messages/{message}"}


def _described(doc: str) -> Document:
    """Summary and description of a docstring: its first line, and all of it if there is more."""
    summary, _, rest = doc.strip().partition("\n")
    if not summary:
        return {}
    return {"summary": summary, "description": doc.strip()} if rest.strip() else {"summary": summary}


def _named(handlers: Mapping[str, Handler]) -> dict[str, Handler]:
    """Handlers by keys that AsyncAPI allows (`[\\w.-]+`); methods that become alike by that are numbered."""
    named: dict[str, Handler] = {}
    for method in sorted(handlers):
        key = base = re.sub(r"[^A-Za-z0-9._-]", "_", method)
        number = 1
        while key in named:
            number += 1
            key = f"{base}-{number}"
        named[key] = handlers[method]
    return named
