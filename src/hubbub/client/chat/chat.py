"""Conversations from a program's side: operations with types, a store that stays true, typed events, files."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakSet

import msgspec

from hubbub.chat.model import Member, Message, MyConversation, Presence, User
from hubbub.client.chat.calling import PREFIX
from hubbub.client.chat.conversation import Known
from hubbub.client.chat.files import Progress, Transfers
from hubbub.client.chat.following import PREFIXES, Following, Synced
from hubbub.client.chat.operations import Operations
from hubbub.client.chat.operations.agenda import Sent
from hubbub.client.chat.operations.files import File
from hubbub.client.chat.operations.own import MentionWhom
from hubbub.client.chat.operations.reading import ReceiptsMark
from hubbub.client.chat.operations.table import TABLE
from hubbub.client.chat.store import ChatEvent, Stale, Store
from hubbub.client.chat.underway import SEND, Item, Underway, group_of
from hubbub.client.events import ClientError
from hubbub.client.outbox import Write
from hubbub.errors import HubbubError

if TYPE_CHECKING:
    from hubbub.client.client import Client

T = TypeVar("T")
WAITING = 10_000
"""Events that wait for whoever iterates a Chat; of more than these all are forgotten, and Missed says so."""
REPEATABLE = frozenset(
    (
        "sync",
        "commands.list",
        "presence.query",
        "presence.follow",
        "presence.unfollow",
        "presence.set",
        "typing.start",
        "files.url",
        "files.urls",
        "statistics.get",
    )
)
"""Operations without a key that are safe to repeat, beside those that only read."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Who iterates was so slow that `count` events were forgotten. The store has what has become of them."""

    count: int


class Sending:
    """A message in the outbox. Await it for the message as it stands in the conversation."""

    def __init__(self, write: Write) -> None:
        self.id = write.id
        self.key = write.key
        self._write = write

    @property
    def done(self) -> bool:
        return self._write.done

    async def sent(self) -> Sent:
        """The server's whole answer. Raises HubbubError for a refusal for good."""
        answer: Sent = await self._write.result(Sent)
        return answer

    async def _message(self) -> Message:
        return (await self.sent()).message

    def __await__(self) -> Generator[Any, None, Message]:
        return self._message().__await__()


class Chat(Operations):
    """A Client's conversations (`client.chat`).

    Every operation is a method of its group, with its types: `chat.messages.edit(...)`, `chat.polls.vote(...)`. Writes
    are made with an idempotency key, so that one whose answer was lost is repeated, and happens once.

    `start` fills `store`, and keeps it true from then on. Iterate the Chat for what happens, behind the store:

        await client.chat.start()
        async for event in client.chat:
            match event:
                case MessageCreated(message=message): ...
    """

    def __init__(self, client: Client, *, marks_delivered: bool = True) -> None:
        super().__init__(self._ask)
        self.client = client
        self.store = Store()
        self.marks_delivered = marks_delivered
        """Whether senders are told that their messages have arrived here."""
        self.transfers = Transfers(client)
        self._following: Following | None = None
        self._readers: WeakSet[_Reader] = WeakSet()  # who does not iterate any more is forgotten
        self._watched: set[str] = set()
        self._typing: dict[tuple[str, int | None], float] = {}
        self._underway = Underway(self.store, client.outbox)

    # --- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Sync, and follow what happens. It goes on by itself after each reconnection. Waits for a connection.

        Raises HubbubError if the server refuses, Disconnected if it will not have us back.
        """
        if self._following is None:
            self._following = Following(self, self.store, self._told)
            self.client.channels.listen(PREFIXES, self._following)
            self._following.begin()
        await self._following.synced.wait()
        if self._following.failure is not None:
            raise self._following.failure

    async def stop(self) -> None:
        """Follow no more; the store stays as it is."""
        following, self._following = self._following, None
        if following is not None:
            self.client.channels.unlisten(following)
            await following.stop()
        for reader in self._readers:
            reader.end()

    def __aiter__(self) -> AsyncIterator[ChatEvent | Synced | Missed]:
        """What happens from now on, each after the store has it. Ends when the client is left."""
        reader = _Reader()
        self._readers.add(reader)
        return reader

    def _told(self, event: ChatEvent | Synced) -> None:
        for reader in self._readers:
            reader.give(event)
        if isinstance(event, Synced) and self._watched and self._following is not None:
            self._following.later(self._watch_again())

    # --- operations ---------------------------------------------------------------------------------------

    async def call(
        self, operation: str, params: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> Any:
        """Any operation by its name (`messages.send`, or `chat.messages.send`), with its params as JSON has them; its
        result as its struct, or as plain JSON where the operation is of a later server.

        Raises HubbubError for a refusal.
        """
        name = operation.removeprefix(PREFIX)
        known = TABLE.get(name)
        return await self._ask(name, params or {}, known.result if known is not None else Any, key)

    async def _ask(self, name: str, params: Mapping[str, Any], result: Any, key: str | None = None) -> Any:
        operation = TABLE.get(name)
        if operation is None:
            return await self.client.call(PREFIX + name, params, key=key, type=result)
        if operation.keyed and key is None:
            key = _new_key()
        again = operation.kind == "read" or name in REPEATABLE
        return await self.client.call(
            PREFIX + name,
            operation.given(params),
            key=key if operation.keyed else None,
            type=result,
            again=again,
        )

    async def refresh(self, what: Stale) -> None:
        """Ask for what was told to have changed."""
        store = self.store
        match what:
            case "me":
                store.me = await self.me.get()
            case "threads":
                store.followed((await self.threads.list()).threads)
            case "restrictions":
                store.restrictions = (await self.me.restrictions()).restrictions
            case "holds":
                store.holds = {each.id: each for each in (await self.holds.list()).holds}
            case "bookmarks":
                bookmarks = [each.bookmark async for each in self.pages(self.bookmarks.list, "bookmarks")]
                store.bookmarks = {(each.conversation, each.message): each for each in bookmarks}
            case "drafts":
                drafts = [each async for each in self.pages(self.drafts.list, "drafts")]
                store.drafts = {(each.conversation, each.thread): each for each in drafts}

    async def pages(self, operation: Callable[..., Any], name: str, **params: Any) -> AsyncIterator[Any]:
        """All that a paged operation lists: `chat.pages(chat.bookmarks.list, "bookmarks")` goes through the field of
        that name of each page."""
        cursor: str | None = None
        while True:
            page = await operation(cursor=cursor, **params)
            for each in getattr(page, name):
                yield each
            cursor = page.next
            if cursor is None:
                return

    # --- conversations ------------------------------------------------------------------------------------

    def conversation(self, id: str) -> Known:
        """What is known of a conversation. Raises KeyError if one is not in it, as far as is known here."""
        return self.store.known[id]

    async def direct(self, user: str) -> MyConversation:
        """The conversation with one other user: found, or made."""
        return (await self.conversations.direct(user)).conversation

    async def load_before(self, conversation: str, limit: int | None = None) -> Sequence[Message]:
        """Have older messages of the main timeline in the store; the answer is those that have come, the oldest first,
        and none at the beginning."""
        while (known := self.store.known[conversation]).oldest:
            with known.reading() as since:
                before = known.oldest
                page = await self.messages.list(conversation, before=before, limit=limit)
            if self.store.known.get(conversation) is not known or known.oldest != before:
                continue  # a sync has put another in its place, or another read was faster
            known.put(page.messages, since)
            known.oldest = page.messages[0].seq if page.messages and page.more_before else 0
            return page.messages
        return ()

    async def load_thread(self, conversation: str, root: int) -> Sequence[Message]:
        """Have the newest replies of a thread in the store."""
        while True:
            known = self.store.known[conversation]
            with known.reading() as since:
                page = await self.messages.list(conversation, thread=root)
            if self.store.known.get(conversation) is known:  # and a sync has not put another in its place
                known.put(page.messages, since)
                return page.messages

    async def load_members(self, conversation: str) -> Mapping[str, Member]:
        """Have all members in the store, where they are kept true from then on."""
        known = self.store.known[conversation]
        members: dict[str, Member] = {}
        known.members = members
        async for member in self.pages(self.members.list, "members", conversation=conversation):
            members.setdefault(member.user, member)
        return members

    async def user(self, id: str) -> User:
        """A user's profile, asked for once. Raises HubbubError (NOT_FOUND)."""
        if id not in self.store.users:
            self.store.users[id] = await self.users.get(id)
        return self.store.users[id]

    # --- messages -----------------------------------------------------------------------------------------

    async def send(
        self,
        conversation: str,
        text: str | None = None,
        *,
        parts: Sequence[Any] = (),
        files: Sequence[str | File] = (),
        markdown: bool = False,
        thread: int | None = None,
        reply_to: int | None = None,
        mentions: MentionWhom | None = None,
        silent: bool = False,
        expires_in: float | None = None,
        previews: bool = True,
        key: str | None = None,
    ) -> Sending:
        """Send a message by the outbox: it is kept when this returns, and sent when there is a connection, those of one
        conversation in their order. Await the answer for the message as it stands then.

        The message has a part for `text`, then `parts` (JSON objects with a `type`), then one for each of `files`.
        """
        said: list[Any] = []
        if text is not None:
            said.append({"type": "text", "text": text} | ({"format": "markdown"} if markdown else {}))
        said += parts
        said += [{"type": "file", "file": each if isinstance(each, str) else each.id} for each in files]
        params: dict[str, Any] = {
            "conversation": conversation,
            "parts": said,
            "thread": thread,
            "reply_to": reply_to,
            "expires_in": expires_in,
        }
        if mentions is not None:
            params["mentions"] = mentions
        if silent:
            params["silent"] = True
        if not previews:
            params["previews"] = False
        params = {name: value for name, value in params.items() if value is not None}
        key = key or _new_key()
        self._underway.written(conversation, key)
        write = await self.client.outbox.call(SEND, params, key=key, group=group_of(conversation))
        return Sending(write)

    def timeline(self, conversation: str, thread: int | None = None) -> list[Item]:
        """The messages that are here, the oldest first, and behind them those that wait in the outbox."""
        return self._underway.timeline(conversation, thread)

    async def mark_read(self, conversation: str, seq: int | None = None) -> None:
        """Say that one has read up to `seq`, or all of a conversation."""
        if seq is None:
            seq = self.store.known[conversation].seq
        await self._mark((ReceiptsMark(conversation, read=seq),))

    async def _mark(self, marks: Sequence[ReceiptsMark]) -> None:
        """Tell how far one has got. What comes in the answer may be older than what has come meanwhile."""
        with contextlib.ExitStack() as stack:
            since = {
                mark.conversation: stack.enter_context(known.reading())
                for mark in marks
                if (known := self.store.known.get(mark.conversation)) is not None
            }
            answer = await self.receipts.mark(marks)
        for each in answer.marked:
            if (known := self.store.known.get(each.conversation)) is None:
                continue
            if since.get(each.conversation) or each.membership.read < known.membership.read:
                self.store.recount.add(each.conversation)
            else:
                known.mine = msgspec.structs.replace(known.mine, membership=each.membership)
        if self._following is not None:
            self._following.ask()

    async def delivered(self, marks: Mapping[str, int]) -> None:
        """Say that messages up to these seqs have arrived here. What cannot be said now is said with the next ones."""
        with contextlib.suppress(ClientError, HubbubError):
            await self._mark([ReceiptsMark(id, delivered=seq) for id, seq in marks.items()])

    async def start_typing(self, conversation: str, thread: int | None = None) -> None:
        """Say that one types; to be called with every key. The server is told as often as it wants to be."""
        now = self.client.session.loop.time()
        if now >= self._typing.get((conversation, thread), 0.0):
            self._typing[conversation, thread] = now + 1.0
            shown = await self.typing.start(conversation, thread=thread)
            self._typing[conversation, thread] = now + shown.interval

    async def stop_typing(self, conversation: str, thread: int | None = None) -> None:
        """Say that one types no more."""
        self._typing.pop((conversation, thread), None)
        await self.typing.start(conversation, thread=thread, stop=True)

    def typists(self, conversation: str, thread: int | None = None) -> list[str]:
        """Who is typing."""
        now = self.client.session.loop.time()
        typing = self.store.known[conversation].typing
        return sorted(user for (user, where), until in typing.items() if where == thread and until > now)

    # --- presence -----------------------------------------------------------------------------------------

    async def watch(self, *users: str) -> Mapping[str, Presence]:
        """Have the presence of users in `store.presence`, kept true from then on."""
        self._watched |= set(users)
        found = await self.presence.follow(users)
        self.store.presence |= {each.user: each for each in found.users}
        return {each.user: each for each in found.users}

    async def unwatch(self, *users: str) -> None:
        """Look no more whether they are there."""
        self._watched -= set(users)
        await self.presence.unfollow(users)

    async def _watch_again(self) -> None:
        with contextlib.suppress(ClientError, HubbubError):
            await self.watch(*self._watched)

    # --- files --------------------------------------------------------------------------------------------

    async def upload(
        self,
        content: bytes | str | Path | AsyncIterable[bytes],
        *,
        name: str | None = None,
        size: int | None = None,
        progress: Progress | None = None,
    ) -> File:
        """Upload a file: bytes, the path of a file, or what is iterated (with its `size`). `progress` is called with
        the bytes that were sent, and all of them. A lost connection is taken up where it broke off, but for what is
        iterated.

        Raises HubbubError if the server refuses the file.
        """
        id = await self.transfers.upload(content, name=name, size=size, progress=progress)
        return await self.files.get(id)

    async def download(self, file: str, to: str | Path, *, progress: Progress | None = None) -> int:
        """Write the content of a file to a path; the answer is its size. A lost connection is taken up again."""
        return await self.transfers.download(file, to, progress=progress)

    async def read_file(self, file: str) -> bytes:
        """The content of a file."""
        return await self.transfers.read(file)


class _Reader:
    """What waits for one iteration."""

    def __init__(self) -> None:
        self._events: deque[ChatEvent | Synced | Missed] = deque()
        self._ended = False
        self._waiting: asyncio.Future[None] | None = None

    def give(self, event: ChatEvent | Synced) -> None:
        if len(self._events) >= WAITING:
            first = self._events[0]
            missed = len(self._events) + (first.count - 1 if isinstance(first, Missed) else 0)
            self._events.clear()
            self._events.append(Missed(missed))
        self._events.append(event)
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatEvent | Synced | Missed:
        while not self._events:
            if self._ended:
                raise StopAsyncIteration
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        return self._events.popleft()


def _new_key() -> str:
    return secrets.token_urlsafe(16)
