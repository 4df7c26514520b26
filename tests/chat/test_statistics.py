"""That the figures are what counting by hand gives, that they stay cheap, and who may see them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from tests.chat.later import leap, quiet, until
from tests.chat.plans import plans, searched
from tests.chat.review import report, restrict
from tests.chat.sharing import HELLO, stored
from tests.chat.talk import say, text
from tests.chat.world import World

from hubbub.chat.ledger import View
from hubbub.chat.statistics import DAY, Day, Recent, Statistics, by_day, statistics_of
from hubbub.errors import ErrorCode
from hubbub.storage.tables import users

pytestmark = pytest.mark.anyio


async def figures(chat: World, who: str = "", **params: Any) -> Statistics:
    found: Statistics = await chat.do("statistics.get", who, **params)
    return found


async def days(chat: World, count: int, most: int = 1_000) -> list[tuple[int, bool]]:
    found = await chat.read(lambda view: by_day(view, count, most))
    return [(each.messages, each.more) for each in found]


def _seen(view: View) -> int:
    """How many users have a time at which they were last there."""
    found: int = view.execute(sa.select(sa.func.count(users.c.last_seen))).scalar_one()
    return found


async def test_nothing_is_there_yet(chat: World) -> None:
    found = await figures(chat)
    assert (found.users.total, found.conversations.total, found.messages.total) == (0, 0, 0)
    assert len(found.messages.days) == 7
    assert (found.files.total, found.moderation.open, found.agenda.due) == (0, 0, 0)
    assert found.moderation.oldest is None
    assert found.storage.database == chat.store.dialect
    assert found.storage.bytes > 100_000


async def test_users_and_conversations_are_counted_by_kind_and_by_age(chat: World) -> None:
    await chat.group("ada", "bob", "eve")
    await chat.user("robot", kind="agent")
    await leap(chat, 8 * DAY)
    topic = await chat.topic("ada", "zoe")
    await say(chat, topic, "ada", "hello")
    await chat.do("conversations.update", "ada", conversation=topic, closed=True)
    found = await figures(chat)
    assert (found.users.total, found.users.kinds) == (5, {"person": 4, "agent": 1})
    assert found.users.new == Recent(1, 1, 5)
    assert found.conversations.kinds == {"group": 1, "topic": 1}
    assert (found.conversations.new, found.conversations.active) == (Recent(1, 1, 2), Recent(1, 1, 1))
    assert (found.conversations.closed, found.conversations.members) == (1, 5)


async def test_who_is_or_was_there_is_active(chat: World) -> None:
    await chat.users("ada", "bob", "eve")
    client = await chat.client("ada")
    await chat.client("bob")
    found = (await figures(chat)).users
    assert (found.online, found.active) == (2, Recent(2, 2, 2))
    client.drop()
    await until(chat, lambda: chat.chat.presence.of("ada") == "offline")
    async with asyncio.timeout(30.0):
        while await chat.read(_seen) == 0:  # noqa: ASYNC110 (it is written down after it is told)
            await asyncio.sleep(0.002)
    await leap(chat, 2 * DAY)
    found = (await figures(chat)).users
    assert (found.online, found.active) == (1, Recent(1, 2, 2))


async def test_who_was_erased_is_no_user(chat: World) -> None:
    await chat.users("ada", "bob")
    await chat.do("rights.erase", "", user="bob")
    await quiet(chat)
    found = (await figures(chat)).users
    assert (found.total, found.erased) == (1, 1)


async def test_messages_are_counted_by_day(chat: World) -> None:
    id, other = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    for day in range(3):
        root = await say(chat, id, "ada", "hello")
        await chat.do("messages.send", "bob", conversation=id, parts=text("yes"), thread=root.seq)
        if day:
            await say(chat, other, "ada", "hello")
        await chat.do("messages.delete", "ada", conversation=id, message=root.seq)
        await leap(chat, DAY)
    assert await days(chat, 5) == [(0, False), (2, False), (3, False), (3, False), (0, False)]
    assert await days(chat, 2) == [(3, False), (0, False)]
    found = (await figures(chat)).messages
    assert found.total == 8
    newest = found.days[-2]
    assert isinstance(newest, Day)
    assert newest.day < found.days[-1].day


async def test_days_are_left_out_rather_than_that_all_is_counted(chat: World) -> None:
    id = await chat.group("ada")
    for _ in range(3):
        await leap(chat, DAY)
        for _ in range(3):
            await say(chat, id, "ada", "hello")
    assert await days(chat, 8, most=7) == [(3, False), (3, False)]
    assert await days(chat, 8, most=4) == [(3, False)], "a quarter, and again"
    assert await days(chat, 8, most=3) == [(3, True)]
    assert await days(chat, 1, most=2) == [(2, True)]


async def test_files_cases_restrictions_and_plans_are_counted(chat: World) -> None:
    id = await chat.group("ada", "bob", "eve")

    await stored(chat, "ada")
    seq = (await say(chat, id, "bob", "rude")).seq
    began = chat.clock.now()
    await report(chat, "eve", conversation=id, message=seq)
    await restrict(chat, "", "bob", "mute")
    await restrict(chat, "", "eve", "ban", conversation=id, until=chat.clock.now() + 60)
    await chat.do("reminders.create", "ada", conversation=id, message=seq, at=chat.clock.now() + DAY)
    await chat.do("retention.hold", "", subject="user", id="ada", reason="Case 1")
    found = await figures(chat)
    assert (found.files.total, found.files.bytes, found.files.states) == (1, len(HELLO), {"ready": 1})
    assert (found.moderation.open, found.moderation.appealed) == (1, 0)
    assert found.moderation.oldest is not None
    assert began <= found.moderation.oldest <= found.time
    assert found.moderation.restrictions == {"mute": 1, "ban": 1}
    assert found.agenda.kinds["reminder"] == 1
    assert found.agenda.due == 0
    assert found.legal_holds == 1
    chat.clock.advance(2 * DAY)  # nobody has looked at the agenda yet
    found = await figures(chat)
    assert found.agenda.due >= 1
    assert found.agenda.oldest is not None
    assert found.agenda.oldest < found.time
    assert found.moderation.restrictions == {"mute": 1}
    await quiet(chat)
    assert (await figures(chat)).agenda.due == 0


async def test_it_is_for_the_server_and_admins(chat: World) -> None:
    await chat.user("ada")
    await chat.user("mo", office="moderator")
    await chat.user("eve", office="admin")
    for who in ("ada", "mo"):
        await chat.refused(ErrorCode.PERMISSION_DENIED, "statistics.get", who)
    assert (await figures(chat, "eve", days=1)).users.total == 3
    for wrong in (0, 91):
        await chat.refused(ErrorCode.VALIDATION_FAILED, "statistics.get", "", at="days", days=wrong)


async def test_of_messages_only_indexes_are_read(sqlite_url: str) -> None:
    async with World(sqlite_url) as chat:
        found = await chat.read(lambda view: plans(view, lambda view: statistics_of(view, ("ada",), 7)))
    assert [each for each in found if "SCAN messages" in each] == []
    counted, total = searched(found, "messages")[::-1]
    assert (total, counted) == ("", "ix_messages_time (conversation=? AND created>?)"), (
        "the greatest id is one step"
    )
    for table in ("cases", "agenda", "files", "holds"):
        assert f"SCAN {table}\n" not in "\n".join(found) + "\n"
