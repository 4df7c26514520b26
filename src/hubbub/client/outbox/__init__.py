"""Writes that wait for a connection: sent in their order within a group, each once, and over a restart if need be."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from hubbub import model
from hubbub.client import wire
from hubbub.client.backoff import delay
from hubbub.client.events import ClientError
from hubbub.client.outbox.base import PUBLISH, Entry, Refused, Storage
from hubbub.client.outbox.memory import MemoryStorage
from hubbub.client.outbox.sqlite import SqliteStorage
from hubbub.client.state import Watched
from hubbub.errors import ErrorCode, HubbubError

if TYPE_CHECKING:
    from hubbub.client.client import Client

__all__ = ["PUBLISH", "Entry", "MemoryStorage", "Outbox", "Refused", "SqliteStorage", "Storage", "Write"]

log = logging.getLogger("hubbub.client")
AT_ONCE = 16
"""Groups that send at the same time."""


class DiscardedError(ClientError):
    """A write was thrown away before it was sent."""


class Write:
    """A write that is in the outbox. Await it for the server's answer: it raises HubbubError if that is a refusal for
    good, DiscardedError if it was thrown away."""

    def __init__(self, entry: Entry, done: asyncio.Future[Raw]) -> None:
        self.id = entry.id
        self.key = entry.key
        self._done = done

    @property
    def done(self) -> bool:
        """Whether it is known what has become of it."""
        return self._done.done()

    async def result(self, type: Any = Any) -> Any:
        """The answer, decoded as `type`. To cancel this is not to take back the write."""
        return msgspec.json.decode(await asyncio.shield(self._done), type=type)

    def __await__(self) -> Generator[Any, None, Any]:
        return self.result().__await__()


class Outbox:
    """A Client's writes. What was added is kept by its storage before it is sent, and sent with its idempotency key
    until there is an answer, so that it happens once. Writes of a group are sent one after the other, groups side by
    side. A temporary refusal is waited out; one for good marks the write as failed, to be tried again or discarded, and
    the next of its group go on.

    The server remembers the keys of the chat's writes for ever, and those of publishes and calls of handlers for
    `broker.idempotency_ttl`: if an answer to one of these is lost and the connection comes back later than that, it may
    happen twice.
    """

    def __init__(self, client: Client, storage: str | Storage) -> None:
        self._client = client
        if isinstance(storage, str):
            self._storage: Storage = MemoryStorage() if storage == ":memory:" else SqliteStorage(storage)
        else:
            self._storage = storage
        self.heard: Callable[[Entry, Raw], object] | None = None
        """Called with a write that was answered, before it is no more among the entries."""
        self._entries: dict[int, Entry] = {}
        self._futures: dict[int, asyncio.Future[Raw]] = {}
        self._groups: dict[str, deque[int]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._version = Watched(0)
        self._last = 0
        self._opening: asyncio.Task[None] | None = None
        self._stopped = False
        self._keeping: set[asyncio.Task[None]] = set()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What waits or has failed, the oldest first."""
        return tuple(self._entries[id] for id in sorted(self._entries))

    async def changes(self) -> AsyncIterator[tuple[Entry, ...]]:
        """The entries, and then again whenever they are others."""
        seen = -1
        while True:
            seen = await self._version.until(lambda now: now != seen)  # noqa: B023
            yield self.entries

    async def empty(self) -> None:
        """Wait until nothing waits to be sent; what has failed does not."""
        await self.open()
        await self._version.until(lambda _: all(each.state == "failed" for each in self._entries.values()))

    async def open(self) -> None:
        """Read what is kept from before, and begin to send it; adding does it, too. Raises ClientError."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
        await asyncio.shield(self._opening)

    async def call(
        self, method: str, params: Any = None, *, key: str | None = None, group: str = ""
    ) -> Write:
        """Have a method called. It is kept when this returns. To cancel this may be too late."""
        return await self._add(method, params, key, group)

    async def publish(
        self,
        channel: str,
        data: Any,
        *,
        event: str = "message",
        key: str | None = None,
        group: str | None = None,
    ) -> Write:
        """Have something published; those of one channel are one group. The answer is its Position, or None."""
        params = {"channel": channel, "data": data, "event": event}
        return await self._add(PUBLISH, params, key, f"channel:{channel}" if group is None else group)

    async def retry(self, id: int) -> Write:
        """Send a failed write again, behind those of its group that wait. Raises KeyError if there is none."""
        entry = replace(self._entries[id], state="queued", error=None, attempts=0)
        await self._storage.put(entry)
        return self._queue(entry)

    async def discard(self, id: int) -> None:
        """Throw a write away. If it is just being sent it may have happened. Raises KeyError if there is none."""
        del self._entries[id]
        self._settle(id, DiscardedError("the write was discarded"))
        self._changed()
        await self._storage.remove(id)

    async def stop(self) -> None:
        """Send nothing more. What waits is kept by the storage."""
        self._stopped = True
        workers = list(self._workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for id in list(self._futures):
            self._settle(id, ClientError("the client is closed; the write waits in the outbox"))
        if self._opening is not None:
            await asyncio.wait((self._opening, *self._keeping))
            await self._storage.close()

    # --- what waits ---------------------------------------------------------------------------------------

    async def _open(self) -> None:
        for entry in await self._storage.open():
            self._last = max(self._last, entry.id)
            if entry.state == "failed":
                self._entries[entry.id] = entry
            else:
                self._queue(replace(entry, state="queued"))
        self._changed()

    async def _add(self, method: str, params: Any, key: str | None, group: str) -> Write:
        await self.open()
        if self._stopped:
            raise ClientError("the client is closed")
        self._last += 1
        raw = Raw(msgspec.json.encode(params))
        entry = Entry(self._last, method, raw, key or secrets.token_urlsafe(16), group, time.time())
        return await asyncio.shield(self._keep(entry))

    async def _keep(self, entry: Entry) -> Write:
        await self._storage.put(entry)
        return self._queue(entry)

    def _queue(self, entry: Entry) -> Write:
        done = self._futures[entry.id] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda future: future.cancelled() or future.exception())  # nobody has to look
        self._entries[entry.id] = entry
        self._groups.setdefault(entry.group, deque()).append(entry.id)
        if entry.group not in self._workers and not self._stopped:
            self._workers[entry.group] = asyncio.create_task(self._send_group(entry.group))
        self._changed()
        return Write(entry, done)

    def _settle(self, id: int, outcome: Raw | Exception) -> None:
        future = self._futures.pop(id, None)
        if future is None or future.done():
            return
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)

    def _changed(self) -> None:
        self._version.set(self._version.value + 1)

    # --- sending ------------------------------------------------------------------------------------------

    async def _send_group(self, group: str) -> None:
        waiting = self._groups[group]
        try:
            while waiting:
                async with self._turns:
                    id = waiting[0]
                    if id in self._entries:
                        pause = await self._send(id)
                    else:
                        pause = 0.0
                    if pause is None:
                        return  # the client has ended
                    if not pause:
                        waiting.popleft()
                await asyncio.sleep(pause)
        finally:
            self._workers.pop(group, None)
            if not waiting:
                self._groups.pop(group, None)

    async def _send(self, id: int) -> float | None:
        """Seconds after which to try again; 0.0 if it is settled, None if there is no hope."""
        await self._client.session.ready.wait()  # without holding others' place in what is sent
        if id not in self._entries:
            return 0.0  # discarded meanwhile
        entry = self._entries[id] = replace(self._entries[id], state="sending")
        self._changed()
        try:
            outcome: Raw | HubbubError = await self._exchange(entry)
        except HubbubError as error:
            outcome = error
        except ClientError:
            if id in self._entries:
                self._entries[id] = replace(entry, state="queued")
                self._changed()
            return None
        if id not in self._entries:
            return 0.0  # discarded meanwhile
        if isinstance(outcome, HubbubError) and outcome.info.temporary:
            attempts = entry.attempts + 1
            self._entries[id] = replace(entry, state="queued", attempts=attempts)
            self._changed()
            return max(outcome.retry_after or 0.0, delay(attempts))
        if isinstance(outcome, HubbubError):
            refused = Refused(int(outcome.code), outcome.message)
            entry = self._entries[id] = replace(entry, state="failed", error=refused)
            self._keep_later(self._storage.put(entry))
        else:
            if self.heard is not None:
                self.heard(entry, outcome)
            del self._entries[id]
            self._keep_later(self._storage.remove(id))
        self._settle(id, outcome)
        self._changed()
        return 0.0

    def _keep_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Nobody waits for the storage to hear of what has become of a write. If it never does, the write is sent again
        after a restart: with its key."""

        async def keep() -> None:
            try:
                await work
            except ClientError as error:
                log.warning("%s", error)

        task = asyncio.create_task(keep())
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _exchange(self, entry: Entry) -> Raw:
        session = self._client.session
        if entry.method == PUBLISH:
            params = _decode_publish(entry.params)
            published = await session.ask(
                lambda id: model.Publish(id, params.channel, params.data, params.event, entry.key),
                model.Published,
                resend=True,
            )
            return Raw(msgspec.json.encode(published.position))
        reply = await session.ask(
            lambda id: model.Call(id, entry.method, entry.params, entry.key), wire.ResultReply, resend=True
        )
        return reply.result

    def error(self, entry: Entry) -> HubbubError | None:
        """Why an entry has failed."""
        if entry.error is None:
            return None
        try:
            code = ErrorCode(entry.error.code)
        except ValueError:
            code = ErrorCode.BAD_REQUEST
        return HubbubError(code, entry.error.message)


class _Publish(msgspec.Struct):
    channel: str
    data: Raw
    event: str = "message"


_decode_publish = msgspec.json.Decoder(_Publish).decode
