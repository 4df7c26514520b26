"""Cases: seeded sequences of what clients do, in any order: events among namespaces, and upgrades amid polling.

A seed that shows a difference stays here; more are tried with `SEEDS` set higher.
"""

from __future__ import annotations

import random
from functools import partial

from tests.reference.table import add
from tests.reference.wire import Poll, Session, Socket, Wire

SEEDS = 12
LENGTH = 16

PACKETS: tuple[tuple[float, tuple[str | bytes, ...]], ...] = (
    (2, ("40/custom,",)),
    (1, ('40/custom,{"a":1}',)),
    (1, ("40/nope,",)),
    (2, ("40/dynamic-3,",)),
    (1, ("41/custom,",)),
    (1, ("41/dynamic-3,",)),
    (3, ('42/custom,["message",1]',)),
    (3, ('42/custom,3["message-with-ack",2]',)),
    (3, ('42/dynamic-3,["message",{"x":1}]',)),
    (3, ('42["message",5]',)),
    (3, ('4299["message-with-ack","a",null]',)),
    (3, ('42["burst",3,5]',)),
    (3, ('451-["message",{"_placeholder":true,"num":0}]', b"ab")),
    (
        3,
        (
            '452-8["message-with-ack",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]',
            b"a",
            b"bb",
        ),
    ),
    (3, ('42["nothing"]',)),
    (1, ("3",)),
    (1, ("6",)),
    (0.2, ("40",)),
    (0.2, ('42["kick"]',)),
)


async def packets(wire: Wire, seed: int) -> None:
    """Packets by WebSocket, each dealt with before the next."""
    weights, choices = zip(*PACKETS, strict=True)
    channel = await wire.websocket()
    for sent in random.Random(seed).choices(choices, weights, k=LENGTH):
        wire.see(f"sent: {sent}")
        await channel.send(*sent)
        await channel.mark()
        if wire.seen[-1].startswith("socket: ended"):
            return


class Client:
    """A client that polls and may upgrade. Each method is a step that it takes if it can."""

    def __init__(self, wire: Wire, session: Session) -> None:
        self.wire = wire
        self.session = session
        self.poll: Poll | None = None
        self.probing: Socket | None = None
        self.upgraded: Socket | None = None
        self.sent = 0
        self.left = False

    async def get(self) -> None:
        if self.poll is None and self.upgraded is None:
            self.poll = await self.session.begin()
        if self.probing is not None:
            await self._answered()

    async def message(self) -> None:
        self.sent += 1
        event = f'42["message",{self.sent}]'
        if self.upgraded is None:
            await self.session.post(event.encode())
        else:
            await self.upgraded.send(event)
            await self.upgraded.read()

    async def answer(self) -> None:
        if self.poll is not None:
            await self.message()
            await self._answered()

    async def _answered(self) -> None:
        poll, self.poll = self.poll, None
        if poll is not None:
            await poll.answer()

    async def probe(self) -> None:
        if self.probing is None and self.upgraded is None and not self.left:
            self.probing = await self.wire.ask_upgrade(self.session.upgrade_query)
            await self.probing.send("2probe")
            await self.probing.read()
            await self._answered()  # with nothing, as polls are while a client probes

    async def upgrade(self) -> None:
        if self.probing is not None:
            await self.probing.send("5")
            await self.probing.mark()
            self.probing, self.upgraded = None, self.probing

    async def probe_wrongly(self) -> None:
        if self.probing is not None:
            await self.probing.send("4junk")
            await self.probing.read()
            self.probing = None

    async def hang_up_the_probe(self) -> None:
        if self.probing is not None:
            self.probing.hang_up()
            await self.wire.settle()
            self.probing = None

    async def open_another(self) -> None:
        if self.probing is not None or self.upgraded is not None:
            await (await self.wire.ask_upgrade(self.session.upgrade_query)).read()

    async def poll_twice(self) -> None:
        if self.poll is not None:
            await self.session.get()
            await self._answered()

    async def abandon(self) -> None:
        if self.poll is not None:
            await self.poll.abandon()
            self.poll = None

    async def put(self) -> None:
        await (await self.session.begin("PUT")).answer()

    async def post_junk(self) -> None:
        await self.session.post(b"x")

    async def leave(self) -> None:
        if self.upgraded is None:
            await self.session.post(b"1")

    async def be_kicked(self) -> None:
        if self.upgraded is None and self.poll is None:
            await self.session.post(b'42["kick"]')
            self.left = True


STEPS = (
    (8, Client.get),
    (10, Client.message),
    (10, Client.answer),
    (4, Client.probe),
    (4, Client.upgrade),
    (0.5, Client.probe_wrongly),
    (0.5, Client.hang_up_the_probe),
    (1, Client.open_another),
    (0.4, Client.poll_twice),
    (0.4, Client.abandon),
    (1, Client.put),
    (0.3, Client.post_junk),
    (0.4, Client.leave),
    (0.4, Client.be_kicked),
)


async def steps(wire: Wire, seed: int) -> None:
    """Steps of a client that polls and upgrades, or tries to."""
    weights, choices = zip(*STEPS, strict=True)
    client = Client(wire, await wire.poll())
    for step in random.Random(seed).choices(choices, weights, k=LENGTH):
        wire.see(f"step: {step.__name__}")
        await step(client)
    await client.answer()


for seed in range(SEEDS):
    add(f"packets in any order, {seed}", partial(packets, seed=seed))
    add(f"steps in any order, {seed}", partial(steps, seed=seed))
