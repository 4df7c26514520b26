from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.world import World

from hubbub.chat.events import BlocksChanged, ConversationUpdated
from hubbub.chat.ledger import SERVER, Actor, Ledger
from hubbub.chat.model import Permission
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import each
from hubbub.storage.tables import conversations, inbox, users

pytestmark = pytest.mark.anyio


async def write(chat: World, action: Callable[[Ledger], Any]) -> Any:
    """The result of `action` in a transaction."""
    return await chat.store.write(each("test", lambda tx, _: action(Ledger(tx, chat.config))), None)


def renamed(conversation: str, name: str) -> Callable[[Ledger], int]:
    def action(ledger: Ledger) -> int:
        row, _ = ledger.access(SERVER, conversation, lock=True)
        row.name = name
        ledger.execute(conversations.update().where(conversations.c.id == conversation).values(name=name))
        made = ledger.append(row, ConversationUpdated, Actor("ada"), updated=lambda seq: row.public())
        assert made.seq == row.head
        assert made.updated.seq == made.seq, "a callable field gets the seq"
        return made.seq

    return action


async def test_events_are_numbered_without_gaps_and_published_in_order(chat: World) -> None:
    group = await chat.group("ada")
    seqs = await asyncio.gather(*(write(chat, renamed(group, f"name {number}")) for number in range(20)))
    assert sorted(seqs) == list(range(2, 22))
    heard = chat.chat.heard[f"conversation:{group}"]
    assert [(logged.offset, logged.event, logged.sender) for logged in heard[1:3]] == [
        (2, "conversation.updated", "ada"),
        (3, "conversation.updated", "ada"),
    ]


async def test_a_refused_action_leaves_nothing_and_publishes_nothing(chat: World) -> None:
    group = await chat.group("ada")

    def refused(ledger: Ledger) -> None:
        renamed(group, "lost")(ledger)
        ledger.tell("ada", BlocksChanged, user="bob", blocked=True)
        raise HubbubError(ErrorCode.CONFLICT)

    heads = sa.select(users.c.head)
    before = await chat.read(lambda view: view.execute(heads).scalars().all())
    with pytest.raises(HubbubError):
        await write(chat, refused)
    assert (await chat.state(group)).conversation.name is None
    assert await chat.read(lambda view: view.execute(heads).scalars().all()) == before
    assert await write(chat, renamed(group, "kept")) == 2


async def test_an_inbox_is_numbered_by_itself_and_keeps_the_newest(database: str) -> None:
    async with World(database, chat={"inbox_size": 10}) as chat:
        await chat.users("ada", "bob")
        for number in range(40):
            told = await write(
                chat, lambda ledger: ledger.tell_now("ada", BlocksChanged, user="x", blocked=True)
            )
            assert told.seq == number + 1
        await write(chat, lambda ledger: ledger.tell("bob", BlocksChanged, user="x", blocked=True))
        assert [event.seq for event in await chat.inbox("bob")] == [1]
        kept = await chat.read(lambda view: view.execute(sa.select(sa.func.count(inbox.c.seq))).scalar_one())
        assert 10 <= kept <= 10 + 16 + 1


async def test_who_has_access_to_what(chat: World) -> None:
    await chat.users("owner", "reader", "invited", "gone", "zoe")
    group = await chat.group("owner", members=[{"user": "reader", "role": "reader"}])
    await chat.do("members.add", "owner", conversation=group, users=["invited"], invite=True)
    await chat.do("members.add", "owner", conversation=group, users=["gone"])
    await chat.do("members.leave", "gone", conversation=group)
    topic = await chat.topic("owner")
    no, denied = ErrorCode.NOT_FOUND, ErrorCode.PERMISSION_DENIED
    cases: list[tuple[str, str, Permission, ErrorCode | None]] = [
        ("owner", group, "manage", None),
        ("reader", group, "read", None),
        ("reader", group, "send", denied),
        ("invited", group, "read", denied),
        ("gone", group, "read", no),
        ("zoe", group, "read", no),
        ("zoe", "nowhere", "read", no),
        ("", group, "manage", None),
        ("", "nowhere", "read", no),
        ("zoe", topic, "read", None),
        ("zoe", topic, "send", denied),
        ("owner", group, "join", denied),
    ]
    texts = set()
    for user, conversation, permission, code in cases:

        def access(
            ledger: Ledger, user: str = user, to: str = conversation, may: Permission = permission
        ) -> bool:
            row, member = ledger.access(Actor(user), to, may, lock=True)
            assert row.id == to
            assert member is None or (member.user == user and member.joined)
            return member is not None

        if code is None:
            assert await write(chat, access) is (user in ("owner", "reader"))
            continue
        with pytest.raises(HubbubError) as failure:
            await write(chat, access)
        assert (failure.value.code, failure.value.field) == (code, "conversation"), (user, permission)
        if code is no:
            texts.add(failure.value.message)
    assert len(texts) == 1, "the same words for what is not there and what one may not know of"
    invited = await chat.read(lambda view: view.access(Actor("invited"), group, invited=True)[1])
    assert invited is not None
    assert invited.state == "invited"


async def test_two_transactions_do_not_take_the_same_place(postgres_url: str) -> None:
    one = World(postgres_url)
    async with one, World(postgres_url, beside=one) as two:
        group = await one.group("ada")
        seqs = await asyncio.gather(
            *(write(world, renamed(group, f"name {number}")) for number in range(10) for world in (one, two))
        )
        assert sorted(seqs) == list(range(2, 22))


async def test_blocks_and_missing_users(chat: World) -> None:
    await chat.users("ada", "bob", "eve")
    await chat.do("blocks.add", "ada", user="bob")
    for pair, blocked in ((("ada", "bob"), True), (("bob", "ada"), True), (("ada", "eve"), False)):
        assert await chat.read(lambda view, pair=pair: view.blocked(*pair)) is blocked  # type: ignore[misc]
    missing = await chat.read(lambda view: view.missing_users(["x", "ada", "y", "x"]))
    assert missing == ["x", "y"]
