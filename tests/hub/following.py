"""Sessions that resume by the node's journal, as Socket.IO's do, without Socket.IO."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.hub.world import World

from hubbub.auth.base import ConnectionInfo
from hubbub.hub.journal import Trail
from hubbub.hub.session import Session
from hubbub.model import Principal
from hubbub.protocols.socketio import JSON
from hubbub.protocols.socketio_encoding import NamespaceCodec
from hubbub.testing.connection import MemoryConnection


class Follower:
    """A client whose events carry the number that they have in the journal. `got` are (data, number) of all events,
    over all its connections."""

    def __init__(self, world: World, codec: NamespaceCodec, user: str) -> None:
        self.world = world
        self.codec = codec
        self.got: list[tuple[Any, int]] = []
        self.connection = MemoryConnection(codec)
        self.session: Session = world.hub.open(self.connection, ConnectionInfo())
        self.session.trail = Trail(world.hub.journal)
        world.hub.admit(self.session, Principal(user))

    def read(self) -> list[tuple[Any, int]]:
        """What has come since the last call."""
        fresh = []
        for frame in self.connection.take():
            for line in frame.splitlines():
                _, data, offset = msgspec.json.decode(line[2:])
                fresh.append((data, int(offset.partition(".")[2])))
        self.got += fresh
        return fresh

    def drop(self) -> None:
        """The link breaks; whatever was written is not read any more."""
        self.connection.take()
        self.world.hub.detach(self.session)

    def come_back(self) -> list[Any] | None:
        """Take a new link, and what was missed on the old one: the data, None if there is no recovery."""
        hub, session = self.world.hub, self.session
        assert session.trail is not None
        hub.flush(session)
        missed = session.trail.missed(session.id, session.away, self.got[-1][1] if self.got else 0)
        if missed is None:
            return None
        self.connection = MemoryConnection(self.codec)
        hub.attach(session, self.connection, ConnectionInfo())
        session.trail.begin()
        hub.reenter(session)
        given = [(msgspec.json.decode(entry.envelope.push.data), entry.sequence) for entry in missed]  # type: ignore[union-attr]
        self.got += given
        return [data for data, _ in given]


async def follower(world: World, user: str = "fay", *channels: str, numbered: bool = True) -> Follower:
    """A follower that is in `channels`. All of a world share one codec, as one encoding has to serve them."""
    codecs: dict[bool, NamespaceCodec] = world.__dict__.setdefault("codecs", {})
    if numbered not in codecs:
        epoch = world.hub.journal.epoch if numbered else None
        codecs[numbered] = NamespaceCodec("/", JSON, epoch, spread=False)
    found = Follower(world, codecs[numbered], user)
    if not numbered:
        found.session.trail = None
    for channel in channels:
        await world.hub.enter(found.session, channel)
    return found
