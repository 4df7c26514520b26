"""What State has of this node's sessions, in case it dies: a record each, written when a session begins and, with all
changes of a moment together, when its channels change."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from hmac import compare_digest

import msgspec
from msgspec import Struct

from hubbub.errors import HubbubError
from hubbub.hub import handover
from hubbub.hub.handover import VERSION
from hubbub.hub.hub import Hub
from hubbub.hub.session import Session
from hubbub.model import Position, Principal
from hubbub.state.base import State
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.cluster")

COALESCE = 0.05
"""Seconds for which changes of a session are gathered before they are written."""
BATCH = 500
"""Records that are on their way to State at once."""
REFRESH = 300.0
"""Seconds after which a record is written again, lest it runs out."""
MARGIN = 60.0
RECORD_BYTES = 60_000
"""A record that is larger is not kept: State takes 64 KiB."""


class Record(Struct, frozen=True, omit_defaults=True):
    """A session in State, for the case that `node` dies."""

    version: int
    node: str
    proof: bytes
    principal: Principal
    channels: tuple[str, ...] = ()
    entered: dict[str, Position] = {}
    hidden: tuple[str, ...] = ()
    idle: bool = False

    def __repr__(self) -> str:
        return f"Record(of {self.node!r})"


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decoder = msgspec.msgpack.Decoder(Record)


class Records:
    """Of one node. Whatever is written says what was there before, so nothing of another node's is overwritten."""

    def __init__(
        self, hub: Hub, node: str, state: State, lease: float, lost: Callable[[str, str], object]
    ) -> None:
        """`lost` is told of each session that another node has taken, and of that node."""
        self._hub = hub
        self._lost = lost
        self._node = node
        self._state = state
        self._ttl = hub.config.sessions.resume_window + lease + REFRESH + MARGIN
        self._written: dict[str, bytes] = {}  # as State has them
        self._dirty: set[str] = set()
        self._renew: set[str] = set()
        self._due = False
        self._stale: deque[tuple[float, str]] = deque()  # when to write them again
        self.running = False
        self.origins: dict[str, str] = {}
        """From which nodes sessions have come: their names may stand there still."""

    async def get(self, id: str) -> tuple[Record | None, bytes | None]:
        """A session's record, and as it is written. Raises BROKER_UNAVAILABLE."""
        raw = await self._state.get(_key(id))
        return _read(raw), raw

    async def take(self, id: str, record: Record, raw: bytes | None) -> Record | None:
        """Make another node's record this one's; None if somebody was faster. Raises BROKER_UNAVAILABLE."""
        mine = msgspec.structs.replace(record, node=self._node)
        if not await self._state.swap(_key(id), raw, new := _encode(mine), self._ttl):
            return None
        self.origins[id] = record.node
        self._note(id, new)
        return mine

    def changed(self, session: Session) -> None:
        if session.id and session.trail is None:
            self.touch(session.id)

    def touch(self, id: str) -> None:
        """What is kept of a session may not be what is."""
        self._dirty.add(id)
        self.wake()

    def ended(self, session: Session) -> None:
        id = session.id
        self.origins.pop(id, None)
        self._renew.discard(id)
        if session.moved or not self.running:
            self._written.pop(id, None)
            self._dirty.discard(id)
        elif id in self._written:
            self.touch(id)

    def wake(self) -> None:
        if self._dirty and not self._due and self.running:
            self._due = True
            self._hub.clock.call_later(COALESCE, lambda: self._hub.spawn(self.flush()))

    async def flush(self) -> None:
        """Write what has changed; what State does not take now, with a later beat."""
        try:
            while self._dirty:
                batch = [self._dirty.pop() for _ in range(min(len(self._dirty), BATCH))]
                outcomes = await asyncio.gather(*map(self._write, batch), return_exceptions=True)
                failed = [id for id, each in zip(batch, outcomes, strict=True) if each is not None]
                for error in outcomes:
                    if error is not None and not isinstance(error, HubbubError):
                        log.error("a session could not be written down", exc_info=error)
                if failed:
                    self._dirty.update(failed)
                    return
        finally:
            self._due = False

    async def _write(self, id: str) -> None:
        session, old = self._hub.sessions.get(id), self._written.get(id)
        new = self._record(session) if session is not None else None
        if session is None or new is None:
            if old is not None:
                # Not `delete`: it may be another node's by now.
                await self._state.swap(_key(id), old, b"", 1.0)
                self._written.pop(id, None)
            return
        if new == old and id not in self._renew:
            return
        for _ in range(3):
            if await self._state.swap(_key(id), old, new, self._ttl):
                if self._hub.sessions.get(id) is session:
                    self._note(id, new)
                else:
                    await self._state.swap(_key(id), new, b"", 1.0)
                return
            found, old = await self.get(id)
            if found is not None and found.node not in (self._node, self.origins.get(id)):
                self._lose(session, found.node)
                return

    def _record(self, session: Session) -> bytes | None:
        """None for a session that nobody can resume."""
        connection, hub = session.connection, self._hub
        if session.trail is not None or not hub.window(session) or not getattr(connection, "resumable", True):
            return None
        record = Record(
            VERSION,
            self._node,
            handover.proof(session.id, session.secret),
            session.principal,
            tuple(sorted((*session.subscriptions, *session.away))),
            session.entered or {},
            tuple(sorted(session.hidden or ())),
            session.idle,
        )
        data = _encode(record)
        return data if len(data) <= RECORD_BYTES else None

    def _note(self, id: str, record: bytes) -> None:
        self._written[id] = record
        self._renew.discard(id)
        self._stale.append((self._hub.clock.monotonic() + REFRESH, id))

    def refresh(self) -> None:
        """Write again what would run out."""
        now = self._hub.clock.monotonic()
        while self._stale and self._stale[0][0] <= now:
            _, id = self._stale.popleft()
            if id in self._written:
                self._renew.add(id)
                self.touch(id)

    async def verify(self) -> None:
        """End the sessions that others have taken. Raises BROKER_UNAVAILABLE."""
        ids = list(self._written)
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            records = await asyncio.gather(*map(self.get, batch))
            for id, (record, _) in zip(batch, records, strict=True):
                session = self._hub.sessions.get(id)
                if record is not None and record.node != self._node and session is not None:
                    self._lose(session, record.node)

    def _lose(self, session: Session, node: str) -> None:
        log.warning("session was taken by another node", session=session.id)
        self._lost(session.id, node)
        handover.part(session)


def shown(record: Record, proof: bytes) -> bool:
    """Whether that is the proof of the session's secret."""
    return compare_digest(record.proof, proof)


def _key(id: str) -> str:
    return f"session:{id}"


def _read(raw: bytes | None) -> Record | None:
    """None for what was deleted, or written by a later version."""
    if not raw:
        return None
    try:
        record = _decoder.decode(raw)
    except msgspec.MsgspecError:
        return None
    return record if record.version == VERSION else None
