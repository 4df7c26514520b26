"""The steps of a scenario, one by one: what each of them does to clients, network and server."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any

from tests.scenarios import format as form
from tests.scenarios.drivers import DriverError
from tests.scenarios.messages import Messages
from tests.scenarios.server import HubbubProcess
from tests.scenarios.stage import Device, Stage, StuckError, Write
from tests.scenarios.told import Entered, Following, Left, Marked, Position, Watching

from hubbub.testing.proxy import Cut, Way

PATIENCE = 90.0
"""Seconds for what a step waits for: machines with much to do are slow."""
LONGEST = 300.0
"""Seconds that all steps of a scenario may take."""
LOOK = 0.1
MINUTE = 60.0


class Steps(ABC):
    """Does steps with what is on `stage`, at `server`. `now` is the one that is being done, `background` are those that
    nobody waits for, `used` all channels."""

    def __init__(self, stage: Stage, server: HubbubProcess) -> None:
        self.stage = stage
        self.server = server
        self.background: set[asyncio.Task[None]] = set()
        self.now: form.AnyStep | None = None
        self.used: set[str] = set()
        self.followed: set[str] = set()
        self.work_on = Messages(stage, self.ask)

    @abstractmethod
    async def quiet(self) -> None:
        """All is well again, everything that was begun is done, and everybody has everything."""

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
            case form.Rewind():
                return self.rewind(step)
            case form.Edit() | form.Delete() | form.React():
                return self.change(step)
            case form.Follow():
                return self.follow(step)
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
                    "publish", client=device.name, channel=channel, text=write.text, within=LONGEST
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

    async def rewind(self, step: form.Rewind) -> None:
        await self.ask(self.device(step.client), "rewind", conversation=self.stage.rooms[step.conversation])

    async def change(self, step: form.Edit | form.Delete | form.React) -> None:
        device, room = self.device(step.client), self.stage.rooms[step.conversation]
        for number in range(step.count):
            if number:
                await self.between(step.every)
            await self.work_on.change(device, room, step)

    async def follow(self, step: form.Follow) -> None:
        device, channel = self.device(step.client), self.stage.channel(step.channel)
        self.followed.add(channel)
        device.follows.setdefault(channel, None)
        self.stage.records.append(Following(client=device.name, channel=channel))
        await self.ask(device, "show", channel=channel)
        await self.stage.until(
            f"{device.name} to see who is there", lambda: device.user in (device.follows[channel] or ())
        )

    async def elsewhere(self, step: form.Elsewhere) -> None:
        user = self.stage.user(step.user or "")
        if step.conversation is not None and not step.every:
            await self.elsewhere_at_once(user, self.stage.rooms[step.conversation], step.count, step.size)
            return
        for number in range(step.count):
            if number:
                await self.between(step.every)
            room = self.stage.rooms[step.conversation] if step.conversation is not None else None
            channel = self.channel(step.channel) if step.channel is not None else None
            await self.elsewhere_once(user, channel, room, step.size)

    async def elsewhere_at_once(self, user: str, room: str, count: int, size: int) -> None:
        writes = [self.stage.write(None, room, size) for _ in range(count)]
        texts = [(f"{self.stage.run}-{write.number}", write.text) for write in writes]
        async for text, seq in self.server.say_all(user, room, texts):
            self.stage.answered("", text, seq)

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
            await asyncio.to_thread(self.server.kill if isinstance(step, form.Kill) else self.server.stop)
            await asyncio.sleep(step.away)
            await asyncio.to_thread(self.server.start)

    async def revoke(self, step: form.Revoke) -> None:
        await self.server.call("POST", "/revoke", {"user": self.stage.user(step.user)})

    async def gone(self, step: form.Gone) -> None:
        path = f"/users/{self.stage.user(step.user)}/connections"
        async with asyncio.timeout(PATIENCE):
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
            async with asyncio.timeout(PATIENCE):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise StuckError(f"waited for {what}") from None
