"""Everything at once, by seeded random drivers: each client sees all that is meant for it, once and in order."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from tests.hub.slow import Delays, SlowBroker
from tests.hub.world import memory_broker
from tests.socketio.world import FakeLink, Peer, World, settle

from hubbub.socketio.socket import Socket
from hubbub.testing import FakeClock

pytestmark = pytest.mark.anyio
ROOMS = ("a", "b", "c")


class Device:
    """A stock client whose links break, often with unread events on them."""

    def __init__(self, world: World, peer: Peer, chance: random.Random) -> None:
        self.world = world
        self.peer = peer
        self.chance = chance
        self.sid = peer.sid
        self.rooms: set[str] = set()
        self.due: list[int] = []
        self.seen: list[int] = []
        self.mark: int | None = None

    @property
    def up(self) -> bool:
        return self.peer.link.client is not None

    def read(self) -> None:
        asked = self.peer.asked()
        place = self.peer.place()
        self.seen += [number for _, number in place.all]
        place.all.clear()
        place.events.clear()
        for id, _ in asked:
            self.peer.ack(id, "fine")

    def step(self) -> None:
        """Anything that happens to a link."""
        client = self.peer.link.client
        action = self.chance.random()
        if client is None:
            return
        if action < 0.4:
            self.read()
        elif action < 0.55:
            self.mark = client.mark()
            self.read()  # whatever was written before a ping is read before it is answered
        elif action < 0.65 and self.mark is not None:
            self.read()
            client.heard(self.mark)
        elif action < 0.75 and self.peer.link.info.transport == "polling":
            self.peer.link.upgrade()
        elif action < 0.85:
            self.mark = None
            self.peer.drop(self.chance.choice(["transport close", "ping timeout"]))

    async def come_back(self) -> None:
        """By another link, now and then before the server knows that the old one is dead."""
        self.mark = None
        if not self.up or self.chance.random() < 0.3:
            self.peer.dial(transport=self.chance.choice(["polling", "websocket"]))
            recovered = await self.peer.back()
            assert recovered, self.peer.place().refusals
            assert self.peer.sid == self.sid


@pytest.mark.parametrize("seed", range(25))
async def test_clients_that_come_and_go_miss_nothing(seed: int) -> None:
    chance = random.Random(seed)
    world = await World(limits={"subscribe_rate": 0}).start()
    sio = world.sio
    devices = [
        Device(
            world,
            await world.entered(f"user{number}", transport=chance.choice(["polling", "websocket"])),
            chance,
        )
        for number in range(5)
    ]
    stranger = await world.entered("stranger", user_agent="okhttp/4")
    asked: list[asyncio.Task[Any]] = []
    for number in range(500):
        device = chance.choice(devices)
        action = chance.random()
        if action < 0.4:
            to = chance.choice([None, *ROOMS, list(ROOMS[:2]), ["b", "c", device.sid], [device.sid]])
            skip = chance.choice([None, None, device.sid, [device.sid, devices[0].sid]])
            unless = chance.choice([None, None, "c"])
            targets = {to} if isinstance(to, str) else set(to or ())
            skipped = {skip} if isinstance(skip, str) else set(skip or ())
            for each in devices:
                meant = to is None or targets & {*each.rooms, each.sid}
                if meant and each.sid not in skipped and unless not in each.rooms:
                    each.due.append(number)
            await sio.emit("x", number, to=to, skip_sid=skip, unless=unless)
        elif action < 0.5:
            room = chance.choice(ROOMS)
            if chance.random() < 0.6:
                device.rooms.add(room)
                await sio.enter_room(device.sid, room)
            else:
                device.rooms.discard(room)
                await sio.leave_room(device.sid, room)
        elif action < 0.55:
            device.due.append(number)
            asked.append(asyncio.create_task(sio.call("q", number, to=device.sid, timeout=60)))
            await settle()
        elif action < 0.58:
            await sio.emit("volatile", -1, to=chance.choice([None, "a"]), volatile=True)
        elif action < 0.9:
            device.step()
        else:
            await device.come_back()
    for device in devices:
        await device.come_back()
        device.read()
        device.seen = [each for each in device.seen if each >= 0]
        assert device.seen == device.due
        assert sio.rooms(device.sid) == {device.sid, *device.rooms}
        assert device.peer.link.strays == []
    assert [await answer for answer in asked] == ["fine"] * len(asked)
    stranger.send("1")
    for device in devices:
        device.peer.send("1")
    await settle()
    assert world.is_empty


@pytest.mark.parametrize("seed", range(15))
async def test_whatever_breaks_off_in_whichever_gap_nothing_is_left(seed: int) -> None:
    """A broker and handlers that take their time, links that break meanwhile, and a server that ends sockets."""
    chance = random.Random(seed)
    clock = FakeClock()
    broker: Any = SlowBroker(memory_broker(clock), Delays(seed))
    world = World(clock=clock, broker=broker, socketio={"rooms": {"/": "{room}"}})
    inside: list[str] = []
    links: list[FakeLink] = []

    @world.sio.event
    async def connect(socket: Socket) -> bool:
        await socket.join(chance.choice(ROOMS))
        await asyncio.sleep(0)
        if chance.random() < 0.2:
            return False
        inside.append(socket.sid)
        return True

    @world.sio.event
    async def disconnect(socket: Socket, reason: str) -> None:
        inside.remove(socket.sid)

    @world.sio.event
    async def work(socket: Socket, room: str) -> str:
        await socket.join(room)
        await socket.broadcast("x", 1, to=room)
        if chance.random() < 0.3:
            await socket.leave(room)
        if chance.random() < 0.1:
            await socket.disconnect()
        return "done"

    await world.start()
    peers = [
        world.peer(f"user{number % 3}", user_agent=chance.choice(["Mozilla/5.0", "okhttp/4"]))
        for number in range(6)
    ]
    for _ in range(250):
        peer = chance.choice(peers)
        action = chance.random()
        up = peer.link.client is not None
        if not up or action < 0.15:
            links.append(peer.link)
            peer.dial()
            place = peer.place()
            proof = {"pid": place.pid, "offset": place.offset} if chance.random() < 0.7 else {}
            peer.connect(**{key: value for key, value in proof.items() if value})
        elif action < 0.5:
            peer.read()
            if peer.sid:
                peer.emit("work", chance.choice(ROOMS), ack=True)
        elif action < 0.6:
            peer.drop(resumable=chance.random() < 0.7)
        elif action < 0.65:
            peer.read()
            if peer.sid:
                peer.send("1")
        elif action < 0.7 and world.sockets.by_id:
            await world.sio.disconnect(chance.choice(list(world.sockets.by_id)))
        elif action < 0.75:
            await world.sio.close_room(chance.choice(ROOMS))
        elif action < 0.8:
            clock.advance(chance.choice([0.5, 5, 130]))
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
    for link in (*links, *(peer.link for peer in peers)):
        link.drop(resumable=False)
    for _ in range(20):
        await settle()
    clock.advance(1_000)
    for _ in range(20):
        await settle()
    assert inside == []
    assert world.is_empty
    assert world.metrics.handler_errors == 0
