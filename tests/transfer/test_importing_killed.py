"""What comes from a file comes once and all of it, though the import is killed and gone on with."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from tests.chat.talk import words
from tests.chat.test_agenda_killed import consistent
from tests.chat.test_rebuild import check_messages, check_people
from tests.chat.test_search_index import check_index
from tests.chat.world import World
from tests.killing import Victim, kill
from tests.transfer.killed_importing import BATCH
from tests.transfer.moving import ADA, BOB, START, bring, file_of, message

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]
KILLS = 3
ROOTS, REPLIES = 150, 90


def lines() -> list[dict[str, Any]]:
    """Users between messages, replies long after what they are to, and where one has read up to."""
    found: list[dict[str, Any]] = [
        START,
        ADA,
        BOB,
        {"type": "conversation", "id": "c1", "kind": "group", "created": 10.0, "name": "Engines"},
        *({"type": "member", "conversation": "c1", "user": user} for user in ("ada", "bob")),
    ]
    for n in range(ROOTS):
        more: dict[str, Any] = {"created": 100.0 + n}
        if n % 3 == 0:
            more |= {"mentions": {"users": ["bob"]}, "reactions": [{"name": "👍", "users": ["bob", "ada"]}]}
        if n % 7 == 3:
            more |= {"reply_to": str(n - 2), "version": 2, "edited": 101.0 + n}
        if n % 20 == 0:
            found.append({"type": "user", "id": f"u{n}", "name": f"Number {n}"})
            found.append({"type": "member", "conversation": "c1", "user": f"u{n}"})
        found.append(message(str(n), f"words {n}", **more))
    found += [
        message(f"r{n}", f"reply {n}", "bob", created=300.0 + n, thread=str(n % 10)) for n in range(REPLIES)
    ]
    cursor = {"type": "cursor", "conversation": "c1", "user": "bob", "read": 40, "delivered": 60}
    counts: dict[str, int] = {}
    for line in (*found, cursor):
        counts[line["type"]] = counts.get(line["type"], 0) + 1
    return [*found, cursor, {"type": "end", "counts": counts}]


async def test_through_kills(database: str, tmp_path: Path) -> None:
    given = lines()
    path = file_of(tmp_path / "all.jsonl", *given)
    world = await World(database).start()  # makes the tables
    await world.stop()
    for run in range(KILLS):
        async with Victim("tests.transfer.killed_importing", database, str(path)) as victim:
            assert await kill([victim], 2 + run) == [-signal.SIGKILL]
    world = await World(database).start()
    try:
        moved = await bring(world, path, resume=True)
        counts = moved.counts
        assert (moved.refused, moved.report.whole, moved.report.again) == ([], True, False)
        assert counts.number == len(given) > BATCH * (KILLS * (KILLS + 3) // 2)
        assert (counts.messages, counts.known, counts.faults) == (ROOTS + REPLIES, 0, 0), "each once"
        assert (counts.users, counts.conversations) == (sum(each["type"] == "user" for each in given), 1)
        assert await said(world) == [f"words {n}" for n in range(ROOTS)]
        roots = (await world.do("messages.list", "ada", conversation="c1", after=0, limit=10)).messages
        assert [root.replies for root in roots] == [REPLIES // 10] * 10
        assert (await bring(world, path)).report.again
        await world.read(consistent)
        await check_index(world)
        await world.read(check_messages)
        await world.read(check_people)
    finally:
        await world.stop()


async def said(world: World) -> list[str]:
    """All of the main timeline, page after page."""
    found: list[str] = []
    after, more = 0, True
    while more:
        page = await world.do("messages.list", "ada", conversation="c1", after=after)
        found += words(page.messages)
        after, more = page.messages[-1].seq, page.more_after
    return found
