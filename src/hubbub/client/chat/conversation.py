"""What is known of one conversation, and what events do to it. Pure.

An event carries what has become of the thing that it is about, so that applying it is replacing. `chat/events.py` of
the server says the same of frozen states; here they change in place, for a long conversation has many events.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from hubbub.chat.events import (
    ConversationCreated,
    ConversationUpdated,
    LogEvent,
    MemberChanged,
    MessageAnnotated,
    MessageCreated,
    MessageDeleted,
    MessagesExpunged,
    MessageUpdated,
    ReactionsChanged,
    Receipt,
    Receipts,
    tombstone,
    with_previews,
)
from hubbub.chat.model import Conversation, Member, Message, MyConversation, MyMembership, User


@dataclass(slots=True, eq=False)
class Known:
    """A conversation as this device knows it: all of its log up to `seq`, of which the main timeline from `oldest` on
    is here (0: all of it). `members` are there once they were asked for (`Chat.load_members`), and true from then on.
    """

    mine: MyConversation
    seq: int
    oldest: int = 0
    messages: dict[int, Message] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)
    members: dict[str, Member] | None = None
    receipts: dict[str, Receipt] = field(default_factory=dict)
    counts: Receipts | None = None
    """In a large conversation there are no names: how many have read its newest message."""
    withheld: set[int] = field(default_factory=set)
    """Messages of which it was not said what they say now: `messages.get` has it."""
    typing: dict[tuple[str, int | None], float] = field(default_factory=dict)
    """Who types, in which thread, and until when (by the loop's clock)."""
    _reads: list[list[LogEvent]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.mine.conversation.id

    @property
    def conversation(self) -> Conversation:
        return self.mine.conversation

    @property
    def membership(self) -> MyMembership:
        return self.mine.membership

    def timeline(self) -> list[Message]:
        """The messages of the main timeline that are here, the oldest first, without those that one has deleted for
        oneself. Replies in threads are in `thread`."""
        return [self.messages[seq] for seq in sorted(self.messages) if self._shown(seq, None)]

    def thread(self, root: int) -> list[Message]:
        """The replies in a thread that are here."""
        return [self.messages[seq] for seq in sorted(self.messages) if self._shown(seq, root)]

    def _shown(self, seq: int, thread: int | None) -> bool:
        return self.messages[seq].thread == thread and seq not in self.hidden

    # --- what comes ---------------------------------------------------------------------------------------

    def apply(self, event: LogEvent, me: User | None) -> bool:
        """The event after `seq`. The answer is whether the counters are not known any more, and to be asked for."""
        uncertain = False
        conversation = self.mine.conversation
        for since in self._reads:
            since.append(event)
        self._touch(event)
        match event:
            case ConversationCreated():
                conversation = event.created
                if self.members is not None:
                    self.members = {member.user: member for member in event.members}
            case ConversationUpdated():
                conversation = event.updated
            case MemberChanged():
                conversation = replace(conversation, members=event.members)
                self._member(event.member, me)
            case MessageCreated():
                conversation = self._created(event, conversation)
                uncertain = self._count(event.message, me)
            case MessageUpdated(message=message):
                uncertain = message.seq > self.membership.read  # it may mention others now
            case MessageDeleted(message=message):
                uncertain = message.seq > self.membership.read
            case MessagesExpunged(through=through):
                conversation = replace(conversation, expunged=through)
                uncertain = through > self.membership.read
        self.seq = event.seq
        self.mine = replace(self.mine, conversation=replace(conversation, seq=event.seq))
        if (last := self.mine.last_message) is not None and last.seq in self.messages:
            self.mine = replace(self.mine, last_message=self.messages[last.seq])
        return uncertain

    def _touch(self, event: LogEvent) -> None:
        """What an event does to messages that are here."""
        match event:
            case MessageCreated(message=message):
                if message.thread is not None and (root := self.messages.get(message.thread)) is not None:
                    self.messages[root.seq] = replace(root, replies=event.replies, last_reply=message.created)
            case MessageUpdated():
                self._updated(event)
            case MessageDeleted(message=message):
                self._replace(message)
            case ReactionsChanged():
                if (old := self.messages.get(event.message)) is not None:
                    self.messages[old.seq] = replace(old, reactions=event.reactions)
            case MessageAnnotated():
                if (old := self.messages.get(event.message)) is not None:
                    now = event.annotations
                    if event.withheld:
                        self.withheld.add(old.seq)
                        now = with_previews(now, old.annotations)
                    self.messages[old.seq] = replace(old, annotations=now)
            case MessagesExpunged(through=through):
                for seq, message in self.messages.items():
                    if seq <= through and message.deleted is None:
                        self.messages[seq] = tombstone(message, event.time)

    def _created(self, event: MessageCreated, conversation: Conversation) -> Conversation:
        message = event.message
        self.messages[message.seq] = message
        if message.sender is not None:
            self.typing.pop((message.sender, message.thread), None)
        if message.number is None:
            return conversation
        self.mine = replace(self.mine, last_message=message)
        if message.sender is not None:
            self.read_by(Receipt(message.sender, message.seq, message.seq))  # who sends has read up to there
        return replace(
            conversation,
            messages=message.number,
            last_message=message.seq,
            last_activity=message.created,
        )

    def _count(self, message: Message, me: User | None) -> bool:
        membership = self.mine.membership
        if message.number is None or message.seq <= membership.read or me is None:
            return False
        if message.sender == me.id:
            membership = replace(membership, read=message.seq, delivered=message.seq, unread=0, mentions=0)
            self.mine = replace(self.mine, membership=membership)
            return False
        said = message.mentions
        named = said is not None and (me.id in said.users or said.everyone == "all")
        membership = replace(
            membership, unread=membership.unread + 1, mentions=membership.mentions + (1 if named else 0)
        )
        self.mine = replace(self.mine, membership=membership)
        # Who is in a group, or was there, is the server's to say.
        return not named and said is not None and bool(said.groups or said.everyone)

    def _updated(self, event: MessageUpdated) -> None:
        message = event.message
        old = self.messages.get(message.seq)
        if event.withheld:
            self.withheld.add(message.seq)
            if old is not None:
                message = replace(
                    message,
                    parts=old.parts,
                    mentions=old.mentions,
                    annotations=with_previews(message.annotations, old.annotations),
                )
        else:
            self.withheld.discard(message.seq)
        self._replace(message)

    def _replace(self, message: Message) -> None:
        if message.seq in self.messages or (message.thread is None and message.seq >= self.oldest):
            self.messages[message.seq] = message

    def _member(self, member: Member, me: User | None) -> None:
        if self.members is not None:
            self.members[member.user] = member
        if me is not None and member.user == me.id:
            membership = replace(self.mine.membership, role=member.role, state=member.state)
            self.mine = replace(self.mine, membership=membership)

    def heard(self, receipts: Receipts) -> None:
        """How far members have got."""
        if receipts.message is not None:
            self.counts = receipts
        for each in receipts.receipts:
            self.read_by(each)

    def read_by(self, receipt: Receipt) -> None:
        """Cursors only move forward."""
        old = self.receipts.get(receipt.user)
        if old is not None:
            receipt = Receipt(
                receipt.user, max(receipt.read, old.read), max(receipt.delivered, old.delivered)
            )
        self.receipts[receipt.user] = receipt
        if self.members is not None and (member := self.members.get(receipt.user)) is not None:
            self.members[receipt.user] = replace(member, read=receipt.read, delivered=receipt.delivered)

    @contextlib.contextmanager
    def reading(self) -> Iterator[list[LogEvent]]:
        """While messages are read: gives what `put` needs, the events that come meanwhile."""
        since: list[LogEvent] = []
        self._reads.append(since)
        try:
            yield since
        finally:
            self._reads = [each for each in self._reads if each is not since]

    def put(self, messages: Sequence[Message], since: Sequence[LogEvent] = ()) -> None:
        """Messages as they were read, perhaps before the events `since`."""
        for message in messages:
            self.messages[message.seq] = message
            self.withheld.discard(message.seq)
        for event in since:
            self._touch(event)
