"""What a scenario does to messages: edits, deletions, reactions, and what became of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from tests.scenarios import format as form
from tests.scenarios.drivers import DriverError
from tests.scenarios.stage import Device, Stage
from tests.scenarios.told import Changed, Written, edited

NAMES = ["👍", "🎉", "❤️", "😂", "😮", "🙏", "👀", "🚀", "🔥", "✅", "💡", "🐟"]
"""Reactions; each device has a few of its own, so that a list's reactions say whose they are."""
SOME = 3
LONGEST = 300.0
LOOK = 0.05
Outcome = Literal["accepted", "refused", "unknown"]


class Messages:
    """Changes one thing of a message at a time, and each reaction comes once and goes once, so that whoever sees it
    again has gone back. `ask` asks a device's driver."""

    def __init__(self, stage: Stage, ask: Callable[..., Awaitable[dict[str, Any]]]) -> None:
        self.stage = stage
        self.ask = ask
        self.versions: dict[tuple[str, int], int] = defaultdict(lambda: 1)
        self.deleted: set[tuple[str, int]] = set()
        self.busy: set[tuple[str, int, str]] = set()
        self.given: dict[tuple[str, int, str], bool] = {}

    async def change(self, device: Device, room: str, step: form.Edit | form.Delete | form.React) -> None:
        """One of them, as soon as there is a message for it."""
        if isinstance(step, form.React):
            await self.react(device, room)
            return
        write = await self.found(lambda: self.own(device, room))
        assert write.place is not None
        at = room, write.place
        lane = (*at, "")
        self.busy.add(lane)
        if isinstance(step, form.Delete):
            self.deleted.add(at)
            asked = {"do": "delete", "message": write.place}
            change: dict[str, Any] = {"deleted": True}
        else:
            version = self.versions[at] = self.versions[at] + 1
            asked = {"do": "edit", "message": write.place, "text": edited(write.text, version)}
            change = {"version": version}
        await self.done(device, room, write.place, asked, change)
        self.busy.discard(lane)

    async def react(self, device: Device, room: str) -> None:
        mine = list(self.stage.devices.values()).index(device) * SOME
        names = [NAMES[(mine + place) % len(NAMES)] for place in range(SOME)]

        def free() -> list[tuple[int, str]]:
            return [
                (write.place or 0, name)
                for write in self.there(room)
                for name in names
                if (room, write.place or 0, name) not in self.busy
                and self.given.get((room, write.place or 0, name)) is not False
            ]

        seq, name = await self.found(free)
        lane = room, seq, name
        given = lane not in self.given
        self.given[lane] = given
        self.busy.add(lane)
        asked = {"do": "react" if given else "unreact", "message": seq, "name": name}
        await self.done(device, room, seq, asked, {"reaction": name, "given": given})
        self.busy.discard(lane)

    async def done(
        self, device: Device, room: str, seq: int, asked: dict[str, Any], change: dict[str, Any]
    ) -> None:
        outcome: Outcome = "accepted"
        try:
            await self.ask(device, conversation=room, within=LONGEST, **asked)
        except DriverError as error:
            lost = error.refusal.temporary or not error.refusal.code
            outcome = "unknown" if lost else "refused"
        self.stage.records.append(
            Changed(
                client=device.name, user=device.user, conversation=room, seq=seq, outcome=outcome, **change
            )
        )
        self.stage.changed()

    # --- which ----------------------------------------------------------------------------------------------

    async def found(self, of: Callable[[], list[Any]]) -> Any:
        """One of those that there are, once there are some."""
        while not (some := of()):  # noqa: ASYNC110
            await asyncio.sleep(LOOK)
        return self.stage.chance.choice(some)

    def there(self, room: str) -> list[Written]:
        """Messages that are known to be there, and that nobody has deleted."""
        return [
            record
            for record in self.stage.records
            if isinstance(record, Written)
            and record.to == room
            and record.place is not None
            and (room, record.place) not in self.deleted
        ]

    def own(self, device: Device, room: str) -> list[Written]:
        """Those that a device has sent, and to which nothing is being done."""
        return [
            write
            for write in self.there(room)
            if write.client == device.name and (room, write.place or 0, "") not in self.busy
        ]
