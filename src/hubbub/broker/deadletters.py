"""The place for what a broker brought and this node could not handle: looked at, and replayed, later.

Undecodable frames, those of a newer version, and those at which the listener failed. A list has the newest 1,000.
"""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import Protocol, runtime_checkable

from msgspec import Struct

from hubbub.broker.base import Broker
from hubbub.broker.envelopes import UnreadableError, frame_of, read_envelope, read_header
from hubbub.clock import Clock
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope
from hubbub.telemetry.metrics import Metrics

KEPT = 1_000
FRAME_BYTES = 256 * 1024
"""Largest frame that is kept whole; of others all is kept but the frame."""
RATE = 10
"""Dead letters that a node keeps in a second; more are counted only, for whatever fails so often fails alike."""


class DeadLetter(Struct, frozen=True):
    """What could not be handled. `id` sorts by time; `time` is Unix seconds; `reason` is `malformed`, `version` or
    `listener`, which `detail` explains; `node` is the process it happened to. `frame` is empty when it was larger
    (`size` bytes) than is kept."""

    id: str
    time: float
    channel: str
    reason: str
    detail: str
    node: str
    size: int
    frame: bytes = b""


class DeadLetters(Protocol):
    """Where they are kept: one list for the cluster."""

    def add(self, channel: str, reason: str, detail: str, frame: bytes) -> None:
        """Keep one. It neither waits nor raises; `dead_letters` counts it, kept or not."""

    async def page(self, before: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """At most `limit`, newest first, from before the one named. Raises HubbubError BROKER_UNAVAILABLE."""

    async def get(self, id: str) -> DeadLetter | None:
        """Raises HubbubError BROKER_UNAVAILABLE."""

    async def drop(self, id: str | None = None) -> int:
        """Throw one away, or all of them. Returns how many. Raises HubbubError BROKER_UNAVAILABLE."""


@runtime_checkable
class HasDeadLetters(Protocol):
    """A broker that has a place for them."""

    @property
    def dead_letters(self) -> DeadLetters: ...


def letters_of(broker: Broker) -> DeadLetters:
    """Raises HubbubError NOT_AVAILABLE where the broker keeps none."""
    if isinstance(broker, HasDeadLetters):
        return broker.dead_letters
    raise HubbubError(ErrorCode.NOT_AVAILABLE, "the broker keeps no dead letters")


async def replay(broker: Broker, id: str) -> DeadLetter:
    """Publish what is in a dead letter again, to all nodes, and throw it away. Who has had it, by its offset, passes it
    over; what is in no log comes again to everybody. If the listener fails again, there is a new one.

    Raises HubbubError NOT_FOUND, NOT_AVAILABLE for what still cannot be read, and what `publish` raises.
    """
    letters = letters_of(broker)
    letter = await letters.get(id)
    if letter is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such dead letter", field="id")
    await broker.publish(opened(letter))
    await letters.drop(id)
    return letter


def opened(letter: DeadLetter) -> Envelope:
    """What is in it. Raises HubbubError NOT_AVAILABLE."""
    if letter.size > len(letter.frame):
        raise HubbubError(
            ErrorCode.NOT_AVAILABLE, f"its {letter.size} bytes were more than is kept ({FRAME_BYTES})"
        )
    try:
        return read_envelope(letter.frame, read_header(letter.frame))
    except UnreadableError as error:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, f"it cannot be read: {error}") from None


class Gate:
    """Lets `RATE` a second through."""

    def __init__(self, clock: Clock, metrics: Metrics | None) -> None:
        self._clock = clock
        self._metrics = metrics
        self._second = 0
        self._passed = 0

    def passes(self, reason: str) -> bool:
        if self._metrics is not None:
            self._metrics.dead_letters[reason] += 1
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._passed = second, 0
        self._passed += 1
        return self._passed <= RATE


class MemoryDeadLetters:
    """Those of a single process; they end with it."""

    def __init__(self, clock: Clock, metrics: Metrics | None = None) -> None:
        self._clock = clock
        self._gate = Gate(clock, metrics)
        self._letters: OrderedDict[str, DeadLetter] = OrderedDict()
        self._number = 0

    def add(self, channel: str, reason: str, detail: str, frame: bytes) -> None:
        if not self._gate.passes(reason):
            return
        self._number += 1
        now = self._clock.now()
        id = f"{int(now * 1000)}-{self._number}"
        self._letters[id] = letter(id, now, channel, reason, detail, "", frame)
        if len(self._letters) > KEPT:
            self._letters.popitem(last=False)

    async def page(self, before: str | None = None, limit: int = 100) -> list[DeadLetter]:
        newest_first = reversed(self._letters.values())
        return list(
            islice((each for each in newest_first if before is None or _at(each.id) < _at(before)), limit)
        )

    async def get(self, id: str) -> DeadLetter | None:
        return self._letters.get(id)

    async def drop(self, id: str | None = None) -> int:
        if id is not None:
            return int(self._letters.pop(id, None) is not None)
        count = len(self._letters)
        self._letters.clear()
        return count


def letter(
    id: str, now: float, channel: str, reason: str, detail: str, node: str, frame: bytes
) -> DeadLetter:
    """With the frame, if it is small enough to be kept."""
    kept = frame if len(frame) <= FRAME_BYTES else b""
    return DeadLetter(id, now, channel, reason, detail[:500], node, len(frame), kept)


def failed(letters: DeadLetters, envelope: Envelope, error: Exception) -> None:
    """The listener failed at an envelope."""
    letters.add(
        envelope.push.channel, "listener", f"{type(error).__name__} in the listener", frame_of(envelope)
    )


def check_id(id: str) -> str:
    """Raises HubbubError VALIDATION_FAILED unless `id` can be that of a dead letter."""
    time, dash, number = id.partition("-")
    if not (dash and time.isdecimal() and number.isdecimal() and id.isascii() and len(id) <= 40):
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "that is no id of a dead letter", field="id")
    return id


def _at(id: str) -> tuple[int, int]:
    time, _, number = id.partition("-")
    return int(time), int(number)
