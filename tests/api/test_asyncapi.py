from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema_rs import Draft202012Validator

from hubbub import model
from hubbub.api.asyncapi import ANSWERS, COMMANDS, PUSHES, asyncapi_document
from hubbub.hub.handlers import Handlers


class Order(msgspec.Struct):
    """An order."""

    id: int
    price: float


class Publish(msgspec.Struct):
    """Called as one of the protocol's own structs is."""

    copies: int


async def update(session: object, order: Order) -> list[Order]:
    """Update an order.

    It must exist.
    """
    return [order]


async def version(session: object) -> None: ...


async def reprint(session: object, params: Publish) -> complex:
    """A result that has no schema."""
    return complex(params.copies)


def described() -> dict[str, Any]:
    handlers = Handlers()
    handlers.add("order.update", update)
    handlers.add("version", version)
    handlers.add("print now", reprint)
    handlers.add("print/now", reprint)
    document = asyncapi_document(handlers.methods, host="chat.example", secure=True, root="/rt")
    return json.loads(msgspec.json.encode(document))  # type: ignore[no-any-return]


DOCUMENT = described()


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolved(pointer: str) -> Any:
    value = DOCUMENT
    for part in pointer.removeprefix("#/").split("/"):
        value = value[part]
    return value


def valid(message: str, value: Any) -> bool:
    """Whether `value` is a payload of `message`, by the document alone."""
    schema = {"$ref": f"#/components/messages/{message}/payload", "components": DOCUMENT["components"]}
    return Draft202012Validator(schema).is_valid(value)


def test_it_has_the_shape_of_asyncapi_3() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    assert DOCUMENT["servers"] == {"this": {"host": "chat.example", "protocol": "wss", "pathname": "/rt"}}
    (channel,) = DOCUMENT["channels"].values()
    assert channel["address"] == "/v1/ws"
    assert set(channel["messages"]) == set(DOCUMENT["components"]["messages"])
    for operation in DOCUMENT["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["messages"]
    for group in ("messages", "schemas"):
        for key in DOCUMENT["components"][group]:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", key), key


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > 100
    for pointer in found:
        resolved(pointer)


def test_references_of_operations_go_by_way_of_the_channel() -> None:
    for operation in DOCUMENT["operations"].values():
        for message in (*operation["messages"], *operation.get("reply", {}).get("messages", ())):
            assert message["$ref"].startswith("#/channels/session/messages/")


def test_every_struct_of_the_protocol_is_there() -> None:
    names = {each.__name__ for each in (*COMMANDS, *ANSWERS, *PUSHES)}
    assert names <= set(DOCUMENT["components"]["messages"])
    operations = DOCUMENT["operations"]
    assert {f"receive{each.__name__}" for each in COMMANDS} <= set(operations)
    assert {f"send{each.__name__}" for each in PUSHES} <= set(operations)
    assert all("reply" in operations[f"receive{each.__name__}"] for each in COMMANDS)


def test_commands_are_answered_as_the_hub_answers() -> None:
    def reply(command: str) -> list[str]:
        messages = DOCUMENT["operations"][f"receive{command}"]["reply"]["messages"]
        return [message["$ref"].rpartition("/")[2] for message in messages]

    assert reply("Connect") == ["Connected", "ErrorReply"]
    assert reply("Subscribe") == ["Subscribed", "ErrorReply"]
    assert reply("Publish") == ["Published", "ErrorReply"]
    assert reply("Ping") == reply("HistoryQuery") == ["Result", "ErrorReply"]


@pytest.mark.parametrize(
    "value",
    [
        model.Connect(1, token="t"),
        model.Connect(1, resume=model.Resume("s", "x", {"a": model.Position("e", 3)})),
        model.Subscribe(2, "a", since=model.Position("e", 1)),
        model.Publish(3, "a", model.Raw(b'{"any":["json"]}'), key="k"),
        model.Call(4, "m", model.Raw(b"[1]")),
        model.Ping(5),
        model.Result(6, model.History(model.Position("e", 0))),
        model.Result(7, model.Empty()),
        model.ErrorReply(8, 107, "no", name="bad_request"),
        model.Publication("a", "e", model.Raw(b"null"), id="x", epoch="e", offset=1),
        model.Join("a", model.Member("s", "u")),
        model.Advice(),
        model.DisconnectPush(3000, "drain", True),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_is_sent_is_what_is_described(value: msgspec.Struct) -> None:
    name = type(value).__name__
    sent = json.loads(msgspec.json.encode(value))
    assert valid(name, sent)
    assert not valid(name, sent | {"type": "other"})
    assert not valid(name, {key: inner for key, inner in sent.items() if key != "type"})


class TestHandlers:
    def test_each_is_an_operation_with_its_words(self) -> None:
        operation = DOCUMENT["operations"]["call.order.update"]
        assert (operation["title"], operation["summary"]) == ("order.update", "Update an order.")
        assert operation["description"] == "Update an order.\n\nIt must exist."

    def test_params_are_described(self) -> None:
        call = {"type": "call", "id": 1, "method": "order.update", "params": {"id": 1, "price": 2.5}}
        assert valid("call.order.update", call)
        assert not valid("call.order.update", call | {"params": {"id": "x", "price": 1}})
        assert not valid("call.order.update", call | {"method": "version"})
        assert valid("call.version", {"type": "call", "id": 1, "method": "version", "params": None})
        assert not valid("call.version", {"type": "call", "id": 1, "method": "version", "params": 1})

    def test_results_are_described(self) -> None:
        result = {"type": "result", "id": 1, "result": [{"id": 1, "price": 2.5}]}
        assert valid("result.order.update", result)
        assert not valid("result.order.update", result | {"result": [{}]})
        assert valid("result.version", {"type": "result", "id": 1, "result": None})

    def test_methods_that_look_alike_are_told_apart(self) -> None:
        operations = DOCUMENT["operations"]
        assert (operations["call.print_now"]["title"], operations["call.print_now-2"]["title"]) == (
            "print now",
            "print/now",
        )

    def test_structs_that_are_named_alike_are_told_apart(self) -> None:
        call = {"type": "call", "id": 1, "method": "print now", "params": {"copies": 2}}
        assert valid("call.print_now", call)
        assert valid("Publish", {"type": "publish", "id": 1, "channel": "a", "data": 1})
        assert not valid("Publish", {"copies": 2})

    def test_a_result_without_a_schema_may_be_anything(self) -> None:
        assert valid("result.print_now", {"type": "result", "id": 1, "result": {"re": 1}})


def test_errors_and_disconnects_are_listed() -> None:
    assert {row["code"] for row in DOCUMENT["x-errors"]} >= {100, 101, 125}
    assert {row["code"]: row["reconnect"] for row in DOCUMENT["x-disconnects"]}[3503] is False
