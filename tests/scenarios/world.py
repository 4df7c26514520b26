"""What runs share: servers, and one driver of each SDK."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.scenarios.drivers import SDK, Driver, built
from tests.scenarios.format import LIST, Scenario, read
from tests.scenarios.runner import STUCK, Outcome, play
from tests.scenarios.server import HubbubProcess

PATIENCE_RAN_OUT = {STUCK, "unanswered", "present: ghost", "present: missing"}
AT_ONCE = 8
"""Runs side by side: most of the time each of them waits."""


class SharedWorld:
    """Servers and drivers that are started when the first run needs them, and end with the context."""

    def __init__(self, dist: Path | None) -> None:
        self._dist = dist
        self._stack = contextlib.AsyncExitStack()
        self._starting = asyncio.Lock()
        self._servers: dict[str, HubbubProcess] = {}
        self._drivers: dict[SDK, Driver] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def server(self, scenario: Scenario) -> HubbubProcess:
        """The one that all share, the one that is killed, or the one with the scenario's settings."""
        key = "mortal" if scenario.mortal else str(sorted(scenario.settings.items()))
        async with self._starting:
            if key not in self._servers:
                server = HubbubProcess(scenario.settings)
                self._stack.push_async_callback(asyncio.to_thread, server.close)
                await asyncio.to_thread(server.open)
                self._servers[key] = server
        return self._servers[key]

    async def driver(self, sdk: SDK) -> Driver:
        """The one of an SDK whose clock is right."""
        async with self._starting:
            if sdk not in self._drivers:
                self._drivers[sdk] = await self._stack.enter_async_context(Driver(sdk, self._dist))
        return self._drivers[sdk]

    def wrong_driver(self, sdk: SDK, clock: float) -> Driver:
        """One that is not started yet, whose clock is wrong."""
        return Driver(sdk, self._dist, clock)


async def play_all(
    names: Sequence[str], sdks: Sequence[SDK], seeds: Sequence[int], at_once: int = AT_ONCE
) -> list[Outcome]:
    """Play scenarios, several at a time; what came of each run."""
    free = asyncio.Semaphore(at_once)
    async with built(sdks) as dist, SharedWorld(dist) as world:

        async def one(name: str, sdk: SDK, seed: int) -> Outcome:
            async with free:
                return await play(world, name, sdk, seed)

        asked = [
            (name, sdk, seed)
            for place, seed in enumerate(seeds)
            for name in sorted(names, key=_is_short)
            for sdk in sdks
            if _is_short(name) or 2 * place < len(seeds)
        ]
        runs = [one(*each) for each in asked]
        return list(await asyncio.gather(*runs))


async def play_patiently(names: Sequence[str], sdk: SDK, seeds: Sequence[int]) -> list[Outcome]:
    """As `play_all`, but where all that is wrong is that a step or presence did not come in time, on a machine that may
    be busy, that run is played once more, alone. What is lost, twice or out of order is wrong at once."""
    outcomes = []
    for outcome in await play_all(names, (sdk,), seeds):
        if outcome.anomalies and {each.kind for each in outcome.anomalies} <= PATIENCE_RAN_OUT:
            print(f"once more: {outcome}")
            outcomes += await play_all((outcome.scenario,), (sdk,), (outcome.seed,))
        else:
            outcomes.append(outcome)
    return outcomes


def _is_short(name: str) -> bool:
    return not read(LIST / f"{name}.toml").long
