from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from tests.client.chat.random_talk import talk
from tests.client.places import chat_server

from hubbub.chat.events import LogEvent, MessageUpdated, Receipt, Receipts, State, apply, decode_event
from hubbub.chat.model import Conversation, Message, MyConversation, MyMembership, User
from hubbub.client import Client
from hubbub.client.chat.conversation import Known
from hubbub.model import Raw

pytestmark = pytest.mark.anyio


def known() -> Known:
    return Known(MyConversation(Conversation("c", "group"), MyMembership("member", "joined")), 0)


def created(seq: int, sender: str = "bob", number: int | None = None, **more: object) -> LogEvent:
    message = {"conversation": "c", "seq": seq, "sender": sender, "created": 1.0, "parts": []}
    message |= {"number": number or seq} if "thread" not in more else {}
    event = {
        "type": "message.created",
        "conversation": "c",
        "seq": seq,
        "time": 1.0,
        "message": message | more,
    }
    decoded: LogEvent = decode_event(msgspec.json.encode(event))
    return decoded


@pytest.mark.parametrize("seed", range(3))
async def test_events_do_what_they_do_to_the_server_s_state(
    sqlite_url: str, tmp_path: Path, seed: int
) -> None:
    async with (
        chat_server(sqlite_url, tmp_path) as server,
        Client(server.url, server.token("bob")) as bob,
        Client(server.url, server.token("ada")) as ada,
    ):
        for id in await talk([ada, bob], 60, seed):
            page = await ada.chat.events.list(id)
            events = [decode_event(raw) for raw in page.events]
            assert len(events) == page.seq > 5
            state: State | None = None
            there = known()
            there.members = {}
            for event in events:
                state = apply(state, event)
                there.apply(event, User("ada"))
                if isinstance(event, MessageUpdated):
                    assert event.message.seq not in there.withheld
            assert state is not None
            assert there.conversation == state.conversation
            assert there.messages == state.messages
            users = {user: (each.role, each.state) for user, each in state.members.items()}
            assert {user: (each.role, each.state) for user, each in there.members.items()} == users
            assert there.seq == page.seq


def test_unread_messages_and_mentions_are_counted() -> None:
    there, me = known(), User("ada")
    assert not there.apply(created(1), me)
    assert not there.apply(created(2, mentions={"users": ["ada"]}), me)
    assert not there.apply(created(3, mentions={"everyone": "all"}), me)
    assert there.apply(created(4, mentions={"groups": ["ops"]}), me)  # is Ada in it?
    assert not there.apply(created(5, thread=1), me)
    assert (there.membership.unread, there.membership.mentions) == (4, 2)
    assert not there.apply(created(6, sender="ada", number=5), me)
    assert (there.membership.unread, there.membership.mentions, there.membership.read) == (0, 0, 6)
    assert [each.seq for each in there.timeline()] == [1, 2, 3, 4, 6]
    assert [each.seq for each in there.thread(1)] == [5]
    assert there.mine.last_message is not None
    assert there.mine.last_message.seq == 6


def test_cursors_only_move_forward() -> None:
    there = known()
    there.heard(Receipts("c", (Receipt("bob", 3, 5),)))
    there.heard(Receipts("c", (Receipt("bob", 1, 6),)))
    assert there.receipts == {"bob": Receipt("bob", 3, 6)}
    there.heard(Receipts("c", (), 9, 40, 50))
    assert there.counts is not None
    assert there.counts.read == 40


def test_what_is_withheld_is_not_lost() -> None:
    there, me = known(), User("ada")
    there.apply(created(1, parts=[{"type": "text", "text": "a"}]), me)
    withheld = Message("c", 1, "bob", 1.0, number=1, version=2)
    there.apply(MessageUpdated(conversation="c", seq=2, time=2.0, message=withheld, withheld=True), me)
    assert there.withheld == {1}
    assert bytes(there.messages[1].parts[0]) == b'{"type":"text","text":"a"}'
    there.put([Message("c", 1, "bob", 1.0, (Raw(b"{}"),), number=1, version=2)])
    assert there.withheld == set()


def reacted(seq: int, message: int, *users: str) -> LogEvent:
    reactions = [{"name": "+1", "count": len(users), "users": users}] if users else []
    event = {
        "type": "reactions.changed",
        "conversation": "c",
        "seq": seq,
        "time": 1.0,
        "message": message,
        "name": "+1",
        "added": bool(users),
        "reactions": reactions,
    }
    decoded: LogEvent = decode_event(msgspec.json.encode(event))
    return decoded


def test_a_page_that_was_read_before_events_does_not_undo_them() -> None:
    there, me = known(), User("ada")
    there.apply(created(1), me)
    page = there.timeline()
    with there.reading() as since, there.reading() as other:
        there.apply(created(2), me)
        there.apply(reacted(3, 1, "bob"), me)
        there.put(page, since)
        assert [each.reactions for each in there.timeline()] == [there.messages[1].reactions, ()]
        assert [each.count for each in there.messages[1].reactions] == [1]
        there.apply(reacted(4, 1), me)
        there.put(page, other)
        assert there.messages[1].reactions == ()
    there.apply(reacted(5, 1, "bob"), me)
    assert (len(since), len(other)) == (3, 3)  # nobody reads any more
