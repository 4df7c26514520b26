"""What the broker suites are made of: hooks for an implementation, fixtures, and a listener that remembers."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import ClassVar

import anyio
import anyio.lowlevel
import pytest
from msgspec import Raw

from hubbub.broker.base import Broker
from hubbub.model import Envelope, History, Position, Publication, Retention

PATIENCE = 10.0


def publication(
    channel: str,
    data: object = 0,
    *,
    event: str = "message",
    key: str | None = None,
    publication_id: str = "",
    sender: str | None = None,
    time: float = 0.0,
) -> Publication:
    """A publication with `data` as these bytes, or else as `str` writes it; `key` is its conflation key."""
    raw = Raw(data if isinstance(data, bytes) else str(data).encode())
    return Publication(channel, event, raw, publication_id, sender, time, conflation_key=key)


class Inbox:
    """A listener that remembers every envelope, in order."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.missed = 0
        self._arrival = anyio.Event()

    def __call__(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)
        self._arrival.set()

    async def expect(self, count: int) -> list[Publication]:
        """Wait until `count` envelopes have come; fails if they do not, or if there are more."""
        await self.until(lambda: len(self.envelopes) >= count)
        assert len(self.envelopes) == count
        return self.publications

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for what an envelope that comes, or a call of `missed`, makes true."""
        with anyio.fail_after(PATIENCE):
            while not condition():
                self._arrival = anyio.Event()
                await self._arrival.wait()

    def on_missed(self) -> None:
        """The broker's `missed`."""
        self.missed += 1
        self._arrival.set()

    @property
    def publications(self) -> list[Publication]:
        return [envelope.push for envelope in self.envelopes if isinstance(envelope.push, Publication)]


def offsets(history: History) -> list[int]:
    return [publication.offset or 0 for publication in history.publications]


class BrokerCase(ABC):
    """The hooks of BrokerContract: implement `open`, `elapse` and `lose`.

    Every test has a broker of its own from `open`, but the brokers may share one server: channel names and keys
    are unique to each test. Against a server with real time, make `ttl` (of logs that are to expire) and
    `idempotency_ttl` short: `elapse` is asked for half as much again.
    """

    pytestmark = pytest.mark.anyio

    ttl: ClassVar[float] = 60.0
    idempotency_ttl: ClassVar[float] = 60.0

    @abstractmethod
    async def open(self) -> Broker:
        """A new broker, not started, that remembers keys for `idempotency_ttl` seconds. For NodesContract, those of one
        test are nodes of one cluster."""

    @abstractmethod
    async def elapse(self, seconds: float) -> None:
        """Let the broker's time pass."""

    @abstractmethod
    async def lose(self, broker: Broker, channel: str) -> None:
        """Make the broker lose the channel's log: by eviction, a crash, a restored backup."""

    async def settle(self, broker: Broker) -> None:  # noqa: B027 (few need it)
        """Wait until all that was published would have been delivered. Nothing, where `publish` delivers."""

    @pytest.fixture
    def inbox(self) -> Inbox:
        return Inbox()

    @pytest.fixture
    async def broker(self, inbox: Inbox) -> AsyncIterator[Broker]:
        broker = await self.open()
        await broker.start(inbox, inbox.on_missed)
        yield broker
        await broker.stop()

    @pytest.fixture
    def channel(self) -> str:
        return f"contract:{uuid.uuid4().hex}"

    def retention(self, size: int = 100, *, conflate: bool = False) -> Retention:
        return Retention(size, 60.0, conflate)

    async def fill(self, broker: Broker, channel: str, count: int, size: int = 100) -> str:
        """Publish the numbers from 1 to `count`, so that data equals offset. Returns the epoch."""
        for number in range(1, count + 1):
            accepted = await broker.publish(Envelope(publication(channel, number)), self.retention(size))
        assert accepted.position is not None
        assert accepted.position.offset == count
        return accepted.position.epoch

    async def head(self, broker: Broker, channel: str, *, offset: int | None = None) -> Position:
        """The log's head, or another `offset` in the same epoch."""
        head = (await broker.history(channel, self.retention(1000), limit=0)).position
        return head if offset is None else Position(head.epoch, offset)
