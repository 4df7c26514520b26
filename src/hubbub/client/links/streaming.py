"""The native protocol over plain HTTP: commands by POST, pushes by a stream of server-sent events or by long-polls.

docs/reference/protocol.md, "The same session over HTTP". Pushes are numbered; what came twice is told by its number.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hubbub.client import wire
from hubbub.client.backoff import delay
from hubbub.client.events import ClientError
from hubbub.client.failures import (
    RETRYABLE_STATUS,
    EndedError,
    LostError,
    UnreachableError,
    refused,
    refused_with,
    told_to_wait,
)
from hubbub.client.http import Answer, Http
from hubbub.client.links.base import WITHIN, Place
from hubbub.client.state import Transport
from hubbub.errors import ABNORMAL, DRAIN
from hubbub.model import Command, Connect, Connected, ErrorReply, Ping

PATH = "/v1/sessions"
GONE_GRACE = 1.0
STILLBORN = 3
"""Streams in a row that are lost before they say anything."""
FIRST_BYTES = 5.0
"""Seconds in which a stream says something; else something on the way keeps it back, and long-polls are better."""
SILENCE = 3.0
"""How many times the server's ping interval a stream may be silent: it has comments to send."""
BATCH, BATCH_BYTES = 64, 262_144
_JSON = {"Content-Type": "application/json"}
_LINES = {"Content-Type": "application/x-ndjson"}


class _Stream(msgspec.Struct):
    events: str
    commands: str
    poll_timeout: float = 25.0


class _Opened(msgspec.Struct):
    stream: _Stream


_opened = msgspec.json.Decoder(_Opened).decode


class HttpLink:
    """See Link."""

    def __init__(self, place: Place, transport: Transport) -> None:
        self.transport = transport
        self._http = Http(place.url, place.ssl)
        self._base = urlsplit(place.url).path.rstrip("/")
        self._connected: Connected | None = None
        self._stream = _Stream("", "")
        self._items: asyncio.Queue[Sequence[wire.Reply | wire.Push] | Exception] = asyncio.Queue()
        self._commands: deque[Command] = deque()
        self._posting: asyncio.Event = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = False
        self._seen = 0
        self._stillborn = 0

    async def begin(self, command: Connect) -> tuple[wire.Reply, Sequence[wire.Reply | wire.Push]]:
        body: dict[str, Any] = {"client": command.client}
        if command.resume is not None:
            body["resume"] = command.resume
        elif command.token is not None:
            body["token"] = command.token
        try:
            answer = await self._http.request(
                "POST", PATH, headers=_JSON, body=msgspec.json.encode(body), within=WITHIN
            )
        except LostError as error:
            raise UnreachableError(f"{self._http.url} does not answer: {error}", True, other=True) from error
        if answer.status != 200:
            return _refusal(command.id, answer), ()
        try:
            (reply,) = wire.decode(answer.body)
            self._stream = _opened(answer.body).stream
        except (ValueError, msgspec.MsgspecError) as error:
            raise ClientError(f"{self._http.url} does not speak {wire.SUBPROTOCOL}: {error}") from error
        if not isinstance(reply, Connected):
            raise ClientError(f"{self._http.url} answered with {type(reply).__name__}")
        self._connected = reply
        reply = msgspec.structs.replace(reply, id=command.id)
        self._tasks = [asyncio.create_task(self._watched(each)) for each in (self._post(), self._read())]
        return reply, ()

    async def send(self, command: Command) -> None:
        if self._ended:
            raise LostError("the connection has ended")
        self._commands.append(command)
        self._posting.set()

    async def receive(self) -> Sequence[wire.Reply | wire.Push]:
        item = await self._items.get()
        if isinstance(item, Exception):
            raise item
        return item

    async def close(self) -> None:
        connected, self._connected = self._connected, None
        ended = self._ended
        await self._stop()
        if connected is not None and not ended:
            path, headers = f"{PATH}/{connected.session}", _secret(connected)
            with contextlib.suppress(ClientError):
                await self._http.request("DELETE", path, headers=headers, within=1.0)
        self._http.close()

    def abort(self) -> None:
        self._end(EndedError(ABNORMAL))
        self._http.close()

    # --- the two halves -----------------------------------------------------------------------------------

    async def _watched(self, half: Coroutine[Any, Any, None]) -> None:
        """When one half ends, so does the link."""
        try:
            await half
        except EndedError as error:
            self._end(error)
        except (LostError, UnreachableError) as error:
            self._end(EndedError(ABNORMAL, str(error)))
        except ClientError as error:
            self._end(error)

    def _end(self, error: Exception) -> None:
        if not self._ended:
            self._ended = True
            self._items.put_nowait(error)

    async def _stop(self) -> None:
        self._ended = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _post(self) -> None:
        """One POST at a time, with all commands that wait: so they are handled in their order."""
        assert self._connected is not None
        headers = _LINES | _secret(self._connected)
        quiet = self._connected.ping_interval + self._connected.ping_timeout / 2
        while True:
            if not self._commands:
                self._posting.clear()
                try:
                    async with asyncio.timeout(quiet):
                        await self._posting.wait()
                except TimeoutError:
                    self._commands.append(Ping(0))  # is it still there?
            ids, body = self._batch()
            answer = await self._http.request(
                "POST", self._relative(self._stream.commands), headers=headers, body=body
            )
            if answer.status in (400, 413, 422) and refused_with(answer.body) is not None:
                # All of them are refused, but the session goes on.
                self._items.put_nowait([_refusal(id, answer) for id in ids])
                continue
            if answer.status == 410:
                await asyncio.sleep(GONE_GRACE)  # why is said where pushes are read, perhaps a moment later
            self._check(answer)
            self._items.put_nowait(self._decoded(answer.body))

    def _batch(self) -> tuple[list[int], bytes]:
        ids: list[int] = []
        lines: list[bytes] = []
        size = 0
        while self._commands and len(lines) < BATCH and size < BATCH_BYTES:
            line = wire.encode(self._commands[0]).encode()
            if lines and size + len(line) > BATCH_BYTES:
                break
            ids.append(self._commands.popleft().id)
            lines.append(line)
            size += len(line)
        return ids, b"\n".join(lines)

    async def _read(self) -> None:
        while self.transport == "sse":
            await self._streamed()
        self._items.put_nowait(())  # the session is to see by what it goes on
        while True:
            await self._polled()

    async def _streamed(self) -> None:
        assert self._connected is not None
        headers = {"Accept": "text/event-stream"} | _secret(self._connected)
        if self._seen:
            headers["Last-Event-ID"] = str(self._seen)
        path = self._relative(self._stream.events)
        began = False
        try:
            async with (
                asyncio.timeout(FIRST_BYTES) as patience,
                self._http.open("GET", path, headers=headers) as stream,
            ):
                if stream.status != 200:
                    answer = Answer(stream.status, stream.headers, await stream.body())
                    if refused_with(answer.body) is not None:
                        self._check(answer)
                    self.transport = "polling"  # it is somebody on the way who lets no stream through
                    return
                loop = asyncio.get_running_loop()
                silence = max(self._connected.ping_interval * SILENCE, FIRST_BYTES)
                async for number, data in _events(stream.chunks()):
                    began = True
                    patience.reschedule(loop.time() + silence)
                    if data and number > self._seen:
                        self._seen = number
                        self._items.put_nowait(self._decoded(data))
        except TimeoutError:
            if began:
                raise LostError("the stream is silent") from None
            self.transport = "polling"
        except LostError:
            self._stillborn = 0 if began else self._stillborn + 1
            if self._stillborn == STILLBORN:
                self.transport = "polling"  # no stream gets through, or nothing does: a poll will show
                return
        # A stream that has ended is opened again; what is gone for good is refused there.
        await asyncio.sleep(delay(1))

    async def _polled(self) -> None:
        assert self._connected is not None
        path = f"{self._relative(self._stream.events)}?ack={self._seen}"
        within = self._stream.poll_timeout + WITHIN
        answer = await self._http.request("GET", path, headers=_secret(self._connected), within=within)
        self._check(answer)
        following = answer.headers.get("hubbub-next", "")
        items = self._decoded(answer.body)
        if following.isdigit():
            # Lines have no numbers of their own: they end at `Hubbub-Next`, and begin so many before it.
            head = int(following)
            known = max(0, self._seen - (head - len(items)))
            items = items[known:]
            self._seen = max(self._seen, head)
        self._items.put_nowait(items)

    # --- answers ------------------------------------------------------------------------------------------

    def _check(self, answer: Answer) -> None:
        """Raises EndedError for an answer after which nothing more comes here."""
        if answer.status in (200, 204):
            return
        known = refused_with(answer.body)
        if known is not None and answer.status == 503:
            raise EndedError(DRAIN, known.message, retry_after=known.retry_after or 0.0)
        raise EndedError(ABNORMAL, refused(answer.status, answer.body))

    def _decoded(self, body: bytes) -> list[wire.Reply | wire.Push]:
        try:
            return [
                each for each in wire.decode(body) if not (isinstance(each, wire.ResultReply) and not each.id)
            ]
        except ValueError as error:
            raise ClientError(f"{self._http.url} does not speak {wire.SUBPROTOCOL}: {error}") from error

    def _relative(self, path: str) -> str:
        """The server names paths from its own root; what a proxy has put before that is in our address."""
        return path.removeprefix(self._base) if self._base else path


def _secret(connected: Connected) -> dict[str, str]:
    return {"Hubbub-Session-Secret": connected.secret}


def _refusal(id: int, answer: Answer) -> ErrorReply:
    """Raises UnreachableError for an answer that is not the server's."""
    known = refused_with(answer.body)
    if known is None:
        raise UnreachableError(
            refused(answer.status, answer.body),
            answer.status in RETRYABLE_STATUS,
            told_to_wait(answer.headers.get("retry-after")),
            other=True,
        )
    return ErrorReply(
        id, known.code, known.message, known.name, known.temporary, known.retry_after, known.field
    )


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """Server-sent events (WHATWG HTML, section 9.2.6) as their numbers and data; (0, b"") for other signs of life."""
    rest = b""
    number, data = 0, b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            name, _, value = line.rstrip(b"\r").partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                data += value if not data else b"\n" + value
            elif name == b"id" and value.isdigit():
                number = int(value)
            elif not line.strip():
                yield number, data
                data = b""
        yield 0, b""
