from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.chat.world import World

from hubbub.demo.cast import ADA, GENERAL, NAMES, PLACES
from hubbub.demo.history import Week
from hubbub.transfer.importing import Importer
from hubbub.transfer.lines import MessageLine, encode

pytestmark = pytest.mark.anyio


@pytest.fixture
async def chat(sqlite_url: str) -> AsyncIterator[World]:
    async with World(sqlite_url) as world:
        yield world


async def test_all_of_it_can_be_imported(chat: World) -> None:
    week = Week(chat.clock.now(), messages=40, conversations=12)
    report = await Importer(chat.store, chat.config, week, strict=True).run()
    assert report.whole
    assert report.counts.users == len(NAMES)
    assert report.counts.conversations == len(PLACES) + 12
    mine = (await chat.do("conversations.list", ADA, limit=100)).conversations
    assert len(mine) == sum(ADA in place.people for place in PLACES) + 12
    general = await chat.do("conversations.get", ADA, conversation=GENERAL)
    assert general.membership.unread == 3
    assert general.conversation.messages > 40


def test_nobody_has_written_in_the_future_nor_before_what_is_answered() -> None:
    now = 1_795_300_000.0
    last: dict[str, float] = {}
    for line in Week(now, messages=1_000).lines():
        if isinstance(line, MessageLine):
            assert line.created < now
            assert line.created >= last.get(line.conversation, 0.0)
            last[line.conversation] = line.created


def test_a_seed_gives_the_same_week() -> None:
    one, same, other = (
        [encode(line) for line in Week(1e9, messages=50, conversations=3, seed=seed).lines()]
        for seed in (1, 1, 2)
    )
    assert one == same != other
