"""The broker of many nodes on NATS: logs in JetStream (`nats_log` says how), delivery by plain subjects.

What is retained is delivered when JetStream has stored it, in one order for all nodes. State and presence have no home
in NATS here: `cluster.state` names Redis or PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec

from hubbub.broker import unawaited
from hubbub.broker.base import Accepted, nothing
from hubbub.broker.envelopes import body_of
from hubbub.broker.frames import Frames, origin
from hubbub.broker.identity import digest_of, digest_of_key, ids
from hubbub.broker.nats_deadletters import NatsDeadLetters
from hubbub.broker.nats_keys import NatsKeys, Used
from hubbub.broker.nats_log import NatsLogs
from hubbub.clock import Clock
from hubbub.config import Config
from hubbub.engines.base import Condition
from hubbub.engines.nats import Nats
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import NO_RETENTION, Envelope, History, Position, Publication, Retention
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.broker")

HEADERS = 1024
"""Bytes of a message that are not its body, at the most."""
GATHER = 0.25
"""Seconds in which nodes answer who listens to what."""


class NatsBroker:
    """Keeps the Broker port on an `engines.nats.Nats`.

    Of what is retained nothing is accepted while NATS is away. What is kept nowhere is then delivered on this node
    alone (metric `broker_local_only`), and so is what is kept elsewhere: the others find in its log what they missed.
    """

    lossless = False

    def __init__(self, engine: Nats, config: Config, clock: Clock, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics
        me = origin()
        window = config.broker.idempotency_ttl
        self._logs = NatsLogs(engine, config.nats, clock, me, window)
        self._keys = NatsKeys(engine, config.nats, window)
        self.dead_letters = NatsDeadLetters(engine, config.nats, clock, metrics, me.decode())
        self._frames = Frames(me, self.dead_letters, metrics)
        self._delivery = self._frames.delivery
        self._ids = ids()
        self._who = f"{config.nats.prefix}.who"
        self._missed: Callable[[], object] = nothing
        self._owing = False

    @property
    def condition(self) -> Condition:
        return self._engine.condition

    # --- life ---------------------------------------------------------------------------------------------

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        """As the port says. Raises ConfigError for what will never work."""
        self._delivery.listener, self._missed = listener, missed
        self._engine.renewed.append(self._renewed)
        self._engine.missed.append(self._may_have_missed)
        await self._engine.start()
        await self._engine.listen(self._who, self._tell_who)

    async def stop(self) -> None:
        """Deliver no more. Logs stay."""
        if self._delivery.listener is None:
            return
        self._delivery.listener = None
        for channel in list(self._delivery.subscribed):
            await self.unsubscribe(channel)
        self._engine.unlisten(self._who)
        self._engine.renewed.remove(self._renewed)
        self._engine.missed.remove(self._may_have_missed)
        await self._engine.stop()

    async def subscribe(self, channel: str) -> None:
        """As the port says. While NATS is away this node is heard alone, and `missed` tells when the others are."""
        self._delivery.subscribed.add(channel)
        await self._engine.listen(self._logs.heard_as(channel), partial(self._hear, channel))

    async def unsubscribe(self, channel: str) -> None:
        if channel in self._delivery.subscribed:
            self._delivery.subscribed.discard(channel)
            self._engine.unlisten(self._logs.heard_as(channel))

    # --- publishing ---------------------------------------------------------------------------------------

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        """As the port says. Raises MESSAGE_TOO_LARGE beyond `max_payload` of NATS' configuration, too."""
        push = envelope.push
        if not isinstance(push, Publication):
            await self._say(envelope, body_of(envelope))
            return Accepted(None, "")
        if push.offset is not None:
            self._carry(envelope, push)
            return Accepted(None, push.id)
        id = push.id or next(self._ids)
        body = body_of(envelope, id)
        self._check(body)
        if retention.size:
            return await self._append(envelope, push, body, retention, id, key)
        if key is not None:
            used = Used(digest_of(push).hex(), id, None)
            try:
                first = await self._keys.claim(digest_of_key(push.channel, key).hex(), used)
            except HubbubError:
                first = None  # NATS is away: deliver it here at least
            if first is not None:
                return _repeated(first, used.digest)
        await self._say(envelope, body)
        return Accepted(None, id)

    async def _append(
        self,
        envelope: Envelope,
        push: Publication,
        body: bytes,
        retention: Retention,
        id: str,
        key: str | None,
    ) -> Accepted:
        channel = push.channel
        used = digest_of_key(channel, key).hex() if key is not None else ""
        digest = digest_of(push).hex() if key is not None else ""
        appended = await self._logs.append(
            channel, self._frames.logged(envelope), body, retention, used, digest
        )
        if appended.position is None:
            return await self._first(used, digest, appended.duplicate)
        if used:
            # Should what was published be trimmed before its key is forgotten, this tells what it was.
            unawaited.run(self._keys.keep(used, Used(digest, id, appended.position)))
        return Accepted(appended.position, id)

    async def _first(self, key: str, digest: str, sequence: int) -> Accepted:
        """What the key gave first, which stands, or has stood, at that number of the log."""
        found = await self._logs.publication(sequence)
        if found is not None:
            push, used_for = found
            first = Used(used_for, push.id, Position(push.epoch or "", push.offset or 0))
        else:
            kept = await self._keys.find(key)
            if kept is None:
                raise HubbubError(ErrorCode.BROKER_UNAVAILABLE)
            first = kept
        return _repeated(first, digest)

    async def _say(self, envelope: Envelope, body: bytes) -> None:
        """Publish what is kept nowhere."""
        self._check(body)
        serial, start = self._frames.fleeting(envelope)
        try:
            subject = self._logs.heard_as(envelope.push.channel)
            await self._engine.confirmed(self._engine.publish(subject, start + body))
        except HubbubError:
            self._frames.stayed(serial, envelope, body)
        finally:
            self._frames.landed(serial)

    def _carry(self, envelope: Envelope, push: Publication) -> None:
        """Deliver what is kept elsewhere, and send it to the others without waiting."""
        self._delivery.deliver(envelope)
        body = body_of(envelope)
        if len(body) + HEADERS > self._engine.info.max_payload:
            self._owe()
            return
        try:
            subject = self._logs.heard_as(push.channel)
            sent = self._engine.publish(subject, self._frames.carried(envelope, push) + body)
        except HubbubError:
            self._owe()
        else:
            sent.add_done_callback(self._sent)

    def _sent(self, future: asyncio.Future[None]) -> None:
        if future.cancelled() or future.exception() is not None:
            self._owe()

    def _owe(self) -> None:
        """The others have not heard something that is kept elsewhere: tell them so when that is possible."""
        self._metrics.broker_local_only += 1
        if self._engine.condition.up:
            self._settle()
        else:
            self._owing = True

    def _settle(self) -> None:
        try:
            self._engine.tell_all()
            self._owing = False
        except HubbubError:
            self._owing = True

    def _check(self, body: bytes) -> None:
        largest = self._engine.info.max_payload - HEADERS
        if len(body) > largest:
            raise HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE, f"NATS takes at most {largest} bytes (max_payload)", field="data"
            )

    # --- hearing ------------------------------------------------------------------------------------------

    def _hear(self, channel: str, subject: bytes, reply: bytes, headers: bytes, frame: bytes) -> None:
        if headers and not self._logs.note(channel, headers, frame):
            return
        self._frames.hear(frame, channel)

    def _renewed(self) -> None:
        self._logs.forget()
        if self._owing:
            self._settle()

    def _may_have_missed(self) -> None:
        self._missed()

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
        """As the port says. Without retention there is no log: empty, and complete only without `since`."""
        if not retention.size:
            return History(Position("", 0), complete=since is None)
        return await self._logs.history(channel, retention, since, limit, reverse)

    async def channels(self, prefix: str = "", limit: int = 1000) -> list[str]:
        """As the port says; of other nodes' subscribers, what they tell within a quarter of a second. Raises
        BROKER_UNAVAILABLE."""
        found = self._matching(prefix)
        inbox = self._engine.inbox()
        self._engine.attach(inbox, lambda _, reply, headers, body: found.update(msgspec.json.decode(body)))
        try:
            self._engine.publish(self._who, msgspec.json.encode((inbox, prefix)))
            found.update(name for name in await self._logs.names() if name.startswith(prefix))
            await asyncio.sleep(GATHER)
        finally:
            self._engine.unlisten(inbox)
        return sorted(found)[:limit]

    def _matching(self, prefix: str) -> set[str]:
        return {channel for channel in self._delivery.subscribed if channel.startswith(prefix)}

    def _tell_who(self, subject: bytes, reply: bytes, headers: bytes, body: bytes) -> None:
        inbox, prefix = msgspec.json.decode(body, type=tuple[str, str])
        names = sorted(self._matching(prefix))
        for start in range(0, len(names), 1000):
            self._engine.publish(inbox, msgspec.json.encode(names[start : start + 1000]))


def _repeated(first: Used, digest: str) -> Accepted:
    """What the idempotency key gave first. Raises HubbubError IDEMPOTENCY_CONFLICT if it was for something else."""
    if first.digest != digest:
        raise HubbubError(ErrorCode.IDEMPOTENCY_CONFLICT)
    return Accepted(first.position, first.id, True)
