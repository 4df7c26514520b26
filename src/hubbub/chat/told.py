"""What this node has told of receipts. Several nodes tell of the same members, in whatever order their words come by;
cursors only go on, so what would take one back is not told again."""

from __future__ import annotations

from collections.abc import Container

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from hubbub.chat.events import Receipt, Receipts
from hubbub.model import Envelope, Publication

EVENT = "receipts"
MOST = 2_000
"""Conversations that are remembered before those are forgotten that nobody is in here."""
_decode = msgspec.json.Decoder(Receipts).decode
_encode = msgspec.json.Encoder().encode


class _Known(msgspec.Struct):
    """Cursors by user; and of which message the counts were told last."""

    cursors: dict[str, tuple[int, int]]
    message: int = 0


class Told:
    """`channels` are those that sessions of this node are in."""

    def __init__(self, channels: Container[str]) -> None:
        self._channels = channels
        self._known: dict[str, _Known] = {}

    def __len__(self) -> int:
        return len(self._known)

    def sift(self, envelope: Envelope) -> Envelope | None:
        """The envelope as it may be told; None if there is nothing new in it."""
        push = envelope.push
        if type(push) is not Publication or push.event != EVENT:
            return envelope
        event = _decode(push.data)
        known = self._of(push.channel)
        if event.message is not None:
            if event.message < known.message:
                return None
            known.message = event.message
            return envelope
        fresh = tuple(moved for each in event.receipts if (moved := _moved(known, each)) is not None)
        if fresh == event.receipts:
            return envelope
        if not fresh:
            return None
        data = Raw(_encode(replace(event, receipts=fresh)))
        return replace(envelope, push=replace(push, data=data))

    def _of(self, channel: str) -> _Known:
        known = self._known.get(channel)
        if known is None:
            if len(self._known) >= MOST:
                self._known = {name: each for name, each in self._known.items() if name in self._channels}
            known = self._known[channel] = _Known({})
        return known


def _moved(known: _Known, receipt: Receipt) -> Receipt | None:
    """The receipt, as far as it is further than before."""
    read, delivered = known.cursors.get(receipt.user, (-1, -1))
    now = max(read, receipt.read), max(delivered, receipt.delivered)
    if now == (read, delivered):
        return None
    known.cursors[receipt.user] = now
    return receipt if now == (receipt.read, receipt.delivered) else Receipt(receipt.user, *now)
