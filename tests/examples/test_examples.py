"""Every example runs, and does what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw
from tests.examples.server import EXAMPLES, ExampleServer, example_server, run

from hubbub.client import Client
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Publication


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleServer]:
    """A development server without an application."""
    with example_server(tmp_path_factory.mktemp("plain")) as server:
        yield server


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExampleServer]:
    """The order board with its settings."""
    directory = tmp_path_factory.mktemp("board")
    shutil.copy(EXAMPLES / "order_board" / "hubbub.toml", directory)
    with example_server(directory, "shop:app") as server:
        yield server


def order(**fields: object) -> dict[str, object]:
    return {"id": "7", "region": "eu", "price": 9.5} | fields


async def publication(client: Client) -> Publication:
    """The next one, past whatever else comes."""
    async for event in client:
        if isinstance(event, Publication):
            return event
    raise AssertionError("the client ended")


def post(server: ExampleServer, path: str, body: object) -> None:
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": "application/json"}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), headers)
    urllib.request.urlopen(request, timeout=10).close()


def text(data: Raw) -> object:
    return json.loads(bytes(data))


def test_no_example_is_long() -> None:
    files = [path for path in EXAMPLES.rglob("*") if path.suffix in (".py", ".js", ".html", ".sh")]
    assert files
    long = {path.name: lines for path in files if (lines := path.read_text().count("\n")) > 80}
    assert long == {}


@pytest.mark.anyio
async def test_the_order_board_tells_the_followers_of_a_region(board: ExampleServer) -> None:
    async with Client(board.url, board.token("ada")) as ada, Client(board.url, board.token("bob")) as bob:
        await ada.subscribe("orders:eu")
        with pytest.raises(HubbubError) as refused:
            await bob.subscribe("orders:eu")
        assert refused.value.code == ErrorCode.PERMISSION_DENIED
        accepted = await ada.call("order.update", order(state="paid"))
        event = await publication(ada)
        assert (event.event, event.offset) == ("order.updated", accepted["offset"])
        assert text(event.data) == order(state="paid")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"price": -1}, "price"),
        ({"region": "mars"}, "region"),
        ({"state": "lost"}, "state"),
        ({"id": ""}, "id"),
    ],
)
async def test_the_order_board_names_a_wrong_field(
    board: ExampleServer, wrong: dict[str, object], field: str
) -> None:
    async with Client(board.url, board.token("ada")) as client:
        with pytest.raises(HubbubError) as refused:
            await client.call("order.update", order(**wrong))
    assert refused.value.code == ErrorCode.VALIDATION_FAILED
    assert refused.value.field == field


@pytest.mark.anyio
async def test_on_the_order_board_only_the_handler_publishes(board: ExampleServer) -> None:
    async with Client(board.url, board.token("bob", channels={"*": ["*"]})) as client:
        for attempt in (client.publish("orders:us", order()), client.call("order.update", order())):
            with pytest.raises(HubbubError) as refused:
                await attempt
            assert refused.value.code == ErrorCode.PERMISSION_DENIED


@pytest.mark.anyio
async def test_a_backend_publishes_once_in_batches_and_to_a_user(plain: ExampleServer) -> None:
    async with Client(plain.url, plain.token("ada")) as ada:
        before = await ada.subscribe("orders:eu")
        assert before.position is not None
        said = run(
            [sys.executable, str(EXAMPLES / "backend_publish.py")],
            plain.directory,
            HUBBUB_URL=plain.url,
            HUBBUB_API_KEY=plain.api_key,
        )
        first = before.position.offset + 1
        assert said.splitlines() == [
            f"published at {first}",
            f"batch: {[first + 1, first + 2, first + 3]}",
            "sessions of ada: 1",
        ]
        received = [await publication(ada) for _ in range(5)]
        assert [each.offset for each in received] == [first, first + 1, first + 2, first + 3, None]
        assert text(received[-1].data) == {"text": "Your order is paid."}


def test_the_python_client_comes_back_and_gets_each_once(plain: ExampleServer) -> None:
    said = run(
        [sys.executable, str(EXAMPLES / "python_client.py"), plain.url, plain.token("ada")], plain.directory
    ).splitlines()
    data = [json.loads(line.partition(": ")[2])["n"] for line in said if line.startswith("publication")]
    assert data == [0, 1, 2, 3, 4, 5]
    assert "back in the same session" in said
    assert "lobby: nothing is missing" in said


def followed(
    server: ExampleServer, channel: str, cursor: str, until: str
) -> tuple[list[dict[str, Any]], str]:
    """What sse_curl.sh prints from `cursor` up to the first event of type `until`, and the cursor that it ends with."""
    process = subprocess.Popen(
        [str(EXAMPLES / "sse_curl.sh"), channel, cursor],
        env={
            **os.environ,
            "HUBBUB_URL": server.url,
            "HUBBUB_TOKEN": server.token("ada"),
            "HUBBUB_ATTEMPTS": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line))
        if events[-1]["type"] == until:
            post(server, "/v1/users/ada/disconnect", {})
    _, said = process.communicate(timeout=30)
    return events, said.split()[-1]


def test_curl_catches_up_from_the_cursor(plain: ExampleServer) -> None:
    channel = "curl:followed"
    events, cursor = followed(plain, channel, "", until="subscribed")
    assert events[-1]["type"] == "disconnect"
    post(plain, "/v1/publish", {"channel": channel, "data": "missed"})
    events, end = followed(plain, channel, cursor, until="publication")
    assert events[0]["recovered"] is True
    assert [each["data"] for each in events if each["type"] == "publication"] == ["missed"]
    assert end == cursor.partition(":")[0] + ":1"


@pytest.mark.anyio
async def test_the_policy_decides_alone(tmp_path: Path) -> None:
    with example_server(tmp_path, "policy_hook:app") as server:
        async with Client(server.url, "cookie-of-bob") as bob:
            await bob.subscribe("team:red")
            with pytest.raises(HubbubError) as refused:
                await bob.subscribe("team:blue")
            assert refused.value.code == ErrorCode.PERMISSION_DENIED
        with pytest.raises(HubbubError) as stranger:
            async with Client(server.url, server.token("ada")):
                pass
        assert stranger.value.code == ErrorCode.INVALID_TOKEN


@pytest.mark.anyio
async def test_the_ticker_delivers_less_than_is_published(tmp_path: Path) -> None:
    settings = ("retention=1000", "conflate=true", "subscribe=authenticated")
    flags = [part for each in settings for part in ("--set", f"namespaces.ticker.{each}")]
    with example_server(tmp_path, "ticker_conflation:app", *flags) as server:
        async with Client(server.url, server.token("ada")) as client:
            await client.subscribe("ticker:all")
            received = [await publication(client) for _ in range(12)]
            latest = await client.history("ticker:all")
            offsets = [each.offset or 0 for each in received]
            assert offsets[-1] - offsets[0] + 1 > 2 * len(offsets)
            assert offsets == sorted(offsets)
            assert {each.conflation_key for each in latest.publications} == {"ACME", "INIT", "UMBR"}
            assert len(latest.publications) == 3
