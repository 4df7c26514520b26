"""The broker of a single process: logs in memory, delivery by a plain call."""

from __future__ import annotations

import asyncio
import heapq
import secrets
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path

from hubbub.broker import deadletters, snapshot
from hubbub.broker.base import Accepted, nothing
from hubbub.broker.deadletters import MemoryDeadLetters
from hubbub.broker.delivery import Delivery
from hubbub.broker.identity import digest_of, ids
from hubbub.broker.snapshot import KeptKey, Snapshot
from hubbub.broker.stream import ConflatedLog, Log, begin, revive
from hubbub.clock import Clock, Timer
from hubbub.engines.base import UP
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import NO_RETENTION, Envelope, History, Position, Publication, Retention
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

logger = get_logger("hubbub.broker")

EPOCH_LENGTH = 8
SWEEP_INTERVAL = 30.0
SWEEP_SLICE = 200


class MemoryBroker:
    """Everything in this process, and nothing suspends: `publish` has delivered when it returns.

    Idempotency keys are remembered for `idempotency_ttl` seconds, at most `idempotency_keys` of them; at most
    `logs` channel logs are kept, and the longest idle go first, those without a subscriber before the others.
    A log that was let go begins anew in a new epoch. With a `path`, logs and keys are written there by `stop` and
    taken up again by `start`. What has expired in logs that nobody uses is freed by a
    sweep, a slice of the logs in one turn of the loop.
    """

    lossless = True
    condition = UP

    def __init__(
        self,
        clock: Clock,
        *,
        idempotency_ttl: float = 300.0,
        idempotency_keys: int = 100_000,
        logs: int = 100_000,
        path: Path | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._clock = clock
        self._path = path
        self._keys = _Keys(idempotency_ttl, idempotency_keys)
        self._max_logs = logs
        self._ids = ids()
        self.dead_letters = MemoryDeadLetters(clock, metrics)
        self._delivery = Delivery(
            lambda envelope, error: deadletters.failed(self.dead_letters, envelope, error)
        )
        self._subscribed = self._delivery.subscribed
        self._deliver = self._delivery.deliver
        # Logs of channels with a subscriber here, and of those without; each longest idle first.
        self._live: OrderedDict[str, Log | ConflatedLog] = OrderedDict()
        self._idle: OrderedDict[str, Log | ConflatedLog] = OrderedDict()
        self._timer: Timer | None = None

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        self._delivery.listener = listener
        if (
            self._path is not None
            and (kept := await asyncio.to_thread(snapshot.take, self._path)) is not None
        ):
            self._restore(kept)
        self._timer = self._clock.call_later(SWEEP_INTERVAL, self._sweep)

    async def stop(self) -> None:
        """Deliver no more. Logs stay, should the broker be started again, or go to the snapshot's file."""
        for channel in list(self._subscribed):
            await self.unsubscribe(channel)
        self._delivery.listener = None
        if self._timer is not None:
            self._timer.cancel()
        if self._path is not None:
            try:
                await asyncio.to_thread(snapshot.write, self._path, self._snapshot())
            except OSError as error:
                logger.error("the snapshot could not be written", path=str(self._path), reason=error.strerror)

    def _snapshot(self) -> Snapshot:
        now = self._clock.monotonic()
        logs = {name: log.keep(now) for name, log in chain(self._idle.items(), self._live.items())}
        return Snapshot(snapshot.VERSION, self._clock.now(), logs, self._keys.keep(now))

    def _restore(self, kept: Snapshot) -> None:
        """Take the logs up where they ended, as much older as the time that has passed since."""
        now = self._clock.monotonic()
        then = now - max(0.0, self._clock.now() - kept.written)
        for name, each in kept.logs.items():
            try:
                self._idle[name] = revive(each, then)
            except ValueError as error:
                logger.error("a log begins anew", channel=name, reason=str(error))
        for key in kept.keys:
            self._keys.add(key.key, key.digest, key.accepted, then + key.left - self._keys.ttl)

    async def subscribe(self, channel: str) -> None:
        if channel not in self._subscribed:
            self._subscribed.add(channel)
            _move(channel, self._idle, self._live)

    async def unsubscribe(self, channel: str) -> None:
        if channel in self._subscribed:
            self._subscribed.discard(channel)
            _move(channel, self._live, self._idle)

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        push = envelope.push
        if type(push) is not Publication:
            self._deliver(envelope)
            return Accepted(None, "")
        if push.offset is not None:  # it is kept elsewhere
            self._deliver(envelope)
            return Accepted(None, push.id)
        now = self._clock.monotonic()
        if key is not None:
            key = f"{push.channel}\0{key}"
            digest = digest_of(push)
            if (first := self._keys.find(key, digest, now)) is not None:
                return Accepted(first.position, first.id, True)
        position = None
        if not push.id:
            push = _identified(push, next(self._ids))
        if retention.size:
            push = self._log(push.channel, retention).append(push, now)
            position = Position(push.epoch or "", push.offset or 0)
        accepted = Accepted(position, push.id)
        if key is not None:
            self._keys.add(key, digest, accepted, now)
        if push is not envelope.push:
            envelope = Envelope(
                push,
                envelope.exclude,
                envelope.accepted,
                envelope.unless,
                envelope.volatile,
                envelope.hidden,
            )
        self._deliver(envelope)
        return accepted

    async def history(
        self,
        channel: str,
        retention: Retention,
        *,
        since: Position | None = None,
        limit: int = 100,
        reverse: bool = False,
    ) -> History:
        """As the port says. Without retention there is no log: empty, and complete only without `since`."""
        if not retention.size:
            return History(Position("", 0), complete=since is None)
        log = self._log(channel, retention)
        return log.read(self._clock.monotonic(), since=since, limit=limit, reverse=reverse)

    async def channels(self, prefix: str = "", limit: int = 1000) -> list[str]:
        names = chain(
            self._subscribed, (name for name in self._live if name not in self._subscribed), self._idle
        )
        return heapq.nsmallest(limit, (name for name in names if name.startswith(prefix)))

    def _log(self, channel: str, retention: Retention) -> Log | ConflatedLog:
        """The channel's log, begun if need be, now the last to be evicted and with `retention` in force."""
        logs = self._live if channel in self._subscribed else self._idle
        log = logs.get(channel)
        if log is None or log.retention.conflate is not retention.conflate:
            if log is None and len(self._live) + len(self._idle) >= self._max_logs:
                (self._idle or self._live).popitem(last=False)
            log = logs[channel] = begin(secrets.token_hex(EPOCH_LENGTH // 2), retention)
        log.retention = retention
        logs.move_to_end(channel)
        return log

    def _sweep(self, unswept: list[Log | ConflatedLog] | None = None) -> None:
        if unswept is None:
            unswept = [*self._live.values(), *self._idle.values()]
        now = self._clock.monotonic()
        for log in unswept[-SWEEP_SLICE:]:
            log.trim(now)
        del unswept[-SWEEP_SLICE:]
        if unswept:
            self._timer = self._clock.call_later(0.0, partial(self._sweep, unswept))
        else:
            self._timer = self._clock.call_later(SWEEP_INTERVAL, self._sweep)


class _Keys:
    """Idempotency keys with what their first use gave. One ttl for all: the oldest expire first."""

    def __init__(self, ttl: float, size: int) -> None:
        self.ttl = ttl
        self._size = size
        self._entries: OrderedDict[str, tuple[float, bytes, Accepted]] = OrderedDict()

    def find(self, key: str, digest: bytes, now: float) -> Accepted | None:
        """What `key` gave first. Raises HubbubError IDEMPOTENCY_CONFLICT if it was for something else."""
        entries = self._entries
        while entries and next(iter(entries.values()))[0] <= now:
            entries.popitem(last=False)
        entry = entries.get(key)
        if entry is None:
            return None
        _, used_for, accepted = entry
        if used_for != digest:
            raise HubbubError(ErrorCode.IDEMPOTENCY_CONFLICT)
        return accepted

    def keep(self, now: float) -> list[KeptKey]:
        return [
            KeptKey(key, digest, until - now, accepted)
            for key, (until, digest, accepted) in self._entries.items()
            if until > now
        ]

    def add(self, key: str, digest: bytes, accepted: Accepted, now: float) -> None:
        self._entries[key] = (now + self.ttl, digest, accepted)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)


def _move(
    channel: str, source: OrderedDict[str, Log | ConflatedLog], target: OrderedDict[str, Log | ConflatedLog]
) -> None:
    log = source.pop(channel, None)
    if log is not None:
        target[channel] = log


def _identified(push: Publication, publication_id: str) -> Publication:
    return Publication(
        push.channel,
        push.event,
        push.data,
        publication_id,
        push.sender,
        push.time,
        push.epoch,
        push.offset,
        push.conflation_key,
        push.attachments,
        push.spread,
    )
