"""The ports between Socket.IO and what carries it: Engine.IO below, one client's namespaces above."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import Disconnect
from hubbub.protocols.base import Framing


class Link(Protocol):
    """One Engine.IO connection, whatever transport it has just now."""

    id: str
    """Engine.IO's `sid`: for logs; it is a secret of the client's."""
    info: ConnectionInfo
    framing: Framing
    """How payloads become what `write` takes. It changes at an upgrade, and `Client.moved` is called."""
    write: Callable[[bytes], None]
    """Queue one frame. Never blocks, never raises, never calls back. Another function after an upgrade."""

    @property
    def writable(self) -> bool:
        """Whether what is written now goes out at once: nothing waits, and a poll or a socket is there to take it."""

    def count(self, change: int) -> None:
        """Bytes that wait above the link for it: more, or less."""

    def close(self, reason: Disconnect) -> None:
        """Flush what waits, then end the connection in Engine.IO's orderly way. `Client.gone` follows."""

    def abort(self, reason: Disconnect) -> None:
        """End at once, without flushing. `Client.gone` follows."""

    def pause(self) -> None:
        """Take no more messages from the peer until `resume`."""

    def resume(self) -> None: ...


class Client(Protocol):
    """The upper side of one link. Made by `Accept` when the link opens."""

    @property
    def admitted(self) -> bool:
        """Whether it is in a namespace. A link whose client is in none for `limits.handshake_timeout` from its opening
        is ended."""

    def receive(self, data: bytes, binary: bool) -> None:
        """One message, without Engine.IO's digit. Never raises: what breaks the protocol closes the link."""

    def moved(self) -> None:
        """`link.framing` and `link.write` have changed. Called before anything is written the new way, and after
        `link` has taken over what waited."""

    def mark(self) -> int:
        """A ping is being sent: what has been written before it. Give it to `heard` when the pong comes."""

    def heard(self, mark: int) -> None:
        """All that was written before `mark` has arrived."""

    def gone(self, why: str, *, resumable: bool) -> None:
        """The link is down; called once. `why` is one of the reference's reasons: `transport close`,
        `transport error`, `ping timeout`, `parse error`, `server shutting down`, `forced close`."""


Accept = Callable[[Link], Client]
