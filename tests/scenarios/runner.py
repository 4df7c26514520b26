"""Plays a scenario: does its steps with a server, a network and an SDK, and has the checker judge what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from tests.scenarios import format as form
from tests.scenarios.checker import Anomaly, check
from tests.scenarios.drivers import SDK, Driver, DriverError, DriverGoneError
from tests.scenarios.server import HubbubProcess
from tests.scenarios.stage import Device, Stage, StuckError, Write
from tests.scenarios.told import (
    Entered,
    History,
    Knocked,
    Left,
    Log,
    Marked,
    Position,
    Refusal,
    Talk,
    Watching,
)

from hubbub.testing.proxy import Cut, FaultProxy, Way

REST = 30.0
"""Seconds in which everybody must have everything once the network is well."""
LOOK = 0.1
MINUTE = 60.0
STUCK = "stuck"
LATE = frozenset(("lost", "silent gap", "list: incomplete", "unread", "unanswered", "acknowledged and lost"))
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


class _Run:
    def __init__(
        self, world: World, scenario: form.Scenario, sdk: SDK, seed: int, server: HubbubProcess
    ) -> None:
        self.world = world
        self.scenario = scenario
        self.sdk = sdk
        self.seed = seed
        self.server = server
        run = secrets.token_hex(4)
        self.stage = Stage(scenario, seed, run, lambda user, ttl: server.token(user, ttl or 600.0))
        self.background: set[asyncio.Task[None]] = set()
        self.now: form.AnyStep | None = None
        self.used: set[str] = set()

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
            for _ in range(plan.messages):
                await self.elsewhere_once(self.stage.user(plan.members[0]), None, room, 20)

    def where(self) -> str:
        states = {name: device.state for name, device in self.stage.devices.items()}
        return f"at {self.now} with { ({name: state and state.status for name, state in states.items()}) }"

    # --- steps --------------------------------------------------------------------------------------------

    async def steps(self, steps: tuple[form.AnyStep, ...]) -> None:
        for step in steps:
            self.now = step
            await self.step(step)

    async def step(self, step: form.AnyStep) -> None:
        work = self.work(step)
        if getattr(step, "wait", True):
            await work
        else:
            self.background.add(asyncio.create_task(work))

    def work(self, step: form.AnyStep) -> Coroutine[Any, Any, None]:
        match step:
            case form.Open():
                return self.open(step)
            case form.Close():
                return self.close(step)
            case form.Subscribe():
                return self.subscribe(step)
            case form.Unsubscribe():
                return self.unsubscribe(step)
            case form.Publish():
                return self.publish(step)
            case form.Send():
                return self.send(step)
            case form.Watch():
                return self.watch(step)
            case form.Read():
                return self.read(step)
            case form.Elsewhere():
                return self.elsewhere(step)
            case form.Cut():
                return self.cut(step)
            case form.Reset():
                return self.reset(step)
            case form.Network():
                return self.network(step)
            case form.Kill() | form.Drain():
                return self.end_server(step)
            case form.Revoke():
                return self.revoke(step)
            case form.Gone():
                return self.gone(step)
            case form.Expect():
                return self.expect(step)
            case form.Clock():
                return self.clock(step)
            case form.Pause():
                return asyncio.sleep(step.seconds)
            case form.Together():
                return self.together(step)
            case form.Quiet():
                return self.quiet()

    async def open(self, step: form.Open) -> None:
        device = self.device(step.client)
        self.stage.opened(device)
        asked = {"url": f"http://127.0.0.1:{device.proxy.port}", "transports": device.plan.transports}
        await self.ask(device, "open", chat=device.plan.chat, storage=device.name, **asked)
        if step.wait:
            await self.stage.until(
                f"{device.name} to be connected", lambda: device.state and device.state.status == "connected"
            )

    async def close(self, step: form.Close) -> None:
        device = self.device(step.client)
        await self.ask(device, "close")
        device.open = False

    async def subscribe(self, step: form.Subscribe) -> None:
        device, channel = self.device(step.client), self.channel(step.channel)
        device.channels[channel] = device.channels.get(channel)
        told = await self.ask(device, "subscribe", channel=channel)
        position = Position(told["epoch"], told["offset"])
        device.channels[channel] = device.channels.get(channel) or position
        self.stage.records.append(Entered(client=device.name, channel=channel, position=position))
        self.stage.changed()

    async def unsubscribe(self, step: form.Unsubscribe) -> None:
        device, channel = self.device(step.client), self.channel(step.channel)
        await self.ask(device, "unsubscribe", channel=channel)
        self.stage.records.append(Left(client=device.name, channel=channel))
        del device.channels[channel]

    async def publish(self, step: form.Publish) -> None:
        device, channel = self.device(step.client), self.channel(step.channel)
        free = asyncio.Semaphore(step.window)

        async def one(write: Write) -> None:
            try:
                told = await device.driver.ask(
                    "publish", client=device.name, channel=channel, text=write.text, within=600
                )
            except DriverError as error:
                self.stage.answered(device.name, write.text, None, error=error.refusal)
            else:
                self.stage.answered(device.name, write.text, told["offset"], told["epoch"])
            free.release()

        async with asyncio.TaskGroup() as group:
            for number in range(step.count):
                await free.acquire()
                if number:
                    await self.between(step.every)
                group.create_task(one(self.stage.write(device, channel, step.size)))

    async def send(self, step: form.Send) -> None:
        device, room = self.device(step.client), self.stage.rooms[step.conversation]
        writes = []
        for number in range(step.count):
            if number:
                await self.between(step.every)
            write = self.stage.write(device, room, step.size)
            writes.append(write)
            await self.ask(device, "send", conversation=room, text=write.text)
            self.stage.placed(write)
        if step.wait:
            await asyncio.gather(*(write.done for write in writes))

    async def watch(self, step: form.Watch) -> None:
        device, room = self.device(step.client), self.stage.rooms[step.conversation]
        device.lists.setdefault(room, [])
        self.stage.records.append(Watching(client=device.name, conversation=room))
        await self.ask(device, "watch", conversation=room)

    async def read(self, step: form.Read) -> None:
        device, room = self.device(step.client), self.stage.rooms[step.conversation]
        seq = max((item.seq or 0 for item in device.lists.get(room, ())), default=0)
        await self.ask(device, "read", conversation=room, seq=seq)
        self.stage.records.append(Marked(client=device.name, conversation=room, seq=seq))

    async def elsewhere(self, step: form.Elsewhere) -> None:
        for number in range(step.count):
            if number:
                await self.between(step.every)
            room = self.stage.rooms[step.conversation] if step.conversation is not None else None
            channel = self.channel(step.channel) if step.channel is not None else None
            await self.elsewhere_once(self.stage.user(step.user or ""), channel, room, step.size)

    async def elsewhere_once(self, user: str, channel: str | None, room: str | None, size: int) -> None:
        write = self.stage.write(None, channel or room or "", size)
        key = f"{self.stage.run}-{write.number}"
        if channel is not None:
            position = await self.server.publish(channel, write.text, key)
            self.stage.answered("", write.text, position["offset"], position["epoch"])
        else:
            assert room is not None
            self.stage.answered("", write.text, await self.server.say(user, room, write.text, key))

    async def cut(self, step: form.Cut) -> None:
        way: Way = getattr(self.device(step.client).proxy, step.way)
        way.cut = Cut(step.needle.encode(), step.nth, step.spill)

    async def reset(self, step: form.Reset) -> None:
        self.device(step.client).proxy.reset()

    async def network(self, step: form.Network) -> None:
        proxy = self.device(step.client).proxy
        proxy.refusing = step.refusing
        proxy.refused, proxy.unanswered = frozenset(step.refused), frozenset(step.unanswered)
        for way in (proxy.to_server, proxy.to_client):
            way.bandwidth, way.delay, way.jitter = step.bandwidth, step.delay, step.jitter
            way.black_hole = step.silent
        proxy.to_client.frozen = step.held

    async def end_server(self, step: form.Kill | form.Drain) -> None:
        async with self.server.restarting:
            if isinstance(step, form.Kill):
                await asyncio.to_thread(self.server.kill)
            else:
                await self.server.stop()
            await asyncio.sleep(step.away)
            await asyncio.to_thread(self.server.start)

    async def revoke(self, step: form.Revoke) -> None:
        await self.server.call("POST", "/revoke", {"user": self.stage.user(step.user)})

    async def gone(self, step: form.Gone) -> None:
        path = f"/users/{self.stage.user(step.user)}/connections"
        async with asyncio.timeout(REST):
            while (await self.server.call("GET", path))["connections"]:  # noqa: ASYNC110
                await asyncio.sleep(LOOK)

    async def expect(self, step: form.Expect) -> None:
        device = self.device(step.client)
        await self.until_by_looking(f"{step}", lambda: self.as_expected(device, step))
        if step.most_tokens is not None and device.tokens > step.most_tokens:
            raise StuckError(f"{device.name} has fetched {device.tokens} tokens")
        if step.right_time:
            told = await self.ask(device, "time")
            if told["time"] is not None and abs(told["time"] - time.time()) > MINUTE:
                raise StuckError(f"{device.name} takes {told['time']} for the server's time")

    def as_expected(self, device: Device, step: form.Expect) -> bool:
        state = device.state
        if state is None:
            return False
        error = state.error.name if state.error is not None else ""
        checks: list[tuple[object, Callable[[], bool]]] = [
            (step.status, lambda: state.status == step.status),
            (step.transport, lambda: state.status == "connected" and state.transport == step.transport),
            (step.resumed, lambda: state.status == "connected" and device.resumed is step.resumed),
            (step.reason or None, lambda: error in step.reason),
            (step.tokens, lambda: device.tokens >= (step.tokens or 0)),
            (step.gaps, lambda: device.gaps >= (step.gaps or 0)),
            (step.attempts, lambda: device.proxy.accepted >= (step.attempts or 0)),
            (step.queued, lambda: self.stage.waits(device) <= (step.queued or 0)),
            (step.written, lambda: device.number >= (step.written or 0)),
        ]
        return all(holds() for wanted, holds in checks if wanted is not None)

    async def clock(self, step: form.Clock) -> None:
        device = self.device(step.client)
        await device.driver.ask("set_clock", off=step.off)

    async def together(self, step: form.Together) -> None:
        steps = list(step.steps)
        self.stage.chance.shuffle(steps)

        async def one(each: form.AnyStep, delay: float) -> None:
            await asyncio.sleep(delay)
            await self.step(each)

        async with asyncio.TaskGroup() as group:
            for each in steps:
                group.create_task(one(each, self.stage.chance.uniform(0, step.spread)))

    # --- coming to rest -----------------------------------------------------------------------------------

    async def quiet(self) -> None:
        """All is well again, everything that was begun is done, and everybody has everything."""
        for anomaly in await self.settle():
            raise StuckError(f"not at rest: {anomaly}")

    async def rest(self) -> list[Anomaly]:
        anomalies = await self.settle()
        self.knocks()
        return [*anomalies, *(each for each in await self.found() if each not in anomalies)]

    async def settle(self) -> list[Anomaly]:
        for name in self.stage.devices:
            await self.network(form.Network(name))
        if self.background:
            done, late = await asyncio.wait(self.background, timeout=REST)
            self.background -= done
            for task in done:
                await task
            if late:
                raise StuckError("waited for what was begun")
        end = time.monotonic() + REST
        while True:
            for device in self.stage.devices.values():
                if device.open and not device.failed:
                    for room in device.lists:
                        await self.ask(device, "rewind", conversation=room)
            anomalies = await self.found()
            over = time.monotonic() > end
            if not anomalies or over or any(each.kind not in LATE for each in anomalies):
                return anomalies
            await asyncio.sleep(LOOK)

    async def found(self) -> list[Anomaly]:
        """What is wrong, as things stand: with what was told up to now, and the history a moment later."""
        stage = self.stage
        records = (*stage.records, *stage.unanswered())
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
            said = tuple((each["seq"], each["sender"], each["parts"][0]["text"]) for each in messages)
            talks.append(Talk(room, said))
        devices = stage.devices.values()
        return check(
            History(
                records,
                tuple(logs),
                tuple(talks),
                {device.name: device.user for device in devices},
                frozenset(device.name for device in devices if device.open and not device.failed),
                self.scenario.gaps == "some",
            )
        )

    def knocks(self) -> None:
        for device in self.stage.devices.values():
            if device.failed and device.accepted_when_failed is not None:
                count = device.proxy.accepted - device.accepted_when_failed
                self.stage.records.append(Knocked(client=device.name, count=count))

    # --- parts --------------------------------------------------------------------------------------------

    def device(self, name: str) -> Device:
        return self.stage.devices[name]

    def channel(self, name: str) -> str:
        channel = self.stage.channel(name)
        self.used.add(channel)
        return channel

    async def ask(self, device: Device, do: str, **fields: Any) -> dict[str, Any]:
        return await device.driver.ask(do, client=device.name, **fields)

    async def between(self, every: float) -> None:
        if every:
            await asyncio.sleep(every * self.stage.chance.uniform(0.3, 1.7))

    async def until_by_looking(self, what: str, condition: Callable[[], object]) -> None:
        """As `until`, for what nobody tells of."""
        try:
            async with asyncio.timeout(REST):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise StuckError(f"waited for {what}") from None


__all__ = ["Outcome", "Refusal", "World", "perform", "play"]
