"""Messages on their way: shown from when they were written on, each once, whatever comes first of its answer and its
event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Raw

from hubbub.chat.model import Message
from hubbub.client.chat.calling import PREFIX
from hubbub.client.chat.operations.agenda import Sent
from hubbub.client.chat.store import Store
from hubbub.client.outbox.base import Entry

if TYPE_CHECKING:
    from hubbub.client.outbox import Outbox

SEND = f"{PREFIX}messages.send"
LOOKED_AT = 50
"""Of the newest messages, in which one that waits for its answer is looked for."""


@dataclass(frozen=True, slots=True)
class Item:
    """A message on its way to be seen: `sent` ones have their place; others wait in the outbox (as its `entry`), and
    have a `seq` of 0."""

    message: Message
    status: Literal["sent", "queued", "sending", "failed"] = "sent"
    entry: Entry | None = None


def group_of(conversation: str) -> str:
    """The writes of a conversation are sent in their order."""
    return f"conversation:{conversation}"


class Underway:
    """What is between `outbox` and `store`."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._store = store
        self._outbox = outbox
        outbox.heard = self.heard
        self._since: dict[str, int] = {}  # by key: the conversation's seq when it was written
        self._sent: dict[str, Message] = {}  # by key: answered, and the event has not come
        self._answered: dict[tuple[str, int], None] = {}

    def written(self, conversation: str, key: str) -> None:
        """A message is about to be put into the outbox."""
        if (known := self._store.known.get(conversation)) is not None:
            self._since[key] = known.seq

    def heard(self, entry: Entry, answer: Raw) -> None:
        """A write was answered."""
        self._since.pop(entry.key, None)
        if entry.method != SEND:
            return
        sent = _decode_sent(answer)
        self._answered[sent.message.conversation, sent.message.seq] = None
        while len(self._answered) > LOOKED_AT:
            del self._answered[next(iter(self._answered))]
        if sent.held is None:
            self._sent[entry.key] = sent.message

    def timeline(self, conversation: str, thread: int | None) -> list[Item]:
        """The messages that are here, the oldest first, and behind them those that are on their way. Raises KeyError
        for a conversation that is not known."""
        known = self._store.known[conversation]
        there = known.timeline() if thread is None else known.thread(thread)
        items = [Item(message) for message in there]
        for key, message in list(self._sent.items()):
            if message.conversation != conversation:
                continue
            if message.seq <= known.seq:
                del self._sent[key]
            elif message.thread == thread:
                items.append(Item(message))  # its answer was faster than its event
        me = self._store.user
        waiting = [each for each in self._outbox.entries if each.group == group_of(conversation)]
        first = next((each for each in waiting if each.state != "failed"), None)
        for entry in waiting:
            if entry.method != SEND:
                continue
            params = _decode_waiting(entry.params)
            if params.thread != thread or (entry is first and self._is_there(entry, params.parts, there)):
                continue
            message = Message(
                conversation,
                0,
                me.id if me is not None else None,
                entry.added,
                params.parts,
                thread=thread,
                reply_to=params.reply_to,
            )
            items.append(Item(message, entry.state, entry))
        return items

    def _is_there(self, entry: Entry, parts: tuple[Raw, ...], there: Sequence[Message]) -> bool:
        """Whether the event of a write was faster than its answer, or its answer was lost: only of the first can that
        be. No event says which write it is of, so it goes by what is said, since the write was made."""
        me, since = self._store.user, self._since.get(entry.key, 0)
        said = msgspec.json.encode(parts)
        return any(
            each.seq > since
            and (each.conversation, each.seq) not in self._answered
            and me is not None
            and each.sender == me.id
            and msgspec.json.encode(each.parts) == said
            for each in there[-LOOKED_AT:]
        )


class _Waiting(msgspec.Struct):
    parts: tuple[Raw, ...] = ()
    thread: int | None = None
    reply_to: int | None = None


_decode_waiting = msgspec.json.Decoder(_Waiting).decode
_decode_sent = msgspec.json.Decoder(Sent).decode
