from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.client.places import chat_server

from hubbub.auth.api_keys import new_key
from hubbub.client import ClientError, HubbubError
from hubbub.client.blocking import Client, Server
from hubbub.client.chat import text_of
from hubbub.testing.server import RunningServer

SECRET = "s" * 32


class Elsewhere:
    """A server in a thread of its own: these tests have no event loop."""

    def __init__(self, database: str, folder: Path) -> None:
        self.key, self._hashed = new_key()
        self._made = (database, folder)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self.running: RunningServer
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        auth = {"hmac_secret": SECRET, "api_keys": [self._hashed]}
        async with chat_server(*self._made, auth=auth) as self.running:
            self._ready.set()
            await self._stopping.wait()

    def __enter__(self) -> Elsewhere:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def elsewhere(sqlite_url: str, tmp_path: Path) -> Iterator[Elsewhere]:
    with Elsewhere(sqlite_url, tmp_path) as elsewhere:
        yield elsewhere


def test_a_script(elsewhere: Elsewhere, tmp_path: Path) -> None:
    url = elsewhere.running.url
    with Server(url, elsewhere.key, token_secret=SECRET) as server:
        server.call("users.upsert", {"user": "bob", "name": "Bob"})
        with Client(url, server.token("ada", channels={"*": ["*"]})) as client:
            assert client.user == "ada"
            assert client.state.status == "connected"
            first = client.publish("orders:eu", 1)
            server.publish("orders:eu", {"id": 2})
            seen = [each.data for each in client.channel("orders:eu", since=first, within=0.3)]
            assert seen == [{"id": 2}]
            assert len(client.history("orders:eu").publications) == 2
            assert client.presence("lobby").users == 0
            with pytest.raises(HubbubError):
                client.call("nothing")
            client.chat.start()
            events = client.chat.events(within=5)
            made = client.chat.call("conversations.direct", {"user": "bob"})
            id = made.conversation.conversation.id
            message = client.chat.send(id, "Hello")
            assert text_of(message) == "Hello"
            assert {type(next(events)).__name__ for _ in range(2)} == {"ConversationAdded", "MessageCreated"}
            assert [each.id for each in client.chat.conversations()] == [id]
            assert [each.message.seq for each in client.chat.timeline(id)] == [message.seq]
            file = client.chat.upload(b"All is well.", name="report.txt")
            assert client.chat.download(file.id, tmp_path / "copy.txt") == 12
            running: Any = client.running
            assert client.run(running.chat.users.get("bob")).name == "Bob"
    with pytest.raises(ClientError, match="enter the client first"):
        client.publish("a", 1)
    with pytest.raises(ClientError, match="enter the client first"):
        server.publish("a", 1)


def test_a_server_that_is_not_there_leaves_no_thread() -> None:
    with pytest.raises(ClientError), Client("http://127.0.0.1:1"):
        pass
    assert not [each for each in threading.enumerate() if each.name == "hubbub-client" and each.is_alive()]
    with pytest.raises(ClientError, match="enter the client first"):
        _ = Client("http://127.0.0.1:1").running


def test_several_threads_use_one_client(elsewhere: Elsewhere) -> None:
    token = elsewhere.running.token(channels={"*": ["*"]})
    with Client(elsewhere.running.url, token) as client:
        threads = [threading.Thread(target=client.publish, args=("a", number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        there = {bytes(each.data) for each in client.history("a").publications}
    assert there == {b"%d" % number for number in range(8)}


def test_it_does_not_wait_for_itself(elsewhere: Elsewhere) -> None:
    with Client(elsewhere.running.url, elsewhere.running.token()) as client:

        async def mistaken() -> None:
            client.publish("a", 1)

        with pytest.raises(ClientError, match="wait for itself"):
            client.run(mistaken())
