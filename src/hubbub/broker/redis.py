"""The broker of many nodes on Redis: logs are streams, delivery is pub/sub.

What is retained is appended and published by one script (`lua/log.lua`), so that all nodes hear each channel in the
order of its log; who publishes hears it from Redis, as the others do.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hubbub.broker import unawaited
from hubbub.broker.base import Accepted, nothing
from hubbub.broker.envelopes import UnreadableError, body_of, place, read_place, read_publication
from hubbub.broker.frames import Frames, origin
from hubbub.broker.identity import digest_of, ids
from hubbub.broker.redis_deadletters import RedisDeadLetters
from hubbub.broker.redis_names import channel_of, glob_of, naming, pattern_of
from hubbub.clock import Clock
from hubbub.config import Config
from hubbub.engines.base import Condition
from hubbub.engines.redis import Redis, RedisRefused, Script
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import NO_RETENTION, Envelope, History, Position, Publication, Retention
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.broker")

LOG = Script.load("broker", "log")
ONCE = Script.load("broker", "once")
INDEX = Script.load("broker", "index")

SCANNED = 1_000
"""Names that one step of a scan looks at."""
LONGEST = 10**12
"""Milliseconds: beyond some thirty years a limit is none."""


class RedisBroker:
    """Idempotency keys are remembered for `broker.idempotency_ttl` seconds, a log that nobody uses for `redis.log_ttl`.

    Of what is retained nothing is accepted while Redis is away. What is kept nowhere is then delivered on this node
    alone (metric `broker_local_only`), and so is what is kept elsewhere: the others find in its log what they missed.

    A log begins a new epoch when it is not there, or when another process of Redis has taken its place: that may know
    less than was acknowledged, and give offsets again.
    """

    lossless = False

    def __init__(self, redis: Redis, config: Config, clock: Clock, metrics: Metrics) -> None:
        self._redis = redis
        self._clock = clock
        self._metrics = metrics
        here = origin()
        self.dead_letters = RedisDeadLetters(redis, clock, metrics, here.decode())
        self._frames = Frames(here, self.dead_letters, metrics)
        self._delivery = self._frames.delivery
        self._subscribed = self._delivery.subscribed
        self._heard_of: set[str] = set()  # channels of which Redis has said that we hear them
        self._names = naming(redis.prefix)
        self._index = f"{redis.prefix}:logs"
        self._key_ttl = _milliseconds(config.broker.idempotency_ttl) or 1
        self._life = max(1000, _milliseconds(config.redis.log_ttl))
        self._largest = config.redis.message_bytes
        self._ids = ids()
        self._relistening = False
        self._missed: Callable[[], object] = nothing

    # --- life ---------------------------------------------------------------------------------------------------

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        """As the port says. Raises ConfigError for what never will work."""
        self._delivery.listener = listener
        self._missed = missed
        self._relistening = False
        self._redis.heard = self._hear
        self._redis.missed.append(self._may_have_missed)
        self._redis.renewed.append(self._may_have_missed)
        await self._redis.start()

    async def stop(self) -> None:
        """Deliver no more. Logs stay."""
        self._delivery.listener = None
        for hooks in (self._redis.missed, self._redis.renewed):
            with suppress(ValueError):
                hooks.remove(self._may_have_missed)
        for channel in list(self._subscribed):
            unawaited.run(self.unsubscribe(channel))
        await self._redis.stop()

    async def subscribe(self, channel: str) -> None:
        """As the port says. While Redis is away this node is heard alone, and the port's `missed` tells when the others
        are. Raises BROKER_UNAVAILABLE where Redis forbids it."""
        self._subscribed.add(channel)
        try:
            await self._redis.listen(self._names(channel).channel)
        except HubbubError:
            return  # the engine goes on trying
        except RedisRefused as refused:
            self._subscribed.discard(channel)
            raise _unavailable(refused) from None
        if channel in self._subscribed:
            self._heard_of.add(channel)

    async def unsubscribe(self, channel: str) -> None:
        if channel in self._subscribed:
            self._subscribed.discard(channel)
            self._heard_of.discard(channel)
            await self._redis.unlisten(self._names(channel).channel)

    # --- publishing ---------------------------------------------------------------------------------------------

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        """As the port says. Raises MESSAGE_TOO_LARGE beyond `redis.message_bytes`, too."""
        push = envelope.push
        if not isinstance(push, Publication):
            await self._say(envelope, body_of(envelope))
            return Accepted(None, "")
        if push.offset is not None:
            self._carry(envelope, push)
            return Accepted(None, push.id)
        made = next(self._ids)
        id = push.id or made
        body = body_of(envelope, id)
        if retention.size:
            return await self._append(envelope, push, body, retention, id, made, key)
        if key is not None:
            return await self._say_once(envelope, push, body, id, key)
        await self._say(envelope, body)
        return Accepted(None, id)

    async def _append(
        self,
        envelope: Envelope,
        push: Publication,
        body: bytes,
        retention: Retention,
        id: str,
        seed: str,
        key: str | None,
    ) -> Accepted:
        self._check(body)
        channel = push.channel
        names = self._names(channel)
        conflated = retention.conflate
        conflation_key = (
            "" if not conflated else push.event if push.conflation_key is None else push.conflation_key
        )
        keys: tuple[str, ...] = (names.meta, names.stream)
        arguments: tuple[Any, ...] = (
            "append",
            retention.size,
            _milliseconds(retention.ttl),
            int(conflated),
            self._life,
            seed,
            names.channel,
            self._frames.logged(envelope),
            body,
            conflation_key,
        )
        if key is not None:
            keys = (*keys, names.used + key)
            arguments = (*arguments, digest_of(push), id, self._key_ttl)
        listens = channel in self._heard_of and self._redis.condition.up
        found = await self._run(LOG, keys, arguments)
        if not isinstance(found, list):
            return _repeated(found)
        offset, epoch, heard, prolonged = found
        if listens and not heard:
            self._unheard(channel)
        if prolonged:
            self._note(channel, prolonged)
        return Accepted(Position(epoch.decode(), offset), id)

    async def _say_once(
        self, envelope: Envelope, push: Publication, body: bytes, id: str, key: str
    ) -> Accepted:
        names = self._names(push.channel)
        self._check(body)
        serial, begin = self._frames.fleeting(envelope)
        arguments = (digest_of(push), place(0) + id.encode(), self._key_ttl, names.channel, begin + body)
        listens = push.channel in self._heard_of and self._redis.condition.up
        try:
            found = await self._run(ONCE, (names.used + key,), arguments)
        except HubbubError:
            self._frames.stayed(serial, envelope, body)
            return Accepted(None, id)
        finally:
            self._frames.landed(serial)
        if not isinstance(found, int):
            return _repeated(found)
        if listens and not found:
            self._unheard(push.channel)
        return Accepted(None, id)

    async def _say(self, envelope: Envelope, body: bytes) -> None:
        """Publish what is kept nowhere."""
        self._check(body)
        channel = envelope.push.channel
        serial, begin = self._frames.fleeting(envelope)
        listens = channel in self._heard_of and self._redis.condition.up
        try:
            heard = await self._redis.publish(self._names(channel).channel, begin + body)
        except (HubbubError, RedisRefused):
            self._frames.stayed(serial, envelope, body)
        else:
            if listens and not heard:
                self._unheard(channel)
        finally:
            self._frames.landed(serial)

    def _carry(self, envelope: Envelope, push: Publication) -> None:
        """Deliver what is kept elsewhere, and send it to the others without waiting."""
        self._delivery.deliver(envelope)
        channel = push.channel
        body = body_of(envelope)
        if len(body) > self._largest:
            self._metrics.rejected["redis.message_bytes"] += 1
            self._stayed_here()
            return
        frame = self._frames.carried(envelope, push) + body
        listens = channel in self._heard_of and self._redis.condition.up

        def sent(heard: int) -> None:
            if listens and not heard:
                self._unheard(channel)

        unawaited.run(self._redis.publish(self._names(channel).channel, frame), sent, self._stayed_here)

    def _stayed_here(self) -> None:
        self._metrics.broker_local_only += 1

    def _check(self, body: bytes) -> None:
        if len(body) > self._largest:
            self._metrics.rejected["redis.message_bytes"] += 1
            raise HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE, f"more than redis.message_bytes = {self._largest}", field="data"
            )

    async def _run(self, script: Script, keys: tuple[str, ...], arguments: tuple[Any, ...]) -> Any:
        try:
            return await self._redis.run(script, keys, arguments)
        except RedisRefused as refused:
            raise _unavailable(refused) from None

    def _note(self, channel: str, left: int) -> None:
        """Write into the index of logs that this one is there."""
        unawaited.run(self._redis.run(INDEX, (self._index,), (channel, left)))

    # --- reading ------------------------------------------------------------------------------------------------

    async def history(
        self,
        channel: str,
        retention: Retention,
        *,
        since: Position | None = None,
        limit: int = 100,
        reverse: bool = False,
    ) -> History:
        """As the port says. Without retention there is no log: empty, and complete only without `since`.

        A publication that cannot be read is left out, and what it is missing from is not complete.
        """
        if not retention.size:
            return History(Position("", 0), complete=since is None)
        names = self._names(channel)
        arguments = (
            "read",
            retention.size,
            _milliseconds(retention.ttl),
            int(retention.conflate),
            self._life,
            next(self._ids),
            since.epoch if since is not None else "",
            since.offset if since is not None else "",
            limit,
            int(reverse),
        )
        found = await self._run(LOG, (names.meta, names.stream), arguments)
        epoch, head, complete, more, prolonged = (
            found[0].decode(),
            found[1],
            bool(found[2]),
            found[3],
            found[4],
        )
        if prolonged:
            self._note(channel, prolonged)
        publications = []
        for offset, body in zip(found[5::2], found[6::2], strict=True):
            try:
                publications.append(read_publication(body, epoch, int(offset)))
            except UnreadableError as error:
                complete = False
                log.error("a publication in a log cannot be read", channel=channel, reason=error.reason)
        return History(Position(epoch, head), tuple(publications), complete, bool(more))

    async def channels(self, prefix: str = "", limit: int = 1000) -> list[str]:
        """As the port says, of all nodes. Raises BROKER_UNAVAILABLE."""
        redis = self._redis
        kind = "SHARDCHANNELS" if redis.publishing == "SPUBLISH" else "CHANNELS"
        found = {channel for channel in self._subscribed if channel.startswith(prefix)}
        try:
            heard = await redis.each_server("PUBSUB", kind, pattern_of(redis.prefix, prefix))
            await redis.run(INDEX, (self._index,), ("",))
            cursor = b"0"
            while True:
                cursor, part = await redis.call(
                    "ZSCAN", self._index, cursor, "MATCH", glob_of(prefix), "COUNT", SCANNED, key=self._index
                )
                found.update(name.decode() for name in part[::2])
                if cursor == b"0":
                    break
        except RedisRefused as refused:
            raise _unavailable(refused) from None
        found.update(channel_of(redis.prefix, name.decode()) for names in heard for name in names)
        return sorted(found)[:limit]

    @property
    def condition(self) -> Condition:
        return self._redis.condition

    # --- hearing ------------------------------------------------------------------------------------------------

    def _hear(self, name: str, frame: bytes) -> None:
        self._frames.hear(frame, channel_of(self._redis.prefix, name))

    def _may_have_missed(self) -> None:
        self._relistening = False
        self._missed()

    def _unheard(self, channel: str) -> None:
        """Redis says that nobody heard what this node listens for: it is deaf, and must listen anew."""
        if channel in self._heard_of:
            self._metrics.broker_unheard += 1
            if not self._relistening:
                self._relistening = True
                log.error("this node does not hear what it listens to; it listens anew", channel=channel)
                self._redis.relisten()


def _milliseconds(ttl: float) -> int:
    """0 only for no age limit; Redis counts no further than it can."""
    return min(max(1, int(ttl * 1000)), LONGEST) if ttl else 0


def _repeated(first: bytes | None) -> Accepted:
    """What the idempotency key gave first. Raises HubbubError IDEMPOTENCY_CONFLICT if it was for something else."""
    if first is None:
        raise HubbubError(ErrorCode.IDEMPOTENCY_CONFLICT)
    offset, epoch, end = read_place(first)
    return Accepted(Position(epoch, offset) if epoch else None, first[end:].decode(), True)


def _unavailable(refused: RedisRefused) -> HubbubError:
    """An error reply that nobody expects. Its text is Redis', and may quote what it was sent."""
    log.error("Redis refuses what the broker asks", code=refused.code)
    return HubbubError(ErrorCode.BROKER_UNAVAILABLE, f"Redis refuses it ({refused.code})")
