"""A node with conversations on a real database, users who do things there, and a look at all that has come of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat import checks
from tests.hub.world import Client, settle
from tests.hub.world import World as Node

from hubbub.attachments.base import Blobs
from hubbub.attachments.blobs import ObjectBlobs
from hubbub.chat.chat import Chat
from hubbub.chat.directory import OPERATIONS
from hubbub.chat.events import InboxEvent, LogEvent, State, decode_event, decode_inbox_event
from hubbub.chat.filing import Files
from hubbub.chat.ledger import Actor, View
from hubbub.chat.operations import Caller
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Logged, Store
from hubbub.storage.postgres import PostgresStore
from hubbub.storage.sqlite import SqliteStore
from hubbub.storage.tables import events, inbox

T = TypeVar("T")
TICK = 1 / 1024
"""Seconds between any two things that are done. (A power of two: times add up exactly.)"""


class HeardChat(Chat):
    """Keeps what it has published, by channel."""

    heard: defaultdict[str, list[Logged]]

    def publish(self, logged: Logged) -> None:
        self.heard[logged.channel].append(logged)
        super().publish(logged)


class World:
    """One node. `settings` are of Config: `async with World(url, limits={"members": 3}) as chat:` checks at the end, as
    the fixture `chat` does. `beside`: another node on the same database, with which it is checked as one."""

    def __init__(self, url: str, *, beside: World | None = None, **settings: Any) -> None:
        # Nobody moves this clock for a batch that waits for more; a busy machine may take its time.
        storage = {"url": url, "batch_delay": 0.0, "timeout": 60.0, **settings.pop("storage", {})}
        settings["attachments"] = {"url": "memory:", **settings.get("attachments", {})}
        self.node = Node(storage=storage, **settings)
        self.config, self.clock, self.hub = self.node.config, self.node.clock, self.node.hub
        self.metrics = self.node.metrics
        self.store = self._store()
        self.chat = HeardChat(self.hub, self.store, self.config, self.clock)
        self.chat.heard = defaultdict(list) if beside is None else beside.chat.heard
        self.blobs: Blobs = ObjectBlobs(self.config.attachments) if beside is None else beside.blobs
        self.chat.files = self.files = Files(self.chat, self.blobs)
        self._nodes: list[World] = [self] if beside is None else beside._nodes
        if beside is not None:
            self._nodes.append(self)

    def _store(self) -> Store:
        storage = self.config.storage
        pending = self.config.limits.pending_writes
        if storage.url.get_secret_value().startswith("postgresql:"):
            return PostgresStore(storage, self.clock, self.metrics, pending_writes=pending, migrate=True)
        return SqliteStore(storage, self.clock, self.metrics, pending_writes=pending)

    async def __aenter__(self) -> World:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                await self.check()
        finally:
            await self.stop()

    async def start(self) -> World:
        await self.node.start()
        await self.chat.start()
        await self.files.start()
        return self

    async def stop(self) -> None:
        await self.files.stop()
        await self.chat.stop()
        await self.hub.stop()

    # --- doing --------------------------------------------------------------------------------------------------------

    async def do(
        self, operation: str, actor: str, /, *, idempotency_key: str | None = None, **params: Any
    ) -> Any:
        """The result of an operation; `actor` "" is the server. Params are read as from the wire."""
        self.clock.advance(TICK)
        found = OPERATIONS[operation]
        decoded = self.chat.decode(found, msgspec.json.encode(params))
        return await self.chat.perform(found, Caller(Actor(actor), None, idempotency_key), decoded)

    async def refused(
        self, code: ErrorCode, operation: str, actor: str, /, *, at: str | None = None, **params: Any
    ) -> HubbubError:
        """The refusal of an operation, which must be `code` and, if `at` is given, name that field. Nothing may have
        been written by it."""
        before = await self.read(checks.everything)
        with pytest.raises(HubbubError) as failure:
            await self.do(operation, actor, **params)
        error = failure.value
        assert error.code == code, error
        assert at is None or error.field == at, error.field
        assert await self.read(checks.everything) == before, "something was written"
        return error

    async def user(self, id: str, **fields: Any) -> str:
        """Make a user; its id."""
        await self.do("users.upsert", "", user=id, **fields)
        return id

    async def users(self, *ids: str) -> None:
        for id in ids:
            await self.user(id)

    async def conversation(self, kind: str, owner: str, *others: str, **params: Any) -> str:
        """Make users that are not there yet and a conversation of them; its id."""
        await self._make((owner, *others))
        params.setdefault("members", [{"user": user} for user in others])
        made = await self.do("conversations.create", owner, kind=kind, **params)
        id: str = made.conversation.id
        return id

    async def group(self, owner: str, *others: str, **params: Any) -> str:
        """A group; its id."""
        return await self.conversation("group", owner, *others, **params)

    async def topic(self, owner: str, *others: str, **params: Any) -> str:
        """A public topic; its id."""
        params.setdefault("name", "News")
        return await self.conversation("topic", owner, *others, **params)

    async def direct(self, one: str, other: str) -> str:
        """The direct conversation of two; its id."""
        await self._make((one, other))
        id: str = (await self.do("conversations.direct", one, user=other)).conversation.conversation.id
        return id

    async def client(self, user: str, *channels: str) -> Client:
        """A session that speaks JSON, in `channels`."""
        return await self.node.connected(user, *channels)

    async def settle(self) -> None:
        """Let everything that can run, run."""
        await settle()

    async def _make(self, users: Iterable[str]) -> None:
        ids = list(dict.fromkeys(users))
        for id in await self.read(lambda view: view.missing_users(ids)):
            await self.user(id)

    # --- looking ------------------------------------------------------------------------------------------------------

    async def read(self, query: Callable[[View], T]) -> T:
        return await self.chat.read(query)

    async def state(self, conversation: str) -> State:
        """The conversation as the tables have it."""
        return await self.read(lambda view: checks.state(view, conversation))

    async def log(self, conversation: str) -> list[LogEvent]:
        """All events of a conversation."""
        query = sa.select(events.c.data).where(events.c.conversation == conversation).order_by(events.c.seq)
        found = await self.read(lambda view: list(view.execute(query).scalars()))
        return [decode_event(data) for data in found]

    async def inbox(self, user: str) -> list[InboxEvent]:
        """All events of a user's inbox that are kept."""
        query = sa.select(inbox.c.data).where(inbox.c.user == user).order_by(inbox.c.seq)
        found = await self.read(lambda view: list(view.execute(query).scalars()))
        return [decode_inbox_event(data) for data in found]

    async def check(self) -> None:
        """Events applied give what is read, counters are what counting gives, and what was published is the log."""
        heard: Mapping[str, Sequence[Logged]] = self.chat.heard
        if len(self._nodes) > 1:  # each publishes in order what is its own
            heard = {name: sorted(logged, key=lambda each: each.offset) for name, logged in heard.items()}
        await self.read(lambda view: checks.check(view, heard))
