"""A flood of Socket.IO events is slowed down to `limits.command_rate`; nothing of it is refused or lost."""

from __future__ import annotations

import pytest
from tests.hub.world import Client, World, settle

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Acknowledged, Event, Raw

pytestmark = pytest.mark.anyio

RATE, BURST = 10, 5


class Flood:
    """A client whose events are written down; `connect` has taken the first of the burst."""

    def __init__(self, world: World, client: Client) -> None:
        self.world = world
        self.client = client
        self.session = world.hub.sessions[client.session]
        self.seen: list[int] = []
        world.hub.commands[Event] = self.handle

    async def handle(self, session: Session, event: Event) -> Acknowledged | None:
        self.seen.append(int(event.name))
        if event.name == "3":
            raise HubbubError(ErrorCode.BAD_REQUEST)
        return None

    def accept(self, *numbers: int) -> None:
        for number in numbers:
            self.session.accept(Event(-1, str(number), (), Raw(b"[]")))

    @property
    def rejected(self) -> int:
        return self.world.metrics.rejected["command_rate"]

    async def after(self, seconds: float) -> int:
        """How many have been handled when `seconds` more have gone by."""
        self.world.clock.advance(seconds)
        await settle()
        return len(self.seen)


async def flood(**limits: float) -> Flood:
    world = await World(limits={"command_rate": RATE, "command_burst": BURST, **limits}).start()
    return Flood(world, await world.connected("alice"))


async def test_all_are_handled_in_order_at_the_rate_and_each_delay_is_counted() -> None:
    it = await flood()
    it.accept(*range(20))
    handled = [await it.after(0)] + [await it.after(1.001 / RATE) for _ in range(16)]
    assert handled == list(range(BURST - 1, 21))
    assert it.seen == list(range(20))
    assert it.rejected == 16
    assert it.world.metrics.errors[ErrorCode.RATE_LIMITED] == 0
    assert [each["code"] for each in it.client.take("error")] == [ErrorCode.BAD_REQUEST]
    assert it.client.connection.closed is None
    assert not it.session.busy
    assert it.session.waiting == 0


async def test_before_the_time_has_come_nothing_moves() -> None:
    it = await flood()
    it.accept(*range(8))
    assert await it.after(0) == 4
    assert await it.after(0.09) == 4
    assert await it.after(0.02) == 5
    assert (it.rejected, it.session.waiting) == (2, 2)


async def test_those_within_the_burst_do_not_wait() -> None:
    it = await flood()
    it.accept(*range(BURST - 1))
    assert await it.after(0) == BURST - 1
    assert await it.after(2) == BURST - 1
    it.accept(*range(BURST))
    assert await it.after(0) == 2 * BURST - 1
    assert it.rejected == 0


async def test_without_a_rate_none_waits() -> None:
    it = await flood(command_rate=0)
    it.accept(*range(500))
    assert await it.after(0) == 500
    assert it.rejected == 0


async def test_reading_is_paused_while_too_many_wait_and_goes_on_then() -> None:
    it = await flood(pending_commands=8)
    it.accept(*range(12))
    await settle()
    assert it.client.connection.paused  # the 8 that had to wait are fewer by now, but not all are handled
    while len(it.seen) < 11:
        assert it.client.connection.paused
        await it.after(1.001 / RATE)
    await it.after(1)
    assert it.seen == list(range(12))
    assert not it.client.connection.paused


async def test_a_native_command_above_the_rate_is_refused_as_ever() -> None:
    it = await flood()
    it.accept(*range(5))
    await settle()
    assert len(it.seen) == 4
    it.client.send(type="ping")
    assert await it.after(0.11) == 5
    (error,) = [each for each in it.client.take("error") if each["code"] == ErrorCode.RATE_LIMITED]
    assert error["retry_after"] > 0


async def test_a_users_sessions_wait_for_each_others_events() -> None:
    it = await flood(command_rate=0, user_command_rate=RATE, user_command_burst=BURST)
    other = Flood(it.world, await it.world.connected("alice"))
    it.accept(*range(10, 10 + BURST - 1))
    other.accept(*range(20, 24))
    assert await it.after(0) + len(other.seen) == BURST
    for handled in range(BURST + 1, BURST + 4):
        assert await it.after(0.9 / RATE) + len(other.seen) == handled - 1
        assert await it.after(0.11 / RATE) + len(other.seen) == handled
    assert sorted(it.seen + other.seen) == [*range(10, 10 + BURST - 1), *range(20, 24)]
    assert it.world.metrics.rejected["user_command_rate"] > 0
    assert it.rejected == 0
    assert not it.session.waiting
    assert not other.session.waiting
