"""The broker on PostgreSQL: logs in tables, delivery by LISTEN and NOTIFY. See `postgres_schema` for how.

One connection publishes, all that waits in one transaction, so that what a node says stays in the order in which it
said it; another one reads. What is retained is delivered when PostgreSQL says so, in one order for all nodes.
"""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import hashlib
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from hubbub.broker.base import Accepted, nothing
from hubbub.broker.envelopes import UnreadableError, body_of, read_publication
from hubbub.broker.frames import Frames, origin
from hubbub.broker.identity import digest_of, digest_of_key, ids
from hubbub.broker.postgres_deadletters import PostgresDeadLetters
from hubbub.broker.postgres_schema import (
    CALL_BEGIN,
    CALL_PUBLISH,
    CALL_READ,
    CALL_SWEEP,
    CHANNELS,
    PART,
    STRIPES,
    SUBSCRIBED,
    TOUCH,
    UNSUBSCRIBED,
)
from hubbub.clock import Clock, Timer
from hubbub.config import BrokerConfig
from hubbub.engines.base import Condition
from hubbub.engines.postgres import EVERYBODY, Postgres
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import NO_RETENTION, Envelope, History, Position, Publication, Retention
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.broker")

MOST = 256
"""Publications in one transaction, and questions in one statement."""
MESSAGE_BYTES = 16 * 1024 * 1024
"""Largest message; some 3,000 notices."""
LOG_TTL = 7 * 86_400.0
"""Seconds after which the log of a channel that nobody publishes in, or is subscribed to, is forgotten."""
SWEEP_INTERVAL = 30.0


class _Said(Struct, frozen=True, gc=False):
    """A publication for `publish_1`; `start` is the begin of its frame."""

    channel: str
    body: bytes
    id: str = ""
    start: bytes = b""
    retention: Retention = NO_RETENTION
    label: bytes | None = None
    key: bytes | None = None
    digest: bytes | None = None

    @property
    def locks(self) -> bool:
        return bool(self.retention.size) or self.key is not None


class _Asked(Struct, frozen=True, gc=False):
    """A question for `read_1`."""

    name: bytes
    retention: Retention
    since: Position | None
    limit: int
    reverse: bool


class PostgresBroker:
    """Keeps the Broker port on an `engines.postgres.Postgres`.

    What is kept nowhere is delivered here and counted when PostgreSQL does not take it; what is retained is refused. A
    channel has a name of its own for LISTEN, so that a node hears what it has subscribers for and nothing else.
    """

    lossless = False

    def __init__(self, engine: Postgres, config: BrokerConfig, clock: Clock, metrics: Metrics) -> None:
        self._engine = engine
        self._remember = config.idempotency_ttl
        self._clock = clock
        self._metrics = metrics
        me = origin()
        self.dead_letters = PostgresDeadLetters(engine, clock, metrics, me.decode())
        self._frames = Frames(me, self.dead_letters, metrics)
        self._subscribed = self._frames.delivery.subscribed
        self._missed: Callable[[], object] = nothing
        self._said = 0
        self._ids = ids()
        self._heard_as: dict[str, int] = {}  # names for LISTEN, and of how many channels
        self._parts: tuple[str, list[str]] = ("", [])
        self._roll: dict[bytes, bool] = {}
        self._enrolling: asyncio.Task[None] | None = None
        self._owing: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._touched = clock.monotonic()
        engine.need(PART)
        self._writer = engine.lane(self._write, most=MOST)
        self._reader = engine.lane(self._read, most=MOST)

    @property
    def condition(self) -> Condition:
        return self._engine.condition

    # --- life ---------------------------------------------------------------------------------------------

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        """Raises ConfigError for what will never work."""
        self._frames.delivery.listener, self._missed = listener, missed
        self._engine.heard = self._hear
        self._engine.missed.append(self._may_have_missed)
        self._engine.renewed.append(self._renewed)
        await self._engine.start()
        self._timer = self._clock.call_later(SWEEP_INTERVAL, self._sweep)

    async def stop(self) -> None:
        if self._frames.delivery.listener is None:
            return
        for channel in list(self._subscribed):
            await self.unsubscribe(channel)
        if self._timer is not None:
            self._timer.cancel()
        tasks = [task for task in (self._enrolling, self._owing, self._sweeping) if task is not None]
        if self._owing is not None:
            self._owing.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._frames.delivery.listener = None
        self._engine.missed.remove(self._may_have_missed)
        self._engine.renewed.remove(self._renewed)
        await self._engine.stop()

    # --- subscribing --------------------------------------------------------------------------------------

    async def subscribe(self, channel: str) -> None:
        """As the port says. While PostgreSQL is away this node is heard alone; `missed` tells when the others are."""
        name = lane_of(channel)
        if channel not in self._subscribed:
            self._subscribed.add(channel)
            self._heard_as[name] = self._heard_as.get(name, 0) + 1
            self._enrol({channel.encode(): True})
        with contextlib.suppress(HubbubError):
            await self._engine.listen(name)

    async def unsubscribe(self, channel: str) -> None:
        if channel not in self._subscribed:
            return
        self._subscribed.discard(channel)
        name = lane_of(channel)
        self._heard_as[name] -= 1
        if not self._heard_as[name]:
            del self._heard_as[name]
            self._engine.unlisten(name)
        self._enrol({channel.encode(): False})

    def _enrol(self, changes: dict[bytes, bool]) -> None:
        """Have the table of subscribers say so before long: it is for lists only."""
        self._roll.update(changes)
        if self._enrolling is None or self._enrolling.done():
            self._enrolling = asyncio.create_task(self._write_roll())

    async def _write_roll(self) -> None:
        while self._roll:
            changes = dict(itertools.islice(self._roll.items(), 1000))
            for name in changes:
                del self._roll[name]
            try:
                for statement, wanted in ((SUBSCRIBED, True), (UNSUBSCRIBED, False)):
                    if names := [name for name, is_wanted in changes.items() if is_wanted is wanted]:
                        await self._engine.fetch(statement, names, self._engine.node)
            except HubbubError:
                self._roll.clear()  # all of it is written when the connection is back
                return

    # --- publishing ---------------------------------------------------------------------------------------

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        push = envelope.push
        if not isinstance(push, Publication):
            await self._say(envelope, _Said(push.channel, body_of(envelope)))
            return Accepted(None, "")
        if push.offset is not None:
            self._carry(envelope, push)
            return Accepted(None, push.id)
        id = push.id or next(self._ids)
        body = body_of(envelope, id)
        used, digest = None, None
        if key is not None:
            used, digest = digest_of_key(push.channel, key), digest_of(push)
        if not retention.size:
            said = _Said(push.channel, body, id, key=used, digest=digest)
            return await self._say(envelope, said)
        _check(body)
        label = None
        if retention.conflate:
            label = (push.event if push.conflation_key is None else push.conflation_key).encode()
        start = self._frames.logged(envelope)
        accepted: Accepted = await self._writer.submit(
            _Said(push.channel, body, id, start, retention, label, used, digest)
        )
        return accepted

    async def _say(self, envelope: Envelope, said: _Said) -> Accepted:
        """Publish what is kept nowhere."""
        _check(said.body)
        serial, start = self._frames.fleeting(envelope)
        try:
            accepted: Accepted = await self._writer.submit(msgspec.structs.replace(said, start=start))
        except HubbubError as error:
            if error.code is not ErrorCode.BROKER_UNAVAILABLE:
                raise
            self._frames.stayed(serial, envelope, said.body)
            return Accepted(None, said.id)
        finally:
            self._frames.landed(serial)
        return accepted

    def _carry(self, envelope: Envelope, push: Publication) -> None:
        """What has its offset already is delivered here now, and elsewhere soon."""
        self._frames.delivery.deliver(envelope)
        body = body_of(envelope)
        if len(body) > MESSAGE_BYTES:
            self._owe()
            return
        try:
            future = self._writer.submit(
                _Said(push.channel, body, start=self._frames.carried(envelope, push))
            )
        except HubbubError:
            self._owe()
        else:
            future.add_done_callback(self._carried)

    def _carried(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled() and future.exception() is not None:
            self._owe()

    def _owe(self) -> None:
        """The others have not heard something that is kept elsewhere: tell them so when that is possible."""
        self._metrics.broker_local_only += 1
        if self._owing is None and self._frames.delivery.listener is not None:
            self._owing = asyncio.create_task(self._tell_of_debt())

    async def _tell_of_debt(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            try:
                if self._engine.condition.up:
                    await self._engine.fetch("SELECT pg_notify($1, '')", EVERYBODY)
                    self._owing = None
                    return
            except HubbubError:
                continue

    async def _write(self, connection: Any, jobs: list[_Said]) -> Sequence[Accepted | Exception]:
        order = sorted(
            range(len(jobs)), key=lambda number: jobs[number].channel
        )  # stable: each channel's own order
        said = [jobs[number] for number in order]
        lanes = [lane_of(each.channel) for each in said]
        serials = [f"{self._engine.node:x}.{self._said + number:x}" for number in range(len(said))]
        self._said += len(said)
        rows = await connection.fetch(
            CALL_PUBLISH,
            sorted({_stripe(lane) for lane, each in zip(lanes, said, strict=True) if each.locks}),
            [each.channel.encode() for each in said],
            lanes,
            serials,
            [each.start for each in said],
            [each.body for each in said],
            [each.retention.size for each in said],
            [each.retention.ttl for each in said],
            [each.retention.conflate for each in said],
            [each.label for each in said],
            [each.key for each in said],
            [each.digest for each in said],
            [each.id for each in said],
            self._remember,
        )
        results: list[Accepted | Exception] = [HubbubError(ErrorCode.IDEMPOTENCY_CONFLICT)] * len(jobs)
        for number, (conflict, duplicate, epoch, offset, id) in zip(order, rows, strict=True):
            if not conflict:
                position = None if epoch is None else Position(epoch, offset)
                results[number] = Accepted(position, id, duplicate)
        return results

    # --- hearing ------------------------------------------------------------------------------------------

    def _hear(self, name: str, payload: str) -> None:
        """A notice: `<serial>;<part>;<parts>;<base64>`."""
        fields = payload.split(";", 3)
        if len(fields) != 4:
            return  # somebody else's
        serial, part, parts, text = fields
        if parts != "1":
            begun, texts = self._parts if part != "0" else (serial, [])
            if begun != serial or str(len(texts)) != part:
                return  # the first parts were before our time
            texts.append(text)
            self._parts = (begun, texts)
            if str(len(texts)) != parts:
                return
            self._parts = ("", [])
            text = "".join(texts)  # each but the last is of whole groups of three bytes
        try:
            frame = binascii.a2b_base64(text)
        except binascii.Error:
            return
        self._frames.hear(frame)

    def _may_have_missed(self) -> None:
        self._parts = ("", [])
        self._missed()

    def _renewed(self) -> None:
        self._enrol({channel.encode(): True for channel in self._subscribed})

    # --- reading ------------------------------------------------------------------------------------------

    async def history(
        self,
        channel: str,
        retention: Retention,
        *,
        since: Position | None = None,
        limit: int = 100,
        reverse: bool = False,
    ) -> History:
        if not retention.size:
            return History(Position("", 0), complete=since is None)
        name = channel.encode()
        while True:
            read: History | None = await self._reader.submit(_Asked(name, retention, since, limit, reverse))
            if read is not None:
                return read
            await self._engine.fetch(CALL_BEGIN, name, retention.conflate)

    async def channels(self, prefix: str = "", limit: int = 1000) -> list[str]:
        """Raises BROKER_UNAVAILABLE."""
        low = prefix.encode()
        rows = await self._engine.fetch(CHANNELS, low, _beyond(low), limit)
        found = {row["name"].decode() for row in rows}
        found.update(name for name in self._subscribed if name.startswith(prefix))
        return sorted(found)[:limit]

    async def _read(self, connection: Any, jobs: list[_Asked]) -> Sequence[History | None]:
        rows = await connection.fetch(
            CALL_READ,
            [job.name for job in jobs],
            [job.retention.conflate for job in jobs],
            [job.retention.size for job in jobs],
            [job.retention.ttl for job in jobs],
            [None if job.since is None else job.since.epoch for job in jobs],
            [None if job.since is None else job.since.offset for job in jobs],
            [job.limit for job in jobs],
            [job.reverse for job in jobs],
        )
        answers: list[History | None] = []
        kept: list[tuple[int, bytes]] = []
        for _, epoch, head, complete, more, offset, body in rows:
            if body is not None:
                kept.append((offset, body))
            elif epoch is None:
                answers.append(None)
            else:
                publications = []
                for place, raw in kept:
                    try:
                        publications.append(read_publication(raw, epoch, place))
                    except UnreadableError as error:
                        complete = False
                        log.error("a publication in a log cannot be read", reason=error.reason)
                answers.append(History(Position(epoch, head), tuple(publications), complete, more))
                kept = []
        return answers

    # --- tidying ------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.create_task(self._tidy())
        self._timer = self._clock.call_later(SWEEP_INTERVAL, self._sweep)

    async def _tidy(self) -> None:
        try:
            if self._clock.monotonic() - self._touched > LOG_TTL / 8:
                self._touched = self._clock.monotonic()
                names = [channel.encode() for channel in self._subscribed]
                for start in range(0, len(names), 1000):
                    await self._engine.fetch(TOUCH, names[start : start + 1000])
            await self._engine.fetch(CALL_SWEEP, LOG_TTL)
        except HubbubError:
            return  # another time, or another node


def lane_of(channel: str) -> str:
    """The name under which a channel's publications are notified."""
    return "hubbub:" + hashlib.blake2b(channel.encode(), digest_size=8).hexdigest()


def _stripe(lane: str) -> int:
    return int(lane[-4:], 16) % STRIPES


def _check(body: bytes) -> None:
    if len(body) > MESSAGE_BYTES:
        raise HubbubError(
            ErrorCode.MESSAGE_TOO_LARGE, f"PostgreSQL carries at most {MESSAGE_BYTES} bytes", field="data"
        )


def _beyond(prefix: bytes) -> bytes | None:
    """The first text that is behind all that begin with `prefix`; None if there is none. UTF-8 has no byte 255."""
    return prefix[:-1] + bytes((prefix[-1] + 1,)) if prefix else None
