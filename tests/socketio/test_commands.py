"""The native commands as events, and methods that are events here."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from tests.hub.world import World, settle

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import ErrorCode
from hubbub.hub.session import Session
from hubbub.model import Acknowledged, Event, Principal, Raw, Reply
from hubbub.protocols.socketio import JSON
from hubbub.protocols.socketio_encoding import OWN, NamespaceCodec
from hubbub.socketio.commands import COMMANDS, run, run_method
from hubbub.testing.connection import MemoryConnection

pytestmark = pytest.mark.anyio


class Order(msgspec.Struct):
    id: int
    lines: list[str] = []


class Client:
    """Sends events and reads what a Socket.IO client would get."""

    def __init__(self, world: World, user: str = "alice") -> None:
        self.world = world
        self.connection = MemoryConnection(NamespaceCodec("/", JSON, None, spread=False))
        self.session = world.hub.open(self.connection, ConnectionInfo("192.0.2.1", "memory", "socketio"))
        world.hub.admit(self.session, Principal(user))
        self._ids = 0

    def send(
        self, name: str, *arguments: Any, id: int = -1, raw: bytes = b"", attachments: tuple[bytes, ...] = ()
    ) -> None:
        """`raw` is the JSON of the arguments, where it must be just so."""
        data = (
            b"[%b,%b]" % (msgspec.json.encode(name), raw) if raw else msgspec.json.encode([name, *arguments])
        )
        values = msgspec.json.decode(data)[1:]
        self.session.accept(Event(id, name, values, Raw(data), attachments))

    async def ask(self, name: str, *arguments: Any, **options: Any) -> Any:
        """The argument of the acknowledgement."""
        self._ids += 1
        self.send(name, *arguments, id=self._ids, **options)
        await settle()
        (answer,) = self.take(f"3{self._ids}")[-1]
        return answer

    async def refused(self, name: str, *arguments: Any, **options: Any) -> tuple[ErrorCode, str | None]:
        """Code and field of the refusal."""
        error = (await self.ask(name, *arguments, **options))["error"]
        return ErrorCode(error["code"]), error.get("field")

    def take(self, head: str = "2") -> list[Any]:
        """Unread packets that begin with `head` (behind Engine.IO's 4): events, or one acknowledgement."""
        frames = [frame.decode().rstrip("\n") for frame in self.connection.frames]
        found = [frame for frame in frames if re.match(rf"4{head}\[", frame)]
        self.connection.frames = [f"{frame}\n".encode() for frame in frames if frame not in found]
        return [msgspec.json.decode(frame[len(head) + 1 :]) for frame in found]


async def handle(session: Session, event: Event) -> Reply | Acknowledged | None:
    return await (run if event.name.startswith(OWN) else run_method)(session, event)


async def started(**settings: Any) -> World:
    world = await World(**settings).start()
    world.hub.commands[Event] = handle
    return world


# --- commands -------------------------------------------------------------------------------------------------


async def test_every_command_is_answered_as_natively() -> None:
    world = await started()
    alice, bob = Client(world), Client(world, "bob")

    async def double(session: Session, params: int) -> int:
        return params * 2

    world.handlers.add("double", double)
    answers = {}
    for name, fields in {
        "subscribe": {"channel": "chat"},
        "publish": {"channel": "chat", "data": {"text": "hi"}, "event": "said"},
        "history": {"channel": "chat", "limit": 5},
        "presence": {"channel": "chat"},
        "call": {"method": "double", "params": 21},
        "refresh": {"token": "alice"},
        "unsubscribe": {"channel": "chat"},
    }.items():
        if name == "publish":
            assert (await bob.ask("hubbub:subscribe", {"channel": "chat"}))["type"] == "subscribed"
        answers[name] = await alice.ask(f"{OWN}{name}", fields)
    answers["ping"] = await alice.ask("hubbub:ping")
    assert set(answers) == set(COMMANDS)
    assert [answers[name]["type"] for name in COMMANDS] == [
        {"subscribe": "subscribed", "publish": "published"}.get(name, "result") for name in COMMANDS
    ]
    assert answers["subscribe"]["recoverable"]
    assert answers["publish"]["position"]["offset"] == 1
    assert [each["data"] for each in answers["history"]["result"]["publications"]] == [{"text": "hi"}]
    assert {each["user"] for each in answers["presence"]["result"]["members"]} == {"alice", "bob"}
    assert answers["call"]["result"] == 42
    assert ["said", {"text": "hi"}] in bob.take()
    assert "chat" not in alice.session.subscriptions
    assert "chat" in bob.session.subscriptions


async def test_nothing_is_answered_where_no_acknowledgement_was_asked_for() -> None:
    world = await started()
    alice = Client(world)
    alice.send("hubbub:subscribe", {"channel": "chat", "presence": False})
    alice.send("hubbub:ping", {})
    await settle()
    assert "chat" in alice.session.subscriptions
    assert alice.connection.take() == []


async def test_a_refusal_without_acknowledgement_is_an_event() -> None:
    alice = Client(await started())
    alice.send("hubbub:unsubscribe", {"channel": "chat"})
    await settle()
    ((name, failure),) = alice.take()
    assert (name, failure["code"]) == ("hubbub:error", ErrorCode.NOT_SUBSCRIBED)


@pytest.mark.parametrize(
    "name", ["hubbub:", "hubbub:connect", "hubbub:event", "hubbub:Ping", "hubbub:hubbub:ping", "hubbub:p\n"]
)
async def test_there_are_no_other_commands(name: str) -> None:
    alice = Client(await started())
    assert await alice.refused(name, {}) == (ErrorCode.METHOD_NOT_FOUND, None)


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("subscribe", {}, None),
        ("subscribe", {"channel": 1}, "channel"),
        ("subscribe", {"channel": "a", "since": {"offset": "x", "epoch": "e"}}, "since.offset"),
        ("publish", {"channel": "a"}, None),
        ("publish", {"channel": "a", "data": 1, "echo": "no"}, "echo"),
        ("history", {"channel": "a", "limit": "many"}, "limit"),
        ("presence", {"channel": None}, "channel"),
        ("call", {"method": []}, "method"),
        ("refresh", {}, None),
        ("unsubscribe", {}, None),
        ("subscribe", [], None),
        ("subscribe", "chat", None),
        ("ping", None, None),
    ],
)
async def test_fields_that_do_not_fit_are_named(name: str, fields: Any, field: str | None) -> None:
    alice = Client(await started())
    assert await alice.refused(f"{OWN}{name}", fields) == (ErrorCode.VALIDATION_FAILED, field)


async def test_what_the_command_itself_refuses_is_told() -> None:
    world = await started()
    world.policy.refuse.add(("publish", "chat"))
    alice = Client(world)
    assert await alice.refused("hubbub:subscribe", {"channel": "a b"}) == (
        ErrorCode.INVALID_CHANNEL,
        "channel",
    )
    code, _ = await alice.refused("hubbub:publish", {"channel": "chat", "data": 1})
    assert code == ErrorCode.PERMISSION_DENIED
    code, _ = await alice.refused("hubbub:refresh", {"token": "bob"})
    assert code == ErrorCode.INVALID_TOKEN


async def test_a_client_chooses_neither_the_command_nor_the_number_by_a_field() -> None:
    alice = Client(await started())
    answer = await alice.ask("hubbub:ping", {"type": "connect", "id": 99, "token": "bob"})
    assert (answer["type"], answer["id"]) == ("result", 1)
    assert alice.session.user == "alice"


async def test_binary_is_no_field() -> None:
    alice = Client(await started())
    fields = {"channel": "chat", "data": {"_placeholder": True, "num": 0}}
    refusal = await alice.refused("hubbub:publish", fields, attachments=(b"\1",))
    assert refusal == (ErrorCode.INVALID_DATA, "arguments[0]")


async def test_a_command_is_as_long_as_a_native_one_may_be() -> None:
    world = await started(limits={"message_bytes": 60})
    alice = Client(world)
    head = b'{"channel":"chat","data":"'
    fits = head + b"x" * (60 - len(head) - 2) + b'"}'
    assert (await alice.ask("hubbub:publish", raw=fits))["type"] == "published"
    code, _ = await alice.refused("hubbub:publish", raw=fits.replace(b"xx", b"xxx", 1))
    assert code == ErrorCode.MESSAGE_TOO_LARGE
    assert world.metrics.rejected["message_bytes"] == 1


async def test_numbers_in_data_stay_as_they_were_written() -> None:
    world = await started()
    alice, bob = Client(world), Client(world, "bob")
    await bob.ask("hubbub:subscribe", {"channel": "chat", "presence": False})
    bob.connection.take()
    await alice.ask("hubbub:publish", raw=b'{"channel":"chat","data":1.50e1}')
    assert [frame for frame in bob.connection.take() if b"1.50e1" in frame]


# --- methods --------------------------------------------------------------------------------------------------


async def with_methods() -> tuple[World, Client]:
    world = await started()

    async def whoami(session: Session) -> str:
        return session.user

    async def order(session: Session, params: Order) -> dict[str, Any]:
        return {"number": params.id, "count": len(params.lines)}

    async def optional(session: Session, params: Order | None) -> bool:
        return params is None

    async def fail(session: Session) -> None:
        raise ValueError("its own")

    for method in (whoami, order, optional, fail):
        world.handlers.add(method.__name__, method)
    return world, Client(world)


async def test_a_method_is_called_by_the_event_of_its_name() -> None:
    _, alice = await with_methods()
    assert await alice.ask("whoami") == "alice"
    assert await alice.ask("order", {"id": 7, "lines": ["a", "b"]}) == {"number": 7, "count": 2}
    assert await alice.ask("optional") is True
    assert await alice.ask("optional", None) is True
    assert await alice.ask("optional", {"id": 1}) is False


async def test_a_method_that_was_not_asked_to_answer_does_not() -> None:
    _, alice = await with_methods()
    alice.send("order", {"id": 7})
    await settle()
    assert alice.connection.take() == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (({"id": "x"},), "id"),
        (({"id": 1, "lines": ["a", 2]},), "lines[1]"),
        ((), "params"),
        (({"id": 1}, 2), None),
    ],
)
async def test_params_that_do_not_fit_are_named(arguments: tuple[Any, ...], field: str | None) -> None:
    _, alice = await with_methods()
    assert await alice.refused("order", *arguments) == (ErrorCode.VALIDATION_FAILED, field)


async def test_binary_is_no_params() -> None:
    _, alice = await with_methods()
    refusal = await alice.refused("order", {"_placeholder": True, "num": 0}, attachments=(b"\1",))
    assert refusal == (ErrorCode.INVALID_DATA, "arguments[0]")


async def test_a_method_that_fails_tells_nothing_of_why() -> None:
    world, alice = await with_methods()
    answer = await alice.ask("fail")
    assert answer["error"]["code"] == ErrorCode.INTERNAL
    assert "its own" not in str(answer)
    assert world.metrics.handler_errors == 1


async def test_there_is_no_such_method() -> None:
    _, alice = await with_methods()
    code, field = await alice.refused("unknown")
    assert (code, field) == (ErrorCode.METHOD_NOT_FOUND, "method")
