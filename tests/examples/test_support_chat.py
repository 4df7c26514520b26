"""The support desk: its handler by the Python client, its page in a real Chromium, with a server that is restarted."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.examples.server import EXAMPLES, ExampleServer, example_server

from hubbub.client import Client
from hubbub.errors import ErrorCode, HubbubError

HERE = Path(__file__).parent
NODE_MODULES = HERE.parent / "browser" / "node_modules"
DESK = "support_chat.app:app"
CHAT = ("--set", "chat.enabled=true")  # the tests of everything else are without


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleServer]:
    """The desk, for Python's clients: each test has a customer of its own."""
    directory = tmp_path_factory.mktemp("desk")
    shutil.copy(EXAMPLES / "support_chat" / "hubbub.toml", directory)
    with example_server(directory, DESK, *CHAT) as server:
        yield server


def ticket(**fields: object) -> dict[str, object]:
    return {"id": "1", "subject": "Invoice", "text": "It is wrong."} | fields


async def tickets(client: Client) -> list[Any]:
    page: Any = await client.call("chat.conversations.list", {})
    return list(page["conversations"])


@pytest.mark.anyio
async def test_a_ticket_is_opened_once_however_often_it_is_sent(desk: ExampleServer) -> None:
    async with Client(desk.url, "ada") as ada:
        first = await ada.call("support.open", ticket())
        assert await ada.call("support.open", ticket()) == first
        other = await ada.call("support.open", ticket(id="2"))
        assert [each["conversation"]["id"] for each in await tickets(ada)] == [
            other["conversation"],
            first["conversation"],
        ]
        (mine,) = [each for each in await tickets(ada) if each["conversation"]["id"] == first["conversation"]]
        assert mine["conversation"]["messages"] == 1
        assert mine["last_message"]["parts"] == [{"type": "text", "text": "It is wrong."}]


@pytest.mark.anyio
async def test_the_team_has_it_and_may_close_it_and_the_customer_may_not(desk: ExampleServer) -> None:
    async with Client(desk.url, "bob") as bob, Client(desk.url, "sam") as sam, Client(desk.url, "eve") as eve:
        opened: Any = await bob.call("support.open", ticket())
        (seen,) = [
            each for each in await tickets(sam) if each["conversation"]["id"] == opened["conversation"]
        ]
        assert seen["membership"]["role"] == "admin"
        assert seen["membership"]["unread"] == 1
        assert seen["conversation"]["custom"] == {"customer": "bob"}
        closing = {"conversation": opened["conversation"], "closed": True}
        inviting = {"conversation": opened["conversation"], "users": ["eve"]}
        for attempt in (
            bob.call("chat.conversations.update", closing),
            bob.call("chat.members.add", inviting),
        ):
            with pytest.raises(HubbubError) as refused:
                await attempt
            assert refused.value.code == ErrorCode.PERMISSION_DENIED
        with pytest.raises(HubbubError) as hidden:
            await eve.call("chat.conversations.get", {"conversation": opened["conversation"]})
        assert hidden.value.code == ErrorCode.NOT_FOUND
        await sam.call("chat.conversations.update", closing)
        with pytest.raises(HubbubError) as closed:
            await bob.call(
                "chat.messages.send",
                {"conversation": opened["conversation"], "parts": [{"type": "text", "text": "Wait!"}]},
            )
        assert closed.value.code == ErrorCode.CONVERSATION_CLOSED


@pytest.mark.anyio
async def test_profiles_are_the_applications(desk: ExampleServer) -> None:
    async with Client(desk.url, "mia") as mia:
        me: Any = await mia.call("chat.me.get")
        assert (me["user"]["name"], me["user"]["custom"]) == ("Mia Lindqvist", {"team": True})


@pytest.mark.anyio
async def test_the_team_opens_no_tickets(desk: ExampleServer) -> None:
    async with Client(desk.url, "sam") as sam:
        with pytest.raises(HubbubError) as refused:
            await sam.call("support.open", ticket())
    assert refused.value.code == ErrorCode.PERMISSION_DENIED


@pytest.mark.anyio
@pytest.mark.parametrize(("wrong", "field"), [({"subject": ""}, "subject"), ({"text": "x" * 4001}, "text")])
async def test_a_wrong_field_is_named(desk: ExampleServer, wrong: dict[str, object], field: str) -> None:
    async with Client(desk.url, "cleo") as cleo:
        with pytest.raises(HubbubError) as refused:
            await cleo.call("support.open", ticket(**wrong))
        assert (refused.value.code, refused.value.field) == (ErrorCode.VALIDATION_FAILED, field)
        assert await tickets(cleo) == []


@pytest.mark.anyio
async def test_there_is_nothing_but_conversations_and_nobody_without_a_name(desk: ExampleServer) -> None:
    async with Client(desk.url, "dan") as dan:
        with pytest.raises(HubbubError) as refused:
            await dan.subscribe("lobby")
        assert refused.value.code == ErrorCode.PERMISSION_DENIED
    with pytest.raises(HubbubError) as stranger:
        async with Client(desk.url, "Not a name"):
            pass
    assert stranger.value.code == ErrorCode.UNAUTHENTICATED


def test_text_never_becomes_html() -> None:
    scripts = list((EXAMPLES / "support_chat" / "page").glob("*.js"))
    assert scripts
    ways = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser")
    assert [(path.name, way) for path in scripts for way in ways if way in path.read_text()] == []


@pytest.mark.browser
@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("support_chat*.test.js")))
def test_in_chromium(pages: str, tmp_path: Path, file: str) -> None:
    node = shutil.which("node")
    assert node is not None, "install Node 20 or later, or deselect these tests with -m 'not browser'"
    assert NODE_MODULES.is_dir(), "run `npm ci --ignore-scripts` in tests/browser first"
    done = subprocess.run(
        [node, "--test", "--test-reporter=spec", file],
        cwd=HERE,
        env={
            **os.environ,
            "PYTHON": sys.executable,
            "EXAMPLES": str(EXAMPLES),
            "DIRECTORY": str(tmp_path),
            "PAGES": pages,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
