"""The ports the hub uses towards its connections and its instruments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hubbub.errors import Disconnect
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
