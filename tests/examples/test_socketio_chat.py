"""The chat example, talked to by stock clients: python-socketio here, socket.io-client in a real Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.examples.server import EXAMPLES, ExampleServer, example_server

import socketio  # type: ignore[import-untyped]
from hubbub.client import Client
from hubbub.model import Publication

HERE = Path(__file__).parent
NODE_MODULES = HERE.parent / "browser" / "node_modules"
CLIENT = HERE.parent / "socketio_clients" / "node_modules" / "socket.io-client" / "dist" / "socket.io.min.js"
CHAT = "socketio_chat.app:app"


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleServer]:
    """The chat with its settings, for Python's clients: each test has a room of its own."""
    directory = tmp_path_factory.mktemp("chat")
    shutil.copy(EXAMPLES / "socketio_chat" / "hubbub.toml", directory)
    with example_server(directory, CHAT) as server:
        yield server


class Person:
    """A stock client and the events that it got."""

    def __init__(self) -> None:
        self.client = socketio.AsyncClient(reconnection=False)
        self.events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self.client.on("*", self._note)

    async def _note(self, event: str, data: Any) -> None:
        if not event.startswith("hubbub:"):
            self.events.put_nowait((event, data))

    async def ask(self, event: str, data: Any = None) -> Any:
        return await self.client.call(event, data, timeout=20)

    async def say(self, id: str, text: str) -> Any:
        return await self.ask("message", {"id": id, "text": text})

    async def next(self) -> tuple[str, Any]:
        async with asyncio.timeout(20):
            return await self.events.get()


@asynccontextmanager
async def person(server: ExampleServer, name: str, room: str) -> AsyncIterator[Person]:
    each = Person()
    await each.client.connect(server.url, auth={"token": name})
    try:
        assert await each.ask("join", room) is None
        yield each
    finally:
        await each.client.disconnect()


@pytest.mark.anyio
async def test_a_message_reaches_its_room_and_no_other(chat: ExampleServer) -> None:
    async with (
        person(chat, "Ada", "tea") as ada,
        person(chat, "Bob", "tea") as bob,
        person(chat, "Cleo", "coffee") as cleo,
    ):
        await ada.say("1", "Hello!")
        await cleo.say("2", "Is this the tea room?")
        for each in (ada, bob):
            event, data = await each.next()
            assert event == "message"
            assert {name: data[name] for name in ("id", "from", "text")} == {
                "id": "1",
                "from": "Ada",
                "text": "Hello!",
            }
        assert (await cleo.next())[1]["id"] == "2"
        await bob.ask("join", "coffee")
        await bob.say("3", "Hello, Cleo.")
        assert (await cleo.next())[1]["id"] == (await bob.next())[1]["id"] == "3"
        await ada.say("4", "Alone.")
        assert (await ada.next())[1]["id"] == "4"


@pytest.mark.anyio
async def test_typing_is_told_to_the_others(chat: ExampleServer) -> None:
    async with person(chat, "Ada", "typing") as ada, person(chat, "Bob", "typing") as bob:
        while bob.events.empty():  # it is volatile, and may be dropped
            await ada.client.emit("typing")
            await ada.ask("hubbub:ping")
        assert await bob.next() == ("typing", "Ada")
        await ada.say("1", "Done.")
        assert (await ada.next())[0] == "message"


@pytest.mark.anyio
async def test_whoever_comes_later_reads_what_was_said_and_who_is_there(chat: ExampleServer) -> None:
    async with person(chat, "Ada", "later") as ada:
        await ada.say("1", "first")
        await ada.say("2", "second")
        async with person(chat, "Bob", "later") as bob:
            past = await bob.ask("hubbub:history", {"channel": "chat:later"})
            assert [each["data"]["text"] for each in past["result"]["publications"]] == ["first", "second"]
            there = await bob.ask("hubbub:presence", {"channel": "chat:later"})
            assert sorted(each["user"] for each in there["result"]["members"]) == ["Ada", "Bob"]


@pytest.mark.anyio
async def test_a_room_is_a_channel_for_everybody_else(chat: ExampleServer) -> None:
    async with (
        person(chat, "Ada", "world") as ada,
        Client(chat.url, "Native") as native,
    ):
        await native.subscribe("chat:world")
        await ada.say("1", "Hello, whatever you speak!")
        async for event in native:
            if isinstance(event, Publication):
                assert (event.event, json.loads(bytes(event.data))["from"]) == ("message", "Ada")
                break
        await ada.next()
        headers = {"Authorization": f"Bearer {chat.api_key}", "Content-Type": "application/json"}
        body = json.dumps({"channel": "chat:world", "event": "notice", "data": {"text": "by REST"}})
        request = urllib.request.Request(f"{chat.url}/v1/publish", body.encode(), headers)
        await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=10).close())
        assert await ada.next() == ("notice", {"text": "by REST"})


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("event", "data", "field"),
    [
        ("join", "No such room!", "arguments[0]"),
        ("message", {"id": "1", "text": ""}, "arguments[0].text"),
        ("message", {"text": "hello"}, "arguments[0]"),
    ],
)
async def test_a_wrong_field_is_named(chat: ExampleServer, event: str, data: Any, field: str) -> None:
    async with person(chat, "Ada", "wrong") as ada:
        answer = await ada.ask(event, data)
        assert answer["error"]["name"] == "validation_failed"
        assert answer["error"]["field"] == field


@pytest.mark.anyio
async def test_nobody_publishes_past_the_handlers(chat: ExampleServer) -> None:
    async with person(chat, "Ada", "past") as ada:
        answer = await ada.ask("hubbub:publish", {"channel": "chat:past", "data": "hello"})
        assert answer["error"]["name"] == "permission_denied"


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["", "n" * 25])
async def test_somebody_without_a_name_is_not_let_in(chat: ExampleServer, name: str) -> None:
    each = Person()
    refusals: list[Any] = []
    each.client.on("connect_error", refusals.append)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await each.client.connect(chat.url, auth={"token": name})
    assert [(each["message"], each["data"]["name"]) for each in refusals] == [
        ("A name has 1 to 24 characters.", "unauthenticated")
    ]


@pytest.mark.browser
def test_in_chromium(pages: str, tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node is not None, "install Node 20 or later, or deselect these tests with -m 'not browser'"
    assert NODE_MODULES.is_dir(), "run `npm ci --ignore-scripts` in tests/browser first"
    assert CLIENT.is_file(), "run `npm ci --ignore-scripts` in tests/socketio_clients first"
    shutil.copy(EXAMPLES / "socketio_chat" / "hubbub.toml", tmp_path)
    origin = ("--set", f"server.allowed_origins={pages}")  # the file names another port
    with example_server(tmp_path, CHAT, *origin) as server:
        done = subprocess.run(
            [node, "--test", "--test-reporter=spec", "socketio_chat.test.js"],
            cwd=HERE,
            env={**os.environ, "SERVER": server.url, "PAGES": pages, "CLIENT": str(CLIENT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout
