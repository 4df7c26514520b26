"""A user's device: a session that follows, what it has been told, and how it puts that together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Raw, Struct
from tests.chat.world import World
from tests.hub.world import CODEC, Client

from hubbub.chat.events import (
    BlocksChanged,
    ConversationAdded,
    ConversationRemoved,
    LogEvent,
    MemberChanged,
    MembershipUpdated,
    MessageDeleted,
    MessageHidden,
    MessageUpdated,
    State,
    ThreadUpdated,
    apply,
    decode_event,
    decode_inbox_event,
)
from hubbub.chat.model import Conversation, Message, MyConversation, MyMembership
from hubbub.chat.sync import SyncConversation, SyncPage
from hubbub.errors import ErrorCode
from hubbub.testing.connection import MemoryConnection

WITHIN = 20.0
Thread = tuple[str, int]


class _Position(Struct):
    offset: int = 0
    epoch: str = ""


class _Push(Struct):
    """What of a publication, `subscribed` and `unsubscribed` matters here."""

    type: str = ""
    id: int | str = 0
    """A number is that of the command which is answered."""
    channel: str = ""
    event: str = ""
    offset: int | None = None
    data: Raw = Raw()
    position: _Position | None = None
    publications: tuple[_Push, ...] = ()
    recovered: bool = False


class _Reply(Struct):
    type: str
    code: int = 0
    result: Raw = Raw(b"null")
    session: str = ""
    secret: str = ""
    subscriptions: tuple[_Push, ...] = ()


class Ringing(MemoryConnection):
    """Says when something is written to it."""

    def __init__(self) -> None:
        super().__init__(CODEC)
        self.rang = asyncio.Event()

    def write(self, frame: bytes) -> None:
        super().write(frame)
        self.rang.set()


@dataclass
class Known:
    """What a device knows of a conversation: all of its events after `since`, and of what was before only some."""

    seq: int
    since: int
    conversation: Conversation
    oldest: int = 0
    """The main timeline is known from there on."""
    messages: dict[int, Message] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    withheld: set[int] = field(default_factory=set)
    """Messages of which it is not told what they say now."""


class Device:
    def __init__(self, world: World, user: str) -> None:
        self.world = world
        self.user = user
        self.inbox_channel = f"inbox:{user}"
        self.client: Client | None = None
        self.session = self.secret = ""
        self.token: str | None = None
        self.stream: dict[str, int] = {}
        """The channels that the session is in, and the last offset of each."""
        self.known: dict[str, Known] = {}
        self.later: dict[str, dict[int, LogEvent]] = {}
        """Events that came before what they come after."""
        self.mine: dict[str, MyConversation] = {}
        """What conversations were at the last sync, and invitations."""
        self.memberships: dict[str, MyMembership] = {}
        """As they were told last, live too."""
        self.threads: dict[Thread, tuple[bool, int, int | None]] = {}
        self.blocks: set[str] = set()
        self.inbox = 0
        self.gone: set[str] = set()
        """Channels in which the user was told to have left."""
        self.stale = False
        """It has entered a conversation behind what it knows of it, and is to sync."""
        self.receipts: dict[tuple[str, str], tuple[int, int]] = {}
        self._waiting: dict[int, Callable[[bytes], None]] = {}

    # --- the wire -----------------------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self.client is not None

    async def connect(self) -> None:
        """A session of its own, in no channel yet."""
        self.client = Client(self.world.node, Ringing())
        reply = msgspec.json.decode(await self._ask(type="connect", token=self.user), type=_Reply)
        assert reply.type == "connected", reply
        self.session, self.secret = reply.session, reply.secret
        self.stream.clear()
        self.later.clear()
        self.gone.clear()

    async def resume(self) -> bool:
        """The old session again, with what it has missed; False if it is gone."""
        self.client = Client(self.world.node, Ringing())
        epoch = self.world.store.epoch
        positions = {name: {"epoch": epoch, "offset": offset} for name, offset in self.stream.items()}
        proof = {"session": self.session, "secret": self.secret, "positions": positions}
        told: list[bool] = []

        def back(frame: bytes) -> None:
            reply = msgspec.json.decode(frame, type=_Reply)
            told.append(reply.type == "connected")
            if reply.type != "connected":
                assert reply.code == ErrorCode.SESSION_GONE, reply
                return
            self._resumed(reply.subscriptions)

        await self._ask(back, type="connect", resume=proof)
        return told[0]

    def drop(self) -> None:
        """The link breaks."""
        assert self.client is not None
        self.hear()
        self.client.drop()
        self.client = None

    async def _ask(self, then: Callable[[bytes], None] | None = None, **command: Any) -> bytes:
        return await self.begin(then or (lambda frame: None), **command)

    def begin(self, then: Callable[[bytes], None], **command: Any) -> asyncio.Future[bytes]:
        """Send a command; `then` has the reply when its turn has come among the pushes."""
        assert self.client is not None
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answered(frame: bytes) -> None:
            then(frame)
            reply.set_result(frame)

        self._waiting[self.client.send(**command)] = answered
        return asyncio.ensure_future(self._until(reply))

    async def _until(self, reply: asyncio.Future[bytes]) -> bytes:
        connection = self._connection
        async with asyncio.timeout(WITHIN):
            while not reply.done():
                connection.rang.clear()
                self.hear()
                if not reply.done():
                    await connection.rang.wait()
        return reply.result()

    @property
    def _connection(self) -> Ringing:
        assert self.client is not None
        connection = self.client.connection
        assert isinstance(connection, Ringing)
        return connection

    def hear(self) -> None:
        """Take in all that has come."""
        if self.client is None:
            return
        for frame in self._connection.take():
            push = msgspec.json.decode(frame, type=_Push)
            if push.type == "publication":
                self._publication(push)
            elif isinstance(push.id, int) and push.id:
                self._waiting.pop(push.id)(frame)
            elif push.type == "subscribed":
                assert push.channel not in self.stream, f"{push.channel} twice"
                assert push.position is not None
                self.stream[push.channel] = push.position.offset
                self.gone.discard(push.channel)
                known = self.known.get(push.channel.partition(":")[2])
                if known is not None and known.seq < push.position.offset:
                    self.stale = True
            elif push.type == "unsubscribed":
                self.stream.pop(push.channel, None)
            else:
                raise AssertionError(push)

    def _publication(self, push: _Push) -> None:
        assert push.channel in self.stream, f"{push.event} of {push.channel}, in which it is not"
        if push.offset is None:
            self._signal(push)
            return
        last = self.stream[push.channel]
        assert push.offset == last + 1, f"{push.channel}: {push.offset} after {last}"
        assert push.channel not in self.gone, f"{self.user} has left {push.channel}, and hears {push.event}"
        self.stream[push.channel] = push.offset
        self._event(push)

    def _event(self, push: _Push) -> None:
        if push.channel == self.inbox_channel:
            self._inbox(push.data)
            return
        event = decode_event(push.data)
        if isinstance(event, MemberChanged) and event.member.user == self.user:
            if event.member.state == "left":
                self.gone.add(push.channel)
            else:
                self.gone.discard(push.channel)
        self.later.setdefault(event.conversation, {})[event.seq] = event
        self._catch_up(event.conversation)

    def _signal(self, push: _Push) -> None:
        told = msgspec.json.decode(push.data)
        if push.event != "receipts":
            return
        for each in told.get("receipts", ()):
            key = told["conversation"], each["user"]
            now = each["read"], each["delivered"]
            before = self.receipts.get(key, (0, 0))
            assert max(before[0], now[0]) == now[0], f"receipts went back: {before}, {now}"
            assert max(before[1], now[1]) == now[1], f"receipts went back: {before}, {now}"
            self.receipts[key] = now

    def _resumed(self, subscriptions: tuple[_Push, ...]) -> None:
        told = {each.channel: each for each in subscriptions}
        for name in [name for name in self.stream if name not in told]:
            del self.stream[name]
        self.gone.clear()
        first = sorted(told, key=lambda name: name != self.inbox_channel)
        for name in first:
            each = told[name]
            assert each.recovered, f"{name} was not recovered"
            assert each.position is not None
            offsets = [push.offset or 0 for push in each.publications]
            end = each.position.offset
            assert offsets == list(range(end + 1 - len(offsets), end + 1)), f"{name}: {offsets} up to {end}"
            for push in each.publications:
                push.channel = name
                self._event(push)
            self.stream[name] = end
            self.gone.discard(name)

    # --- putting it together ------------------------------------------------------------------------------------------

    def _catch_up(self, conversation: str) -> None:
        known, later = self.known.get(conversation), self.later.get(conversation, {})
        if known is None:
            return
        while (event := later.pop(known.seq + 1, None)) is not None:
            self._apply(known, event)
        for seq in [seq for seq in later if seq <= known.seq]:
            del later[seq]

    def _apply(self, known: Known, event: LogEvent) -> None:
        if isinstance(event, MessageUpdated | MessageDeleted):
            if getattr(event, "withheld", False):
                known.withheld.add(event.message.seq)
            else:
                known.withheld.discard(event.message.seq)
        state = apply(State(known.conversation, {}, known.messages), event)
        known.conversation, known.messages, known.seq = state.conversation, state.messages, event.seq

    def _forget(self, conversation: str) -> None:
        self.known.pop(conversation, None)
        self.later.pop(conversation, None)
        self.mine.pop(conversation, None)
        self.memberships.pop(conversation, None)
        self.threads = {key: told for key, told in self.threads.items() if key[0] != conversation}

    def _inbox(self, data: Raw) -> None:
        event = decode_inbox_event(data)
        if event.seq <= self.inbox:
            return
        assert event.seq == self.inbox + 1, f"the inbox: {event.seq} after {self.inbox}"
        self.inbox = event.seq
        match event:
            case ConversationAdded(conversation=mine):
                id = mine.conversation.id
                self.mine[id], self.memberships[id] = mine, mine.membership
                before = self.known.get(id)
                if mine.membership.state == "joined" and (
                    before is None or before.seq < mine.conversation.seq
                ):
                    head = mine.conversation.seq
                    self.known[id] = Known(head, head, mine.conversation, head + 1)
                    self._catch_up(id)
            case ConversationRemoved(conversation=id):
                self._forget(id)
            case MembershipUpdated(conversation=id, membership=membership):
                self.memberships[id] = membership
            case MessageHidden(conversation=id, message=seq):
                if id in self.known:
                    self.known[id].hidden.add(seq)
            case ThreadUpdated(conversation=id, thread=seq, following=following, read=read):
                self.threads[id, seq] = (following, read, None)
            case BlocksChanged(user=user, blocked=True):
                self.blocks.add(user)
            case BlocksChanged(user=user):
                self.blocks.discard(user)

    # --- syncing ------------------------------------------------------------------------------------------------------

    def sync(self, *, live: bool, size: int | None = None, named: bool = True) -> asyncio.Future[None]:
        """Begin to catch up; `size` conversations at a time. Without being `named`, no positions are."""
        return asyncio.ensure_future(self._sync(live, size, named))

    async def _sync(self, live: bool, size: int | None, named: bool) -> None:
        more, self.stale = True, False
        while more:
            positions: dict[str, int] = {}
            params: dict[str, Any] = {"live": live}
            if self.token is not None:
                params |= {"token": self.token}
                if named:
                    positions = {id: known.seq for id, known in self.known.items()}
                    params |= {"positions": positions, "inbox": self.inbox}
            if size is not None:
                params["conversations"] = size
            pages: list[SyncPage] = []

            def told(
                frame: bytes, positions: dict[str, int] = positions, pages: list[SyncPage] = pages
            ) -> None:
                reply = msgspec.json.decode(frame, type=_Reply)
                assert reply.type == "result", frame
                pages.append(msgspec.json.decode(reply.result, type=SyncPage))
                self._page(pages[0], positions, named)

            await self.begin(told, type="call", method="chat.sync", params=params)
            more, live = pages[0].more, False

    def _page(self, page: SyncPage, positions: dict[str, int], named: bool) -> None:
        assert not page.reset
        self.token = page.token
        for data in page.inbox_events or ():
            self._inbox(data)
        assert self.inbox == page.inbox or page.inbox_events is None, "the inbox has a gap"
        self.inbox = max(self.inbox, page.inbox)
        for id in page.removed:
            self._forget(id)
        for each in page.conversations:
            id = each.conversation.conversation.id
            self.mine[id], self.memberships[id] = each.conversation, each.conversation.membership
            self._told(id, each, positions.get(id))
        for mine in page.invitations:
            self._forget(mine.conversation.id)
            self.mine[mine.conversation.id] = mine
            self.memberships[mine.conversation.id] = mine.membership
        for thread in page.threads:
            key = thread.root.conversation, thread.root.seq
            self.threads[key] = (thread.following, thread.read, thread.unread)
        if page.blocks is not None:
            self.blocks = {each.user for each in page.blocks}

    def _told(self, id: str, each: SyncConversation, position: int | None) -> None:
        known = self.known.get(id)
        if known is not None and known.seq > each.seq:
            return
        if known is not None and (each.events or (position == each.seq and not each.messages)):
            for data in each.events:
                event = decode_event(data)
                if event.seq > known.seq:
                    self._apply(known, event)
            known.seq = each.seq
            known.hidden.update(each.hidden)
        else:
            oldest = min((message.seq for message in each.messages), default=each.seq + 1)
            self.known[id] = Known(
                each.seq,
                each.seq,
                each.conversation.conversation,
                oldest if each.more_before else 0,
                {message.seq: message for message in each.messages},
            )
        self._catch_up(id)
