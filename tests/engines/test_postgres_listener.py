from __future__ import annotations

import asyncio

import pytest
from tests.engines import postgres_wire
from tests.waiting import until

from hubbub.engines import postgres_lane, postgres_listener
from hubbub.engines.postgres_listener import Heard, Listener
from hubbub.errors import HubbubError
from hubbub.telemetry.metrics import Metrics

pytestmark = pytest.mark.anyio


class Wire(postgres_wire.Wire):
    """A connection to a server that keeps what is listened to."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self.heard = heard
        self.names: set[str] = set()
        self.statements: list[str] = []
        self.hold: asyncio.Event | None = None

    async def execute(self, query: str) -> None:
        self.statements.append(query)
        if self.hold is not None:
            await self.hold.wait()
        for statement in query.split(";"):
            verb, name = statement.split(" ")
            (self.names.add if verb == "LISTEN" else self.names.discard)(name.strip('"'))


class World:
    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.refuse = 0
        self.restored = 0
        self.heard: list[tuple[str, str]] = []
        self.listener = Listener(
            self.connect,
            lambda name, payload: self.heard.append((name, payload)),
            self.on_restored,
            lambda: None,
            Metrics(),
            timeout=0.2,
            home=("home",),
        )
        self.listener.start()

    def on_restored(self) -> None:
        assert self.wires[-1].names >= set(self.listener._wanted)
        self.restored += 1

    async def connect(self, heard: Heard) -> Wire:
        await asyncio.sleep(0)
        if self.refuse:
            self.refuse -= 1
            raise ConnectionRefusedError("by the test")
        self.wires.append(Wire(heard))
        return self.wires[-1]

    @property
    def names(self) -> set[str]:
        return self.wires[-1].names


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (postgres_lane, postgres_listener):
        monkeypatch.setattr(module, "BACKOFF", (0.001, 0.002))


async def test_many_names_share_a_statement_and_are_heard_when_it_returns() -> None:
    world = World()
    await until(lambda: world.listener.open)
    await asyncio.gather(*(world.listener.listen(f"n{number}") for number in range(20)))
    assert world.names == {"home", *(f"n{number}" for number in range(20))}
    assert len(world.wires[0].statements) == 2
    await world.listener.listen("n1")
    assert len(world.wires[0].statements) == 2, "it is heard already"
    world.listener.unlisten("n1")
    world.listener.unlisten("unknown")
    await until(lambda: "n1" not in world.names)
    world.wires[0].heard("n2", "x")
    assert world.heard == [("n2", "x")]
    await world.listener.stop()


async def test_whoever_changes_their_mind_is_heard() -> None:
    world = World()
    await until(lambda: world.listener.open)
    wire = world.wires[0]
    wire.hold = asyncio.Event()
    first = asyncio.create_task(world.listener.listen("a"))
    await until(lambda: len(wire.statements) == 2)
    world.listener.unlisten("a")
    second = asyncio.create_task(world.listener.listen("a"))
    await asyncio.sleep(0)
    world.listener.unlisten("b")
    wire.hold.set()
    wire.hold = None
    await first
    await second
    assert wire.names == {"home", "a"}
    wire.hold = asyncio.Event()
    world.listener.unlisten("a")
    await until(lambda: wire.statements[-1] == 'UNLISTEN "a"')
    third = asyncio.create_task(world.listener.listen("a"))
    await asyncio.sleep(0.01)
    assert not third.done()
    wire.hold.set()
    wire.hold = None
    await third
    assert wire.names == {"home", "a"}
    await world.listener.stop()


async def test_after_an_interruption_all_is_listened_to_before_it_is_said() -> None:
    world = World()
    await world.listener.listen("a")
    world.refuse = 3
    world.wires[0].lose()
    await until(lambda: world.listener._cut_off)
    with pytest.raises(HubbubError):
        await world.listener.listen("b")
    assert world.restored == 0
    await until(lambda: world.restored == 1)
    assert world.names == {"home", "a", "b"}
    world.listener.cut()
    await until(lambda: world.restored == 2)
    assert world.names == {"home", "a", "b"}
    await world.listener.stop()


async def test_a_server_that_does_not_answer_is_left() -> None:
    world = World()
    await until(lambda: world.listener.open)
    world.wires[0].hold = asyncio.Event()
    await world.listener.listen("a")
    assert len(world.wires) == 2
    assert world.restored == 1
    await world.listener.stop()
    with pytest.raises(HubbubError):
        await world.listener.listen("b")


async def test_thousands_of_names_come_back_in_few_statements() -> None:
    world = World()
    names = [f"n{number}" for number in range(1201)]
    await asyncio.gather(*map(world.listener.listen, names))
    world.wires[0].lose()
    await until(lambda: world.restored)
    assert len(world.wires[1].statements) == 3
    assert world.names == {"home", *names}
    await world.listener.stop()
