"""Whether this node alone is cut off from what stands between the nodes, while clients still reach it.

Then the others hold it dead, and may have taken its sessions. A client of a session that goes on by single requests may
be sent to both, and would get everything twice: so this node leaves such sessions to the others. When what stands
between the nodes is away for all of them, nobody can take anything, and each goes on with what it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from hubbub.clock import Clock
from hubbub.cluster.nodes import Nodes
from hubbub.state.base import NodeInfo

PATIENCE = 0.5
"""Seconds in which another node must say how it stands."""
BELIEVED = 1.0
"""Seconds for which what was found out holds."""


class Isolation:
    """`suspected` costs nothing; only then `certain` is to be asked. `holds` asks another node whether its own lease
    holds, past what stands between the nodes; it may raise anything."""

    def __init__(self, nodes: Nodes, holds: Callable[[NodeInfo], Awaitable[bool]], clock: Clock) -> None:
        self._nodes = nodes
        self._holds = holds
        self._clock = clock
        self._found = False
        self._found_until = 0.0
        self._asking: asyncio.Task[bool] | None = None

    @property
    def suspected(self) -> bool:
        """This node's lease has run out, as far as it knows."""
        return not self._nodes.sure and bool(self._nodes.others)

    async def certain(self) -> bool:
        """And the lease of another one holds."""
        if self._clock.monotonic() < self._found_until:
            return self._found
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        asked = [asyncio.create_task(self._better_off(each)) for each in self._nodes.others.values()]
        found = False
        try:
            for answer in asyncio.as_completed(asked):
                if found := await answer:
                    break
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            self._found, self._found_until = found, self._clock.monotonic() + BELIEVED
            self._asking = None
        return found

    async def _better_off(self, node: NodeInfo) -> bool:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._holds(node)
        except Exception:
            return False  # whatever it is: it does not say so
