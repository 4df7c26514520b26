"""Keeping a Store true: a sync after each connection, live events between, pages of the log where some are missing."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from hubbub.chat.events import InboxEvent, LogEvent, MessageCreated
from hubbub.client.backoff import delay
from hubbub.client.chat.store import ChatEvent, Store, decode, decode_head, decode_inbox_head
from hubbub.client.events import ChannelEvent, ClientError, Gap
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Publication, ServerSubscribed

if TYPE_CHECKING:
    from hubbub.client.chat.chat import Chat

PREFIXES = ("conversation:", "inbox:", "status:", "cases:", "catalogue:")
POSITIONS = 200
"""Conversations of which a sync is told how far they are known: `limits.json_keys` bounds its params."""
MARK_AFTER = 0.5
"""Seconds for which deliveries are gathered before the server is told of them."""
_LOG: Any = get_args(LogEvent)
_INBOX: Any = get_args(InboxEvent)


@dataclass(frozen=True, slots=True)
class Synced:
    """The store was brought up to date. Of these `conversations` there were no events: they are to be read anew.
    `reset`: all is to be."""

    conversations: tuple[str, ...]
    reset: bool = False


class Following:
    """The Listener of a Chat."""

    def __init__(self, chat: Chat, store: Store, tell: Callable[[ChatEvent | Synced], None]) -> None:
        self.synced = asyncio.Event()
        self.failure: Exception | None = None
        self._chat = chat
        self._store = store
        self._tell = tell
        self._wake = asyncio.Event()
        self._due = False
        self._syncing = False
        self._waiting: deque[Publication | ServerSubscribed] = deque()
        self._held: dict[str, list[LogEvent]] = {}
        """Events behind a hole."""
        self._behind: dict[str, int] = {}
        """Conversations of which there are events up to that seq which we have not."""
        self._delivered: dict[str, int] = {}
        self._marking: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._tasks = {asyncio.create_task(self._run())}

    def begin(self) -> None:
        """There is a connection: sync."""
        self._due = self._syncing = True
        self._wake.set()

    async def stop(self) -> None:
        if self._marking is not None:
            self._marking.cancel()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what the session says (see Listener) -------------------------------------------------------------

    def connected(self, resumed: bool) -> None:
        # After a resume, too: receipts are in no log.
        self._held.clear()
        self._behind.clear()
        self.begin()

    def fail(self, error: Exception) -> None:
        self.failure = error
        self.synced.set()
        self._wake.set()

    def give(self, event: ChannelEvent) -> None:
        if isinstance(event, Publication | ServerSubscribed):
            if self._syncing:
                self._waiting.append(event)
            else:
                self._take(event)
        elif isinstance(event, Gap):
            self.begin()

    def _take(self, push: Publication | ServerSubscribed) -> None:
        if isinstance(push, ServerSubscribed):
            id = push.channel.removeprefix("conversation:")
            known = self._store.known.get(id)
            if known is not None and push.position is not None and push.position.offset > known.seq:
                self._page(id, push.position.offset)
            return
        try:
            event: Any = decode(push.data)
        except msgspec.MsgspecError:
            self._unknown(push)
            return
        if isinstance(event, _LOG):
            self._log_event(event)
        elif isinstance(event, _INBOX):
            if self._store.inbox is not None and event.seq > self._store.inbox + 1:
                self.begin()  # some are missing: a sync has them
                self._waiting.append(push)
            elif self._store.inbox_event(event):
                self._tell(event)
                self.ask()
        else:
            self._store.signal(event, self._loop.time())
            self._tell(event)

    def _unknown(self, push: Publication) -> None:
        """An event of a later server: it has its place all the same."""
        with contextlib.suppress(msgspec.MsgspecError):
            if push.channel.startswith("inbox:"):
                self._store.inbox = max(self._store.inbox or 0, decode_inbox_head(push.data).seq)
            elif push.channel.startswith("conversation:") and push.offset is not None:
                head = decode_head(push.data)
                known = self._store.known.get(head.conversation)
                if known is not None and head.seq == known.seq + 1:
                    known.seq = head.seq

    def _log_event(self, event: LogEvent) -> None:
        id = event.conversation
        if id in self._held:
            self._held[id].append(event)
        elif self._store.hole(id, event.seq):
            self._held[id] = [event]
            self._page(id, event.seq)
        elif self._store.log_event(event):
            self._tell(event)
            self.ask()
            if isinstance(event, MessageCreated):
                self._arrived(event)

    def _page(self, id: str, seq: int) -> None:
        self._held.setdefault(id, [])
        self._behind[id] = max(seq, self._behind.get(id, 0))
        self._wake.set()

    def ask(self) -> None:
        """Have asked what is not known any more, if there is such."""
        if self._store.stale or self._store.recount:
            self._wake.set()

    # --- what is to be asked for --------------------------------------------------------------------------

    async def _run(self) -> None:
        attempt = 0
        while self.failure is None:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._catch_up()
                attempt = 0
                continue
            except HubbubError as error:
                if not error.info.temporary:
                    self.fail(error)
                    return
                pause = error.retry_after or 0.0
            except ClientError as error:
                if self._chat.client.session.failure is not None:
                    self.fail(error)
                    return
                pause = 0.0
            attempt += 1
            self._wake.set()
            await asyncio.sleep(max(pause, delay(attempt)))

    async def _catch_up(self) -> None:
        while self._due:
            await self._sync()
        for id in list(self._behind):
            await self._read_log(id)
        while self._store.stale:
            await self._chat.refresh(self._store.stale.pop())
        while self._store.recount:
            id = self._store.recount.pop()
            if (known := self._store.known.get(id)) is None:
                continue
            try:
                with known.reading() as since:
                    counted = await self._chat.conversations.get(id)
                if since:  # the answer may be older than they
                    self._store.recount.add(id)
                else:
                    self._store.counted(counted)
            except HubbubError as error:
                if error.info.temporary:
                    self._store.recount.add(id)
                    raise

    async def _sync(self) -> None:
        store = self._store
        self._due, self._syncing = False, True
        replaced: list[str] = []
        reset = False
        try:
            seqs = {each.id: each.seq for each in store.conversations()[:POSITIONS]} if store.token else {}
            inbox = store.inbox if store.token else None
            first = True
            while True:
                before = dict(seqs)
                try:
                    page = await self._chat.sync(token=store.token, positions=seqs, inbox=inbox, live=first)
                except HubbubError as error:
                    if error.code != ErrorCode.VALIDATION_FAILED or store.token is None:
                        raise
                    store.begin()  # the token is none any more
                    seqs, inbox, first, reset = {}, None, True, True
                    continue
                reset = reset or page.reset
                for event in store.take(page, first=first):
                    self._tell(event)
                replaced += [
                    each.conversation.conversation.id
                    for each in page.conversations
                    if not each.events and each.seq != before.get(each.conversation.conversation.id)
                ]
                first = False
                if not page.more:
                    break
        except BaseException:
            self._due = True
            raise
        self._syncing = self._due
        self._tell(Synced(tuple(replaced), reset))
        while self._waiting and not self._due:
            self._take(self._waiting.popleft())
        if not self._due:
            self.synced.set()

    async def _read_log(self, id: str) -> None:
        """The events between what is known and what has come."""
        while (known := self._store.known.get(id)) is not None and known.seq < self._behind.get(id, 0):
            try:
                page = await self._chat.events.list(id, since=known.seq)
            except HubbubError as error:
                if error.info.temporary:
                    raise
                break  # we are in it no more
            for raw in page.events:
                with contextlib.suppress(msgspec.MsgspecError):
                    event: Any = decode(raw)
                    if self._store.log_event(event):
                        self._tell(event)
            known.seq = max(known.seq, page.seq if page.next is None else page.next)
        self._behind.pop(id, None)
        for event in self._held.pop(id, ()):
            self._log_event(event)

    # --- deliveries ---------------------------------------------------------------------------------------

    def _arrived(self, event: MessageCreated) -> None:
        """Tell senders that their messages have arrived, once in a while."""
        me = self._store.user
        if not self._chat.marks_delivered or me is None or event.message.sender == me.id:
            return
        self._delivered[event.conversation] = event.seq
        if self._marking is None:
            self._marking = self._loop.call_later(MARK_AFTER, self._mark)

    def _mark(self) -> None:
        self._marking = None
        delivered, self._delivered = self._delivered, {}
        self.later(self._chat.delivered(delivered))

    def later(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Have something done that nobody waits for, as long as this lasts."""
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
