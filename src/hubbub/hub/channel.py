"""A channel on this node: its subscribers in groups that get equal bytes, and the loop that writes to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Container

from hubbub.clock import Timer
from hubbub.config import NamespaceConfig
from hubbub.hub.base import ChannelOwner, Connection
from hubbub.hub.journal import Journal
from hubbub.model import Envelope, Position, Publication, Retention
from hubbub.protocols.base import Encoding, Framing
from hubbub.telemetry.metrics import Metrics

HEALED = asyncio.Event()
HEALED.set()

GroupKey = tuple[Encoding, Framing]
Members = dict[Connection, str]
Deliver = Callable[["Channel", Envelope], None]


class Channel:
    """`members` of a group map a connection to its session's id. Writing never re-enters, so no copies are made, and it
    only queues: what is slow, the flush, the node does in slices."""

    __slots__ = (
        "_conflating",
        "_deliver",
        "_schedule",
        "buffers",
        "early",
        "groups",
        "healed",
        "healing",
        "journal",
        "kept",
        "metrics",
        "name",
        "options",
        "owner",
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
        self.owner: ChannelOwner | None = None  # to which part of the server it belongs
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
        self.early: Timer | None = None  # of the wait for a publication that others have overtaken
        self._conflating: dict[str, Envelope] | None = None
        self.metrics = metrics
        self._schedule = schedule
        self._deliver = deliver or Channel.broadcast

    def enter(self, encoding: Encoding, connection: Connection, session: str) -> None:
        self.flush()  # what is still queued was published before this subscription began
        self.groups.setdefault((encoding, connection.framing), {})[connection] = session
        self.size += 1

    def move(self, encoding: Encoding, connection: Connection, framing: Framing) -> None:
        """The connection takes another framing from now on; nothing is lost, doubled or overtaken by it."""
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

    def broadcast(
        self, envelope: Envelope, passed_over: Container[str] = (), hidden: Container[str] = ()
    ) -> None:
        """Encode and frame once for each group, then write. The hot loop of the whole server.

        Of journaled sessions those in `passed_over` do not get it, nor, if it is volatile, those to whom it could not
        be written at once. Sessions in `hidden` do not get it at all.
        """
        push, exclude, metrics = envelope.push, envelope.exclude, self.metrics
        sequence = 0
        if self.journal is not None:
            sequence = self.journal.head if envelope.volatile else self.journal.record(self.name, envelope)
        choosy = envelope.volatile or bool(passed_over)
        for (encoding, framing), members in self.groups.items():
            payloads = encoding.encode(push, sequence)
            if not payloads:
                continue
            frame = framing(payloads)
            recipients: Collection[Connection]
            if hidden:
                members = {each: id for each, id in members.items() if id not in hidden}
            if choosy and encoding.journaled:
                recipients = self._chosen(members, envelope, passed_over)
            elif exclude is not None:
                recipients = [each for each, session in members.items() if session != exclude]
            else:
                recipients = members
            count = len(recipients)
            metrics.encodes += 1
            metrics.deliveries += count
            metrics.messages_out += count
            metrics.bytes_out += count * len(frame)
            for connection in recipients:
                connection.write(frame)
        if envelope.accepted and self.size:
            metrics.delivering(envelope.accepted)

    def _chosen(
        self, members: Members, envelope: Envelope, passed_over: Container[str]
    ) -> Collection[Connection]:
        exclude = envelope.exclude
        wanted = [each for each, id in members.items() if id != exclude and id not in passed_over]
        if not envelope.volatile:
            return wanted
        ready = [each for each in wanted if each.writable]
        self.metrics.volatile_dropped += len(wanted) - len(ready)
        return ready

    def flush(self) -> None:
        """Write what waits for the end of an interval."""
        if self._conflating:
            self._broadcast_latest()

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
