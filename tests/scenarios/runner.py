"""Plays a scenario: does its steps with a server, a network and an SDK, and has the checker judge what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from msgspec.structs import replace
from tests.scenarios import format as form
from tests.scenarios.checker import Anomaly, check
from tests.scenarios.company import SERVER
from tests.scenarios.drivers import SDK, Driver, DriverError, DriverGoneError
from tests.scenarios.server import HubbubProcess
from tests.scenarios.stage import Device, Stage, StuckError
from tests.scenarios.steps import LONGEST, LOOK, Steps
from tests.scenarios.told import (
    History,
    Knocked,
    Log,
    Now,
    Present,
    Talk,
    Written,
    version_of,
)

from hubbub.testing.proxy import FaultProxy

REST = 30.0
"""Seconds in which everybody must have everything once the network is well, or get on with it."""
STUCK = "stuck"
LATE = frozenset(
    (
        "lost",
        "silent gap",
        "list: incomplete",
        "list: outdated",
        "present: ghost",
        "present: missing",
        "unread",
        "unanswered",
        "acknowledged and lost",
    )
)
"""What may yet come right by waiting."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run: nothing, if `anomalies` is empty. `seen` counts what was told, by its kind."""

    scenario: str
    sdk: SDK
    seed: int
    anomalies: tuple[Anomaly, ...]
    seconds: float
    seen: dict[str, int]

    def __str__(self) -> str:
        lines = [f"{self.scenario} with {self.sdk}, seed {self.seed} ({self.seconds:.1f} s, {self.seen}):"]
        certain = sorted(self.anomalies, key=lambda each: each.kind in LATE)
        shown = [str(anomaly)[:600] for anomaly in certain[:8]]
        more = len(self.anomalies) - len(shown)
        return "\n  ".join([*lines, *shown, *([f"... and {more} more"] if more else [])])


class World(Protocol):
    """What runs share: servers and drivers."""

    async def server(self, scenario: form.Scenario) -> HubbubProcess:
        """One that the scenario may use as it does."""

    async def driver(self, sdk: SDK) -> Driver:
        """One whose clock is right."""

    def wrong_driver(self, sdk: SDK, clock: float) -> Driver:
        """One that is not started yet, whose clock is wrong by so many seconds."""


async def play(world: World, name: str, sdk: SDK, seed: int) -> Outcome:
    """Play a scenario of the list once. Raises FormatError."""
    return await perform(world, form.read(form.LIST / f"{name}.toml", seed), sdk, seed)


async def perform(world: World, scenario: form.Scenario, sdk: SDK, seed: int) -> Outcome:
    """Play a scenario once. What goes wrong on the way is an anomaly, STUCK where it is not the checker's."""
    began = time.monotonic()
    server = await world.server(scenario)
    run = _Run(world, scenario, sdk, seed, server)
    anomalies: list[Anomaly] = []
    try:
        async with run.devices():
            anomalies = await run.play()
    except Exception as error:  # whatever it is, it is this run's, and the others go on
        anomalies.append(Anomaly(STUCK, f"{error!r} {run.where()}"))
    took = time.monotonic() - began
    return Outcome(scenario.name, sdk, seed, tuple(anomalies), took, dict(run.stage.seen))


class _Run(Steps):
    def __init__(
        self, world: World, scenario: form.Scenario, sdk: SDK, seed: int, server: HubbubProcess
    ) -> None:
        run = secrets.token_hex(4)
        stage = Stage(scenario, seed, run, lambda user, ttl: server.token(user, ttl or 600.0))
        super().__init__(stage, server)
        self.world = world
        self.history: History | None = None
        self.scenario = scenario
        self.sdk = sdk
        self.seed = seed

    # --- life ---------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def devices(self) -> AsyncIterator[None]:
        """Each client with its own way to the server, and those with a clock in a process of their own."""
        stage = self.stage
        async with contextlib.AsyncExitStack() as stack:
            for name, plan in self.scenario.clients.items():
                if plan.clock is None:
                    driver = await self.world.driver(self.sdk)
                else:
                    driver = await stack.enter_async_context(self.world.wrong_driver(self.sdk, plan.clock))
                proxy = await stack.enter_async_context(
                    FaultProxy("127.0.0.1", self.server.port, seed=self.seed)
                )
                stage.add(Device(stage.user(name), stage.user(plan.user or name), plan, driver, proxy))
            try:
                yield
            finally:
                for device in stage.devices.values():
                    if device.open:
                        with contextlib.suppress(DriverError, DriverGoneError, TimeoutError):
                            await device.driver.ask("close", within=10, client=device.name)
                    del device.driver.listeners[device.name]

    async def play(self) -> list[Anomaly]:
        try:
            async with asyncio.timeout(LONGEST):
                await self.rooms()
                await self.steps(self.scenario.steps)
            return await self.rest()
        except Exception as error:
            stuck = Anomaly(STUCK, f"{error!r} {self.where()}")
            return [stuck, *await self.found()]
        finally:
            for task in self.background:
                task.cancel()
            await asyncio.gather(*self.background, return_exceptions=True)

    async def rooms(self) -> None:
        """Make the conversations."""
        for name, plan in self.scenario.conversations.items():
            room = await self.server.converse([self.stage.user(user) for user in plan.members])
            self.stage.rooms[name] = room
            await self.elsewhere_at_once(self.stage.user(plan.members[0]), room, plan.messages, 20)

    def where(self) -> str:
        states = {name: device.state for name, device in self.stage.devices.items()}
        return f"at {self.now} with { ({name: state and state.status for name, state in states.items()}) }"

    # --- coming to rest -----------------------------------------------------------------------------------

    async def quiet(self) -> None:
        """All is well again, everything that was begun is done, and everybody has everything."""
        for anomaly in await self.settle():
            raise StuckError(f"not at rest: {anomaly}")

    async def rest(self) -> list[Anomaly]:
        anomalies = await self.settle()
        assert self.history is not None
        # Not looked at anew: another run may have killed the server since.
        history = replace(self.history, records=(*self.history.records, *self.knocks()))
        return [*anomalies, *(each for each in check(history) if each not in anomalies)]

    async def settle(self) -> list[Anomaly]:
        for name in self.stage.devices:
            await self.network(form.Network(name))
        if self.background:
            done, late = await asyncio.wait(self.background, timeout=4 * REST)
            self.background -= done
            for task in done:
                await task
            if late:
                raise StuckError("waited for what was begun")
        with contextlib.suppress(StuckError):  # the checker says what is not answered
            await self.answers()
        end, told = time.monotonic() + REST, 0
        while True:
            began = time.monotonic()
            for device in self.stage.devices.values():
                if device.open and not device.failed:
                    for room in device.lists:
                        await self.ask(device, "rewind", conversation=room)
            anomalies = await self.found()
            if len(self.stage.records) > told:
                end, told = time.monotonic() + REST, len(self.stage.records)
            over = time.monotonic() > end
            if not anomalies or over or any(each.kind not in LATE for each in anomalies):
                return anomalies
            await asyncio.sleep(max(LOOK, 3 * (time.monotonic() - began)))

    async def answers(self) -> None:
        """Wait for those of all writes, as long as there come some. Raises StuckError."""
        while left := self.waits():
            await self.stage.until("answers", lambda: self.waits() < left, REST)

    def waits(self) -> int:
        """How many writes of those who are there have no answer; what an outbox was opened with has none."""
        return sum(
            self.stage.waits(device)
            for device in self.stage.devices.values()
            if device.open and not device.failed and device.opened == 1
        )

    async def found(self) -> list[Anomaly]:
        """What is wrong, as things stand: with what was told up to now, and the history a moment later."""
        stage = self.stage
        present = [
            Present(client=SERVER, channel=channel, users=await self.server.present(channel))
            for channel in sorted(self.followed)
        ]
        records = (*stage.records, *stage.unanswered(), *present)
        logs, talks = [], []
        for channel in sorted(self.used):
            told = await self.server.history(channel)
            head, items = told["position"], told["publications"]
            base = items[0]["offset"] - 1 if items else head["offset"]
            logs.append(
                Log(
                    channel,
                    head["epoch"],
                    base,
                    tuple((each["offset"], each["data"]["text"]) for each in items),
                )
            )
        for room in stage.rooms.values():
            messages = [each for each in await self.server.messages(room) if each.get("kind") != "system"]
            first = {(each.to, each.place): each.text for each in records if isinstance(each, Written)}
            talks.append(talk_of(room, messages, first))
        devices = stage.devices.values()
        self.history = History(
            records,
            tuple(logs),
            tuple(talks),
            {device.name: device.user for device in devices},
            frozenset(device.name for device in devices if device.open and not device.failed),
            self.scenario.gaps == "some",
            {channel: self.there(channel) for channel in self.followed},
        )
        return check(self.history)

    def there(self, channel: str) -> frozenset[str]:
        """Who is in a channel."""
        devices = [each for each in self.stage.devices.values() if each.open and not each.failed]
        return frozenset(each.user for each in devices if channel in each.channels or channel in each.follows)

    def knocks(self) -> list[Knocked]:
        return [
            Knocked(client=device.name, count=device.proxy.accepted - device.accepted_when_failed)
            for device in self.stage.devices.values()
            if device.failed and device.accepted_when_failed is not None
        ]


def talk_of(
    room: str, messages: Sequence[dict[str, Any]], first: Mapping[tuple[str, int | None], str]
) -> Talk:
    """A conversation from what the server has of it; `first` says of a deleted message what it was."""
    items, now = [], {}
    for each in messages:
        deleted = "deleted" in each
        said = first.get((room, each["seq"]), "") if deleted else each["parts"][0]["text"]
        text, version = version_of(said)
        items.append((each["seq"], each["sender"], text))
        reactions = "|".join(
            f"{kind['name']} {kind['count']} {','.join(kind['users'])}" for kind in each.get("reactions", ())
        )
        if deleted or version > 1 or reactions:
            now[each["seq"]] = Now(version, deleted, reactions)
    return Talk(room, tuple(items), now)
