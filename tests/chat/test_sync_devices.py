"""What a device has after any history of syncs is what is so; whatever was being written while it asked."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
import sqlalchemy as sa
from tests.chat.talk import limited, say, text
from tests.chat.world import World

from hubbub.chat.events import State, apply, decode_event
from hubbub.chat.ledger import View
from hubbub.chat.listing import my_conversations
from hubbub.chat.model import Message, MyConversation
from hubbub.chat.rows import CONVERSATION, ConversationRow
from hubbub.chat.sync import SyncPage
from hubbub.errors import HubbubError
from hubbub.storage.tables import conversations, members

pytestmark = pytest.mark.anyio
STEPS = 100


class Device:
    """Does what the documentation says."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.token: str | None = None
        self.conversations: dict[str, MyConversation] = {}
        self.messages: dict[str, dict[int, Message]] = {}
        self.positions: dict[str, int] = {}
        self.too_far = self.caught_up = 0

    async def sync(self, world: World) -> None:
        more = True
        while more:
            given: dict[str, Any] = {"positions": self.positions}
            if self.token is not None:
                given["token"] = self.token
            page: SyncPage = await world.do("sync", self.user, **given)
            self.take(page)
            more = page.more

    def take(self, page: SyncPage) -> None:
        self.token = page.token
        for id in (*page.removed, *(each.conversation.id for each in page.invitations)):
            for known in (self.conversations, self.messages, self.positions):
                known.pop(id, None)
        for invitation in page.invitations:
            self.conversations[invitation.conversation.id] = invitation
        for each in page.conversations:
            id = each.conversation.conversation.id
            self.conversations[id] = each.conversation
            if each.events:
                state = State(each.conversation.conversation, {}, self.messages[id])
                for event in each.events:
                    state = apply(state, decode_event(event))
                self.messages[id] = state.messages
                self.caught_up += 1
            elif self.positions.get(id) != each.seq:
                self.messages[id] = {message.seq: message for message in each.messages}
                self.too_far += each.too_far
            self.positions[id] = each.seq


async def test_whatever_happens_between_syncs(database: str) -> None:
    async with limited(
        database, chat={"sync_events": 4, "sync_messages": 3, "sync_conversations": 2}
    ) as chat:
        for seed in range(2):
            await history(chat, random.Random(seed), f"bob{seed}")


async def history(chat: World, dice: random.Random, bob: str) -> None:
    ids = [await chat.group("ada", bob, "eve") for _ in range(4)]
    device = Device(bob)
    for _ in range(STEPS):
        id = dice.choice(ids)
        with suppress(HubbubError):  # bob is out, or the message is gone
            await something(chat, dice, id, bob)
        if dice.random() < 0.12:
            await device.sync(chat)
    await device.sync(chat)
    assert device.too_far
    assert device.caught_up
    fresh, messages = await chat.read(lambda view: read(view, bob))
    assert device.conversations == fresh
    states = {id: await chat.state(id) for id in ids}
    for id, held in device.messages.items():
        for seq, message in held.items():
            assert message == states[id].messages[seq]
        newest = messages[id]
        assert newest is None or newest.seq < min(held) or held[newest.seq] == newest


async def something(chat: World, dice: random.Random, id: str, bob: str) -> None:
    who = dice.choice(["ada", bob, "eve"])
    state = await chat.state(id)
    seqs = [seq for seq, message in state.messages.items() if message.kind == "user"] or [1]
    seq = dice.choice(seqs[-6:])
    what = dice.randrange(10)
    if what < 4:
        await say(
            chat, id, who, f"{dice.random()}", **({"thread": seqs[0]} if what == 3 and seqs != [1] else {})
        )
    elif what == 4:
        await chat.do("messages.edit", who, conversation=id, message=seq, parts=text(f"{dice.random()}"))
    elif what == 5:
        await chat.do("messages.delete", who, conversation=id, message=seq)
    elif what == 6:
        await chat.do("reactions.add", who, conversation=id, message=seq, name=dice.choice("ab"))
    elif what == 7:
        await chat.do("receipts.mark", who, marks=[{"conversation": id, "read": seqs[-1]}])
    elif what == 8:
        if state.members[bob].state == "joined":
            await chat.do("members.remove", "ada", conversation=id, user=bob)
        else:
            await chat.do("members.add", "ada", conversation=id, users=[bob], invite=dice.random() < 0.5)
    else:
        await chat.do("conversations.update", "ada", conversation=id, name=f"{dice.random()}")
        await chat.do("conversations.settings", bob, conversation=id, archived=dice.random() < 0.5)


def read(view: View, user: str) -> tuple[dict[str, MyConversation], dict[str, Message | None]]:
    query = (
        sa.select(*CONVERSATION)
        .join(members, members.c.conversation == conversations.c.id)
        .where(members.c.user == user, members.c.state != "left")
    )
    found = my_conversations(view, user, [ConversationRow(*row) for row in view.execute(query)])
    return {each.conversation.id: each for each in found}, {
        each.conversation.id: each.last_message for each in found
    }


async def test_what_was_being_written_comes_with_the_next_sync(postgres_url: str) -> None:
    """A transaction that begins first and commits last has a smaller stamp than what was told meanwhile."""
    async with limited(postgres_url) as chat:
        slow = await chat.group("ada", "bob")
        busy = await chat.group("ada", "bob")
        token = (await chat.do("sync", "bob")).token
        other = await asyncpg.connect(postgres_url)
        try:
            late = other.transaction()
            await late.start()
            await other.execute(
                "UPDATE members SET archived = true, changed = pg_current_xact_id()::text::bigint"
                ' WHERE conversation = $1 AND "user" = $2',
                slow,
                "bob",
            )
            for number in range(3):
                await say(chat, busy, "ada", f"meanwhile {number}")
                page = await chat.do("sync", "bob", token=token)
                assert busy in told(page)
                # It may be told again, for any transaction of the whole cluster holds the horizon back; but not this.
                assert slow not in told(page) or not told(page)[slow].membership.archived
                token = page.token
            await late.commit()
        finally:
            await other.close()
        page = await chat.do("sync", "bob", token=token)
        assert told(page)[slow].membership.archived


async def test_a_token_is_exact_where_one_writes(tmp_path: Path) -> None:
    """As on SQLite. PostgreSQL tells again what may not have been seen."""
    async with limited(f"sqlite:///{tmp_path / 'chat.db'}") as chat:
        groups = [await chat.group("ada", "bob") for _ in range(3)]
        token = (await chat.do("sync", "bob")).token
        for group in groups:
            await say(chat, group, "ada", "hello")
            page = await chat.do("sync", "bob", token=token)
            assert list(told(page)) == [group]
            assert page.token != token
            token = page.token
        assert told(await chat.do("sync", "bob", token=token)) == {}


def told(page: SyncPage) -> dict[str, MyConversation]:
    return {each.conversation.conversation.id: each.conversation for each in page.conversations}
