"""The Client: one session, over as many connections as it takes."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from hubbub import model
from hubbub.client import wire
from hubbub.client.backoff import delay
from hubbub.client.events import ClientError, Disconnected, Event, Gap, Reconnected, Reconnecting, Recovered
from hubbub.client.failures import (
    EndedError,
    LostError,
    UnreachableError,
    ended_by,
    endpoint,
    refusal,
    refused,
    told_to_wait,
    why,
)
from hubbub.errors import (
    ABNORMAL,
    GOING_AWAY,
    PROTOCOL_ERROR,
    Disconnect,
    ErrorCode,
    HubbubError,
    reason,
)
from hubbub.model import Connected, History, Position, Presence, Publication, Raw, Subscribed

Token = str | Callable[[], str | Awaitable[str]] | None
"""A token, or what fetches a fresh one for each new session."""

T = TypeVar("T")
REPLY_TIMEOUT = 35.0  # a handler may take `limits.call_timeout`
PING_INTERVAL, PING_TIMEOUT = 6.0, 3.0
_RETRYABLE_STATUS = frozenset((408, 429, 500, 502, 503, 504))


@dataclass(frozen=True, slots=True)
class _Subscription:
    token: str | None
    presence: bool
    position: Position | None = None


class Client:
    """A session with a Hubbub at `url` (`ws://host:port`, or `http`; the path is added where there is none).

    Enter it to connect; the first attempt's failure is raised, later ones are retried until it is left. Iterate
    it for what comes: publications in order and none twice, and the events of `hubbub.client.events`. Events wait,
    unbounded, from the first on: iterate while you are subscribed.
    """

    def __init__(self, url: str, token: Token = None, *, name: str = "hubbub-python") -> None:
        self.url = endpoint(url)
        self._token = token
        self._name = name
        self._socket: ClientConnection | None = None
        self._session: Connected | None = None
        self._subscriptions: dict[str, _Subscription] = {}
        self._subscribing: dict[str, _Subscription] = {}  # asked for; the position is where to catch up from
        self._adopted: dict[str, Subscribed] = {}
        self._waiting: dict[int, asyncio.Future[wire.Reply]] = {}
        self._last_id = 2  # `connect` takes 1 and 2
        self._again: dict[int, str] = {}  # subscribes that nobody waits for, after a session was lost
        self._events: asyncio.Queue[Event | Exception] = asyncio.Queue()
        self._running: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._failure: Exception | None = None

    # --- life ---------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect. Raises ClientError if nobody answers, HubbubError if the server refuses."""
        await self._open()
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        if self._socket is not None:
            await self._socket.close()
        self._fail(ClientError("the client is closed"))

    @property
    def user(self) -> str:
        """Who the server says we are."""
        return self._session.user if self._session else ""

    async def __aiter__(self) -> AsyncIterator[Event]:
        """What comes, until the client is left. Raises Disconnected when the server will not have us back."""
        while True:
            event = await self._events.get()
            if isinstance(event, Exception):
                raise event
            yield event

    def drop(self) -> None:
        """Cut the connection as a broken network would; the client comes back by itself. For tests and demos."""
        if self._socket is not None:
            self._socket.transport.abort()

    # --- commands -----------------------------------------------------------------------------------------

    async def subscribe(
        self,
        channel: str,
        *,
        since: Position | None = None,
        token: str | None = None,
        presence: bool = True,
    ) -> Subscribed:
        """Enter a channel; with `since`, what came after it is delivered first, or a Gap says that it cannot be."""
        self._subscribing[channel] = _Subscription(token, presence, since)
        try:
            return await self._ask(
                lambda id: model.Subscribe(id, channel, token, since, presence), Subscribed, resend=True
            )
        except HubbubError as error:
            # The answer was lost with a connection, but the resumed session is in the channel.
            if error.code == ErrorCode.ALREADY_SUBSCRIBED and channel in self._adopted:
                return self._adopted[channel]
            raise
        finally:
            self._subscribing.pop(channel, None)
            self._adopted.pop(channel, None)

    async def unsubscribe(self, channel: str) -> None:
        """Leave a channel."""
        await self._ask(lambda id: model.Unsubscribe(id, channel), wire.ResultReply)
        self._subscriptions.pop(channel, None)

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
        reply = await self._ask(
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

    async def call(self, method: str, params: Any = None, *, key: str | None = None) -> Any:
        """Call a handler of the application; with a `key` it is safe to repeat, and repeated if need be."""
        raw = Raw(msgspec.json.encode(params))
        reply = await self._ask(
            lambda id: model.Call(id, method, raw, key), wire.ResultReply, resend=key is not None
        )
        return msgspec.json.decode(reply.result)

    async def _query(self, command: Callable[[int], model.Command], kind: type[T]) -> T:
        reply = await self._ask(command, wire.ResultReply, resend=True)
        return msgspec.json.decode(reply.result, type=kind)

    async def _ask(
        self, command: Callable[[int], model.Command], kind: type[T], *, resend: bool = False
    ) -> T:
        """Send a command and wait for its reply. Raises HubbubError for a refusal.

        A command that is safe to repeat is sent again on the next connection, another raises ClientError.
        """
        while True:
            if self._failure is not None:
                raise self._failure
            await self._ready.wait()
            try:
                return await self._exchange(command, kind)
            except LostError as error:
                if not resend:
                    raise ClientError(f"the connection was lost before the answer: {error}") from error

    async def _exchange(self, command: Callable[[int], model.Command], kind: type[T]) -> T:
        socket = self._socket
        if self._failure is not None:
            raise self._failure
        if socket is None:
            raise LostError("not connected")
        self._last_id = id = self._last_id + 1
        answer: asyncio.Future[wire.Reply] = asyncio.get_running_loop().create_future()
        self._waiting[id] = answer
        try:
            await socket.send(wire.encode(command(id)))
            reply = await asyncio.wait_for(answer, REPLY_TIMEOUT)
        except ConnectionClosed as error:
            if self._socket is socket:  # known here before `_run` hears of it: wait for the next one
                self._ready.clear()
            raise LostError(str(error)) from error
        except TimeoutError as error:
            raise HubbubError(ErrorCode.TIMEOUT, f"no answer in {REPLY_TIMEOUT:g} s") from error
        finally:
            self._waiting.pop(id, None)
        if isinstance(reply, model.ErrorReply):
            raise refusal(reply)
        if not isinstance(reply, kind):
            raise ClientError(f"the server answered with {type(reply).__name__}")
        return reply

    # --- connections --------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """A connection with a session: the old one if there is one to resume, else a new one."""
        try:
            socket = await connect(
                self.url,
                subprotocols=[Subprotocol(wire.SUBPROTOCOL)],
                compression=None,
                ping_interval=PING_INTERVAL,
                ping_timeout=PING_TIMEOUT,
                max_size=None,  # one answer may hold as much as `limits.history` publications
                close_timeout=1,
            )
        except InvalidStatus as error:
            again = error.response.status_code in _RETRYABLE_STATUS
            raise UnreachableError(refused(error), again, told_to_wait(error)) from error
        except InvalidURI as error:
            raise ClientError(f"{self.url} is not the address of a server: {error}") from error
        except InvalidHandshake as error:
            raise UnreachableError(f"{self.url} does not speak WebSocket: {error}", True) from error
        except (OSError, TimeoutError, EOFError) as error:
            raise UnreachableError(f"cannot reach {self.url}: {why(error)}", True) from error
        self._socket = socket
        try:
            await self._greet(socket)
        except BaseException:
            self._socket = None
            await socket.close()
            raise

    async def _greet(self, socket: ClientConnection) -> None:
        old = self._session
        if old is not None:
            known = {**self._subscriptions, **self._subscribing}
            positions = {name: each.position for name, each in known.items() if each.position}
            resume = model.Resume(old.session, old.secret, positions)
            reply, rest = await self._first(socket, model.Connect(1, resume=resume, client=self._name))
            if isinstance(reply, Connected):
                self._session = msgspec.structs.replace(reply, subscriptions=())
                self._resumed(reply)
                self._stand(rest)
                return
            if reply.code != ErrorCode.SESSION_GONE:
                raise refusal(reply)
        token = self._token() if callable(self._token) else self._token
        if inspect.isawaitable(token):
            token = await token
        reply, rest = await self._first(socket, model.Connect(2, token=token, client=self._name))
        if isinstance(reply, model.ErrorReply):
            raise refusal(reply)
        self._session = reply
        if old is not None:
            self._events.put_nowait(Reconnected(resumed=False))
            await self._subscribe_again(socket)
        self._stand(rest)

    async def _first(
        self, socket: ClientConnection, command: model.Connect
    ) -> tuple[Connected | model.ErrorReply, list[wire.Reply | wire.Push]]:
        """The answer to `connect`, and what shares its frame."""
        try:
            async with asyncio.timeout(REPLY_TIMEOUT):
                await socket.send(wire.encode(command))
                while True:
                    items = list(wire.decode(await socket.recv()))
                    for place, item in enumerate(items):
                        if isinstance(item, Connected | model.ErrorReply):
                            return item, items[place + 1 :]
                        if isinstance(item, model.DisconnectPush):
                            raise ended_by(item)
        except ConnectionClosed as error:
            raise UnreachableError(f"{self.url} closed the connection: {error}", True) from error
        except TimeoutError as error:
            raise UnreachableError(f"{self.url} does not answer", True) from error
        except ValueError as error:
            raise ClientError(f"{self.url} does not speak {wire.SUBPROTOCOL}: {error}") from error

    def _stand(self, rest: list[wire.Reply | wire.Push]) -> None:
        """The session stands: commands may go."""
        for item in rest:
            self._receive(item)
        self._ready.set()

    def _resumed(self, reply: Connected) -> None:
        self._events.put_nowait(Reconnected(resumed=True))
        lost = self._subscriptions.keys() - {each.channel for each in reply.subscriptions}
        for each in reply.subscriptions:
            if each.channel in self._subscribing:
                self._adopted[each.channel] = each
            self._entered(each)
        for name in lost:
            del self._subscriptions[name]
            self._events.put_nowait(
                model.ServerUnsubscribed(name, int(ErrorCode.NOT_SUBSCRIBED), "unsubscribed by the server")
            )

    async def _subscribe_again(self, socket: ClientConnection) -> None:
        """In a new session: all channels, each from the last position that we have seen."""
        for name, wanted in self._subscriptions.items():
            self._last_id = id = self._last_id + 1
            self._again[id] = name
            command = model.Subscribe(id, name, wanted.token, wanted.position, wanted.presence)
            await socket.send(wire.encode(command))

    async def _run(self) -> None:
        """Read until the connection ends, then come back, as long as the reason allows it."""
        try:
            while True:
                assert self._socket is not None
                ended = await self._read(self._socket)
                self._socket = None
                self._ready.clear()
                self._lose(LostError(ended.text))
                if not ended.reconnect:
                    raise Disconnected(ended)
                await self._return(ended.text)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._fail(error)

    async def _read(self, socket: ClientConnection) -> Disconnect:
        """Handle what comes; the answer is why it ended."""
        try:
            async for frame in socket:
                for item in wire.decode(frame):
                    self._receive(item)
        except EndedError as error:
            await socket.close()
            return error.reason
        except ValueError as error:
            await socket.close(PROTOCOL_ERROR.code)
            raise ClientError(f"{self.url} does not speak {wire.SUBPROTOCOL}: {error}") from error
        except ConnectionClosed:
            pass
        code = socket.close_code or ABNORMAL.code
        # A server that is killed or restarted behind a proxy says 1000 or nothing; only we leave for good.
        return (
            GOING_AWAY
            if code == 1000
            else replace(reason(code), text=socket.close_reason or reason(code).text)
        )

    async def _return(self, cause: str) -> None:
        attempt, told = 0, 0.0
        while True:
            attempt += 1
            # What the server tells is waited for; it has spread its clients already.
            pause = told + delay(1) if told else delay(attempt)
            told = 0.0
            self._events.put_nowait(Reconnecting(cause, pause, attempt))
            await asyncio.sleep(pause)
            try:
                await self._open()
            except UnreachableError as error:
                if not error.again:
                    raise
                cause, told = str(error), error.retry_after
            except EndedError as error:
                if not error.reason.reconnect:
                    raise Disconnected(error.reason) from error
                cause = error.reason.text
            except HubbubError as error:
                if not error.info.temporary and not (
                    error.code == ErrorCode.TOKEN_EXPIRED and callable(self._token)
                ):
                    raise
                cause, told = error.message, error.retry_after or 0.0
            else:
                return

    # --- what comes ---------------------------------------------------------------------------------------

    def _receive(self, item: wire.Reply | wire.Push) -> None:
        if isinstance(item, Publication):
            self._publication(item)
        elif isinstance(item, Connected | Subscribed | model.Published | wire.ResultReply | model.ErrorReply):
            self._answered(item)
        elif isinstance(item, model.DisconnectPush):
            raise ended_by(item)
        elif isinstance(item, model.ServerSubscribed):
            self._subscriptions[item.channel] = _Subscription(None, presence=True, position=item.position)
            self._events.put_nowait(item)
        elif isinstance(item, model.ServerUnsubscribed):
            self._subscriptions.pop(item.channel, None)
            self._events.put_nowait(item)
        elif not isinstance(item, model.Advice):  # the server spreads the closings itself
            self._events.put_nowait(item)

    def _answered(self, reply: wire.Reply) -> None:
        again = self._again.pop(reply.id, None)
        if isinstance(reply, Subscribed):
            self._entered(reply)  # now: what follows in the channel counts from here
        elif again is not None and isinstance(reply, model.ErrorReply):
            self._subscriptions.pop(again, None)
            self._events.put_nowait(model.ServerUnsubscribed(again, reply.code, reply.message))
        answer = self._waiting.get(reply.id)
        if answer is not None and not answer.done():
            answer.set_result(reply)

    def _publication(self, item: Publication) -> None:
        known = self._subscriptions.get(item.channel)
        if known is not None and item.offset is not None and item.epoch is not None:
            last = known.position
            if last is not None and last.epoch == item.epoch and item.offset <= last.offset:
                return  # seen already
            self._subscriptions[item.channel] = replace(known, position=Position(item.epoch, item.offset))
        self._events.put_nowait(item)

    def _entered(self, reply: Subscribed) -> None:
        """Say whether anything is missing, deliver what was missed, and go on from the reply's position."""
        name = reply.channel
        ours = (
            self._subscribing.get(name) or self._subscriptions.get(name) or _Subscription(None, presence=True)
        )
        self._subscriptions[name] = ours
        since = ours.position
        if since is not None and reply.recoverable and reply.position is not None:
            if reply.recovered:
                self._events.put_nowait(Recovered(name, len(reply.publications)))
                for publication in reply.publications:
                    self._publication(publication)
            else:
                self._events.put_nowait(Gap(name, since, reply.position))
        self._subscriptions[name] = replace(ours, position=reply.position)

    def _lose(self, error: Exception) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)
        self._waiting.clear()
        self._again.clear()

    def _fail(self, error: Exception) -> None:
        """The end: everybody who waits, or will, is told."""
        self._failure = error
        self._lose(error)
        self._events.put_nowait(error)
        self._ready.set()
