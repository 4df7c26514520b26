"""The participants: each sends, is handed what the others send, comes back when it is cut off, and writes all down."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from bench.faults.history import (
    Attach,
    Conn,
    Detach,
    End,
    Leave,
    Moving,
    Outcome,
    Read,
    Receipt,
    Recv,
    Send,
    Writer,
    now,
)
from bench.faults.polling import Polling
from bench.faults.stream import Stream
from bench.faults.wires import CONVERSATION, Lost, Native, Position, Refused, SocketIO, Wire, text_of

BACK_OFF = (0.05, 0.25)
"""Seconds between attempts to connect, at random."""
AWAY = ((0.1, 1.0), (7.0, 9.0))
"""Seconds for which a channel is left: mostly a few, and sometimes so many that presence must tell."""
LONG = 0.3
"""How often: of all times that one leaves."""
_operations = itertools.count(1)


class Person(Struct, frozen=True):
    """A device: `name` is the user's, or `user/device`. `kind` is its wire's."""

    name: str
    kind: str
    token: str
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Habits:
    """`pause` is the mean of the seconds between two messages of one participant; the others say how often, for each
    message, it reads the newest page, drops its connection, marks what it has read, and leaves a channel for a
    while, which is in how many cases a `long` one."""

    pause: float
    reads: float = 0.05
    cuts: float = 0.005
    marks: float = 0.0
    leaves: float = 0.0
    long: float = LONG


def body_of(id: str, padding: int) -> str:
    """What a message says: its id, something at random and a checksum of both."""
    said = f"{id} {'.' * padding}"
    return f"{said} {hashlib.sha256(said.encode()).hexdigest()[:16]}"


def id_of(text: str) -> tuple[str, bool]:
    """The id that a message carries, and whether all of it is there."""
    said, _, checksum = text.rpartition(" ")
    return text.partition(" ")[0] or "?", hashlib.sha256(said.encode()).hexdigest()[:16] == checksum


class Participant:
    """One device of a user. Each of its connections is to any of `addresses`."""

    def __init__(
        self, person: Person, addresses: Sequence[str], writer: Writer, habits: Habits, seed: int
    ) -> None:
        self.name = person.name
        self.kind = person.kind
        self.token = person.token
        self.acked = self.reads = self.receipts = 0
        self.wire: Wire | None = None
        self._channels = list(person.channels)
        self._addresses = addresses
        self._writer = writer
        self._habits = habits
        self._random = random.Random(seed)
        self._left: set[str] = set()
        self._last: dict[str, Position] = {}
        self._there = asyncio.Event()
        self._news = asyncio.Event()
        self._before: Wire | None = None

    @property
    def online(self) -> bool:
        return self._there.is_set()

    async def reach(self, heads: dict[str, Position]) -> None:
        """Wait until it is there, and was handed everything up to these."""
        while not (self.online and all(self._has(each, heads[each]) for each in self.channels)):
            self._news.clear()
            await self._news.wait()

    def _has(self, channel: str, head: Position) -> bool:
        last = self._last.get(channel)
        return last is not None and last.epoch == head.epoch and last.offset >= head.offset

    def end(self) -> None:
        if self.online:
            self._writer.write(End(now(), p=self.name))

    # --- the listener of its wires ------------------------------------------------------------------------

    def address(self) -> str:
        return self._random.choice(self._addresses)

    @property
    def channels(self) -> Sequence[str]:
        return [each for each in self._channels if each not in self._left]

    def position(self, channel: str) -> Position | None:
        return self._last.get(channel)

    def attached(self, channel: str, reply: dict[str, Any]) -> None:
        position = Position(**reply["position"])
        since = self._last.get(channel)
        recovered = bool(reply.get("recovered")) if since is not None else None
        self._writer.write(
            Attach(
                now(),
                p=self.name,
                ch=channel,
                pos=position.offset,
                epoch=position.epoch,
                since=None if since is None else since.offset,
                since_epoch="" if since is None else since.epoch,
                recovered=recovered,
            )
        )
        if not recovered:
            self._last[channel] = position
        elif since is not None:
            self._last[channel] = Position(position.epoch, since.offset)
        for publication in reply.get("publications", ()):
            self.published(publication)
        self._news.set()

    def published(self, publication: dict[str, Any]) -> None:
        channel, seq = publication["channel"], publication.get("offset")
        if seq is None:
            self._signalled(channel, publication)
            return
        epoch = publication.get("epoch", "")
        if (text := text_of(publication)) is not None:
            id, whole = id_of(text)
            recv = Recv(now(), p=self.name, ch=channel, seq=seq, id=id, whole=whole, epoch=epoch)
            self._writer.write(recv)
        last = self._last.get(channel, Position(epoch, 0))
        self._last[channel] = Position(epoch or last.epoch, max(last.offset, seq))
        self._news.set()

    def _signalled(self, channel: str, publication: dict[str, Any]) -> None:
        if publication.get("event") != "receipts" or not channel.startswith(CONVERSATION):
            return
        for each in publication["data"].get("receipts", ()):
            for kind in ("read", "delivered"):
                seen = Receipt(now(), p=self.name, ch=channel, user=each["user"], kind=kind, seq=each[kind])
                self._writer.write(seen)
                self.receipts += 1

    # --- being there --------------------------------------------------------------------------------------

    async def stay(self) -> None:
        """Connect, and again whenever the connection is lost, until it is cancelled."""
        while True:
            self._writer.write(Conn(now(), p=self.name, ph="inv"))
            wire = self._make()
            try:
                await wire.open()
            except (Lost, Refused) as error:
                wire.cut()
                self._writer.write(Conn(now(), p=self.name, ph="fail", why=str(error)[:200]))
                self._writer.write(Detach(now(), p=self.name))
                await asyncio.sleep(self._random.uniform(*BACK_OFF))
                continue
            self._writer.write(Conn(now(), p=self.name, ph="ok"))
            self.wire = wire
            self._there.set()
            self._news.set()
            try:
                await wire.listen()
            except Lost as error:
                self._writer.write(Detach(now(), p=self.name, why=str(error)[:200]))
            finally:
                self._there.clear()
                wire.cut()

    def _make(self) -> Wire:
        before, address = self._before, self.address()
        wire: Wire
        if self.kind == "socketio":
            wire = SocketIO(address, self)
        elif self.kind == "stream":
            wire = Stream(address, self)
        elif self.kind == "polling":
            wire = Polling(self, before if isinstance(before, Polling) else None)
        else:
            wire = Native(address, self, before if isinstance(before, Native) else None)
        self._before = wire
        return wire

    # --- sending ------------------------------------------------------------------------------------------

    async def send(self, stop: asyncio.Event) -> None:
        """Send one message after the other, each until it is acknowledged or refused for good."""
        habits, chance = self._habits, self._random
        conversations = [each for each in self._channels if each.startswith(CONVERSATION)]
        sends = conversations if self.kind == "stream" else self._channels
        for number in itertools.count(1):
            if stop.is_set():
                return
            channel = chance.choice(sends)
            id = f"{self.name}:{number}"
            await self._deliver(channel, id, body_of(id, chance.randrange(200)))
            if chance.random() < habits.reads:
                await self._read(channel)
            if conversations and chance.random() < habits.marks:
                # Not where it has just sent: who sends has read all before it, and there is nothing to tell.
                others = [each for each in conversations if each != channel]
                await self._mark(chance.choice(others or conversations))
            if chance.random() < habits.leaves and self.kind == "native" and not stop.is_set():
                await self._leave_for_a_while(channel)
            if chance.random() < habits.cuts and self.wire is not None:
                self.wire.cut()
            await asyncio.sleep(chance.expovariate(1 / habits.pause))

    async def _deliver(self, channel: str, id: str, text: str) -> None:
        while True:
            await self._there.wait()
            assert self.wire is not None
            op = next(_operations)
            self._tell(channel, "inv", op, id)
            try:
                place = await self.wire.send(channel, text, id)
            except Refused as error:
                self._tell(channel, "fail" if error.unwritten else "info", op, id, why=str(error))
                if not error.temporary:
                    return
            except Lost as error:
                self._tell(channel, "info", op, id, why=str(error)[:200])
            else:
                self._tell(channel, "ok", op, id, place)
                self.acked += 1
                return
            await asyncio.sleep(self._random.uniform(*BACK_OFF))

    def _tell(
        self, channel: str, ph: Outcome, op: int, id: str, place: Position | None = None, why: str = ""
    ) -> None:
        self._writer.write(
            Send(
                now(),
                p=self.name,
                ch=channel,
                ph=ph,
                op=op,
                id=id,
                seq=None if place is None else place.offset,
                epoch="" if place is None else place.epoch,
                why=why,
            )
        )

    async def _read(self, channel: str) -> None:
        await self._there.wait()
        assert self.wire is not None
        op = next(_operations)
        self._writer.write(Read(now(), p=self.name, ch=channel, ph="inv", op=op))
        try:
            page = await self.wire.read(channel)
        except (Lost, Refused):
            self._writer.write(Read(now(), p=self.name, ch=channel, ph="info", op=op))
            return
        items = tuple((seq, id_of(text)[0]) for seq, text in page.messages)
        start = items[0][0] if items else 0
        self._writer.write(
            Read(now(), p=self.name, ch=channel, ph="ok", op=op, start=start, epoch=page.epoch, items=items)
        )
        self.reads += 1

    async def _mark(self, channel: str) -> None:
        await self._there.wait()
        assert self.wire is not None
        if (last := self._last.get(channel)) is not None:
            try:
                await self.wire.mark(channel, last.offset)
            except (Lost, Refused):
                return

    async def _leave_for_a_while(self, channel: str) -> None:
        await self._there.wait()
        assert self.wire is not None

        def left() -> None:
            self._writer.write(Leave(now(), p=self.name, ch=channel))
            self._left.add(channel)
            self._last.pop(channel, None)

        self._writer.write(Moving(now(), p=self.name, ch=channel))
        try:
            await self.wire.leave(channel, left)
            await asyncio.sleep(self._random.uniform(*AWAY[self._random.random() < self._habits.long]))
        except (Lost, Refused):
            pass
        if channel not in self._left:
            return
        self._left.discard(channel)
        await self._there.wait()
        if channel in self._last:
            return  # a new connection has entered it meanwhile
        wire = self.wire
        self._writer.write(Moving(now(), p=self.name, ch=channel))
        try:
            await wire.enter(channel)
        except (Lost, Refused):
            wire.cut()
