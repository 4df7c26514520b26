from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.broker.nats_case import running

from hubbub.broker import deadletters
from hubbub.broker.deadletters import replay
from hubbub.broker.envelopes import frame_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope
from hubbub.testing.contracts import publication
from hubbub.testing.nats import NatsServer

pytestmark = pytest.mark.anyio

SAID = Envelope(publication("a", 1, publication_id="id-1"))


@pytest.fixture(scope="module")
def server() -> Iterator[NatsServer]:
    with NatsServer() as server:
        yield server


async def test_they_are_of_all_nodes_newest_first_and_can_be_replayed(
    server: NatsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadletters, "RATE", 10_000)
    async with running(server.url, 2) as (here, there):
        letters = here.broker.dead_letters
        for node in (here, there):
            await node.broker.subscribe("a")
        for number in range(1010):
            letters.add("a", "listener", str(number), frame_of(SAID))
        await here.engine.api("INFO")  # answered after them
        first = await there.broker.dead_letters.page(limit=3)
        assert [each.detail for each in first] == ["1009", "1008", "1007"]
        assert [each.detail for each in await letters.page(first[-1].id, 2)] == ["1006", "1005"]
        assert await letters.get(first[0].id) == first[0]
        assert await letters.get("1-" + first[0].id.partition("-")[2]) is None
        await replay(there.broker, first[0].id)
        assert await here.inbox.expect(1) == await there.inbox.expect(1) == [SAID.push]
        assert await letters.get(first[0].id) is None
        assert await letters.drop(first[1].id) == 1
        assert await letters.drop(first[1].id) == 0
        assert [each.detail for each in await letters.page(limit=1)] == ["1007"]
        assert await letters.drop() == 998
        assert await letters.page() == []
        with pytest.raises(HubbubError) as refusal:
            await letters.get("nonsense")
        assert refusal.value.code is ErrorCode.VALIDATION_FAILED


async def test_a_message_that_nobody_can_read_is_kept(server: NatsServer) -> None:
    async with running(server.url) as (node,):
        await node.broker.subscribe("a")
        await node.engine.confirmed(node.engine.publish(node.broker._logs.heard_as("a"), b"\xff" * 40))
        await node.engine.api("INFO")
        (letter,) = await node.broker.dead_letters.page()
        assert (letter.channel, letter.reason, letter.frame) == ("a", "version", b"\xff" * 40)
