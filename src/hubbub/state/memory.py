"""The state of nodes that live in one process: of a server that stands alone, or of several in a test."""

from __future__ import annotations

from dataclasses import dataclass

from hubbub.clock import Clock
from hubbub.engines.base import UP, Condition
from hubbub.state.base import NodeInfo, check, debit

ROOM = 1024
"""Values that may lie there before those that have ended are looked for."""
EPSILON = 1e-6
"""Seconds of waiting that are none: what is left of sums of fractions."""


@dataclass(slots=True)
class _Value:
    data: bytes
    deadline: float


@dataclass(slots=True)
class _Lease:
    node: NodeInfo
    deadline: float


class MemoryState:
    """Dictionaries. What has ended is gone for everybody at once, and its memory at the latest when as much again
    has been put there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._values: dict[str, _Value] = {}
        self._arrivals: dict[str, float] = {}  # of token buckets: when each is full again (GCRA)
        self._leases: dict[str, _Lease] = {}
        self._room = ROOM

    def __len__(self) -> int:
        return len(self._values) + len(self._arrivals)

    @property
    def condition(self) -> Condition:
        return UP

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    # --- nodes --------------------------------------------------------------------------------------------

    async def beat(self, node: NodeInfo, ttl: float) -> bool:
        now = self._clock.monotonic()
        lease = self._leases.get(node.id)
        self._leases[node.id] = _Lease(node, now + ttl)
        return lease is None or lease.deadline > now

    async def retire(self, node: str) -> None:
        self._leases.pop(node, None)

    async def nodes(self) -> list[NodeInfo]:
        now = self._clock.monotonic()
        return [lease.node for _, lease in sorted(self._leases.items()) if lease.deadline > now]

    # --- values -------------------------------------------------------------------------------------------

    async def put(self, key: str, value: bytes, ttl: float, *, fresh: bool = False) -> bool:
        check(key, value)
        if fresh and self._find(key) is not None:
            return False
        self._keep(key, value, ttl)
        return True

    async def get(self, key: str) -> bytes | None:
        check(key)
        return self._find(key)

    async def take(self, key: str) -> bytes | None:
        check(key)
        value = self._find(key)
        self._values.pop(key, None)
        return value

    async def swap(self, key: str, old: bytes | None, new: bytes, ttl: float) -> bool:
        check(key, new)
        if self._find(key) != old:
            return False
        self._keep(key, new, ttl)
        return True

    async def delete(self, key: str) -> bool:
        return await self.take(key) is not None

    async def spend(self, key: str, rate: float, burst: int) -> float:
        check(key)
        if rate <= 0:
            return 0.0
        now = self._clock.monotonic()
        arrival = max(self._arrivals.get(key, now), now)
        wait = arrival - max(burst - 1, 0) / rate - now
        if wait > EPSILON:
            return wait
        self._arrivals[key] = arrival + 1 / rate
        self._make_room()
        return 0.0

    async def charge(self, key: str, rate: float, burst: int, count: int) -> float:
        check(key)
        if rate <= 0:
            return 0.0
        now = self._clock.monotonic()
        spent, most = debit(rate, burst, count)
        full_in = min(max(self._arrivals.get(key, now) - now, 0.0) + spent, most)
        self._arrivals[key] = now + full_in
        self._make_room()
        return full_in

    def _find(self, key: str) -> bytes | None:
        value = self._values.get(key)
        return value.data if value is not None and value.deadline > self._clock.monotonic() else None

    def _keep(self, key: str, value: bytes, ttl: float) -> None:
        self._values[key] = _Value(value, self._clock.monotonic() + ttl)
        self._make_room()

    def _make_room(self) -> None:
        if len(self) <= self._room:
            return
        now = self._clock.monotonic()
        self._values = {key: value for key, value in self._values.items() if value.deadline > now}
        self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now}
        self._room = max(ROOM, 2 * len(self))
