"""Logs in JetStream: one stream for all, one subject for each channel, one message for each publication.

JetStream counts the messages of a stream, not those of a subject, so offsets are given by compare-and-set: who
publishes says which message it holds to be the subject's last (`Nats-Expected-Last-Subject-Sequence`), and has read
there the epoch and the offset that it goes on from. Of two who say the same one is refused, reads what the other has
written, and says it again; so offsets have no gaps, and a channel takes about as many publications a second as there
are round trips. The first message of a log begins an epoch and has offset 0: should the stream be lost, the log begins
anew with another one. What is stored is republished by the server, in its order, to who listens.

Retention is judged when a log is read (`broker.stream`); what is beyond it is thrown away now and then by who
publishes.
"""

from __future__ import annotations

import asyncio
import base64
import random
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from msgspec import Struct

from hubbub.broker import unawaited
from hubbub.broker.envelopes import LOGGED, UnreadableError, place, read_header, read_publication, stamp
from hubbub.broker.stream import Kept, revive
from hubbub.clock import Clock
from hubbub.config.cluster import NatsConfig
from hubbub.engines.nats import Nats, NatsRefused, answered, expire, unavailable
from hubbub.engines.nats_wire import header, headers_of
from hubbub.errors import HubbubError
from hubbub.model import History, Position, Publication, Retention
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.broker")

LOG_TTL = 7 * 86_400
"""Seconds after which what a log holds is forgotten in any case."""
HEADS = 100_000
"""Logs of which this node remembers where they end."""
TRIM = 128
"""After so many publications a log is trimmed."""
ATTEMPTS = 50
WRONG_SEQUENCE = 10071
NO_MESSAGE = 10037
NANOSECONDS = 1_000_000_000
CONFLATED = b"Hubbub-Conflated"
DIGEST = b"Hubbub-Digest"
SEQUENCE = b"\r\nNats-Sequence: "


class Head(Struct, frozen=True, gc=False):
    """Where a log ends: the last message's number in the stream, and what it says."""

    sequence: int
    epoch: str
    offset: int
    conflated: bool

    @property
    def position(self) -> Position:
        return Position(self.epoch, self.offset)


class Entry(Struct, frozen=True, gc=False):
    """A message of a log; `at` is Unix seconds by the server's clock."""

    sequence: int
    at: float
    epoch: str
    offset: int
    frame: bytes
    start: int


class Appended(Struct, frozen=True, gc=False):
    """What became of a publication: its position; or, with a key that was used before, the number of its first use."""

    position: Position | None
    duplicate: int = 0


class NatsLogs:
    """The logs of all channels. `window` is for how many seconds idempotency keys are remembered."""

    def __init__(self, engine: Nats, config: NatsConfig, clock: Clock, origin: bytes, window: float) -> None:
        self._engine = engine
        self._clock = clock
        self._origin = origin
        self.stream = f"{config.prefix}_log"
        self._subjects = f"{config.prefix}.log."
        self._channels = f"{config.prefix}.ch."
        self._heads: OrderedDict[str, Head] = OrderedDict()
        self._turns: dict[str, list[Any]] = {}
        self._trimming: set[str] = set()
        engine.need(
            {
                "name": self.stream,
                "subjects": [f"{self._subjects}>"],
                "retention": "limits",
                "discard": "old",
                "storage": config.storage,
                "num_replicas": config.replicas,
                "max_age": LOG_TTL * NANOSECONDS,
                "max_consumers": -1,
                "max_msgs": -1,
                "max_bytes": -1,
                "max_msg_size": -1,
                "max_msgs_per_subject": -1,
                "duplicate_window": int(max(0.1, window) * NANOSECONDS),
                "republish": {"src": f"{self._subjects}>", "dest": f"{self._channels}>"},
            }
        )

    def heard_as(self, channel: str) -> str:
        """The subject under which a channel's publications are heard."""
        return self._channels + token_of(channel)

    def forget(self) -> None:
        """Where logs end is to be read again."""
        self._heads.clear()

    # --- appending ----------------------------------------------------------------------------------------

    async def append(
        self, channel: str, start: bytes, body: bytes, retention: Retention, key: str, digest: str
    ) -> Appended:
        """Raises HubbubError BROKER_UNAVAILABLE if it is not known whether it was appended."""
        async with self._turn(channel):
            try:
                return await self._append(channel, start, body, retention, key, digest)
            except BaseException:
                self._heads.pop(channel, None)
                raise

    async def _append(
        self, channel: str, start: bytes, body: bytes, retention: Retention, key: str, digest: str
    ) -> Appended:
        head = self._heads.get(channel)
        for attempt in range(ATTEMPTS):
            if head is None or head.conflated != retention.conflate:
                head = await self.head(channel, retention.conflate)
            offset = head.offset + 1
            lines = header("Nats-Msg-Id", key) + header(DIGEST.decode(), digest) if key else b""
            try:
                answer = await self._put(
                    channel,
                    start + place(offset, head.epoch) + body,
                    head.sequence,
                    retention.conflate,
                    lines,
                )
            except NatsRefused as refused:
                if refused.code != WRONG_SEQUENCE:
                    raise _refused(refused) from None
                known = self._heads.get(channel)
                head = known if known is not None and known.sequence > head.sequence else None
                if attempt > 2:
                    await asyncio.sleep(random.uniform(0, 0.002 * attempt))
                continue
            if answer.get("duplicate"):
                return Appended(None, answer["seq"])
            self._remember(channel, Head(answer["seq"], head.epoch, offset, retention.conflate))
            if offset % TRIM == 0 and channel not in self._trimming:
                self._trimming.add(channel)
                unawaited.run(self._trim(channel, retention))
            return Appended(Position(head.epoch, offset))
        raise unavailable()

    async def _put(
        self, channel: str, frame: bytes, after: int, conflated: bool, lines: bytes = b""
    ) -> dict[str, Any]:
        lines += header("Nats-Expected-Last-Subject-Sequence", after)
        if conflated:
            lines += header(CONFLATED.decode(), 1)
        _, raw = await self._engine.request(self._subjects + token_of(channel), frame, lines)
        return answered(raw)

    @asynccontextmanager
    async def _turn(self, channel: str) -> AsyncIterator[None]:
        """One after the other, in the order in which they came."""
        turn = self._turns.setdefault(channel, [asyncio.Lock(), 0])
        turn[1] += 1
        try:
            async with turn[0]:
                yield
        finally:
            turn[1] -= 1
            if not turn[1]:
                del self._turns[channel]

    def _remember(self, channel: str, head: Head) -> None:
        known = self._heads.get(channel)
        if known is None or known.sequence < head.sequence:
            self._heads[channel] = head
            self._heads.move_to_end(channel)
            if len(self._heads) > HEADS:
                self._heads.popitem(last=False)

    # --- hearing ------------------------------------------------------------------------------------------

    def note(self, channel: str, headers: bytes, frame: bytes) -> bool:
        """What was heard of a log tells where it ends. False for what only begins one."""
        at = headers.find(SEQUENCE)
        if at < 0:
            return True
        at += len(SEQUENCE)
        sequence = int(headers[at : headers.index(b"\r", at)])
        try:
            found = read_header(frame)
        except UnreadableError:
            return True
        known = self._heads.get(channel)
        if known is None or known.sequence < sequence:
            self._remember(channel, Head(sequence, found.epoch, found.number, CONFLATED in headers))
        return found.number > 0

    # --- reading ------------------------------------------------------------------------------------------

    async def head(self, channel: str, conflated: bool) -> Head:
        """Where the log ends; it is begun if need be. Raises HubbubError BROKER_UNAVAILABLE."""
        while True:
            after = 0
            if (message := await self._last(channel)) is not None:
                frame = base64.b64decode(message.get("data", ""))
                found = _header_of(frame)
                is_conflated = CONFLATED in base64.b64decode(message.get("hdrs", ""))
                head = Head(message["seq"], found[0], found[1], is_conflated)
                if is_conflated is conflated:
                    self._remember(channel, head)
                    return head
                after = head.sequence
            epoch = secrets.token_hex(4)
            begin = stamp(LOGGED, self._origin, 0.0) + place(0, epoch)
            try:
                answer = await self._put(channel, begin, after, conflated)
            except NatsRefused as refused:
                if refused.code != WRONG_SEQUENCE:
                    raise _refused(refused) from None
                continue
            head = Head(answer["seq"], epoch, 0, conflated)
            self._remember(channel, head)
            return head

    async def history(
        self, channel: str, retention: Retention, since: Position | None, limit: int, reverse: bool
    ) -> History:
        head = await self.head(channel, retention.conflate)
        if not head.offset or (limit == 0 and since is None):
            return History(head.position, complete=since is None or since == head.position)
        entries = [
            entry
            for entry in await self._entries(channel, head.sequence)
            if entry.epoch == head.epoch and entry.offset <= head.offset
        ]
        now = self._clock.now()
        kept = _kept(entries, head, retention, now)
        return revive(kept, now).read(now, since=since, limit=limit, reverse=reverse)

    async def publication(self, sequence: int) -> tuple[Publication, str] | None:
        """What stands at that number of the stream, and the digest of what its key was used for."""
        try:
            answer = await self._engine.api(f"STREAM.MSG.GET.{self.stream}", seq=sequence)
        except NatsRefused as refused:
            if refused.code != NO_MESSAGE:
                raise _refused(refused) from None
            return None
        message = answer["message"]
        frame = base64.b64decode(message.get("data", ""))
        found = read_header(frame)
        digest = headers_of(base64.b64decode(message.get("hdrs", ""))).get(DIGEST, b"").decode()
        return read_publication(frame[found.start :], found.epoch, found.number), digest

    async def names(self) -> list[str]:
        """The channels that have a log."""
        found: list[str] = []
        while True:
            answer = await self._ask("STREAM.INFO", subjects_filter=f"{self._subjects}*", offset=len(found))
            subjects = answer["state"].get("subjects") or {}
            found += [channel_of(subject[len(self._subjects) :]) for subject in subjects]
            if not subjects or len(found) >= answer.get("total", 0):
                return found

    async def _last(self, channel: str) -> dict[str, Any] | None:
        try:
            answer = await self._engine.api(
                f"STREAM.MSG.GET.{self.stream}", last_by_subj=self._subjects + token_of(channel)
            )
        except NatsRefused as refused:
            if refused.code != NO_MESSAGE:
                raise _refused(refused) from None
            return None
        message: dict[str, Any] = answer["message"]
        return message

    async def _entries(self, channel: str, last: int) -> list[Entry]:
        """All messages of the log up to that number, by a consumer that is there for this alone."""
        engine = self._engine
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        found: list[Entry] = []

        def hear(_: bytes, reply: bytes, headers: bytes, frame: bytes) -> None:
            sequence, at, pending = _metadata(reply)
            if sequence <= last:
                epoch, offset, start = _header_of(frame)
                found.append(Entry(sequence, at, epoch, offset, frame, start))
            if (sequence >= last or not pending) and not done.done():
                done.set_result(None)

        inbox = engine.inbox()
        engine.attach(inbox, hear)
        timer = asyncio.get_running_loop().call_later(engine.timeout, expire, done)
        try:
            made = await self._ask(
                "CONSUMER.CREATE",
                stream_name=self.stream,
                config={
                    "deliver_subject": inbox,
                    "deliver_policy": "all",
                    "ack_policy": "none",
                    "replay_policy": "instant",
                    "filter_subject": self._subjects + token_of(channel),
                    "max_deliver": 1,
                    "mem_storage": True,
                    "num_replicas": 1,
                    "inactive_threshold": 5 * NANOSECONDS,
                },
            )
            if made.get("num_pending") or made["delivered"]["consumer_seq"]:
                await done
        except TimeoutError:
            raise unavailable() from None
        finally:
            timer.cancel()
            engine.unlisten(inbox)
        unawaited.run(self._drop_consumer(made["name"]))
        return found

    # --- trimming -----------------------------------------------------------------------------------------

    async def _trim(self, channel: str, retention: Retention) -> None:
        try:
            if not retention.conflate:
                await self._ask(
                    "STREAM.PURGE", filter=self._subjects + token_of(channel), keep=retention.size
                )
                return
            head = await self.head(channel, True)
            entries = await self._entries(channel, head.sequence)
            # One latest value more than is kept, for it tells what was forgotten; and the begin, if it is there.
            kept = {entry.sequence for entry in _latest(entries, head)[-retention.size - 1 :]}
            for entry in entries:
                if entry.sequence not in kept and (entry.offset or entry.epoch != head.epoch):
                    await self._ask("STREAM.MSG.DELETE", seq=entry.sequence, no_erase=True)
        finally:
            self._trimming.discard(channel)

    async def _drop_consumer(self, name: str) -> None:
        await self._engine.api(f"CONSUMER.DELETE.{self.stream}.{name}")

    async def _ask(self, what: str, **asked: Any) -> dict[str, Any]:
        try:
            return await self._engine.api(f"{what}.{self.stream}", **asked)
        except NatsRefused as refused:
            raise _refused(refused) from None


def token_of(channel: str) -> str:
    """A channel's name as one token of a subject."""
    return base64.urlsafe_b64encode(channel.encode()).decode().rstrip("=")


def channel_of(token: str) -> str:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


def _refused(refused: NatsRefused) -> HubbubError:
    log.error("JetStream refuses what the broker asks", code=refused.code, reason=str(refused))
    return unavailable()


def _header_of(frame: bytes) -> tuple[str, int, int]:
    """Epoch, offset, and where the body begins. What cannot be read is in no epoch."""
    try:
        found = read_header(frame)
    except UnreadableError:
        return "", 0, 0
    return found.epoch, found.number, found.start


def _metadata(reply: bytes) -> tuple[int, float, int]:
    """Number in the stream, Unix seconds, and how many are to come, of a message that a consumer has sent."""
    tokens = reply.split(b".")
    shift = 0 if len(tokens) == 9 else 2
    return int(tokens[5 + shift]), int(tokens[7 + shift]) / NANOSECONDS, int(tokens[8 + shift])


def _kept(entries: list[Entry], head: Head, retention: Retention, now: float) -> Kept:
    """The log as `broker.stream` knows it, of what is there of it."""
    begun = any(not entry.offset for entry in entries)
    entries = [entry for entry in entries if entry.offset]
    forgotten = entries[0].offset - 1 if entries else head.offset
    if retention.conflate:
        forgotten = 0 if begun else forgotten
        entries = _latest(entries, head)
    found: list[tuple[float, Publication]] = []
    for entry in entries:
        publication = _read(entry)
        if publication is None:  # what comes before what cannot be read is as good as forgotten
            forgotten = entry.offset
            if not retention.conflate:
                found.clear()
            continue
        found.append((max(0.0, now - entry.at), publication))
    return Kept(head.epoch, head.offset, forgotten, retention, found)


def _latest(entries: list[Entry], head: Head) -> list[Entry]:
    """The last of each label, in order."""
    latest: dict[str, Entry] = {}
    for entry in entries:
        if not entry.offset or entry.epoch != head.epoch:
            continue
        push = _read(entry)
        label = f"\0{entry.offset}" if push is None else push.conflation_key
        if label is None:
            assert push is not None
            label = push.event
        latest.pop(label, None)
        latest[label] = entry
    return list(latest.values())


def _read(entry: Entry) -> Publication | None:
    try:
        return read_publication(entry.frame[entry.start :], entry.epoch, entry.offset)
    except UnreadableError as error:
        log.error("a publication in a log cannot be read", reason=error.reason)
        return None
