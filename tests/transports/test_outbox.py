from __future__ import annotations

from collections import deque

import pytest
from tests.hub.world import World

from hubbub.transports.node import Node
from hubbub.transports.outbox import Outbox


class Box(Outbox[deque[bytes]]):
    def __init__(self, node: Node) -> None:
        super().__init__(node, deque())
        self.flushes = 0

    def write(self, frame: bytes) -> None:
        self._append(frame)

    def flush(self) -> None:
        self._dirty = False
        self.flushes += 1

    def take(self) -> bytes:
        frame = self._outbox.popleft()
        self._count(-len(frame))
        return frame


def test_what_waits_is_counted_here_and_in_the_node_until_it_is_taken_or_cleared() -> None:
    world = World()
    node = Node(world.config, world.clock, world.hub, {})
    one, two = Box(node), Box(node)
    for frame in (b"a", b"bb", b"ccc"):
        one.write(frame)
        two.write(frame)
    assert (one._queued, two._queued, node.queued_bytes) == (6, 6, 12)
    assert (one.take(), one.take()) == (b"a", b"bb")
    assert (one._queued, node.queued_bytes) == (3, 9)
    two.clear()
    two.clear()
    assert (two._queued, node.queued_bytes) == (0, 3)
    one.clear()
    assert node.queued_bytes == 0


def test_it_is_flushed_once_a_turn_however_much_was_written_and_again_later() -> None:
    world = World()
    node = Node(world.config, world.clock, world.hub, {})
    box = Box(node)
    for turn in (1, 2):
        box.write(b"a")
        box.write(b"b")
        assert box.flushes == turn - 1
        world.clock.run_ready()
        assert box.flushes == turn
    world.clock.run_ready()
    assert box.flushes == 2


def test_one_that_does_not_flush_is_none() -> None:
    with pytest.raises(TypeError, match="flush"):
        Outbox(None, [])  # type: ignore[abstract, arg-type]
