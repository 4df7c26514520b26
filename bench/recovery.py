"""How long a client is behind after a single drop: `python -m bench.recovery`.

Clients of each SDK, by each transport, follow channels through the proxy of `hubbub.testing`. The connections of one
are reset, others publish at once, and the clock stops when its application is told of that publication. Then it is
left alone for some seconds: these are single drops. Over a real server, with the drivers of `tests/scenarios`.

Exit status: 1 if a p95 is above what was set out to be reached (700 ms).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import json
import math
import os
import random
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from tests.scenarios.drivers import SDK, SDKS, Driver, built
from tests.scenarios.format import Transport
from tests.scenarios.server import KEPT, HubbubProcess
from tests.scenarios.told import Ask, Event, Seen, State

from bench.compare import RESULTS, machine, say
from hubbub.testing.proxy import FaultProxy

GOAL_MS = 700.0
TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
PAUSES = (5.5, 9.0)
"""Seconds between being caught up and the next drop: who is dropped again at once does not come back at once."""
CLIENTS = 20
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Figures:
    """Milliseconds from the drop to being caught up; `anew` is after how many of the drops there was a new session."""

    drops: int
    anew: int
    p50: float
    p95: float
    max: float

    @property
    def met(self) -> bool:
        return self.p95 <= GOAL_MS


def figures(seconds: Sequence[float], anew: int) -> Figures:
    """What is said of the times of all drops."""
    ordered = sorted(1000.0 * each for each in seconds)
    return Figures(
        len(ordered), anew, round(rank(ordered, 0.5), 1), round(rank(ordered, 0.95), 1), round(ordered[-1], 1)
    )


def rank(ordered: Sequence[float], share: float) -> float:
    """The smallest of the values that is not below `share` of them (nearest rank)."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


class _Follower:
    """What the client has told."""

    def __init__(self, server: HubbubProcess, driver: Driver, name: str) -> None:
        self.seen = 0
        self.connected = False
        self.anew = 0
        self._server = server
        self._driver = driver
        self._name = name
        self._changed = asyncio.Event()
        driver.listeners[name] = self._hear

    def _hear(self, event: Event) -> None:
        if isinstance(event, Ask):
            token = self._server.token(self._name)
            self._driver.tell("token", client=self._name, ask=event.ask, token=token)
        elif isinstance(event, Seen):
            self.seen = event.offset
        elif isinstance(event, State):
            self.connected = event.status == "connected"
            self.anew += self.connected and not event.resumed
        self._changed.set()

    async def until_seen(self, offset: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.seen < offset or not self.connected:
                self._changed.clear()
                await self._changed.wait()


async def measure(
    server: HubbubProcess,
    sdk: SDK,
    dist: Path | None,
    transport: Transport,
    drops: int,
    seed: int,
    pauses: tuple[float, float] = PAUSES,
) -> Figures:
    """Drop connections so many times, of several clients in turn; `dist` is where the TypeScript SDK is built.

    Raises TimeoutError if one is not caught up in a minute.
    """
    chance = random.Random(f"{sdk} {transport} {seed}")
    clients = min(CLIENTS, drops)
    async with Driver(sdk, dist) as driver, asyncio.TaskGroup() as group:
        shares = [drops // clients + (number < drops % clients) for number in range(clients)]
        tasks = [
            group.create_task(_drop(server, driver, transport, share, random.Random(chance.random()), pauses))
            for share in shares
        ]
        found = [await task for task in tasks]
    return figures([took for each, _ in found for took in each], sum(anew for _, anew in found))


async def _drop(
    server: HubbubProcess,
    driver: Driver,
    transport: Transport,
    drops: int,
    chance: random.Random,
    pauses: tuple[float, float],
) -> tuple[list[float], int]:
    """Of one client: the seconds that it was behind after each drop, and how many new sessions there were."""
    name = f"{driver.sdk}-{transport}-{secrets.token_hex(3)}"
    channel = f"{KEPT}:{name}"
    took = []
    async with FaultProxy("127.0.0.1", server.port) as proxy:
        it = _Follower(server, driver, name)
        url = f"http://127.0.0.1:{proxy.port}"
        await driver.ask("open", client=name, url=url, transports=[transport], chat=False, storage=name)
        await driver.ask("subscribe", client=name, channel=channel)
        await it.until_seen(await _publish(server, channel))
        it.anew = 0
        for _ in range(drops):
            await asyncio.sleep(chance.uniform(*pauses))
            began = time.monotonic()
            proxy.reset()
            await it.until_seen(await _publish(server, channel))
            took.append(time.monotonic() - began)
        await driver.ask("close", client=name)
    return took, it.anew


async def _publish(server: HubbubProcess, channel: str) -> int:
    """Publish from elsewhere; the offset."""
    text = secrets.token_hex(8)
    return int((await server.publish(channel, text, text))["offset"])


async def run(
    sdks: Sequence[SDK], transports: Sequence[Transport], drops: int, seed: int
) -> dict[str, Figures]:
    """All of them in turn, on one server."""
    server = HubbubProcess()
    found = {}
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, server.close)
        await asyncio.to_thread(server.open)
        dist = await stack.enter_async_context(built(sdks))
        for sdk in sdks:
            for transport in transports:
                found[f"{sdk}, {transport}"] = it = await measure(server, sdk, dist, transport, drops, seed)
                say(f"{sdk}, {transport}: p50 {it.p50} ms, p95 {it.p95} ms, most {it.max} ms")
    return found


def table(found: Mapping[str, Figures]) -> str:
    """The figures as Markdown."""
    lines = [
        "| SDK, transport | drops | new sessions | p50 ms | p95 ms | max ms | p95 to reach | |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    lines += [
        f"| {name} | {it.drops} | {it.anew} | {it.p50:.0f} | {it.p95:.0f} | {it.max:.0f} | ≤ {GOAL_MS:.0f} | "
        f"{'reached' if it.met else '**missed**'} |"
        for name, it in found.items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.recovery",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sdk", action="append", choices=SDKS, help="may be repeated; default: all")
    parser.add_argument(
        "--transport", action="append", choices=TRANSPORTS, help="may be repeated; default: all"
    )
    parser.add_argument("--drops", type=int, default=100, help="of each")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    before = os.getloadavg()[0]
    found = asyncio.run(run(asked.sdk or SDKS, asked.transport or TRANSPORTS, asked.drops, asked.seed))
    about = (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, seed {asked.seed}: {machine()}; "
        f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after."
    )
    text = f"{about}\n\n{table(found)}\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "recovery.md").write_text(text, encoding="utf-8")
    data: dict[str, Any] = {"about": about, "runs": {name: asdict(it) for name, it in found.items()}}
    (RESULTS / "recovery.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    print(text)
    sys.exit(not all(it.met for it in found.values()))


if __name__ == "__main__":
    main()
