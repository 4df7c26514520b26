from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat.talk import limited, say, text, words
from tests.chat.world import World

from hubbub.chat import sending
from hubbub.chat.delivery import Delivery
from hubbub.chat.events import MessageCreated
from hubbub.chat.ledger import Actor
from hubbub.chat.operations import Caller
from hubbub.chat.outgoing import Outgoing, Sent
from hubbub.errors import HubbubError
from hubbub.storage.base import Action, Transaction
from hubbub.storage.tables import events

pytestmark = pytest.mark.anyio


async def created(chat: World, id: str) -> list[MessageCreated]:
    return [
        event
        for event in await chat.log(id)
        if isinstance(event, MessageCreated) and event.message.kind == "user"
    ]


async def test_fifty_senders_at_once_leave_no_gap(chat: World) -> None:
    users = [f"u{place}" for place in range(50)]
    id = await chat.group("ada", *users)
    other = await chat.group("ada", *users)
    sent = await asyncio.gather(
        *(say(chat, room, user, f"{user} {n}") for n in range(4) for user in users for room in (id, other))
    )
    for room in (id, other):
        messages = sorted((each for each in sent if each.conversation == room), key=lambda each: each.seq)
        assert [each.number for each in messages] == list(range(1, 201))
        assert [each.seq for each in messages] == list(range(messages[0].seq, messages[0].seq + 200))
        for user in users:  # each in the order in which it sent
            mine = [each for each in messages if each.sender == user]
            assert words(mine) == [f"{user} {n}" for n in range(4)]


async def test_the_refused_leave_nothing_in_a_batch(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await chat.user("eve")
    senders = ["ada", "eve", "bob", "nobody", "ada"]
    outcomes = await asyncio.gather(
        *(say(chat, id, user, str(place)) for place, user in enumerate(senders)), return_exceptions=True
    )
    assert [isinstance(each, HubbubError) for each in outcomes] == [False, True, False, True, False]
    assert words([event.message for event in await created(chat, id)]) == ["0", "2", "4"]


async def test_a_batch_takes_a_dozen_statements(chat: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many messages it has (on SQLite: of a power of two)."""
    users = [f"u{place}" for place in range(16)]
    rooms = [await chat.group("ada", *users) for _ in range(4)]
    statements: list[str] = []

    def run(tx: Transaction, items: Sequence[Outgoing]) -> list[Sent | HubbubError]:
        def count(*args: Any) -> None:
            statements.append(args[2])

        sa.event.listen(tx.connection, "before_cursor_execute", count)
        try:
            return Delivery(tx, items).run()
        finally:
            sa.event.remove(tx.connection, "before_cursor_execute", count)

    monkeypatch.setattr(sending, "SEND", Action("messages.send", run))
    await asyncio.gather(
        *(
            chat.do("messages.send", user, idempotency_key=user, conversation=room, parts=text("hello"))
            for room in rooms
            for user in users
        )
    )
    lines = 1 if chat.store.dialect == "sqlite" else chat.config.storage.writers
    assert len(statements) <= 9 * lines * 2, "each line: what came first, and the rest"


async def test_an_event_is_encoded_as_it_is_decoded(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await say(chat, id, "ada", "hello", mentions={"users": ["bob"], "everyone": "all"})
    query = sa.select(events.c.data).where(events.c.conversation == id).order_by(events.c.seq)
    kept = await chat.read(lambda view: [data.encode() for data in view.execute(query).scalars()])
    assert kept == [logged.data for logged in chat.chat.heard[f"conversation:{id}"]]


async def test_what_was_not_written_is_written_when_it_is_tried_again(
    chat: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that the database refuses is undone, and each message tried alone."""
    id = await chat.group("ada", "bob")
    failing = True

    def run(tx: Transaction, items: Sequence[Outgoing]) -> list[Sent | HubbubError]:
        nonlocal failing
        outcomes = Delivery(tx, items).run()
        if failing and len(items) > 1:
            failing = False
            raise RuntimeError("undone")
        return outcomes

    before = (await chat.state(id)).conversation.seq
    monkeypatch.setattr(sending, "SEND", Action("messages.send", run))
    sent = await asyncio.gather(*(say(chat, id, "ada", str(n)) for n in range(10)))
    assert [each.seq for each in sent] == list(range(before + 1, before + 11))
    assert not failing


async def test_two_nodes_write_one_conversation_without_a_gap(postgres_url: str) -> None:
    async with limited(postgres_url) as one:
        two = World(postgres_url)
        await two.start()
        try:
            users = [f"u{place}" for place in range(10)]
            id = await one.group("ada", *users)
            root = await say(one, id, "ada", "root")

            async def send(node: World, user: str, n: int) -> Sent:
                params: dict[str, Any] = {"conversation": id, "parts": text(f"{user} {n}")}
                if n % 3 == 0:
                    params |= {"thread": root.seq, "mentions": {"users": ["ada", "u1"]}}
                raw = node.chat.decode(sending.send, msgspec.json.encode(params))
                return await node.chat.perform(sending.send, Caller(Actor(user), None, f"{user} {n}"), raw)

            # Everything is sent by both.
            sent = await asyncio.gather(
                *(send(node, user, n) for n in range(9) for user in users for node in (one, two))
            )
            log = await created(one, id)
            assert len(log) == 91
            assert [each.seq for each in log] == list(range(log[0].seq, log[0].seq + 91))
            assert sum(not each.duplicate for each in sent) == 90
            seqs = {each.message.seq for each in sent}
            assert seqs == {each.seq for each in log[1:]}
            (thread,) = (await one.do("threads.list", "ada")).threads
            assert (thread.root.replies, thread.unread) == (30, 30)
            for channel, heard in two.chat.heard.items():  # `check` looks for all that was published
                one.chat.heard[channel].extend(heard)
                one.chat.heard[channel].sort(key=lambda each: each.offset)
        finally:
            await two.stop()
