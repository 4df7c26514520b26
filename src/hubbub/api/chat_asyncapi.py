"""The chat's part of the AsyncAPI document: its methods of `call`, and its channels with their events."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from hubbub.api.chat_schemas import REFERENCE, Document, Schemas
from hubbub.chat import events
from hubbub.chat.operations import PREFIX, Operation
from hubbub.model import Call, Publication

Wire = type[msgspec.Struct]


@dataclass(frozen=True, slots=True)
class Channel:
    """One of the chat's kinds of channels. What has an offset is in its log; signals have none."""

    name: str
    parameter: str
    meaning: str
    description: str
    logged: tuple[Wire, ...]
    signals: tuple[Wire, ...] = ()

    @property
    def address(self) -> str:
        return f"{self.name}:{{{self.parameter}}}"


CHANNELS = (
    Channel(
        "conversation",
        "conversation",
        "Id of the conversation.",
        "What happens in a conversation, the same for all of its members. Its log begins with the conversation and is "
        "kept for ever: the `offset` of a publication is the `seq` of its event, without gaps.",
        get_args(events.LogEvent),
        (events.Typing, events.Receipts),
    ),
    Channel(
        "inbox",
        "user",
        "Id of the user.",
        "What concerns one user on all of its devices: conversations that come and go, cursors, settings. Only the "
        "user may follow it. Its log keeps the newest `chat.inbox_size` events.",
        get_args(events.InboxEvent),
    ),
    Channel(
        "status",
        "user",
        "Id of the user.",
        "Whether a user is there, for those who share a conversation with it. It has no log.",
        (),
        (events.PresenceChanged,),
    ),
    Channel(
        "cases",
        "conversation",
        "Id of a conversation, or `all`.",
        "The review queue, live: cases of a conversation, for those who moderate it, or `all`, for those who have an "
        "office. It has no log.",
        (),
        (events.CaseChanged,),
    ),
    Channel(
        "catalogue",
        "of",
        "Always `all`.",
        "What all users share: custom emoji, and groups of users that can be mentioned. It has no log; `sync` says "
        "`catalogue` to a device that was away while something of it changed.",
        (),
        (events.EmojiChanged, events.GroupChanged),
    ),
)


def tag_of(event: Wire) -> str:
    return str(event.__struct_config__.tag)


def add_chat(document: Document, operations: Iterable[Operation[Any, Any]], session: str) -> None:
    """Add to an AsyncAPI document whose channel `session` is that of commands and replies."""
    operations = tuple(operations)
    components = document["components"]
    types: dict[Hashable, Any] = {}
    for operation in operations:
        types["params", operation.name] = operation.params
        types["result", operation.name] = operation.result
    for channel in CHANNELS:
        types |= {event: event for event in (*channel.logged, *channel.signals)}
    schemas = Schemas(types, components["schemas"])
    components["schemas"] |= schemas.components
    for operation in operations:
        _add_call(document, operation, schemas, session)
    for channel in CHANNELS:
        _add_channel(document, channel, schemas)


def _add_call(document: Document, operation: Operation[Any, Any], schemas: Schemas, session: str) -> None:
    method = PREFIX + operation.name
    called, answered = f"call.{method}", f"result.{method}"
    said = {"summary": operation.summary, "description": inspect.getdoc(operation.function)}
    params, result = schemas["params", operation.name], schemas["result", operation.name]
    messages = {
        called: {
            "name": "call",
            "title": f"Call {method}",
            "payload": {
                "allOf": [
                    {"$ref": REFERENCE + Call.__name__},
                    {"properties": {"method": {"const": method}, "params": params}},
                ]
            },
        }
        | said,
        answered: {
            "name": "result",
            "title": f"Result of {method}",
            "payload": {
                "type": "object",
                "properties": {"type": {"const": "result"}, "id": {"type": "integer"}, "result": result},
                "required": ["type", "id", "result"],
            },
        },
    }
    document["components"]["messages"] |= messages
    channel = document["channels"][session]
    channel["messages"] |= {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    document["operations"][called] = {
        "action": "receive",
        "title": method,
        "channel": {"$ref": f"#/channels/{session}"},
        "messages": [{"$ref": f"#/channels/{session}/messages/{called}"}],
        "reply": {
            "channel": {"$ref": f"#/channels/{session}"},
            "messages": [
                {"$ref": f"#/channels/{session}/messages/{name}"} for name in (answered, "ErrorReply")
            ],
        },
    } | said


def _add_channel(document: Document, channel: Channel, schemas: Schemas) -> None:
    named = {}
    for event in (*channel.logged, *channel.signals):
        tag = tag_of(event)
        key = f"event.{tag}"
        named[key] = {"$ref": f"#/components/messages/{key}"}
        document["components"]["messages"][key] = {
            "name": tag,
            "title": tag,
            "payload": {
                "allOf": [
                    {"$ref": REFERENCE + Publication.__name__},
                    {
                        "properties": {
                            "channel": {"pattern": f"^{channel.name}:"},
                            "event": {"const": tag},
                            "data": schemas[event],
                        }
                    },
                ]
            },
        } | _described(event)
        document["operations"][f"publish.{tag}"] = {
            "action": "send",
            "title": tag,
            "channel": {"$ref": f"#/channels/{channel.name}"},
            "messages": [{"$ref": f"#/channels/{channel.name}/messages/{key}"}],
        } | _described(event)
    document["channels"][channel.name] = {
        "address": channel.address,
        "title": channel.address,
        "description": channel.description,
        "parameters": {channel.parameter: {"description": channel.meaning}},
        "messages": named,
    }


def _described(event: Wire) -> Document:
    """The first sentence of its docstring, and all of it."""
    doc = inspect.getdoc(event) or ""
    summary = " ".join(doc.partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
    return {"summary": summary, "description": doc}
