"""A channel on this node: its subscribers in groups that get equal bytes, and the loop that writes to them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Container
from dataclasses import dataclass

from hubbub.config import NamespaceConfig
from hubbub.hub.base import Connection
from hubbub.hub.journal import Journal
from hubbub.model import Envelope, Position, Publication, Retention
from hubbub.protocols.base import Encoding, Framing
from hubbub.telemetry.metrics import Metrics

SLICE = 1_000
"""Recipients written to in one turn of the loop; the channel goes on in the next, in order."""

HEALED = asyncio.Event()
HEALED.set()

GroupKey = tuple[Encoding, Framing]
Members = dict[Connection, str]
Deliver = Callable[["Channel", Envelope], None]


@dataclass(slots=True)
class _Deferred:
    """A frame and those members of a group that have yet to get it. `accepted` is set on a publication's last."""

    members: Members
    waiting: deque[Connection]
    frame: bytes
    exclude: str | None
    accepted: float = 0.0


class Channel:
    """`members` of a group map a connection to its session's id. Writing never re-enters, so no copies are made
    unless the channel is so large that it is served in slices. Those who resume by the journal never are: what it
    numbers is written in that order, over all channels."""

    __slots__ = (
        "_backlog",
        "_conflating",
        "_deliver",
        "_schedule",
        "buffers",
        "groups",
        "healed",
        "healing",
        "journal",
        "kept",
        "metrics",
        "name",
        "options",
        "position",
        "retention",
        "size",
        "subscribed",
        "touched",
    )

    def __init__(
        self,
        name: str,
        options: NamespaceConfig,
        retention: Retention,
        metrics: Metrics,
        schedule: Callable[[float, Callable[[], object]], object],
        deliver: Deliver | None = None,
    ) -> None:
        """`schedule(delay, callback)` is the clock's `call_later`; `deliver` knows whom an envelope is not for."""
        self.name = name
        self.options = options
        self.retention = retention
        self.groups: dict[GroupKey, Members] = {}
        self.size = 0
        self.kept = 0  # detached sessions for which this node goes on listening
        self.journal: Journal | None = None  # set while there are sessions that resume by it
        self.position: Position | None = None  # of the last publication broadcast; None: no log
        self.touched = 0.0
        self.subscribed = False  # at the broker
        # Live publications for subscriptions that are being made, each with a list of its own.
        self.buffers: list[list[Publication]] | None = None
        self.healing: list[Envelope] | None = None  # what is heard while a gap is being filled
        self.healed = HEALED
        self._conflating: dict[str, Envelope] | None = None
        self._backlog: deque[_Deferred] | None = None
        self.metrics = metrics
        self._schedule = schedule
        self._deliver = deliver or Channel.broadcast

    def enter(self, encoding: Encoding, connection: Connection, session: str) -> None:
        self.flush()  # what is still queued was published before this subscription began
        self.groups.setdefault((encoding, connection.framing), {})[connection] = session
        self.size += 1

    def move(self, encoding: Encoding, connection: Connection, framing: Framing) -> None:
        """The connection takes another framing from now on; nothing is lost, doubled or overtaken by it."""
        if self._backlog:
            self._drain()
        session = self.groups[encoding, connection.framing][connection]
        self.leave(encoding, connection)
        self.groups.setdefault((encoding, framing), {})[connection] = session
        self.size += 1

    def leave(self, encoding: Encoding, connection: Connection) -> None:
        key = (encoding, connection.framing)
        members = self.groups.get(key)
        if members is not None and members.pop(connection, None) is not None:
            self.size -= 1
            if not members:
                del self.groups[key]

    @property
    def journaled(self) -> bool:
        """Whether somebody is in it whose connection may resume by the journal."""
        return any(encoding.journaled for encoding, _ in self.groups)

    def broadcast(self, envelope: Envelope) -> None:
        """Encode and frame once for each group, then write. The hot loop of the whole server."""
        push, exclude, metrics = envelope.push, envelope.exclude, self.metrics
        sequence = self.journal.record(self.name, envelope) if self.journal is not None else 0
        for (encoding, framing), members in self.groups.items():
            payloads = encoding.encode(push, sequence)
            if not payloads:
                continue
            frame = framing(payloads)
            count = len(members)
            metrics.encodes += 1
            metrics.deliveries += count
            metrics.messages_out += count
            metrics.bytes_out += count * len(frame)
            if (self._backlog or count > SLICE) and not encoding.journaled:
                self._defer(members, frame, exclude)
            elif exclude is None:
                for connection in members:
                    connection.write(frame)
            else:
                for connection, session in members.items():
                    if session != exclude:
                        connection.write(frame)
        if envelope.accepted and self.size:
            if self._backlog:
                self._backlog[-1].accepted = envelope.accepted
            else:
                metrics.delivering(envelope.accepted)

    def flush(self) -> None:
        """Write all that waits for its turn or for the end of an interval."""
        if self._backlog:
            self._drain()
        if self._conflating:
            self._broadcast_latest()

    def broadcast_among(self, envelope: Envelope, passed_over: Container[str]) -> None:
        """The same for an envelope that is not for everybody: of journaled sessions those in `passed_over` do not get
        it, nor, if it is volatile, those to whom it could not be written at once."""
        if self._backlog:
            self._drain()
        push, metrics = envelope.push, self.metrics
        sequence = 0
        if self.journal is not None:
            sequence = self.journal.head if envelope.volatile else self.journal.record(self.name, envelope)
        for (encoding, framing), members in self.groups.items():
            payloads = encoding.encode(push, sequence)
            if not payloads:
                continue
            frame = framing(payloads)
            metrics.encodes += 1
            among = encoding.journaled
            count = 0
            for connection, session in members.items():
                if session == envelope.exclude or (among and session in passed_over):
                    continue
                if among and envelope.volatile and not connection.writable:
                    metrics.volatile_dropped += 1
                    continue
                connection.write(frame)
                count += 1
            metrics.deliveries += count
            metrics.messages_out += count
            metrics.bytes_out += count * len(frame)
        if envelope.accepted and self.size:
            metrics.delivering(envelope.accepted)

    def conflate(self, key: str, envelope: Envelope) -> None:
        """The first publication goes out at once; the later ones wait for the interval, and only the last of each key
        survives. They leave in the order of their offsets, so keys do not overtake each other."""
        if self._conflating is not None:
            self._conflating.pop(key, None)
            self._conflating[key] = envelope
            return
        self._deliver(self, envelope)
        self._conflating = {}
        self._schedule(self.options.conflate_interval, self._end_interval)

    def _end_interval(self) -> None:
        if not self._conflating:
            self._conflating = None
            return
        self._broadcast_latest()
        self._schedule(self.options.conflate_interval, self._end_interval)

    def _broadcast_latest(self) -> None:
        waiting, self._conflating = self._conflating, {}
        for envelope in (waiting or {}).values():
            self._deliver(self, envelope)

    def _defer(self, members: Members, frame: bytes, exclude: str | None) -> None:
        if self._backlog is None:
            self._backlog = deque()
        if not self._backlog:
            self._schedule(0, self._next_slice)
        self._backlog.append(_Deferred(members, deque(members), frame, exclude))

    def _next_slice(self) -> None:
        self._write_slice()
        if self._backlog:
            self._schedule(0, self._next_slice)

    def _write_slice(self) -> None:
        assert self._backlog is not None
        if not self._backlog:
            return
        first = self._backlog[0]
        for _ in range(min(SLICE, len(first.waiting))):
            connection = first.waiting.popleft()
            session = first.members.get(connection)
            if session is not None and session != first.exclude:
                connection.write(first.frame)
        if not first.waiting:
            self._backlog.popleft()
            if first.accepted:
                self.metrics.delivering(first.accepted)

    def _drain(self) -> None:
        while self._backlog:
            self._write_slice()
