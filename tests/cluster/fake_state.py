"""The leases of a State, in memory."""

from __future__ import annotations

from hubbub.engines.base import UP, Condition
from hubbub.state.base import NodeInfo
from hubbub.testing.clock import FakeClock


class Leases:
    """Of the port what Nodes needs; `empty` is a flush, `before_nodes` a fault between a beat and a look."""

    condition: Condition = UP

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._leases: dict[str, tuple[float, NodeInfo]] = {}
        self._known: set[str] = set()
        self.empty_before_look = False
        self.fail = False

    def empty(self) -> None:
        self._leases.clear()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def beat(self, node: NodeInfo, ttl: float) -> bool:
        held = node.id not in self._known or self._lives(node.id)
        self._known.add(node.id)
        self._leases[node.id] = self._clock.monotonic() + ttl, node
        return held

    async def retire(self, node: str) -> None:
        self._leases.pop(node, None)
        self._known.discard(node)

    async def nodes(self) -> list[NodeInfo]:
        if self.empty_before_look:
            self.empty_before_look = False
            self._leases.clear()
        return [node for id, (_, node) in sorted(self._leases.items()) if self._lives(id)]

    def _lives(self, id: str) -> bool:
        return id in self._leases and self._leases[id][0] > self._clock.monotonic()

    async def put(self, key: str, value: bytes, ttl: float, *, fresh: bool = False) -> bool:
        raise NotImplementedError

    async def get(self, key: str) -> bytes | None:
        raise NotImplementedError

    async def take(self, key: str) -> bytes | None:
        raise NotImplementedError

    async def swap(self, key: str, old: bytes | None, new: bytes, ttl: float) -> bool:
        raise NotImplementedError

    async def delete(self, key: str) -> bool:
        raise NotImplementedError

    async def spend(self, key: str, rate: float, burst: int) -> float:
        raise NotImplementedError

    async def charge(self, key: str, rate: float, burst: int, count: int) -> float:
        raise NotImplementedError
