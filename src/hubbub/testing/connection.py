"""A Connection without a wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hubbub.errors import Disconnect
from hubbub.protocols.base import Codec, Framing, Payload

if TYPE_CHECKING:
    from hubbub.hub.session import Session


def lines(payloads: Sequence[Payload]) -> bytes:
    """A Framing for tests: the payloads as they are, a newline after each."""
    return b"".join([payload.data + b"\n" for payload in payloads])


class MemoryConnection:
    """A `hubbub.hub.base.Connection` that keeps what is written to it.

    `frames` holds every frame until `take` is called. `closed` is the reason given to `close` or `abort`, and
    `aborted` tells which of the two it was. Only the first call counts, and what is written later is lost, as
    on a real link. `paused` is true between `pause` and `resume`;
    `writable` is yours to set.
    """

    def __init__(self, codec: Codec, framing: Framing = lines, *, transport: str = "memory") -> None:
        self.transport = transport
        self.codec = codec
        self.framing = framing
        self.session: Session | None = None
        self.frames: list[bytes] = []
        self.closed: Disconnect | None = None
        self.aborted = False
        self.paused = False
        self.writable = True

    def write(self, frame: bytes) -> None:
        if self.closed is None:
            self.frames.append(frame)

    def close(self, reason: Disconnect) -> None:
        if self.closed is None:
            self.closed = reason

    def abort(self, reason: Disconnect) -> None:
        if self.closed is None:
            self.closed = reason
            self.aborted = True

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def take(self) -> list[bytes]:
        """The frames written since the last call."""
        frames, self.frames = self.frames, []
        return frames
