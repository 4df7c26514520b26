"""What a program shows of a conversation while its own messages are on their way: each of them once, all the time."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest
from msgspec import Raw

from hubbub.chat.events import MessageCreated
from hubbub.chat.model import Conversation, Message, MyConversation, MyMembership, User
from hubbub.client import Client
from hubbub.client.chat.chat import Chat
from hubbub.client.chat.conversation import Known
from hubbub.client.chat.operations.agenda import Sent
from hubbub.client.chat.operations.people import Me
from hubbub.client.outbox.base import Entry, WriteState

ROOM = "room"


class Outbox:
    """An outbox as a Chat sees it."""

    def __init__(self) -> None:
        self.entries: tuple[Entry, ...] = ()
        self.heard: Any = None


class Talk:
    """A chat in one conversation, with what is told to it."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        client = type("Client", (), {"outbox": self.outbox})()
        self.chat = Chat(cast("Client", client))
        self.chat.store.me = Me(User("ada"), "everyone", 0, 0, 0)
        conversation = Conversation(ROOM, "group", seq=1)
        mine = MyConversation(conversation, MyMembership("member", "joined"))
        self.chat.store.known[ROOM] = Known(mine, 1)

    def write(self, key: str, text: str, state: WriteState = "queued") -> None:
        params = {"conversation": ROOM, "parts": [{"type": "text", "text": text}]}
        entry = Entry(
            len(self.outbox.entries) + 1,
            "chat.messages.send",
            Raw(msgspec.json.encode(params)),
            key,
            f"conversation:{ROOM}",
            state=state,
        )
        self.outbox.entries += (entry,)
        self.chat._underway.written(ROOM, key)

    def event(self, seq: int, text: str, sender: str = "ada") -> None:
        message = said(seq, text, sender)
        self.chat.store.log_event(
            MessageCreated(conversation=ROOM, seq=seq, time=0.0, actor=sender, message=message)
        )

    def answer(self, key: str, seq: int, text: str) -> None:
        entry = next(each for each in self.outbox.entries if each.key == key)
        self.outbox.heard(entry, Raw(msgspec.json.encode(Sent(said(seq, text, "ada")))))
        self.outbox.entries = tuple(each for each in self.outbox.entries if each is not entry)

    @property
    def shown(self) -> list[tuple[int, str]]:
        found = []
        for item in self.chat.timeline(ROOM):
            [part] = (msgspec.json.decode(part) for part in item.message.parts)
            found.append((item.message.seq, part["text"]))
        return found


def said(seq: int, text: str, sender: str) -> Message:
    parts = (Raw(msgspec.json.encode({"type": "text", "text": text})),)
    return Message(ROOM, seq, sender, 0.0, parts, number=seq)


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_the_event_is_faster_than_the_answer(talk: Talk) -> None:
    talk.write("k1", "one", "sending")
    talk.write("k2", "two")
    assert talk.shown == [(0, "one"), (0, "two")]
    talk.event(2, "one")
    assert talk.shown == [(2, "one"), (0, "two")]
    talk.answer("k1", 2, "one")
    assert talk.shown == [(2, "one"), (0, "two")]


def test_the_answer_is_faster_than_the_event(talk: Talk) -> None:
    talk.write("k1", "one", "sending")
    talk.answer("k1", 3, "one")
    assert talk.shown == [(3, "one")]
    talk.event(2, "before", "bob")
    assert talk.shown == [(2, "before"), (3, "one")]
    talk.event(3, "one")
    assert talk.shown == [(2, "before"), (3, "one")]


def test_the_answer_is_lost_and_the_write_waits_again(talk: Talk) -> None:
    talk.write("k1", "one")
    talk.event(2, "one")
    talk.event(3, "from another device")
    assert talk.shown == [(2, "one"), (3, "from another device")]


def test_the_same_is_said_twice(talk: Talk) -> None:
    talk.event(2, "ok")
    talk.write("k1", "ok", "sending")
    assert talk.shown == [(2, "ok"), (0, "ok")]
    talk.write("k2", "ok")
    talk.event(3, "ok")
    assert talk.shown == [(2, "ok"), (3, "ok"), (0, "ok")]
    talk.answer("k1", 3, "ok")
    assert talk.shown == [(2, "ok"), (3, "ok"), (0, "ok")]


def test_what_has_failed_stays_and_holds_up_nobody(talk: Talk) -> None:
    talk.write("k1", "refused", "failed")
    talk.write("k2", "two", "sending")
    talk.event(2, "two")
    assert talk.shown == [(2, "two"), (0, "refused")]
