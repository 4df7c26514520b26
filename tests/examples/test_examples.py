"""Every example runs, and does what it says."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Raw

from hubbub.client import Client
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Publication
from tests.examples.server import EXAMPLES, ExampleServer, example_server, run


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
    async with Client(board.url, board.token("bob", "--channel", "*=*")) as client:
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


def test_curl_catches_up_from_the_cursor(plain: ExampleServer) -> None:
    channel = "curl:followed"
    # The first attempt gives a cursor; what is published after its end is in the second.
    script = (
        f"{EXAMPLES / 'sse_curl.sh'} {channel} & follower=$!; "
        f"until [ $({sys.executable} -m hubbub publish {channel} missed | wc -l) = 1 ]; do :; done; wait $follower"
    )
    said = run(
        ["sh", "-c", script],
        plain.directory,
        HUBBUB_URL=plain.url,
        HUBBUB_TOKEN=plain.token("ada"),
        HUBBUB_ATTEMPTS="2",
        HUBBUB_SECONDS="2",
        HUBBUB_PAUSE="0",
    )
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    subscribed = [each for each in events if each["type"] == "subscribed"]
    assert len(subscribed) == 2
    assert subscribed[1]["recovered"] is True
    assert [each["data"] for each in events if each["type"] == "publication"] == ["missed"]


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
    with example_server(tmp_path, "ticker_conflation:app") as server:
        async with Client(server.url, server.token("ada")) as client:
            await client.subscribe("ticker:all")
            received = [await publication(client) for _ in range(12)]
            latest = await client.history("ticker:all")
            offsets = [each.offset or 0 for each in received]
            assert offsets[-1] - offsets[0] + 1 > 2 * len(offsets)
            assert offsets == sorted(offsets)
            assert {each.conflation_key for each in latest.publications} == {"ACME", "INIT", "UMBR"}
            assert len(latest.publications) == 3
