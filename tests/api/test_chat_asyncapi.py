"""What is said of the chat in the AsyncAPI document, and whether what is sent is that."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator
from tests.api.chat_server import ChatServer
from tests.api.test_asyncapi import references

from hubbub.api.asyncapi import asyncapi_document
from hubbub.api.chat_asyncapi import CHANNELS, tag_of
from hubbub.chat import events
from hubbub.chat.directory import OPERATIONS
from hubbub.hub.handlers import Handlers

DOCUMENT: Any = json.loads(
    msgspec.json.encode(asyncapi_document(Handlers().methods, operations=tuple(OPERATIONS.values())))
)


def valid(message: str, value: Any) -> bool:
    schema = {"$ref": f"#/components/messages/{message}/payload", "components": DOCUMENT["components"]}
    return Draft202012Validator(schema).is_valid(value)


def test_every_reference_leads_somewhere() -> None:
    for pointer in references(DOCUMENT):
        value = DOCUMENT
        for part in pointer.removeprefix("#/").split("/"):
            value = value[part]


def test_every_operation_is_a_method() -> None:
    session = DOCUMENT["channels"]["session"]["messages"]
    for name, operation in OPERATIONS.items():
        method = f"chat.{name}"
        described = DOCUMENT["operations"][f"call.{method}"]
        assert (described["title"], described["summary"]) == (method, operation.summary)
        assert [each["$ref"].rpartition("/")[2] for each in described["reply"]["messages"]] == [
            f"result.{method}",
            "ErrorReply",
        ]
        assert {f"call.{method}", f"result.{method}"} <= set(session)
    for group in ("messages", "schemas"):
        for key in DOCUMENT["components"][group]:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", key), key


def test_params_are_described() -> None:
    call = {"type": "call", "id": 1, "method": "chat.users.get", "params": {"user": "ada"}}
    assert valid("call.chat.users.get", call)
    assert not valid("call.chat.users.get", call | {"params": {}})
    assert not valid("call.chat.users.get", call | {"params": {"user": "ada", "role": "owner"}})
    assert not valid("call.chat.users.get", call | {"method": "chat.me.get"})


def test_every_event_is_in_its_channel() -> None:
    named = {channel.name: channel for channel in CHANNELS}
    for union, name in ((events.LogEvent, "conversation"), (events.InboxEvent, "inbox")):
        assert set(get_args(union)) == set(named[name].logged)
    assert {event for each in CHANNELS for event in each.signals} == set(get_args(events.Signal))
    for channel in CHANNELS:
        described = DOCUMENT["channels"][channel.name]
        assert described["address"] == channel.address
        assert set(described["parameters"]) == set(re.findall(r"\{(\w+)\}", channel.address))
        tags = {tag_of(each) for each in (*channel.logged, *channel.signals)}
        assert set(described["messages"]) == {f"event.{tag}" for tag in tags}
        for tag in tags:
            assert DOCUMENT["operations"][f"publish.{tag}"]["action"] == "send"
            assert DOCUMENT["operations"][f"publish.{tag}"]["summary"]


def test_what_is_published_is_what_is_described() -> None:
    typing = {"type": "typing", "conversation": "c", "user": "ada", "ttl": 6.0}
    sent = {
        "type": "publication",
        "channel": "conversation:c",
        "event": "typing",
        "data": typing,
        "id": "x",
        "time": 1.0,
    }
    assert valid("event.typing", sent)
    assert not valid("event.typing", sent | {"event": "receipts"})
    assert not valid("event.typing", sent | {"channel": "inbox:c"})
    assert not valid("event.typing", sent | {"data": {**typing, "ttl": "soon"}})


def test_types_that_are_named_as_the_protocols_are_told_apart() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert "session" in schemas["Member"]["properties"]
    assert "role" in schemas["ChatMember"]["properties"]
    assert schemas["ChatMember"]["title"] == "ChatMember"
    members = schemas["ConversationCreated"]["properties"]["members"]
    assert members["items"] == {"$ref": "#/components/schemas/ChatMember"}


@pytest.mark.anyio
async def test_it_is_served_where_there_are_conversations(tmp_path: Path) -> None:
    for serve in (True, False):
        server = ChatServer(tmp_path, serve=serve)
        asyncapi = (await server.http.get("/asyncapi.json")).json()
        openapi = (await server.http.get("/openapi.json")).json()
        assert ("conversation" in asyncapi["channels"]) is serve
        assert ("call.chat.me.get" in asyncapi["operations"]) is serve
        assert ("/v1/me" in openapi["paths"]) is serve
        assert ("Me" in openapi["components"]["schemas"]) is serve
        assert ("Hubbub-User" in openapi["info"]["description"]) is serve
        await server.http.aclose()
