from __future__ import annotations

from typing import Any

from msgspec import Raw

from hubbub.chat.events import (
    BlocksChanged,
    BookmarkChanged,
    ConversationAdded,
    ConversationRemoved,
    DraftChanged,
    MembershipUpdated,
    MessageHidden,
    PresenceChanged,
    ReminderChanged,
    ReminderDue,
    ScheduledChanged,
    ThreadUpdated,
    Typing,
    UserUpdated,
)
from hubbub.chat.model import (
    Bookmark,
    Conversation,
    Draft,
    Message,
    MyConversation,
    MyMembership,
    Reminder,
    Scheduled,
    User,
)
from hubbub.client.chat.operations.people import Me
from hubbub.client.chat.operations.reading import SyncConversation, SyncPage
from hubbub.client.chat.store import Store


def mine(
    id: str, seq: int = 0, state: str = "joined", unread: int = 0, **conversation: float
) -> MyConversation:
    membership = MyMembership("member", state, unread=unread)  # type: ignore[arg-type]
    return MyConversation(Conversation(id, "group", seq=seq, **conversation), membership)  # type: ignore[arg-type]


def message(seq: int) -> Message:
    return Message("c", seq, "bob", 1.0, number=seq)


def filled() -> Store:
    store = Store()
    page = SyncPage(
        "t1",
        (
            SyncConversation(
                mine("c", 5, unread=2, last_activity=1.0), 5, (), (message(4), message(5)), more_before=True
            ),
        ),
        (mine("i", state="invited"),),
        me=Me(User("ada"), "everyone", 2, 1, 1),
        inbox=3,
    )
    assert store.take(page, first=True) == []
    return store


EVENT = Raw(
    b'{"type":"message.created","conversation":"c","seq":6,"time":1,'
    b'"message":{"conversation":"c","seq":6,"sender":"bob","created":1,"number":6}}'
)


def test_a_sync_replaces_or_goes_on() -> None:
    store = filled()
    known = store.known["c"]
    assert (known.seq, known.oldest, [each.seq for each in known.timeline()]) == (5, 4, [4, 5])
    assert set(store.invitations) == {"i"}
    told = store.take(
        SyncPage("t2", (SyncConversation(mine("c", 6, unread=3), 6, (EVENT,), hidden=(4,)),), inbox=3),
        first=True,
    )
    assert [type(each).__name__ for each in told] == ["MessageCreated"]
    assert ([each.seq for each in known.timeline()], known.membership.unread) == ([5, 6], 3)
    # Again, as it may be: nothing is told twice.
    assert store.take(SyncPage("t2", (SyncConversation(mine("c", 6), 6, (EVENT,)),)), first=True) == []
    far = SyncConversation(mine("c", 99), 99, (), (message(99),), too_far=True, more_before=True)
    store.take(SyncPage("t3", (far,), removed=("i",)), first=True)
    known = store.known["c"]
    assert (known.seq, known.oldest, [each.seq for each in known.timeline()]) == (99, 99, [99])
    assert store.token == "t3"
    assert store.invitations == {}
    store.take(SyncPage("t4", reset=True), first=True)
    assert store.known == {}


def test_a_quiet_conversation_of_which_only_its_user_s_part_has_changed_keeps_its_messages() -> None:
    store = filled()
    store.take(SyncPage("t2", (SyncConversation(mine("c", 5, unread=0), 5),)), first=True)
    assert [each.seq for each in store.known["c"].timeline()] == [4, 5]
    assert store.known["c"].membership.unread == 0


def test_the_inbox() -> None:
    store = filled()
    head: Any = {"time": 1.0}
    assert not store.inbox_event(ConversationRemoved(seq=3, **head, conversation="c"))  # known already
    store.inbox_event(ConversationAdded(seq=4, **head, conversation=mine("d", 7, messages=3)))
    assert (store.known["d"].seq, store.known["d"].oldest) == (7, 8)
    store.inbox_event(ConversationAdded(seq=5, **head, conversation=mine("e", state="invited")))
    assert set(store.invitations) == {"i", "e"}
    store.inbox_event(MembershipUpdated(seq=6, **head, conversation="c", membership=MyMembership(unread=9)))
    assert store.known["c"].membership.unread == 9
    assert store.unread() == (9, 0, 1)
    store.inbox_event(MessageHidden(seq=7, **head, conversation="c", message=5))
    assert [each.seq for each in store.known["c"].timeline()] == [4]
    store.inbox_event(BlocksChanged(seq=8, **head, user="eve", blocked=True))
    store.inbox_event(ThreadUpdated(seq=9, **head, conversation="c", thread=4, following=True, read=0))
    store.inbox_event(UserUpdated(seq=10, **head))
    assert (store.blocks, store.stale) == ({"eve"}, {"threads", "me"})
    store.inbox_event(BookmarkChanged(seq=11, **head, bookmark=Bookmark("c", 4, 1.0)))
    store.inbox_event(DraftChanged(seq=12, **head, draft=Draft("c", 1.0)))
    scheduled = Scheduled(1, "c", 9.0, (), 1.0)
    store.inbox_event(ScheduledChanged(seq=13, **head, scheduled=scheduled))
    store.inbox_event(ReminderChanged(seq=14, **head, reminder=Reminder(1, 9.0, 1.0)))
    store.inbox_event(ReminderDue(seq=15, **head, reminder=Reminder(1, 9.0, 1.0, reminded=9.0)))
    assert (set(store.bookmarks), set(store.drafts), set(store.scheduled)) == ({("c", 4)}, {("c", None)}, {1})
    assert store.reminders[1].reminded == 9.0
    store.inbox_event(ScheduledChanged(seq=16, **head, scheduled=scheduled, state="sent", message=6))
    store.inbox_event(ReminderChanged(seq=17, **head, reminder=Reminder(1, 9.0, 1.0), removed=True))
    store.inbox_event(ConversationRemoved(seq=18, **head, conversation="c"))
    assert (set(store.known), store.bookmarks, store.drafts) == ({"d"}, {}, {})
    assert (store.scheduled, store.reminders, store.inbox) == ({}, {}, 18)


def test_signals() -> None:
    store = filled()
    store.signal(Typing("c", "bob", 6.0), 100.0)
    assert store.known["c"].typing == {("bob", None): 106.0}
    store.signal(Typing("c", "bob", 0.0), 101.0)
    assert store.known["c"].typing == {}
    store.signal(PresenceChanged("bob", "away"), 100.0)
    assert store.presence["bob"].availability == "away"
    store.signal(Typing("nowhere", "bob", 6.0), 100.0)


def test_holes_are_seen() -> None:
    store = filled()
    assert [store.hole("c", seq) for seq in (5, 6, 7)] == [False, False, True]
    assert not store.hole("nowhere", 7)
