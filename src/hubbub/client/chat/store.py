"""What a device knows of its user's conversations: filled by syncs, kept true by events. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from hubbub.chat.events import (
    BlocksChanged,
    BookmarkChanged,
    ConversationAdded,
    ConversationRemoved,
    DraftChanged,
    HoldChanged,
    InboxEvent,
    LogEvent,
    MembershipUpdated,
    MessageHidden,
    PresenceChanged,
    Receipts,
    ReminderChanged,
    ReminderDue,
    RestrictionChanged,
    ScheduledChanged,
    ScheduledFailed,
    Signal,
    ThreadUpdated,
    Typing,
    UserUpdated,
)
from hubbub.chat.heads import Head, InboxHead
from hubbub.chat.model import Bookmark, Draft, MyConversation, MyThread, Presence, Reminder, Scheduled, User
from hubbub.client.chat.conversation import Known
from hubbub.client.chat.operations.people import Me, Restriction
from hubbub.client.chat.operations.reading import SyncConversation, SyncPage
from hubbub.client.chat.operations.review import Hold

Place = tuple[str, int | None]
"""A conversation, and a thread of it or the main timeline."""
Stale = Literal["me", "threads", "restrictions", "holds", "bookmarks", "drafts"]
"""What is to be asked for, since it was told that it has changed, but not to what."""
ChatEvent = LogEvent | InboxEvent | Signal
decode: Any = msgspec.json.Decoder(ChatEvent).decode
_decode_log: Any = msgspec.json.Decoder(LogEvent).decode
decode_head = msgspec.json.Decoder(Head).decode
decode_inbox_head = msgspec.json.Decoder(InboxHead).decode


@dataclass(slots=True, eq=False)
class Store:
    """See the module. `stale` and `recount` (conversations) are what events have left unknown; the Chat asks for it."""

    me: Me | None = None
    known: dict[str, Known] = field(default_factory=dict)
    invitations: dict[str, MyConversation] = field(default_factory=dict)
    threads: dict[tuple[str, int], MyThread] = field(default_factory=dict)
    blocks: set[str] = field(default_factory=set)
    bookmarks: dict[tuple[str, int], Bookmark] = field(default_factory=dict)
    drafts: dict[Place, Draft] = field(default_factory=dict)
    scheduled: dict[int, Scheduled] = field(default_factory=dict)
    reminders: dict[int, Reminder] = field(default_factory=dict)
    restrictions: tuple[Restriction, ...] = ()
    holds: dict[str, Hold] = field(default_factory=dict)
    presence: dict[str, Presence] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    token: str | None = None
    inbox: int | None = None
    stale: set[Stale] = field(default_factory=set)
    recount: set[str] = field(default_factory=set)

    @property
    def user(self) -> User | None:
        return None if self.me is None else self.me.user

    def conversations(self) -> list[Known]:
        """Those that one has joined, the most active first."""
        found = self.known.values()
        return sorted(found, key=lambda each: (-each.conversation.last_activity, each.id))

    def unread(self, now: float = 0.0) -> tuple[int, int, int]:
        """Unread messages, mentions among them, and conversations that have unread ones. Archived ones do not count,
        nor those that are muted until after `now` (Unix seconds)."""
        told = [
            each.membership
            for each in self.known.values()
            if not each.membership.archived
            and (each.membership.muted_until or 0.0) <= now
            and each.membership.unread
        ]
        return sum(each.unread for each in told), sum(each.mentions for each in told), len(told)

    # --- syncs --------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Forget all: what comes next is everything."""
        blank = Store(presence=self.presence, users=self.users)
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(blank, name))

    def take(self, page: SyncPage, *, first: bool) -> list[ChatEvent]:
        """A page of a sync. The answer is what of it were events, to be told."""
        told: list[ChatEvent] = []
        if page.reset and first:
            self.begin()
        for each in page.conversations:
            told += self._conversation(each)
        for invitation in page.invitations:
            self.known.pop(invitation.conversation.id, None)
            self.invitations[invitation.conversation.id] = invitation
        for receipts in page.receipts:
            if (known := self.known.get(receipts.conversation)) is not None:
                known.heard(receipts)
        if first:
            told += self._rest(page)
        self.token = page.token
        return told

    def _conversation(self, told: SyncConversation) -> list[ChatEvent]:
        id = told.conversation.conversation.id
        self.invitations.pop(id, None)
        known = self.known.get(id)
        events: list[ChatEvent] = []
        if known is not None and told.events:
            for raw in told.events:
                event = _decode(_decode_log, raw)
                if event is not None and event.seq > known.seq:
                    known.apply(event, self.user)
                    events.append(event)
        elif known is None or told.messages or told.too_far or told.seq > known.seq:
            members = None if known is None else known.members
            receipts = {} if known is None else known.receipts
            oldest = told.messages[0].seq if told.more_before and told.messages else 0
            if told.more_before and not told.messages:
                oldest = told.seq + 1
            known = self.known[id] = Known(
                told.conversation, told.seq, oldest, members=members, receipts=receipts
            )
            known.put(told.messages)
            known.hidden = set(told.hidden)
        known.mine = told.conversation
        known.seq = max(known.seq, told.seq)
        known.hidden |= set(told.hidden)
        self.recount.discard(id)
        return events

    def _rest(self, page: SyncPage) -> list[ChatEvent]:
        for id in page.removed:
            self._forget(id)
        for thread in page.threads:
            self._thread(thread)
        if page.blocks is not None:
            self.blocks = {each.user for each in page.blocks}
        if page.bookmarks is None:
            self.bookmarks.clear()
            self.stale.add("bookmarks")
        for bookmark in page.bookmarks or ():
            self._bookmark(bookmark)
        if page.drafts is None:
            self.drafts.clear()
            self.stale.add("drafts")
        for draft in page.drafts or ():
            self._draft(draft)
        if page.scheduled is not None:
            self.scheduled = {each.id: each for each in page.scheduled}
        if page.reminders is not None:
            self.reminders = {each.id: each for each in page.reminders}
        if page.restrictions is not None:
            self.restrictions = page.restrictions
        for hold in page.holds:
            self.holds[hold.id] = hold
        self.me = page.me or self.me
        self.inbox = page.inbox
        return [event for raw in page.inbox_events or () if (event := _decode(decode, raw)) is not None]

    # --- events -------------------------------------------------------------------------------------------

    def hole(self, conversation: str, seq: int) -> bool:
        """Whether events before `seq` are missing."""
        known = self.known.get(conversation)
        return known is not None and seq > known.seq + 1

    def log_event(self, event: LogEvent) -> bool:
        """An event of a conversation's log, behind those that are known. Whether it was new."""
        known = self.known.get(event.conversation)
        if known is None or event.seq <= known.seq:
            return False
        if known.apply(event, self.user):
            self.recount.add(event.conversation)
        if type(event).__struct_config__.tag == "message.created":
            self._reply(known, event)
        return True

    def _reply(self, known: Known, event: Any) -> None:
        message = event.message
        place = (known.id, message.thread)
        thread = self.threads.get(place)
        if message.thread is None or thread is None:
            return
        root = known.messages.get(message.thread) or replace(
            thread.root, replies=event.replies, last_reply=message.created
        )
        mine = self.user is not None and message.sender == self.user.id
        self.threads[place] = replace(thread, root=root, unread=0 if mine else thread.unread + 1)

    def inbox_event(self, event: InboxEvent) -> bool:
        """An event of the user's inbox. Whether it was new."""
        if self.inbox is not None and event.seq <= self.inbox:
            return False
        self.inbox = event.seq
        match event:
            case ConversationAdded(conversation=mine):
                self._added(mine)
            case ConversationRemoved(conversation=id):
                self._forget(id)
            case MembershipUpdated(conversation=id):
                if (known := self.known.get(id)) is not None:
                    known.mine = replace(known.mine, membership=event.membership)
                    self.recount.discard(id)
            case MessageHidden(conversation=id):
                if (known := self.known.get(id)) is not None:
                    known.hidden.add(event.message)
            case ThreadUpdated():
                self.stale.add("threads")
            case UserUpdated():
                self.stale.add("me")
            case BlocksChanged():
                (self.blocks.add if event.blocked else self.blocks.discard)(event.user)
            case RestrictionChanged():
                self.stale.add("restrictions")
            case HoldChanged():
                self.stale.add("holds")
            case ScheduledChanged(scheduled=scheduled):
                if event.state == "scheduled":
                    self.scheduled[scheduled.id] = scheduled
                else:
                    self.scheduled.pop(scheduled.id, None)
            case ScheduledFailed(scheduled=scheduled):
                self.scheduled[scheduled.id] = scheduled
            case ReminderChanged(reminder=reminder):
                if event.removed:
                    self.reminders.pop(reminder.id, None)
                else:
                    self.reminders[reminder.id] = reminder
            case ReminderDue(reminder=reminder):
                self.reminders[reminder.id] = reminder
            case BookmarkChanged(bookmark=bookmark):
                self._bookmark(bookmark)
            case DraftChanged(draft=draft):
                self._draft(draft)
        return True

    def signal(self, event: Signal, now: float) -> None:
        """What is in no log. `now` is the loop's clock."""
        match event:
            case Typing(conversation=id):
                if (known := self.known.get(id)) is not None:
                    if event.ttl > 0:
                        known.typing[event.user, event.thread] = now + event.ttl
                    else:
                        known.typing.pop((event.user, event.thread), None)
            case Receipts(conversation=id):
                if (known := self.known.get(id)) is not None:
                    known.heard(event)
            case PresenceChanged():
                self.presence[event.user] = Presence(event.user, event.availability, event.last_seen)

    def counted(self, mine: MyConversation) -> None:
        """What a conversation is to its user, as it was asked for."""
        if (known := self.known.get(mine.conversation.id)) is not None:
            known.mine = replace(known.mine, membership=mine.membership)

    def _added(self, mine: MyConversation) -> None:
        id = mine.conversation.id
        if mine.membership.state == "invited":
            self.invitations[id] = mine
            self.known.pop(id, None)
            return
        self.invitations.pop(id, None)
        if id not in self.known:
            seq = mine.conversation.seq
            whole = mine.conversation.messages == 0
            self.known[id] = Known(mine, seq, 0 if whole else seq + 1)

    def _forget(self, id: str) -> None:
        self.known.pop(id, None)
        self.invitations.pop(id, None)
        self.recount.discard(id)
        _without(self.threads, id)
        _without(self.bookmarks, id)
        _without(self.drafts, id)

    def _thread(self, thread: MyThread) -> None:
        place = (thread.root.conversation, thread.root.seq)
        if thread.following:
            self.threads[place] = thread
        else:
            self.threads.pop(place, None)

    def followed(self, threads: tuple[MyThread, ...]) -> None:
        """All threads that one follows, as they were asked for."""
        self.threads = {(each.root.conversation, each.root.seq): each for each in threads if each.following}

    def _bookmark(self, bookmark: Bookmark) -> None:
        place = (bookmark.conversation, bookmark.message)
        if bookmark.removed:
            self.bookmarks.pop(place, None)
        else:
            self.bookmarks[place] = bookmark

    def _draft(self, draft: Draft) -> None:
        place = (draft.conversation, draft.thread)
        if draft.removed:
            self.drafts.pop(place, None)
        else:
            self.drafts[place] = draft


def _without(kept: Any, conversation: str) -> None:
    for place in [place for place in kept if place[0] == conversation]:
        del kept[place]


def _decode(decoder: Any, raw: Any) -> Any:
    """None for an event of a later server."""
    try:
        return decoder(raw)
    except msgspec.MsgspecError:
        return None
