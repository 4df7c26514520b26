"""The last step of every broker: calling the listener, for the channels that this node wants."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hubbub.model import Envelope
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.broker")


class Delivery:
    """Gives the listener what is in `subscribed` channels, one envelope after the other.

    What is published while it listens waits its turn, so that no channel is reordered. What it raises is logged, and
    `failed` is told: one faulty receiver must not undo what was accepted, nor keep others from hearing.
    """

    def __init__(self, failed: Callable[[Envelope, Exception], object]) -> None:
        self.subscribed: set[str] = set()
        self.listener: Callable[[Envelope], object] | None = None
        self._failed = failed
        self._busy = False
        self._nested: deque[Envelope] = deque()

    def deliver(self, envelope: Envelope) -> None:
        if envelope.push.channel not in self.subscribed:
            return
        if self._busy:
            self._nested.append(envelope)
            return
        self._busy = True
        try:
            self._call(envelope)
            while self._nested:
                envelope = self._nested.popleft()
                if envelope.push.channel in self.subscribed:
                    self._call(envelope)
        finally:
            self._busy = False

    def _call(self, envelope: Envelope) -> None:
        if self.listener is None:
            return
        try:
            self.listener(envelope)
        except Exception as error:
            log.exception("the listener failed on a publication", channel=envelope.push.channel)
            self._failed(envelope, error)
