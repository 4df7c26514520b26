"""One session, over as many connections as it takes, and by whichever transport gets through."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from hubbub import model
from hubbub.client import wire
from hubbub.client.backoff import Backoff, delay
from hubbub.client.events import ClientError, ClosedError, Disconnected, Reconnected, Reconnecting
from hubbub.client.failures import EndedError, LostError, UnreachableError, ended_by, refusal
from hubbub.client.links.base import Link, Place
from hubbub.client.state import State, Transport, Watched
from hubbub.client.tokens import Tokens, refresh_in
from hubbub.client.transports import Chooser
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Connected, Position, Subscribed

T = TypeVar("T")
Answered = Callable[[wire.Reply | Exception], None]
REPLY_TIMEOUT = 35.0  # a handler may take `limits.call_timeout`


class Receiver(Protocol):
    """Who is told what comes, in its order and at once."""

    def positions(self) -> dict[str, Position]:
        """Where each channel stands, for a resume."""
        ...

    def pushed(self, push: wire.Push) -> None: ...
    def subscribed(self, reply: Subscribed) -> None: ...
    def resumed(self, reply: Connected) -> None: ...

    def renewed(self, reply: Connected) -> None:
        """Another session stands: what was subscribed is to be subscribed again."""
        ...

    def told(self, event: Reconnecting | Reconnected) -> None: ...
    def failed(self, error: Exception) -> None: ...


class Session:
    """See the module. `state` is how it stands."""

    def __init__(
        self,
        place: Place,
        tokens: Tokens,
        receiver: Receiver,
        *,
        name: str,
        transports: Sequence[Transport],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.state = Watched(State())
        self.loop: asyncio.AbstractEventLoop
        self.tokens = tokens
        self.ready = asyncio.Event()
        self.failure: Exception | None = None
        self.connected: Connected | None = None
        self.link: Link | None = None
        self._receiver = receiver
        self._name = name
        self._chooser = Chooser(place, transports)
        self._clock = clock
        self._zero: float | None = None
        """The server's clock when ours that nobody sets was at 0."""
        self._backoff = Backoff()
        self._waiting: dict[int, Answered] = {}
        self._last_id = 2  # `connect` takes 1 and 2
        self._running: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._posted: set[asyncio.Task[None]] = set()
        self._again = asyncio.Event()
        self._not_before = 0.0  # by the loop's clock, as the server has advised
        self._resumable = False
        self._token: str | None = None

    # --- life ---------------------------------------------------------------------------------------------

    async def start(self, *, patient: bool) -> None:
        """Connect; a `patient` session goes on trying by itself. Raises ClientError and HubbubError."""
        if self.failure is not None:
            raise self.failure
        self.loop = asyncio.get_running_loop()
        self.state.set(State("connecting", attempt=1))
        if not patient:
            try:
                await self._open()
            except BaseException as error:
                self._fail(error if isinstance(error, Exception) else ClosedError("the client is closed"))
                raise
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End it for good. Whoever waits is told."""
        running, self._running = self._running, None
        link, self.link = self.link, None
        self._fail(ClosedError("the client is closed"), State("closed"))
        for task in (running, self._refreshing, *self._posted):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task
        if link is not None:
            await link.close()

    def reconnect(self) -> None:
        """Do not wait for the next attempt."""
        self._again.set()

    def time(self) -> float:
        """The server's clock, in Unix seconds: by this machine's until it is known, and from then on whatever
        becomes of that."""
        return self._clock() if self._zero is None else self._zero + time.monotonic()

    def drop(self) -> None:
        """Cut the connection."""
        if self.link is not None:
            self.link.abort()

    # --- commands -----------------------------------------------------------------------------------------

    async def ask(
        self,
        command: Callable[[int], model.Command],
        kind: type[T],
        *,
        resend: bool = False,
        within: float = REPLY_TIMEOUT,
    ) -> T:
        """Send a command and wait for its reply. Raises HubbubError for a refusal.

        A command that is safe to repeat is sent again on the next connection, another raises LostError.
        """
        while True:
            if self.failure is not None:
                raise self.failure
            await self.ready.wait()
            try:
                return await self._exchange(command, kind, within)
            except LostError as error:
                if not resend:
                    raise LostError(f"the connection was lost before the answer: {error}") from error

    def post(self, command: Callable[[int], model.Command], answered: Answered) -> None:
        """Send a command at once, without waiting; `answered` gets its reply, or why there is none."""
        link = self.link
        if link is None:
            answered(LostError("not connected"))
            return
        id = self._next(answered)

        async def send() -> None:
            try:
                await link.send(command(id))
            except LostError as error:
                self._answer(id, error)

        self._tidy(send())

    async def _exchange(self, command: Callable[[int], model.Command], kind: type[T], within: float) -> T:
        link = self.link
        if self.failure is not None:
            raise self.failure
        if link is None:
            self.ready.clear()
            raise LostError("not connected")
        future: asyncio.Future[wire.Reply] = asyncio.get_running_loop().create_future()

        def answered(reply: wire.Reply | Exception) -> None:
            if future.done():
                return
            if isinstance(reply, Exception):
                future.set_exception(reply)
            else:
                future.set_result(reply)

        id = self._next(answered)
        try:
            # Before this one may be some that were posted.
            if self._posted:
                await asyncio.wait(self._posted)
            await link.send(command(id))
            async with asyncio.timeout(within):
                reply = await future
        except LostError:
            if self.link is link and not future.done():  # known here before `_run` hears of it
                self.ready.clear()
            raise
        except TimeoutError as error:
            raise HubbubError(ErrorCode.TIMEOUT, f"no answer in {within:g} s") from error
        finally:
            self._waiting.pop(id, None)
            if future.done() and not future.cancelled():
                future.exception()  # seen
        if isinstance(reply, model.ErrorReply):
            raise refusal(reply)
        if not isinstance(reply, kind):
            raise ClientError(f"the server answered with {type(reply).__name__}")
        return reply

    def _tidy(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Have something done that nobody waits for."""
        task = asyncio.create_task(coroutine)
        self._posted.add(task)
        task.add_done_callback(self._posted.discard)

    def _next(self, answered: Answered) -> int:
        self._last_id = id = self._last_id + 1
        self._waiting[id] = answered
        return id

    def _answer(self, id: int, reply: wire.Reply | Exception) -> None:
        answered = self._waiting.pop(id, None)
        if answered is not None:
            answered(reply)

    # --- connections --------------------------------------------------------------------------------------

    async def _open(self) -> None:
        """A connection with a session: the old one if there is one to resume, else a new one."""
        if not self._resumable:
            self._token = await self.tokens.fetch()  # first: a server does not wait long for it
        link, reply, rest = await self._chooser.open(self._begin)
        self.link = link
        self._resumable = True
        old, self.connected = self.connected, reply
        try:
            if old is not None:
                self._receiver.told(Reconnected(resumed=reply.resumed))
            if reply.resumed:
                self._receiver.resumed(reply)
            else:
                self._receiver.renewed(reply)
            self._take(rest)
        except BaseException:
            self.link = None
            link.abort()
            raise
        self._not_before = 0.0
        self._backoff.connected()
        if reply.time:
            self._zero = reply.time - time.monotonic()
        self._refresh_in(refresh_in(self.tokens.last, reply.expires, self.time))
        self.state.set(
            State(
                "connected",
                transport=link.transport,
                session=reply.session,
                user=reply.user,
                resumed=reply.resumed,
            )
        )
        self.ready.set()

    async def _begin(self, link: Link) -> tuple[Connected, Sequence[wire.Reply | wire.Push]]:
        """Have a session on a link that is open. Raises HubbubError if the server refuses."""
        if self._resumable and self.connected is not None:
            positions = self._receiver.positions()
            resume = model.Resume(self.connected.session, self.connected.secret, positions)
            reply, rest = await link.begin(model.Connect(1, resume=resume, client=self._name))
            if isinstance(reply, Connected):
                return reply, rest
            if not isinstance(reply, model.ErrorReply) or reply.code != ErrorCode.SESSION_GONE:
                raise _refused(reply)
            self._resumable = False
            self._token = await self.tokens.fetch()
        reply, rest = await link.begin(model.Connect(2, self._token, client=self._name))
        if not isinstance(reply, Connected):
            raise _refused(reply)
        return reply, rest

    async def _run(self) -> None:
        """Read until the connection ends, then come back, as long as the reason allows it."""
        try:
            if self.link is None:
                await self._return("", 0.0)
            while True:
                assert self.link is not None
                link = self.link
                ended = await self._read(link)
                self.link = None
                self.ready.clear()
                self._lose(LostError(ended.reason.text))
                link.abort()
                self._tidy(link.close())
                if not ended.again:
                    raise Disconnected(ended.reason)
                if not ended.reason.resumable and ended.reason.code >= 3000:
                    self._resumable = False
                told = max(ended.retry_after, self._not_before - asyncio.get_running_loop().time())
                await self._return(ended.reason.text, max(told, 0.0))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.link = None
            self._fail(error)

    async def _read(self, link: Link) -> EndedError:
        """Handle what comes; the answer is why it ended."""
        try:
            while True:
                self._take(await link.receive())
                if link.transport != self.state.value.transport:  # from a stream to polling
                    state = self.state.value
                    self.state.set(
                        State("connected", transport=link.transport, session=state.session, user=state.user)
                    )
        except EndedError as error:
            return error
        except BaseException:
            link.abort()
            raise

    async def _return(self, cause: str, told: float) -> None:
        """Try until there is a session."""
        first = self.connected is None and not cause
        offline = False
        count = 0
        while True:
            count += 1
            if not first:
                pause, told = self._backoff.pause(told), 0.0
                self.state.set(
                    State(
                        "offline" if offline else "recovering",
                        attempt=count,
                        reason=cause,
                        retry_at=self._clock() + pause,
                    )
                )
                self._receiver.told(Reconnecting(cause, pause, count))
                await self._pause(pause)
            first = False
            try:
                await self._open()
            except UnreachableError as error:
                if not error.again:
                    raise
                cause, told, offline = str(error), error.retry_after, error.offline
            except EndedError as error:
                if not error.again:
                    raise Disconnected(error.reason) from error
                cause, told, offline = error.reason.text, error.retry_after, False
            except HubbubError as error:
                if not error.info.temporary and not (
                    error.code == ErrorCode.TOKEN_EXPIRED and self.tokens.fresh
                ):
                    raise
                cause, told, offline = error.message, error.retry_after or 0.0, False
            else:
                return

    async def _pause(self, seconds: float) -> None:
        self._again.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._again.wait()

    # --- tokens -------------------------------------------------------------------------------------------

    def _refresh_in(self, seconds: float | None) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            self._refreshing = None
        if seconds is not None and self.tokens.fresh:
            self._refreshing = asyncio.create_task(self._refresh(seconds))

    async def _refresh(self, seconds: float) -> None:
        """Replace the token before it expires. Should that fail, the server ends the connection when it does, and the
        next session is begun with a new one."""
        while True:
            await asyncio.sleep(seconds)
            try:
                token = await self.tokens.fetch()
                if token is None:
                    return
                reply = await self.ask(partial(_refresh_with, token), wire.ResultReply)
            except (UnreachableError, LostError):
                seconds = delay(6)
                continue
            except (ClientError, HubbubError):
                return
            expires = wire.decode_refreshed(reply.result).expires
            following = refresh_in(token, expires, self.time)
            if following is None:
                return
            seconds = following

    # --- what comes ---------------------------------------------------------------------------------------

    def _take(self, items: Sequence[wire.Reply | wire.Push]) -> None:
        for item in items:
            if isinstance(item, Subscribed):
                if item.id in self._waiting:  # else who asked for it was cancelled, and has left again
                    self._receiver.subscribed(item)  # now: what follows in the channel counts from here
                    self._answer(item.id, item)
            elif isinstance(item, Connected | model.Published | wire.ResultReply | model.ErrorReply):
                self._answer(item.id, item)
            elif isinstance(item, model.DisconnectPush):
                raise ended_by(item)
            elif isinstance(item, model.Advice):
                # The server spreads the closings itself: we stay while it lasts, and return no sooner than it says.
                self._not_before = asyncio.get_running_loop().time() + item.reconnect_after
            else:
                self._receiver.pushed(item)

    def _lose(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, {}
        for answered in waiting.values():
            answered(error)

    def _fail(self, error: Exception, state: State | None = None) -> None:
        """The end: everybody who waits, or will, is told."""
        if self.failure is not None:
            return
        self.failure = error
        self._refresh_in(None)
        self._lose(error)
        self._receiver.failed(error)
        self.state.set(state or State("failed", reason=str(error), error=error))
        self.ready.set()


def _refresh_with(token: str, id: int) -> model.Refresh:
    return model.Refresh(id, token)


def _refused(reply: Any) -> HubbubError | ClientError:
    if isinstance(reply, model.ErrorReply):
        return refusal(reply)
    return ClientError(f"the server answered with {type(reply).__name__}")
