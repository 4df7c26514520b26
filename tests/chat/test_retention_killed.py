"""What is too old goes once and all of it, though the servers that delete it are killed; nothing else goes."""

from __future__ import annotations

import signal
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.killed_retention import BATCH, SETTINGS
from tests.chat.test_agenda_killed import consistent
from tests.chat.test_rebuild import check_messages, check_people
from tests.chat.test_search_index import check_index
from tests.chat.wire import chat_server
from tests.chat.world import World
from tests.killing import Victim, kill
from tests.transfer.moving import ADA, BOB, END, START, bring, file_of, message
from tests.waiting import until

from hubbub.chat.events import MessagesExpunged
from hubbub.chat.ledger import View
from hubbub.chat.retention import SWEEP
from hubbub.storage.tables import agenda, messages

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
PLACES = ("c1", "c2")
FOR_EVER = "c3"
OLD = 91
"""Messages of each conversation whose time is over: the last batch has young ones, too."""
KILLS = 2


def lines(place: str, now: float) -> list[dict[str, Any]]:
    """A conversation: old messages with threads, reactions and mentions; young ones, and an old one after them."""
    found: list[dict[str, Any]] = [
        {"type": "conversation", "id": place, "kind": "group", "created": 10.0, "name": place},
        *({"type": "member", "conversation": place, "user": user} for user in ("ada", "bob")),
    ]
    for n in range(OLD):
        more: dict[str, Any] = {"created": 1_000.0 + n, "conversation": place}
        match n % 4:
            case 1:
                more |= {"thread": f"{place}.{n - 1}", "sender": "bob"}
            case 2:
                more |= {"mentions": {"users": ["bob"]}}
            case 3:
                more |= {"reactions": [{"name": "👍", "users": ["bob", "ada"]}]}
        found.append(message(f"{place}.{n}", f"old words {n}", **more))
    for n in range(4):
        created = now if n != 2 else 2_000.0
        found.append(message(f"{place}.y{n}", f"young words {n}", created=created, conversation=place))
    return found


async def written(url: str, folder: Path) -> None:
    """All that there is before anything goes."""
    world = await World(url).start()
    try:
        inside = [line for place in (*PLACES, FOR_EVER) for line in lines(place, time.time())]
        moved = await bring(world, file_of(folder / "old.jsonl", START, ADA, BOB, *inside, END))
        assert moved.refused == []
        poll = {"type": "poll", "question": "?", "options": [{"text": "a"}, {"text": "b"}]}
        for place in PLACES:
            seqs = [
                each.seq for each in (await world.do("messages.list", "ada", conversation=place)).messages
            ]
            for seq in (*seqs[:8:2], seqs[-1]):
                await world.do("pins.add", "", conversation=place, message=seq)
                await world.do("bookmarks.add", "bob", conversation=place, message=seq)
            await world.do("messages.edit", "ada", conversation=place, message=seqs[-2], parts=[poll])
            await world.do("polls.vote", "bob", conversation=place, message=seqs[-2], options=["2"])
            await world.do("receipts.mark", "bob", marks=[{"conversation": place, "read": seqs[9]}])
        await world.do("retention.update", "", conversation=FOR_EVER, retention=0)
    finally:
        await world.stop()


def to_be_done(view: View) -> bool:
    old = sa.select(messages.c.seq).where(
        messages.c.conversation.in_(PLACES), messages.c.deleted.is_(None), messages.c.created < 1_000.0 + OLD
    )
    return view.execute(old.limit(1)).first() is not None


def live(view: View) -> dict[str, list[float]]:
    """When what is there was sent, by conversation."""
    query = sa.select(messages.c.conversation, messages.c.created).where(messages.c.deleted.is_(None))
    found: dict[str, list[float]] = {place: [] for place in (*PLACES, FOR_EVER)}
    for place, created in view.execute(query.order_by(messages.c.conversation, messages.c.seq)):
        found[place].append(created)
    return found


def sweeps(view: View) -> int:
    query = sa.select(sa.func.count()).select_from(agenda).where(agenda.c.kind == SWEEP)
    return int(view.execute(query).scalar_one())


async def judge(url: str) -> None:
    """Have the rest done, and look."""
    async with chat_server(url, **SETTINGS) as server:
        chat = server.app.chat
        while await chat.read(to_be_done):
            done = server.app.metrics.agenda.total()
            await until(lambda: server.app.metrics.agenda.total() > done)  # noqa: B023 (it waits here)
        assert await chat.read(sweeps) == 1, "the next look is planned once"
    world = await World(url).start()
    try:
        found = await world.read(live)
        assert len(found[FOR_EVER]) == OLD + 4
        for place in PLACES:
            assert len(found[place]) == 4, "nothing young is lost, nor what is behind it"
            through = [event.through for event in await world.log(place) if type(event) is MessagesExpunged]
            assert through == sorted(set(through)), "each went once"
            assert len(through) >= OLD // BATCH
            poll = (await world.do("messages.list", "ada", conversation=place, limit=2)).messages[0]
            assert poll.annotations.poll.voters == 1
            (pinned,) = (await world.do("pins.list", "ada", conversation=place)).messages
            assert pinned.deleted is None
        await world.read(consistent)
        await check_index(world)
        await world.read(check_messages)
        await world.read(check_people)
    finally:
        await world.stop()


async def test_through_kills(database: str, tmp_path: Path) -> None:
    """Of one server on SQLite, of two at once on PostgreSQL."""
    nodes = 1 if database.startswith("sqlite") else 2
    await written(database, tmp_path)
    for run in range(KILLS):
        async with AsyncExitStack() as stack:
            victims = [
                await stack.enter_async_context(Victim("tests.chat.killed_retention", database))
                for _ in range(nodes)
            ]
            statuses = await kill(victims, 3 + run)
            assert run or -signal.SIGKILL in statuses
    await judge(database)
