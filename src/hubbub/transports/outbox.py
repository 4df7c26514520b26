"""Frames that wait until somebody takes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from typing import Generic, TypeVar

from hubbub.transports.node import Node

Frames = TypeVar("Frames", list[bytes], deque[bytes])


class Outbox(ABC, Generic[Frames]):
    """`_outbox` in the order of writing, its bytes counted in `_queued` and in the node's sum. Whoever takes some from
    it counts them off; what there are too many of, `flush` finds."""

    __slots__ = ("_dirty", "_node", "_outbox", "_queued")

    def __init__(self, node: Node, outbox: Frames) -> None:
        """`outbox` is empty: a list where all is mostly taken at once, as that weighs less."""
        self._node = node
        self._outbox: Frames = outbox
        self._queued = 0
        self._dirty = False

    def _append(self, frame: bytes) -> None:
        self._outbox.append(frame)
        self._count(len(frame))
        if not self._dirty:
            self._dirty = True
            self._node.dirty(self)

    def _count(self, change: int) -> None:
        self._queued += change
        self._node.queued_bytes += change

    @abstractmethod
    def flush(self) -> None:
        """The turn of the loop ends in which something was written. From here on `_dirty` is false."""

    def clear(self) -> None:
        self._outbox.clear()
        self._count(-self._queued)
