"""The ports the hub uses towards its connections and its instruments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hubbub.errors import Disconnect
from hubbub.model import Envelope, History, Operation, Position, Principal
from hubbub.protocols.base import Codec, Framing

if TYPE_CHECKING:
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

    def passed(self, envelope: Envelope) -> None:
        """`envelope` has just been written to all of this node's sessions in its channel. Never raises."""
