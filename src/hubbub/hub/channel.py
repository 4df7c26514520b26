"""A channel on this node: its subscribers in groups that get equal bytes, and the loop that writes to them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice

from hubbub.config import NamespaceConfig
from hubbub.hub.base import Connection
from hubbub.model import Envelope, Position, Publication, Retention
from hubbub.protocols.base import Encoding, Framing
from hubbub.telemetry.metrics import Metrics

SLICE = 1_000
"""Recipients written to in one turn of the loop; the channel goes on in the next, in order."""

GroupKey = tuple[Encoding, Framing]
Members = dict[Connection, str]


class Channel:
    """`members` of a group map a connection to its session's id. Writing never re-enters, so no copies are made
    unless the channel is so large that it is served in slices."""

    __slots__ = (
        "_backlog",
        "_schedule",
        "buffers",
        "conflating",
        "groups",
        "healing",
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
        schedule: Callable[[Callable[[], object]], object],
    ) -> None:
        self.name = name
        self.options = options
        self.retention = retention
        self.groups: dict[GroupKey, Members] = {}
        self.size = 0
        self.position: Position | None = None  # of the last publication broadcast; None: no log
        self.touched = 0.0
        self.subscribed = False  # at the broker
        # Live publications for subscriptions that are being made, each with a list of its own.
        self.buffers: list[list[Publication]] | None = None
        self.healing: list[Envelope] | None = None
        self.conflating: dict[str, Envelope] | None = None
        self._backlog: deque[tuple[Members, deque[Connection], bytes, str | None]] | None = None
        self.metrics = metrics
        self._schedule = schedule

    def enter(self, encoding: Encoding, connection: Connection, session: str) -> None:
        if self._backlog:
            # What is still queued was published before this subscription began.
            self._drain()
        self.groups.setdefault((encoding, connection.framing), {})[connection] = session
        self.size += 1

    def leave(self, encoding: Encoding, connection: Connection) -> None:
        key = (encoding, connection.framing)
        members = self.groups.get(key)
        if members is not None and members.pop(connection, None) is not None:
            self.size -= 1
            if not members:
                del self.groups[key]

    def broadcast(self, envelope: Envelope) -> None:
        """Encode and frame once for each group, then write. The hot loop of the whole server."""
        push, exclude, metrics = envelope.push, envelope.exclude, self.metrics
        for (encoding, framing), members in self.groups.items():
            payloads = encoding.encode(push)
            if not payloads:
                continue
            frame = framing(payloads)
            count = len(members)
            metrics.encodes += 1
            metrics.deliveries += count
            metrics.messages_out += count
            metrics.bytes_out += count * len(frame)
            if self._backlog or count > SLICE:
                self._defer(members, frame, exclude)
            elif exclude is None:
                for connection in members:
                    connection.write(frame)
            else:
                for connection, session in members.items():
                    if session != exclude:
                        connection.write(frame)
        if envelope.accepted:
            metrics.delivering(envelope.accepted)

    def _defer(self, members: Members, frame: bytes, exclude: str | None) -> None:
        if self._backlog is None:
            self._backlog = deque()
        if not self._backlog:
            self._schedule(self._next_slice)
        self._backlog.append((members, deque(members), frame, exclude))

    def _next_slice(self) -> None:
        self._write_slice()
        if self._backlog:
            self._schedule(self._next_slice)

    def _write_slice(self) -> None:
        assert self._backlog is not None
        if not self._backlog:
            return
        members, waiting, frame, exclude = self._backlog[0]
        for connection in list(islice(waiting, SLICE)):
            waiting.popleft()
            session = members.get(connection)
            if session is not None and session != exclude:
                connection.write(frame)
        if not waiting:
            self._backlog.popleft()

    def _drain(self) -> None:
        while self._backlog:
            self._write_slice()
