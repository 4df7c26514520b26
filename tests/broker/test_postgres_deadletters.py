from __future__ import annotations

import asyncio

import pytest
from tests.broker.postgres_case import Node, running

from hubbub.broker import deadletters
from hubbub.broker.deadletters import DeadLetter, replay
from hubbub.broker.envelopes import frame_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope
from hubbub.testing.contracts import publication

pytestmark = pytest.mark.anyio

SAID = Envelope(publication("a", 1, publication_id="id-1"))


async def test_they_are_of_all_nodes_newest_first_and_can_be_replayed(
    empty_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadletters, "RATE", 10_000)
    async with running(empty_postgres_url, 2) as (here, there):
        letters = here.broker.dead_letters
        for node in (here, there):
            await node.broker.subscribe("a")
        for number in range(1010):
            letters.add("a", "listener", str(number), frame_of(SAID))
            if number > 1000:
                await there_is(there, str(number))
        assert len(await letters.page(limit=2000)) == 1000
        first = await there.broker.dead_letters.page(limit=3)
        assert [each.detail for each in first] == ["1009", "1008", "1007"]
        assert [each.detail for each in await letters.page(first[-1].id, 2)] == ["1006", "1005"]
        assert await letters.get(first[0].id) == first[0]
        await replay(there.broker, first[0].id)
        assert await here.inbox.expect(1) == await there.inbox.expect(1) == [SAID.push]
        assert await letters.get(first[0].id) is None
        assert await letters.drop(first[1].id) == 1
        assert await letters.drop(first[1].id) == 0
        assert await letters.drop() == 998
        with pytest.raises(HubbubError) as refusal:
            await letters.get("nonsense")
        assert refusal.value.code is ErrorCode.VALIDATION_FAILED


async def there_is(node: Node, detail: str) -> None:
    """Wait for it. What is added at once may change places."""
    async with asyncio.timeout(60):
        while detail not in {  # noqa: ASYNC110
            each.detail for each in await node.broker.dead_letters.page(limit=3)
        }:
            await asyncio.sleep(0.01)


async def kept(node: Node, count: int) -> list[DeadLetter]:
    """Wait until there are so many."""
    async with asyncio.timeout(60):
        while len(letters := await node.broker.dead_letters.page(limit=2000)) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return letters


async def test_a_notice_that_nobody_can_read_is_kept(empty_postgres_url: str) -> None:
    async with running(empty_postgres_url) as (node,):
        node.engine.heard("hubbub:x", "1.1;0;1;/////////w==")
        node.engine.heard("hubbub:x", "somebody else's")
        node.engine.heard("hubbub:x", "1.1;0;1;=")
        letters = await kept(node, 2)
        assert sorted(each.reason for each in letters) == ["malformed", "version"]
