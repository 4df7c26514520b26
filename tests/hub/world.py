"""A hub with fakes around it, and clients that speak JSON to it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from hubbub.auth.base import ConnectionInfo
from hubbub.broker.base import Broker
from hubbub.broker.memory import MemoryBroker
from hubbub.config import Config, NamespaceConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.handlers import Handlers
from hubbub.hub.hub import Hub
from hubbub.model import Operation, Principal
from hubbub.presence.base import PresenceStore
from hubbub.presence.memory import MemoryPresence
from hubbub.protocols.native import JsonCodec, MessagePackCodec
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.clock import FakeClock
from hubbub.testing.connection import MemoryConnection

T = TypeVar("T")

CODEC = JsonCodec()
OPEN = NamespaceConfig(
    retention=50, subscribe="authenticated", publish="authenticated", presence="full", join_leave=True
)


class OpenPolicy:
    """Every token is a user's name. `refuse` names (operation, channel) pairs; `expires` is what tokens say."""

    def __init__(self) -> None:
        self.refuse: set[tuple[str, str]] = set()
        self.expires: float | None = None
        self.principal: dict[str, Principal] = {}
        self.gate: asyncio.Event | None = None

    async def authenticate(self, token: str | None, info: ConnectionInfo) -> Principal:
        if self.gate is not None:
            await self.gate.wait()
        if token is None:
            raise HubbubError(ErrorCode.UNAUTHENTICATED)
        if token == "bad":
            raise HubbubError(ErrorCode.INVALID_TOKEN)
        return self.principal.get(token, Principal(token, expires=self.expires))

    async def authorize(
        self, principal: Principal, operation: Operation, channel: str, token: str | None = None
    ) -> None:
        if (operation, channel) in self.refuse:
            raise HubbubError(ErrorCode.PERMISSION_DENIED)


class World:
    """Everything of one node but the sockets."""

    def __init__(
        self,
        *,
        broker: Broker | None = None,
        presence: PresenceStore | None = None,
        clock: FakeClock | None = None,
        **settings: Any,
    ) -> None:
        settings.setdefault("default", OPEN)
        self.config = Config(**settings)
        self.clock = clock or FakeClock()
        self.broker: Broker = broker or memory_broker(self.clock)
        self.presence: PresenceStore = presence or MemoryPresence(self.clock)
        self.policy = OpenPolicy()
        self.handlers = Handlers()
        self.metrics = Metrics()
        self.hub = Hub(
            self.config, self.clock, self.broker, self.presence, self.policy, self.handlers, self.metrics
        )

    async def start(self) -> World:
        await self.hub.start()
        return self

    def client(self, *, codec: Any = CODEC) -> Client:
        return Client(self, MemoryConnection(codec))

    async def connected(self, user: str, *channels: str, codec: Any = CODEC) -> Client:
        """A client that is in `channels`, with nothing unread."""
        client = self.client(codec=codec)
        reply = await client.ask(type="connect", token=user)
        assert reply["type"] == "connected", reply
        client.session, client.secret = reply["session"], reply["secret"]
        for channel in channels:
            assert (await client.ask(type="subscribe", channel=channel))["type"] == "subscribed"
        client.take()
        return client


class Client:
    """One end of a MemoryConnection."""

    def __init__(self, world: World, connection: MemoryConnection) -> None:
        self.world = world
        self.connection = connection
        self.session = ""
        self.secret = ""
        self._ids = 0
        world.hub.open(
            connection, ConnectionInfo(address="192.0.2.1", transport="memory", protocol="native-json")
        )

    def send(self, **command: Any) -> int:
        """Send a command; its id."""
        self._ids += 1
        raw = msgspec.json.encode({"id": self._ids, **command})
        if isinstance(self.connection.codec, MessagePackCodec):
            raw = msgspec.msgpack.encode(msgspec.json.decode(raw))
        for item in self.connection.codec.receive(raw):
            session = self.connection.session
            assert session is not None, "the connection has been ended"
            session.accept(item)  # type: ignore[arg-type]
        return self._ids

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Send a command and return its reply; pushes before it stay to be taken."""
        id = self.send(**command)
        await settle()
        messages = self.peek()
        for message in messages:
            if message.get("id") == id and message["type"] != "publication":
                self.connection.frames.remove(self._raw(message))
                return message
        raise AssertionError(f"no reply to {command}: {messages}")

    def peek(self) -> list[dict[str, Any]]:
        return [self._decode(frame) for frame in self.connection.frames]

    def take(self, *types: str) -> list[dict[str, Any]]:
        """All unread messages; with `types`, those of them alone."""
        frames = self.connection.take()
        messages = [self._decode(frame) for frame in frames]
        return [message for message in messages if not types or message["type"] in types]

    def texts(self) -> list[Any]:
        """The data of all unread publications."""
        return [message["data"] for message in self.take("publication")]

    def drop(self) -> None:
        """The link breaks."""
        session = self.connection.session
        if session is not None:
            self.connection.session = None
            self.world.hub.detach(session)

    def _decode(self, frame: bytes) -> dict[str, Any]:
        body = frame[:-1]
        decode = (
            msgspec.msgpack.decode
            if isinstance(self.connection.codec, MessagePackCodec)
            else msgspec.json.decode
        )
        message: dict[str, Any] = decode(body)
        message["_raw"] = frame
        return message

    def _raw(self, message: dict[str, Any]) -> bytes:
        raw: bytes = message["_raw"]
        return raw


def memory_broker(clock: FakeClock) -> MemoryBroker:
    return MemoryBroker(clock, idempotency_ttl=300, idempotency_keys=1000, logs=1000)


async def settle() -> None:
    """Let every task that can run, run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def within(clock: FakeClock, seconds: float, coroutine: Coroutine[Any, Any, T]) -> T:
    """What comes of `coroutine`, which may take so much of the clock's time."""
    task = asyncio.ensure_future(coroutine)
    await settle()
    while not task.done():
        assert seconds > 0, "it takes longer"
        seconds -= 0.25
        clock.advance(0.25)
        await settle()
    return await task
