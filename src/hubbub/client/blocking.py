"""The client for scripts and notebooks: the same things, each call waiting for its answer.

    with Client("http://127.0.0.1:8000", token) as client:
        client.publish("orders:eu", {"id": 7})
        for publication in client.channel("orders:eu", within=10):
            print(publication.data)

A thread of its own runs the asynchronous client (`client.running`), which can do more: `client.run` waits for whatever
of it, as in `client.run(client.running.chat.polls.vote(...))`. It may be used from several threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hubbub.client.client import Client as AsyncClient
from hubbub.client.events import ClientError
from hubbub.client.publications import Received
from hubbub.client.state import State
from hubbub.client.tokens import Token
from hubbub.model import History, Position, Presence

if TYPE_CHECKING:
    from hubbub.chat.model import Message
    from hubbub.client.chat.chat import Missed
    from hubbub.client.chat.conversation import Known
    from hubbub.client.chat.following import Synced
    from hubbub.client.chat.operations.files import File
    from hubbub.client.chat.store import ChatEvent
    from hubbub.client.chat.underway import Item
    from hubbub.client.server import Server as AsyncServer

T = TypeVar("T")


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="hubbub-client", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and wait for it. If the wait is interrupted, so is the coroutine."""
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise ClientError("this would wait for itself: use the asynchronous client there")
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()


class _Blocking:
    """What the two facades have in common."""

    def __init__(self) -> None:
        self._loop: _Loop | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for anything of the asynchronous client. Raises what that raises, ClientError when it was left."""
        if self._loop is None:
            coroutine.close()
            raise ClientError("enter the client first: `with Client(...) as client:`")
        return self._loop.wait(coroutine)

    def _iterate(
        self, iterator: AsyncIterator[T], within: float | None, left: Callable[[], object] = lambda: None
    ) -> Iterator[T]:
        async def following() -> tuple[T] | None:
            try:
                async with asyncio.timeout(within):
                    return (await anext(iterator),)
            except (StopAsyncIteration, TimeoutError):
                return None

        async def leave() -> None:
            left()
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()

        try:
            while (found := self.run(following())) is not None:
                yield found[0]
        finally:
            with contextlib.suppress(ClientError):
                self.run(leave())


class Client(_Blocking):
    """As `hubbub.client.Client`, which is `running` while this one is entered. `options` are its options."""

    def __init__(self, url: str, token: Token = None, **options: Any) -> None:
        super().__init__()
        self._made = (url, token, options)
        self._client: AsyncClient | None = None

    def __enter__(self) -> Self:
        """Connect. Raises ClientError if nobody answers, HubbubError if the server refuses."""
        self._loop = _Loop()
        try:
            self.run(self._open())
        except BaseException:
            self._loop.stop()
            self._loop = None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = self._loop
        if loop is not None:
            try:
                self.run(self.running.__aexit__(None, None, None))
            finally:
                self._loop = None
                loop.stop()

    async def _open(self) -> None:
        url, token, options = self._made
        self._client = AsyncClient(url, token, **options)
        await self._client.__aenter__()

    @property
    def running(self) -> AsyncClient:
        """The asynchronous client, for `run`. Raises ClientError before this one is entered."""
        if self._client is None:
            raise ClientError("enter the client first: `with Client(...) as client:`")
        return self._client

    @property
    def chat(self) -> Chat:
        """Conversations."""
        return Chat(self)

    @property
    def user(self) -> str:
        return self.running.user

    @property
    def state(self) -> State:
        return self.running.state

    def channel(
        self, name: str, *, since: Position | None = None, within: float | None = None, type: Any = Any
    ) -> Iterator[Received[Any]]:
        """The publications of a channel, from now on or `since`; ends when none has come `within` seconds."""
        subscription = self.run(_entered(self.running, name, since, type))
        return self._iterate(subscription, within, subscription.close)

    def publish(
        self, channel: str, data: Any, *, event: str = "message", key: str | None = None
    ) -> Position | None:
        return self.run(self.running.publish(channel, data, event=event, key=key))

    def history(
        self, channel: str, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> History:
        return self.run(self.running.history(channel, since=since, limit=limit, reverse=reverse))

    def presence(self, channel: str) -> Presence:
        return self.run(self.running.presence(channel))

    def call(self, method: str, params: Any = None, *, key: str | None = None) -> Any:
        return self.run(self.running.call(method, params, key=key))


async def _entered(client: AsyncClient, name: str, since: Position | None, type: Any) -> Any:
    return await client.channel(name, type, since=since).subscribe().__aenter__()


class Chat:
    """As `hubbub.client.chat.Chat`, which is `running`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def running(self) -> Any:
        """The asynchronous chat, for `Client.run`."""
        return self._client.running.chat

    def start(self) -> None:
        """Sync, and follow what happens."""
        self._client.run(self._started())

    async def _started(self) -> None:
        await self._client.running.chat.start()

    def call(self, operation: str, params: Mapping[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Any operation by its name."""
        return self._client.run(self._called(operation, params, key))

    async def _called(self, operation: str, params: Mapping[str, Any] | None, key: str | None) -> Any:
        return await self._client.running.chat.call(operation, params, key=key)

    def send(self, conversation: str, text: str | None = None, **options: Any) -> Message:
        """Send a message, and wait until it is there. `options` are those of the asynchronous `send`."""
        return self._client.run(self._sent(conversation, text, options))

    async def _sent(self, conversation: str, text: str | None, options: dict[str, Any]) -> Message:
        return await (await self._client.running.chat.send(conversation, text, **options))

    def conversations(self) -> list[Known]:
        """Those that one is in, the most active first, once it was started."""
        return self._client.run(self._known())

    async def _known(self) -> list[Known]:
        return self._client.running.chat.store.conversations()

    def timeline(self, conversation: str, thread: int | None = None) -> Sequence[Item]:
        """The messages that are here."""
        return self._client.run(self._timeline(conversation, thread))

    async def _timeline(self, conversation: str, thread: int | None) -> Sequence[Item]:
        return self._client.running.chat.timeline(conversation, thread)

    def events(self, within: float | None = None) -> Iterator[ChatEvent | Synced | Missed]:
        """What happens from now on; ends when nothing has happened `within` seconds."""
        return self._client._iterate(self._client.run(self._events()), within)

    async def _events(self) -> AsyncIterator[ChatEvent | Synced | Missed]:
        return aiter(self._client.running.chat)

    def upload(self, content: bytes | str | Path, *, name: str | None = None) -> File:
        """Upload a file: bytes, or the path of one."""
        return self._client.run(self._uploaded(content, name))

    async def _uploaded(self, content: bytes | str | Path, name: str | None) -> File:
        return await self._client.running.chat.upload(content, name=name)

    def download(self, file: str, to: str | Path) -> int:
        """Write the content of a file to a path; the answer is its size."""
        return self._client.run(self._downloaded(file, to))

    async def _downloaded(self, file: str, to: str | Path) -> int:
        return await self._client.running.chat.download(file, to)


class Server(_Blocking):
    """As `hubbub.client.server.Server`, which is `running` while this one is entered."""

    def __init__(self, url: str, api_key: str, **options: Any) -> None:
        super().__init__()
        from hubbub.client.server import Server as AsyncServer

        self.running: AsyncServer = AsyncServer(url, api_key, **options)

    def __enter__(self) -> Self:
        self._loop = _Loop()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = self._loop
        if loop is not None:
            self.run(self.running.__aexit__(None, None, None))
            self._loop = None
            loop.stop()

    def publish(
        self, channel: str, data: Any, *, event: str = "message", key: str | None = None
    ) -> Position | None:
        return self.run(self.running.publish(channel, data, event=event, key=key)).position

    def token(self, user: str, **options: Any) -> str:
        return self.running.token(user, **options)

    def call(
        self, operation: str, params: Mapping[str, Any] | None = None, *, user: str | None = None
    ) -> Any:
        """Any operation of the chat by its name, as the server or in a user's place."""
        chat = self.running.chat if user is None else self.running.acting_for(user)
        return self.run(chat.call(operation, params))
