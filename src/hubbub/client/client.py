"""The Client: what a program says to a server, and hears from it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from ssl import SSLContext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

import msgspec

from hubbub import model
from hubbub.client import wire
from hubbub.client.channel import BUFFER, Channel
from hubbub.client.channels import Channels
from hubbub.client.events import ChannelEvent, Event, Gap, Reconnected, Reconnecting
from hubbub.client.failures import root
from hubbub.client.links.base import Place
from hubbub.client.session import Session
from hubbub.client.state import State, Transport
from hubbub.client.tokens import Token, Tokens
from hubbub.client.transports import ALL
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import History, Position, Presence, Raw, Subscribed

if TYPE_CHECKING:
    from hubbub.client.chat.chat import Chat
    from hubbub.client.http import Http
    from hubbub.client.outbox import Outbox
    from hubbub.client.outbox.base import Storage

T = TypeVar("T")
OWN = 1_000
"""Events of the connection itself that wait for whoever iterates the client."""


class Client:
    """A user's connection with a Hubbub at `url` (`http://host:port`, or `ws`; a path that a proxy wants is kept).

    `token` is a token, or a function that fetches one, for each new session and before the old one expires. Enter it to
    connect: the first attempt's failure is raised, later ones are retried until it is left. With `patient` the first
    one is retried too, so that it can be entered without a network. `transports` are tried in their order; `outbox` is
    where writes wait that are made offline: `":memory:"`, or the path of an SQLite file.

    Iterate it for what comes by `subscribe`, or by the server's own subscriptions: publications in order and none
    twice, and the events of `hubbub.client.events`. They wait, unbounded, from the first on: iterate while you are
    subscribed. Channels that are read by `channel` are not among them.
    """

    def __init__(
        self,
        url: str,
        token: Token = None,
        *,
        name: str = "hubbub-python",
        transports: Sequence[Transport] = ALL,
        patient: bool = False,
        outbox: str | Storage = ":memory:",
        ssl: SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = root(url)
        self.tokens = Tokens(token)
        self._queue = _Queue()
        self.channels = Channels(self._queue, self._queue.own)
        place = Place(self.url, ssl)
        self.session = Session(
            place, self.tokens, self.channels, name=name, transports=transports, clock=clock
        )
        self.channels.session = self.session
        self._patient = patient
        self._ssl = ssl
        self._storage = outbox
        self._outbox: Outbox | None = None
        self._chat: Chat | None = None
        self._http: Http | None = None

    # --- life ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect. Raises ClientError if nobody answers, HubbubError if the server refuses."""
        if self._storage != ":memory:":
            await self.outbox.open()
        try:
            await self.session.start(patient=self._patient)
        except BaseException:
            if self._outbox is not None:
                await self._outbox.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._chat is not None:
                await self._chat.stop()
            if self._outbox is not None:
                await self._outbox.stop()
        finally:
            await self.session.stop()
            if self._http is not None:
                self._http.close()

    def time(self) -> float:
        """The server's clock, in Unix seconds: this machine's may be wrong, or be set meanwhile."""
        return self.session.time()

    @property
    def user(self) -> str:
        """Who the server says we are."""
        return self.session.connected.user if self.session.connected else ""

    @property
    def state(self) -> State:
        """How the connection stands."""
        return self.session.state.value

    def states(self) -> AsyncIterator[State]:
        """How it stands, and then each change; ends when the client has failed or was left."""
        return self.session.state.changes(lambda state: state.ended)

    async def connected(self) -> State:
        """Wait until there is a connection. Raises Disconnected, HubbubError and ClientError if there will be none."""
        state = await self.session.state.until(lambda state: state.ended or state.status == "connected")
        if state.ended and self.session.failure is not None:
            raise self.session.failure
        return state

    async def __aiter__(self) -> AsyncIterator[Event]:
        """What comes, until the client is left. Raises Disconnected when the server will not have us back."""
        while True:
            yield await self._queue.next()

    def drop(self) -> None:
        """Cut the connection as a broken network would; the client comes back by itself. For tests and demos."""
        self.session.drop()

    def reconnect(self) -> None:
        """If it waits for its next attempt to come back, let it try now."""
        self.session.reconnect()

    # --- parts --------------------------------------------------------------------------------------------

    @overload
    def channel(
        self,
        name: str,
        *,
        since: Position | None = None,
        token: str | None = None,
        presence: bool = True,
        buffer: int = BUFFER,
        on_gap: Callable[[Gap], object] | None = None,
    ) -> Channel[Any]: ...

    @overload
    def channel(
        self,
        name: str,
        type: type[T],
        *,
        since: Position | None = None,
        token: str | None = None,
        presence: bool = True,
        buffer: int = BUFFER,
        on_gap: Callable[[Gap], object] | None = None,
    ) -> Channel[T]: ...

    def channel(
        self,
        name: str,
        type: Any = Any,
        *,
        since: Position | None = None,
        token: str | None = None,
        presence: bool = True,
        buffer: int = BUFFER,
        on_gap: Callable[[Gap], object] | None = None,
    ) -> Channel[Any]:
        """A channel, to be iterated; see Channel. Nothing is sent before it is."""
        return Channel(
            self,
            name,
            type,
            since=since,
            token=token,
            presence=presence,
            buffer=buffer,
            on_gap=on_gap,
        )

    @property
    def outbox(self) -> Outbox:
        """Writes that are sent when there is a connection, in their order and once; see Outbox."""
        if self._outbox is None:
            from hubbub.client.outbox import Outbox

            self._outbox = Outbox(self, self._storage)
        return self._outbox

    @property
    def chat(self) -> Chat:
        """Conversations; see Chat."""
        if self._chat is None:
            from hubbub.client.chat.chat import Chat

            self._chat = Chat(self)
        return self._chat

    @property
    def http(self) -> Http:
        """Plain requests to the server, for what does not go through the session: files."""
        if self._http is None:
            from hubbub.client.http import Http

            self._http = Http(self.url, self._ssl)
        return self._http

    async def bearer(self) -> dict[str, str]:
        """The headers of a plain request as this client's user."""
        token = self.tokens.last or await self.tokens.fetch()
        return {} if token is None else {"Authorization": f"Bearer {token}"}

    # --- commands -----------------------------------------------------------------------------------------

    async def subscribe(
        self,
        channel: str,
        *,
        since: Position | None = None,
        token: str | None = None,
        presence: bool = True,
    ) -> Subscribed:
        """Enter a channel, so that iterating the client gives what happens there; with `since`, what came after it is
        delivered first, or a Gap says that it cannot be."""
        entry = self.channels.entries.get(channel)
        if entry is not None and self._queue in entry.readers:
            raise HubbubError(ErrorCode.ALREADY_SUBSCRIBED)
        reply = await self.channels.enter(channel, self._queue, token, since, presence)
        if reply is not None:
            return reply
        position = self.channels.entries[channel].position
        return Subscribed(0, channel, position, recoverable=position is not None)

    async def unsubscribe(self, channel: str) -> None:
        """Leave a channel that was entered by `subscribe`, or by the server."""
        entry = self.channels.entries.get(channel)
        if entry is not None and any(reader is not self._queue for reader in entry.readers):
            self.channels.leave(channel, self._queue)
            return
        await self.session.ask(lambda id: model.Unsubscribe(id, channel), wire.ResultReply)
        self.channels.entries.pop(channel, None)

    async def publish(
        self,
        channel: str,
        data: Any,
        *,
        event: str = "message",
        key: str | None = None,
        echo: bool = True,
        conflation_key: str | None = None,
    ) -> Position | None:
        """Publish `data`, whatever JSON can say. It is sent again after a lost connection, and accepted once.

        Returns its Position, None where no log is kept.
        """
        raw, key = Raw(msgspec.json.encode(data)), key or secrets.token_urlsafe(16)
        reply = await self.session.ask(
            lambda id: model.Publish(id, channel, raw, event, key, echo, conflation_key),
            model.Published,
            resend=True,
        )
        return reply.position

    async def history(
        self, channel: str, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> History:
        """Part of a channel's log."""
        return await self._query(lambda id: model.HistoryQuery(id, channel, since, limit, reverse), History)

    async def presence(self, channel: str) -> Presence:
        """Who is in a channel."""
        return await self._query(lambda id: model.PresenceQuery(id, channel), Presence)

    async def call(
        self,
        method: str,
        params: Any = None,
        *,
        key: str | None = None,
        type: Any = Any,
        again: bool = False,
    ) -> Any:
        """Call a handler of the application; with a `key`, or if it may be called `again`, it is safe to repeat, and
        repeated after a lost connection. The result is decoded as `type`."""
        raw = Raw(msgspec.json.encode(params))
        reply = await self.session.ask(
            lambda id: model.Call(id, method, raw, key), wire.ResultReply, resend=again or key is not None
        )
        return msgspec.json.decode(reply.result, type=type)

    async def _query(self, command: Callable[[int], model.Command], kind: type[T]) -> T:
        reply = await self.session.ask(command, wire.ResultReply, resend=True)
        return msgspec.json.decode(reply.result, type=kind)


class _Queue:
    """What waits for whoever iterates the client."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._own = 0
        self._error: Exception | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    def give(self, event: ChannelEvent) -> None:
        self._events.append(event)
        self._wake()

    def own(self, event: Event) -> None:
        """Of the connection: of these only so many wait, for most programs never look."""
        if self._own < OWN:
            self._own += 1
            self.give_any(event)

    def give_any(self, event: Event) -> None:
        self._events.append(event)
        self._wake()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def next(self) -> Event:
        while True:
            if self._events:
                event = self._events.popleft()
                if isinstance(event, Reconnecting | Reconnected):
                    self._own -= 1
                return event
            if self._error is not None:
                raise self._error
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.add(waiting)
            try:
                await waiting
            finally:
                self._waiting.discard(waiting)
