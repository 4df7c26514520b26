"""The participants: each sends, is handed what the others send, comes back when it is cut off, and writes all down."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import Sequence
from typing import Any

from bench.crash.history import Attach, Conn, Detach, End, Item, Read, Recv, Send, Writer, now
from bench.crash.stream import Stream
from bench.crash.wires import Lost, Native, Position, Refused, SocketIO, Wire

BACK_OFF = (0.05, 0.25)
"""Seconds between attempts to connect, at random."""
READS = 0.05
CUTS = 0.005
"""How often, per message sent, a participant reads the newest page, and drops its connection itself."""
_operations = itertools.count(1)


def body_of(id: str, padding: int) -> str:
    """What a message says: its id, something at random and a checksum of both."""
    said = f"{id} {'.' * padding}"
    return f"{said} {hashlib.sha256(said.encode()).hexdigest()[:16]}"


def id_of(message: dict[str, Any]) -> tuple[str, bool]:
    """The id that a message carries, and whether all of it is there."""
    try:
        text = str(message["parts"][0]["text"])
    except (KeyError, IndexError, TypeError):
        return "?", False
    said, _, checksum = text.rpartition(" ")
    return text.partition(" ")[0], hashlib.sha256(said.encode()).hexdigest()[:16] == checksum


class Participant:
    """One user with one device. `pause` is the mean of the seconds between its messages."""

    def __init__(
        self,
        name: str,
        kind: str,
        token: str,
        conversations: Sequence[str],
        port: int,
        writer: Writer,
        pause: float,
        seed: int,
    ) -> None:
        self.name = name
        self.kind = kind
        self.token = token
        self.conversations = conversations
        self.acked = 0
        self.wire: Wire | None = None
        self._port = port
        self._writer = writer
        self._pause = pause
        self._random = random.Random(seed)
        self._last: dict[str, Position] = {}
        self._there = asyncio.Event()
        self._news = asyncio.Event()
        self._native: Native | None = None

    @property
    def online(self) -> bool:
        return self._there.is_set()

    async def reach(self, heads: dict[str, int]) -> None:
        """Wait until it is there, and was handed everything up to these seqs."""
        while not (
            self.online and all(self._last[each].offset >= heads[each] for each in self.conversations)
        ):
            self._news.clear()
            await self._news.wait()

    def end(self) -> None:
        if self.online:
            self._writer.write(End(now(), p=self.name))

    # --- the listener of its wires ------------------------------------------------------------------------

    def position(self, conversation: str) -> Position | None:
        return self._last.get(conversation)

    def attached(self, conversation: str, reply: dict[str, Any]) -> None:
        position = Position(**reply["position"])
        since = self._last.get(conversation)
        recovered = bool(reply.get("recovered")) if since is not None else None
        self._writer.write(
            Attach(
                now(),
                p=self.name,
                ch=conversation,
                pos=position.offset,
                epoch=position.epoch,
                since=None if since is None else since.offset,
                recovered=recovered,
            )
        )
        if not recovered:
            self._last[conversation] = position
        elif since is not None:
            self._last[conversation] = Position(position.epoch, since.offset)
        for publication in reply.get("publications", ()):
            self.published(publication["data"])

    def published(self, data: dict[str, Any]) -> None:
        conversation, seq = data["conversation"], data["seq"]
        if data["type"] == "message.created":
            id, whole = id_of(data["message"])
            self._writer.write(Recv(now(), p=self.name, ch=conversation, seq=seq, id=id, whole=whole))
        last = self._last[conversation]
        self._last[conversation] = Position(last.epoch, max(last.offset, seq))
        self._news.set()

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
        if self.kind == "socketio":
            return SocketIO(self._port, self)
        if self.kind == "stream":
            return Stream(self._port, self)
        self._native = Native(self._port, self, self._native)
        return self._native

    # --- sending ------------------------------------------------------------------------------------------

    async def send(self, stop: asyncio.Event) -> None:
        """Send one message after the other, each until it is acknowledged or refused for good."""
        for number in itertools.count(1):
            if stop.is_set():
                return
            conversation = self._random.choice(self.conversations)
            id = f"{self.name}:{number}"
            await self._deliver(conversation, id, body_of(id, self._random.randrange(200)))
            if self._random.random() < READS:
                await self._read(conversation)
            if self._random.random() < CUTS and self.wire is not None:
                self.wire.cut()
            await asyncio.sleep(self._random.expovariate(1 / self._pause))

    async def _deliver(self, conversation: str, id: str, text: str) -> None:
        while True:
            await self._there.wait()
            assert self.wire is not None
            op, failed = next(_operations), False
            self._writer.write(Send(now(), p=self.name, ch=conversation, ph="inv", op=op, id=id))
            try:
                seq = await self.wire.send(conversation, text, id)
            except Refused as error:
                failed = error.unwritten
                outcome = Send(
                    now(),
                    p=self.name,
                    ch=conversation,
                    ph="fail" if failed else "info",
                    op=op,
                    id=id,
                    why=str(error),
                )
                self._writer.write(outcome)
                if not error.temporary:
                    return
            except Lost as error:
                outcome = Send(
                    now(), p=self.name, ch=conversation, ph="info", op=op, id=id, why=str(error)[:200]
                )
                self._writer.write(outcome)
            else:
                self._writer.write(Send(now(), p=self.name, ch=conversation, ph="ok", op=op, id=id, seq=seq))
                self.acked += 1
                return
            await asyncio.sleep(self._random.uniform(*BACK_OFF))

    async def _read(self, conversation: str) -> None:
        await self._there.wait()
        assert self.wire is not None
        op = next(_operations)
        self._writer.write(Read(now(), p=self.name, ch=conversation, ph="inv", op=op))
        try:
            messages = await self.wire.read(conversation)
        except (Lost, Refused):
            self._writer.write(Read(now(), p=self.name, ch=conversation, ph="info", op=op))
            return
        items: tuple[Item, ...] = tuple((message["seq"], id_of(message)[0]) for message in messages)
        start = items[0][0] if items else 0
        self._writer.write(
            Read(now(), p=self.name, ch=conversation, ph="ok", op=op, start=start, items=items)
        )
