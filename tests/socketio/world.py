"""Socket.IO on a hub with fakes around it: links without a wire, and clients that keep what stock ones keep."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
from tests.hub.world import World as HubWorld
from tests.hub.world import settle as settle

from hubbub.auth.base import ConnectionInfo
from hubbub.config import NamespaceConfig
from hubbub.errors import Disconnect
from hubbub.protocols import engineio
from hubbub.protocols.base import Framing, Payload
from hubbub.protocols.socketio import JsonDecoder, JsonParser, Limits, Packet, PacketType, Parser, revive
from hubbub.socketio import SocketIo
from hubbub.socketio.link import Client

PLAIN = NamespaceConfig(subscribe="authenticated", publish="authenticated")
CHROME = "Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0"
PYTHON = "Python/3.11 aiohttp/3.10"


def frames(payloads: Sequence[Payload]) -> bytes:
    """A Framing as WebSocket's is: a frame for each payload."""
    return b"".join(struct.pack(">?I", each.binary, len(each.data)) + each.data for each in payloads)


def unframed(data: bytes) -> list[Payload]:
    found = []
    while data:
        binary, size = struct.unpack(">?I", data[:5])
        found.append(Payload(data[5 : 5 + size], binary))
        data = data[5 + size :]
    return found


class FakeLink:
    """A `hubbub.socketio.link.Link` that keeps what is written to it. As the real one it tells of its end within
    `close` and `abort`. What is written the old way after an upgrade is in `strays`, and what is written after the
    end in `late`."""

    def __init__(
        self,
        accept: Callable[[FakeLink], Client],
        *,
        transport: str = "websocket",
        user_agent: str = CHROME,
        headers: tuple[tuple[str, str], ...] = (),
        query: str = "EIO=4&transport=websocket",
        address: str = "192.0.2.7",
    ) -> None:
        self.id = "link-1"
        self.info = ConnectionInfo(
            address, transport, "socketio", user_agent=user_agent, headers=headers, query=query
        )
        self.framing: Framing = frames if transport == "websocket" else engineio.poll
        self.write: Callable[[bytes], None] = self._keep
        self.writable = True
        self.paused = False
        self.closed: Disconnect | None = None
        self.aborted = False
        self.counted = 0
        self.strays: list[bytes] = []
        self.late: list[bytes] = []
        self._written: list[bytes] = []
        self._upgraded = False
        self.client: Client | None = accept(self)

    def _keep(self, frame: bytes) -> None:
        (self.strays if self._upgraded else self._written).append(frame)

    def _keep_upgraded(self, frame: bytes) -> None:
        self._written.append(frame)

    def take(self) -> list[Payload]:
        """What has been written since the last call."""
        written, self._written = self._written, []
        if self.framing is frames:
            return [payload for frame in written for payload in unframed(frame)]
        return [engineio.to_payload(packet) for frame in written for packet in engineio.split(frame)]

    def upgrade(self) -> None:
        """From polling to WebSocket."""
        assert self.client is not None
        waiting = self.take()
        self._upgraded = True
        self.framing = frames
        self.write = self._keep_upgraded
        self._written = [frames(waiting)] if waiting else []
        self.info = replace(self.info, transport="websocket")
        self.client.moved()

    def drop(self, why: str = "transport close", *, resumable: bool = True) -> None:
        client, self.client = self.client, None
        self.write = self.late.append
        if client is not None:
            client.gone(why, resumable=resumable)

    def close(self, reason: Disconnect) -> None:
        if self.client is not None:
            self.closed = reason
            self.drop("forced close", resumable=reason.resumable)

    def abort(self, reason: Disconnect) -> None:
        if self.client is not None:
            self.aborted = True
            self.close(reason)

    def count(self, change: int) -> None:
        self.counted += change

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class World(HubWorld):
    """A node with Socket.IO and nothing that carries it."""

    def __init__(self, *, parser: Parser | None = None, **settings: Any) -> None:
        settings.setdefault("default", PLAIN)
        super().__init__(**settings)
        limits = self.config.limits
        self.parser: Parser = parser or JsonParser(
            Limits(
                limits.attachments,
                limits.attachment_bytes,
                limits.namespace_length,
                limits.json_depth,
                limits.json_keys,
            )
        )
        self.sio = SocketIo(self.hub, self.parser)
        self.sockets = self.sio.sockets

    async def start(self) -> World:
        await super().start()
        return self

    def peer(self, token: str | None = "alice", **link: Any) -> Peer:
        """A client with a link, in no namespace."""
        return Peer(self, token, link)

    async def entered(self, token: str | None = "alice", *namespaces: str, **link: Any) -> Peer:
        """A client in the namespace `/`, or in `namespaces`."""
        peer = self.peer(token, **link)
        for namespace in namespaces or ("/",):
            await peer.enter(namespace)
        return peer

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of any client."""
        hub, sockets = self.hub, self.sockets
        held = (hub.sessions, hub.users, hub.detached, hub.channels, sockets.by_id)
        return not any(held) and not sockets._deadlines and not sockets._overdue


class Place:
    """What a stock client keeps of a namespace."""

    def __init__(self) -> None:
        self.sid = ""
        self.pid: str | None = None
        self.offset: str | None = None
        self.recovered = False
        self.events: list[list[Any]] = []
        self.asked: list[tuple[int, list[Any]]] = []
        self.all: list[list[Any]] = []  # events, those that ask among them
        self.acks: dict[int, list[Any]] = {}
        self.refusals: list[dict[str, Any]] = []
        self.disconnects = 0


class Peer:
    """A client. `places` has what came, by namespace, as the JavaScript client keeps it: the last argument of an event
    is its offset, if the server gave it a `pid`."""

    def __init__(self, world: World, token: str | None, link: dict[str, Any]) -> None:
        self.world = world
        self.token = token
        self.options = link
        self.places: dict[str, Place] = {}
        self.ids = 0
        self.link = FakeLink(world.sockets.accept, **link)
        self._decoder = JsonDecoder()

    # --- out ----------------------------------------------------------------------------------------------

    def send(self, text: str | bytes, *attachments: bytes) -> None:
        """One packet, as it goes over the wire."""
        raw = text.encode() if isinstance(text, str) else text
        for data, binary in ((raw, False), *((each, True) for each in attachments)):
            if self.link.client is not None:
                self.link.client.receive(data, binary)

    def emit(self, event: str, *arguments: Any, namespace: str = "/", ack: bool = False) -> int:
        """An event; the id of the acknowledgement it asks for, or -1."""
        id = -1
        if ack:
            id, self.ids = self.ids, self.ids + 1
        data = msgspec.json.encode([event, *arguments]).decode()
        self.send(f"2{_prefix(namespace)}{id if ack else ''}{data}")
        return id

    def ack(self, id: int, *arguments: Any, namespace: str = "/") -> None:
        self.send(f"3{_prefix(namespace)}{id}{msgspec.json.encode(arguments).decode()}")

    def connect(self, namespace: str = "/", **auth: Any) -> None:
        if self.token is not None:
            auth = {"token": self.token, **auth}
        self.send(f"0{_prefix(namespace)}{msgspec.json.encode(auth).decode() if auth else ''}")

    async def enter(self, namespace: str = "/", **auth: Any) -> Place:
        """Connect to a namespace. Raises AssertionError if that is refused."""
        place = self.place(namespace)
        place.sid, place.refusals = "", []
        self.connect(namespace, **auth)
        await settle()
        self.read()
        assert place.sid, place.refusals
        return place

    async def refused(self, namespace: str = "/", **auth: Any) -> dict[str, Any]:
        """Connect to a namespace in vain; the error."""
        self.connect(namespace, **auth)
        await settle()
        self.read()
        (refusal,) = self.place(namespace).refusals
        self.place(namespace).refusals = []
        return refusal

    async def ask(self, event: str, *arguments: Any, namespace: str = "/") -> list[Any]:
        """Emit, and the acknowledgement's arguments."""
        id = self.emit(event, *arguments, namespace=namespace, ack=True)
        await settle()
        self.read()
        return self.place(namespace).acks.pop(id)

    # --- links ----------------------------------------------------------------------------------------------

    def drop(self, why: str = "transport close", *, resumable: bool = True) -> None:
        """The link breaks, and what has not been read of it is lost."""
        self.link.drop(why, resumable=resumable)

    def dial(self, **link: Any) -> None:
        """Open another link; the old one may still stand."""
        self.link = FakeLink(self.world.sockets.accept, **{**self.options, **link})
        self._decoder = JsonDecoder()

    async def back(self, namespace: str = "/", **auth: Any) -> bool:
        """Connect anew as the JavaScript client does, by another link if there is none; whether it recovered."""
        if self.link.client is None:
            self.dial()
        place = self.place(namespace)
        proof = {"pid": place.pid, "offset": place.offset}
        await self.enter(namespace, **{key: value for key, value in proof.items() if value}, **auth)
        return place.recovered

    # --- in ------------------------------------------------------------------------------------------------

    def texts(self) -> list[str | bytes]:
        """All that has come, as it was written: text without Engine.IO's digit."""
        found: list[str | bytes] = []
        for payload in self.link.take():
            assert payload.binary or payload.data.startswith(b"4"), payload
            found.append(payload.data if payload.binary else payload.data[1:].decode())
        return found

    def read(self) -> None:
        """Take in all that has come."""
        for text in self.texts():
            packet = self._decoder.feed(
                text if isinstance(text, bytes) else text.encode(), isinstance(text, bytes)
            )
            assert packet is None or isinstance(packet, Packet)
            if packet is not None:
                self._take(packet)

    def _take(self, packet: Packet) -> None:
        place = self.place(packet.namespace)
        value = revive(packet.value, packet.attachments)
        match packet.type:
            case PacketType.CONNECT:
                place.recovered = "pid" in value and value["pid"] == place.pid
                place.sid, place.pid = value["sid"], value.get("pid")
            case PacketType.EVENT if packet.id is None:
                if place.pid is not None and isinstance(value[-1], str) and len(value) > 1:
                    epoch, _, number = value[-1].rpartition(".")
                    assert epoch == self.world.hub.journal.epoch, f"taken for an offset: {value}"
                    assert number.isdigit()
                    place.offset = value.pop()
                if value != ["hubbub:offset"]:
                    place.events.append(value)
                    place.all.append(value)
            case PacketType.EVENT:
                assert packet.id is not None
                place.asked.append((packet.id, value))
                place.all.append(value)
            case PacketType.ACK:
                assert packet.id is not None
                place.acks[packet.id] = value
            case PacketType.CONNECT_ERROR:
                place.refusals.append(value)
            case PacketType.DISCONNECT:
                place.disconnects += 1
                place.sid = ""
                place.pid = None

    def place(self, namespace: str = "/") -> Place:
        return self.places.setdefault(namespace, Place())

    @property
    def sid(self) -> str:
        return self.place().sid

    def events(self, namespace: str = "/") -> list[list[Any]]:
        """The events that have come since the last call."""
        self.read()
        place = self.place(namespace)
        events, place.events = place.events, []
        return events

    def refusals(self, namespace: str = "/") -> list[dict[str, Any]]:
        """What was said to CONNECTs that were refused."""
        self.read()
        return self.place(namespace).refusals

    def asked(self, namespace: str = "/") -> list[tuple[int, list[Any]]]:
        """The events that want an acknowledgement, with its id."""
        self.read()
        place = self.place(namespace)
        asked, place.asked = place.asked, []
        return asked

    async def answered(self, *arguments: Any, namespace: str = "/") -> list[Any]:
        """Acknowledge the one event that asks for it; that event."""
        await settle()
        ((id, event),) = self.asked(namespace)
        self.ack(id, *arguments, namespace=namespace)
        await settle()
        return event


def _prefix(namespace: str) -> str:
    return "" if namespace == "/" else f"{namespace},"


async def recovering(**settings: Any) -> tuple[World, Peer, Peer]:
    """A world, a client that is in the rooms `a` and `b` and has seen an event, and another one in `b` that stays."""
    world = await World(**settings).start()
    peer, witness = await world.entered("alice"), await world.entered("bob")
    for room in ("a", "b"):
        await world.sio.enter_room(peer.sid, room)
    await world.sio.enter_room(witness.sid, "b")
    await world.sio.emit("first", 0)
    assert peer.events() == [["first", 0]]
    witness.events()
    return world, peer, witness
