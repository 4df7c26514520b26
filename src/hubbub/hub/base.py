"""The ports the hub uses towards its connections and its instruments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from hubbub.errors import Disconnect
from hubbub.model import Envelope, History, Operation, Position, Principal, Publication
from hubbub.protocols.base import Codec, Framing
from hubbub.state.base import NodeInfo

if TYPE_CHECKING:
    from hubbub.hub.operations import SessionInfo
    from hubbub.hub.session import Session


class Connection(Protocol):
    """One physical link. The hot loop calls `write` and nothing else."""

    transport: str
    codec: Codec
    framing: Framing
    session: Session | None

    def write(self, frame: bytes) -> None:
        """Queue one frame. Never blocks, never raises, never calls back into the hub."""

    @property
    def writable(self) -> bool:
        """Whether what is written now goes out at once; asked for volatile publications only."""

    def close(self, reason: Disconnect) -> None:
        """Say why, flush, end. The session is told by `detach` once the link is down."""

    def abort(self, reason: Disconnect) -> None:
        """End at once without flushing: for peers that do not read."""

    def pause(self) -> None:
        """Take no more commands from the peer until `resume`."""

    def resume(self) -> None: ...


class ChannelOwner(Protocol):
    """A part of the server to which the channels of a namespace belong (`Hub.owners`): it keeps their logs, decides who
    may enter, and sees what passes. The broker only carries what it publishes there, with the offsets it has given."""

    @property
    def lossless(self) -> bool:
        """True where nothing can be in a log that was not published on this node; if not, heads are checked."""

    async def authorize(self, principal: Principal, operation: Operation, channel: str) -> None:
        """Raises HubbubError to refuse."""

    async def history(
        self, channel: str, *, since: Position | None, limit: int, reverse: bool, reader: str | None
    ) -> History:
        """As the broker's, but for the part of the log that the user `reader` may not see; None is this node, which
        sees all. Raises HubbubError for a reader who may not follow the channel, as `authorize` does: it is not asked
        before that."""

    async def heads(self, channels: Sequence[str]) -> dict[str, Position]:
        """Where the logs of many channels stand."""

    def sift(self, envelope: Envelope) -> Envelope | None:
        """What of a publication that is in no log is to be told on this node; None: nothing. Never raises."""

    def passed(self, envelope: Envelope) -> None:
        """`envelope` has just been written to all of this node's sessions in its channel. Never raises."""


class Tally(Struct, frozen=True):
    """How many sessions something was done to. `incomplete` names the nodes that did not answer, by their ids: what
    became of it there is not known."""

    count: int
    incomplete: tuple[str, ...] = ()


class Remote(Protocol):
    """The other nodes, where there are some (`Hub.remote`). Nothing is raised because some of them do not answer in
    time: they are named. What this node itself has is not among the answers."""

    async def to_session(self, session: str, publication: Publication) -> Tally:
        """Unicast to a session that is not here. Waits with a detached session for its client."""

    async def to_user(self, user: str, publication: Publication) -> Tally: ...

    async def subscribe_user(self, user: str, channel: str) -> Tally: ...

    async def unsubscribe_user(self, user: str, channel: str) -> Tally: ...

    async def disconnect(self, user: str | None, session: str | None, reason: Disconnect) -> Tally:
        """End the sessions of a user, or one of them."""

    async def revoke(self, user: str | None, token_id: str | None) -> Tally:
        """All other nodes refuse from now on what was revoked here, and end the sessions that stand on it. Who does not
        answer is told again until it does."""

    async def session(self, id: str) -> tuple[SessionInfo | None, tuple[str, ...]]:
        """A session, and who did not answer."""

    async def sessions(
        self, user: str | None, after: str, limit: int
    ) -> tuple[list[SessionInfo], tuple[str, ...]]:
        """The first `limit` sessions of each node (of a user) whose ids come behind `after`, and who did not answer."""

    async def channels(self, prefix: str, limit: int) -> tuple[dict[str, int], tuple[str, ...]]:
        """Channels with subscribers, the first `limit` of each node in the order of their names, with how many; and who
        did not answer."""

    async def subscribers(self, channel: str) -> Tally: ...

    def nodes(self) -> list[NodeInfo]:
        """All nodes, this one too, in the order of their ids."""


class Claims(Protocol):
    """The sessions of other nodes, and what is kept of this node's for them (`Hub.claims`)."""

    fence: float
    """Until when (monotonic) it is known that no other node has taken a session of this one's; put off again and again.
    A node that finds itself later than that was stopped for a while, and asks by `confirm` before it goes on."""

    async def confirm(self) -> None:
        """The sessions that others have taken have been ended here. Raises BROKER_UNAVAILABLE."""

    def changed(self, session: Session) -> None:
        """What another node must know of `session` has changed: its channels, or whose it is. Never raises, never
        waits: it is written down soon."""

    async def claim(self, id: str, secret: str) -> Session:
        """Bring a session here, detached, which is not here already. Raises SESSION_GONE if there is none, for a wrong
        secret too; NODE_UNAVAILABLE and BROKER_UNAVAILABLE if that cannot be known now."""

    async def claim_journaled(
        self, id: str, secret: str, user: str, since: str | None, channel: str
    ) -> Session:
        """The same for a session that resumes by a journal: it must be `user`'s and be in `channel`. `since` is an
        offset in the journal of the node that has it, and one for this node's afterwards. Raises SESSION_GONE if
        something is lost, too, and ends it then."""
