"""What is told but not logged: who types, and how far members have read. Both are throttled on their way out, and say
less the larger a conversation is."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct

from hubbub.chat.contacts import blocked_with
from hubbub.chat.events import Receipt, Receipts, Typing
from hubbub.chat.ledger import View, channel_of
from hubbub.chat.model import ConversationId, Seq
from hubbub.chat.operations import Caller, Operation, run
from hubbub.chat.restraint import shadowed
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, Publication
from hubbub.storage.tables import members
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

log = get_logger("hubbub.chat")
TYPISTS = 100_000
"""Users and conversations in which somebody has typed of late that are remembered at once."""


class Typists:
    """When each user was last said to type in a conversation: at most once in `chat.typing_interval`."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._since: OrderedDict[tuple[str, str, int | None], float] = OrderedDict()

    def take(self, user: str, conversation: str, thread: int | None, now: float, factor: float = 1.0) -> bool:
        """Whether it is time to say so again; `factor` on the interval, infinite: it never is."""
        key = user, conversation, thread
        last = self._since.get(key)
        if factor == math.inf or (last is not None and now - last < self._interval * factor):
            return False
        self._since[key] = now
        self._since.move_to_end(key)
        if len(self._since) > TYPISTS:
            self._since.popitem(last=False)
        return True

    def forget(self, user: str, conversation: str, thread: int | None) -> bool:
        """The user types no more. Whether it was said that it did."""
        return self._since.pop((user, conversation, thread), None) is not None


class Moved:
    """Receipts on their way out: what has moved in a conversation goes out together, once in
    `chat.receipts_interval`."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._waiting: dict[str, dict[str, Receipt]] = {}

    def add(self, conversation: str, user: str, read: int, delivered: int) -> None:
        """A member's cursors stand there now, durably."""
        waiting = self._waiting.get(conversation)
        if waiting is None:
            self._waiting[conversation] = waiting = {}
            shedding = self._chat.hub.shedding
            interval = self._chat.config.chat.receipts_interval * shedding.receipts
            if shedding.receipts > 1:
                self._chat.hub.metrics.shed["receipts"] += 1
            self._chat.clock.call_later(interval, lambda: self._send(conversation))
        old = waiting.get(user)
        if old is not None:
            read, delivered = max(read, old.read), max(delivered, old.delivered)
        waiting[user] = Receipt(user, read, delivered)

    def _send(self, conversation: str) -> None:
        waiting = self._waiting.pop(conversation)
        if channel_of(conversation) in self._chat.hub.channels or not self._chat.store.lossless:
            self._chat.hub.spawn(self._told(conversation, tuple(waiting.values())))

    async def _told(self, conversation: str, moved: tuple[Receipt, ...]) -> None:
        limit = self._chat.config.chat.receipts_members
        try:
            event = await self._chat.read(lambda view: receipts_event(view, conversation, moved, limit))
        except HubbubError as error:
            log.warning("receipts were not told", conversation=conversation, error=error.message)
            return
        self._chat.signal(signal_of(channel_of(conversation), "receipts", event, self._chat.clock.now()))


def receipts_event(view: View, conversation: str, moved: tuple[Receipt, ...], limit: int) -> Receipts:
    """By name, or for more than `limit` members how many have read the newest message."""
    row = view.find(conversation)
    if row is None or row.members <= limit:
        return Receipts(conversation, moved)
    newest = row.last_message or 0
    query = sa.select(
        sa.func.count().filter(members.c.read >= newest),
        sa.func.count().filter(members.c.delivered >= newest),
    ).where(members.c.conversation == conversation, members.c.state == "joined")
    read, delivered = view.execute(query).one()
    return Receipts(conversation, (), newest, read, delivered)


def signal_of(
    channel: str,
    event: str,
    data: Struct,
    time: float,
    *,
    sender: str | None = None,
    exclude: str | None = None,
    hidden: tuple[str, ...] = (),
) -> Envelope:
    """A publication that is in no log, and is not waited for."""
    publication = Publication(channel, event, Raw(msgspec.json.encode(data)), sender=sender, time=time)
    return Envelope(publication, exclude, volatile=True, hidden=hidden)


# --- operations -------------------------------------------------------------------------------------------------


class StartTyping(Struct, frozen=True, forbid_unknown_fields=True):
    """Where one types; `stop`: no more."""

    conversation: ConversationId
    thread: Seq | None = None
    stop: bool = False


class TypingShown(Struct, frozen=True):
    """Whether the others are told. They are not more often than once in `interval` seconds, nor in conversations that
    are too large for it; without another call they see nothing more after `ttl` seconds."""

    shown: bool
    ttl: float
    interval: float


@run("typing.start", "POST", "/conversations/{conversation}/typing")
async def typing(chat: Chat, caller: Caller, params: StartTyping) -> TypingShown:
    """Say that one is typing.

    To be called with the first key, and again while it goes on; sooner than `interval` is fine, and ignored. It is kept
    nowhere, never shown to those who have blocked the user or were blocked by it, and not shown at all where there are
    more than `chat.typing_members` members. Raises NOT_FOUND, PERMISSION_DENIED and RESTRICTED.
    """
    options, user = chat.config.chat, caller.actor.user
    if not user:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "the server itself does not type")
    if params.stop:
        due = chat.typists.forget(user, params.conversation, params.thread)
    else:
        now, factor = chat.clock.monotonic(), chat.hub.shedding.typing
        due = chat.typists.take(user, params.conversation, params.thread, now, factor)
        if not due and factor > 1:
            chat.hub.metrics.shed["typing"] += 1

    def look(view: View) -> tuple[int, set[str], bool]:
        row, _ = view.access(caller.actor, params.conversation, "send" if params.thread is None else "reply")
        view.refuse_restricted(caller.actor, row.id)
        blocked = blocked_with(view, user) if row.members <= options.typing_members else set()
        return row.members, blocked, shadowed(view.restraints(user), row.id)

    count, hidden, alone = await chat.read(look)
    shown = count <= options.typing_members
    if shown and due and not alone:
        event = Typing(params.conversation, user, 0.0 if params.stop else options.typing_ttl, params.thread)
        chat.signal(
            signal_of(
                channel_of(params.conversation),
                "typing",
                event,
                chat.clock.now(),
                sender=user,
                exclude=caller.session.id if caller.session is not None else None,
                hidden=tuple(sorted(hidden)),
            )
        )
    return TypingShown(shown and due, options.typing_ttl, options.typing_interval)


OPERATIONS: tuple[Operation[Any, Any], ...] = (typing,)
