"""One run of a scenario as it stands: its clients, what they have told so far, and what they are yet to be told of."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.scenarios.drivers import Driver
from tests.scenarios.format import Client, Scenario
from tests.scenarios.told import (
    Ask,
    Event,
    Gap,
    Item,
    Position,
    Present,
    Record,
    Refusal,
    Reopened,
    Seen,
    Sent,
    Shown,
    State,
    Written,
)

from hubbub.testing.proxy import FaultProxy

PATIENCE = 60.0
LANDED = 0.3
"""Seconds in which a connection arrives that was begun before."""
LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789 äöüß λж中文字🙂🚀\"\\'<>&\n\t/"


class StuckError(Exception):
    """What was waited for did not come about."""


@dataclass(slots=True)
class Device:
    """A client of a scenario. `name` is what the driver calls it, `user` whose the server says it is."""

    name: str
    user: str
    plan: Client
    driver: Driver
    proxy: FaultProxy
    state: State | None = None
    resumed: bool | None = None
    open: bool = False
    opened: int = 0
    tokens: int = 0
    gaps: int = 0
    number: int = 0
    accepted_when_failed: int | None = None
    channels: dict[str, Position | None] = field(default_factory=dict)
    lists: dict[str, list[Item]] = field(default_factory=dict)
    follows: dict[str, tuple[str, ...] | None] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.state is not None and self.state.status == "failed"


@dataclass(slots=True)
class Write:
    """Something written by a device (None: by others), until it is known what became of it."""

    device: Device | None
    to: str
    text: str
    number: int
    after: int
    done: asyncio.Future[None]


class Stage:
    """`records` are what the checker gets. `token` makes a token for a user, good for so many seconds."""

    def __init__(
        self, scenario: Scenario, seed: int, run: str, token: Callable[[str, float | None], str]
    ) -> None:
        self.scenario = scenario
        self.run = run
        self.chance = random.Random(f"{scenario.name} {seed} {scenario.about}")
        self.records: list[Record] = []
        self.devices: dict[str, Device] = {}
        self.rooms: dict[str, str] = {}
        self.writes: dict[tuple[str, str], Write] = {}
        self.seen: Counter[str] = Counter()
        self._token = token
        self._changed = asyncio.Event()
        self._others = 0
        self._unplaced: dict[tuple[str, str], set[int]] = defaultdict(set)

    # --- names --------------------------------------------------------------------------------------------

    def user(self, name: str) -> str:
        return f"{name}-{self.run}"

    def channel(self, name: str) -> str:
        return f"{name}-{self.run}"

    def text(self, who: str, number: int, size: int) -> str:
        filling = "".join(self.chance.choice(LETTERS) for _ in range(self.chance.randint(0, 2 * size)))
        return f"{who} {number} {filling}."

    # --- what comes ---------------------------------------------------------------------------------------

    def add(self, device: Device) -> None:
        self.devices[device.name.rpartition("-")[0]] = device
        device.driver.listeners[device.name] = lambda event: self.hear(device, event)

    def hear(self, device: Device, event: Event) -> None:
        """Note what a client tells."""
        self.seen[str(event.__struct_config__.tag)] += 1
        if isinstance(event, Ask):
            device.tokens += 1
            token = self._token(device.user, device.plan.token_ttl)
            device.driver.tell("token", client=device.name, ask=event.ask, token=token)
        else:
            self.records.append(event)
        if isinstance(event, State):
            device.state = event
            if event.status == "connected":
                device.resumed = event.resumed
            if event.status == "failed":
                asyncio.get_running_loop().call_later(LANDED, self._failed, device)
        elif isinstance(event, Seen):
            device.channels[event.channel] = Position(event.epoch, event.offset)
        elif isinstance(event, Gap):
            device.gaps += 1
            device.channels[event.channel] = event.position
        elif isinstance(event, Shown):
            items = device.lists.setdefault(event.conversation, [])
            items[event.at : event.at + event.drop] = event.items
        elif isinstance(event, Present):
            device.follows[event.channel] = event.users
        elif isinstance(event, Sent):
            self.answered(device.name, event.text, event.seq, error=event.error)
        self.changed()

    def _failed(self, device: Device) -> None:
        if device.accepted_when_failed is None:
            device.accepted_when_failed = device.proxy.accepted

    def changed(self) -> None:
        """Let those look who wait for something."""
        told, self._changed = self._changed, asyncio.Event()
        told.set()

    async def until(self, what: str, condition: Callable[[], object], within: float = PATIENCE) -> None:
        """Return when `condition()` is true. Raises StuckError."""
        try:
            async with asyncio.timeout(within):
                while not condition():
                    await self._changed.wait()
        except TimeoutError:
            raise StuckError(f"waited for {what}") from None

    # --- what is written ----------------------------------------------------------------------------------

    def write(self, device: Device | None, to: str, size: int) -> Write:
        """Something new to be written by `device`. It comes behind all that was `placed` before."""
        if device is None:
            self._others = number = self._others + 1
            name = ""
        else:
            device.number = number = device.number + 1
            name = device.name
        text = self.text(name or f"others-{self.run}", number, size)
        ahead = self._unplaced[name, to]
        after = min(ahead, default=number) - 1
        ahead.add(number)
        done = asyncio.get_running_loop().create_future()
        made = Write(device, to, text, number, after, done)
        self.writes[name, text] = made
        return made

    def placed(self, write: Write) -> None:
        """What this client writes there from now on has its place behind `write`."""
        name = write.device.name if write.device is not None else ""
        self._unplaced[name, write.to].discard(write.number)

    def answered(
        self, client: str, text: str, place: int | None, epoch: str = "", error: Refusal | None = None
    ) -> None:
        """A write has an outcome. What is told twice is not noted here: the checker sees it."""
        write = self.writes.pop((client, text), None)
        if write is None:
            return
        outcome = (
            "accepted" if error is None else "unknown" if error.temporary or not error.code else "refused"
        )
        self.records.append(
            Written(
                client=client,
                to=write.to,
                text=text,
                number=write.number,
                after=write.after,
                outcome=outcome,  # type: ignore[arg-type]
                epoch=epoch,
                place=place,
            )
        )
        self.placed(write)
        write.done.set_result(None)
        self.changed()

    def unanswered(self) -> list[Written]:
        """What still has no outcome."""
        return [
            Written(
                client=client,
                to=write.to,
                text=text,
                number=write.number,
                after=write.after,
                outcome="unanswered",
            )
            for (client, text), write in self.writes.items()
        ]

    def waits(self, device: Device) -> int:
        """How many writes of a device have no outcome."""
        return sum(1 for write in self.writes.values() if write.device is device)

    def opened(self, device: Device) -> None:
        """A device's application begins, perhaps anew."""
        device.opened += 1
        device.open = True
        device.state, device.accepted_when_failed = None, None
        device.channels.clear()
        device.lists.clear()
        device.follows.clear()
        if device.opened > 1:
            self.records.append(Reopened(client=device.name))
