"""What a process says and hears in frames, for brokers whose carrier brings back what one has said oneself."""

from __future__ import annotations

import secrets

from hubbub.broker.deadletters import DeadLetters, failed
from hubbub.broker.delivery import Delivery
from hubbub.broker.envelopes import (
    CARRIED,
    FLEETING,
    LOGGED,
    ORIGIN_LENGTH,
    UnreadableError,
    place,
    read_envelope,
    read_header,
    stamp,
)
from hubbub.broker.identity import DIGITS
from hubbub.model import Envelope, Publication
from hubbub.telemetry.metrics import Metrics

ALONE = 10_000
"""Publications remembered that were delivered here alone, lest they come twice should the carrier have them."""


def origin() -> bytes:
    """A name for this process."""
    return "".join(secrets.choice(DIGITS) for _ in range(ORIGIN_LENGTH)).encode()


class Frames:
    """Delivers each frame once on this node: of what it has said itself either what comes back or what it kept."""

    def __init__(self, origin: bytes, letters: DeadLetters, metrics: Metrics) -> None:
        self.delivery = Delivery(lambda envelope, error: failed(letters, envelope, error))
        self._origin = origin
        self._letters = letters
        self._metrics = metrics
        self._serial = 0
        self._flying: set[int] = set()  # serials of what was sent, neither confirmed nor heard
        self._alone: dict[int, None] = {}

    def logged(self, envelope: Envelope) -> bytes:
        """The begin of the frame of what a log is to give its place."""
        return stamp(LOGGED, self._origin, envelope.accepted)

    def carried(self, envelope: Envelope, push: Publication) -> bytes:
        """All but the body of the frame of what has its place."""
        return stamp(CARRIED, self._origin, envelope.accepted) + place(push.offset or 0, push.epoch or "")

    def fleeting(self, envelope: Envelope) -> tuple[int, bytes]:
        """A serial number, and all but the body of the frame of what is kept nowhere. Then `landed` or `stayed`."""
        self._serial = serial = self._serial + 1
        self._flying.add(serial)
        return serial, stamp(FLEETING, self._origin, envelope.accepted) + place(serial)

    def landed(self, serial: int) -> None:
        """The carrier has it; or there is nothing to deliver."""
        self._flying.discard(serial)

    def stayed(self, serial: int, envelope: Envelope, body: bytes) -> None:
        """The carrier did not take it, or cannot say so: unless it was heard, deliver it here, and not again."""
        self._metrics.broker_local_only += 1
        if serial not in self._flying:
            return
        self._flying.discard(serial)
        self._alone[serial] = None
        if len(self._alone) > ALONE:
            del self._alone[next(iter(self._alone))]
        frame = stamp(FLEETING, self._origin, envelope.accepted) + place(serial) + body
        self.delivery.deliver(read_envelope(frame, read_header(frame), envelope.accepted))

    def hear(self, frame: bytes, channel: str = "") -> None:
        """Deliver what the carrier brings; what cannot be read is a dead letter, of `channel` if that is known."""
        try:
            header = read_header(frame)
            accepted = 0.0
            if header.origin == self._origin:
                if header.kind == CARRIED or (header.kind == FLEETING and self._was_alone(header.number)):
                    return
                accepted = header.accepted
            envelope = read_envelope(frame, header, accepted)
        except UnreadableError as error:
            self._letters.add(channel, error.reason, str(error), frame)
            return
        self.delivery.deliver(envelope)

    def _was_alone(self, serial: int) -> bool:
        self._flying.discard(serial)
        if serial in self._alone:
            del self._alone[serial]
            return True
        return False
