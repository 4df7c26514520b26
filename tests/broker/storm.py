"""Many publish on several nodes while connections are cut, and what they were told is compared with what there is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tests.broker.nodes import Node

from hubbub.broker.base import Broker
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Envelope, History, Position, Publication, Retention
from hubbub.testing.contracts import publication

KEPT = Retention(100_000, 3600.0)
CHANNELS = "abc"
PUBLISHERS = 8
EACH = 60


async def storm(nodes: Sequence[Node[Any, Any]], cut: Callable[[], Awaitable[object]], seed: int) -> None:
    """Offsets have no gaps; what was acknowledged is there, once, and at the place that was told; what has a key and
    was repeated is there once; whoever hears, hears what is in the log, in its order."""
    dice = random.Random(seed)
    for node in nodes:
        for channel in CHANNELS:
            await node.broker.subscribe(channel)
    told: dict[str, tuple[str, Position | None]] = {}
    publishing = asyncio.gather(*(_publish(nodes, number, told, dice) for number in range(PUBLISHERS)))
    while not publishing.done():
        await asyncio.sleep(dice.uniform(0.05, 0.3))
        await cut()
    await publishing
    kept: dict[str, tuple[str, Position]] = {}
    for channel in CHANNELS:
        history = await _history(nodes[0].broker, channel)
        log = {push.offset or 0: push for push in history.publications}
        assert list(log) == list(range(1, history.position.offset + 1))
        for offset, push in log.items():
            assert push.id not in kept, "published twice"
            kept[push.id] = channel, Position(history.position.epoch, offset)
        for node in nodes:
            heard = [push for push in node.inbox.publications if push.channel == channel]
            offsets = [push.offset or 0 for push in heard]
            assert offsets == sorted(set(offsets))
            assert heard == [log[offset] for offset in offsets]
    assert told.items() <= kept.items()
    assert len(told) > PUBLISHERS * EACH / 2, "all of those with a key, at least"


async def _history(broker: Broker, channel: str) -> History:
    """As soon as it can be read: the last cut was just now."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await broker.history(channel, KEPT, limit=100_000)
            except HubbubError:
                await asyncio.sleep(0.01)


async def _publish(
    nodes: Sequence[Node[Any, Any]],
    number: int,
    told: dict[str, tuple[str, Position | None]],
    dice: random.Random,
) -> None:
    for count in range(EACH):
        channel, id = dice.choice(CHANNELS), f"{number}-{count}"
        push: Publication = publication(channel, count, publication_id=id)
        key = id if count % 4 else None
        while True:
            try:
                accepted = await dice.choice(nodes).broker.publish(Envelope(push), KEPT, key=key)
            except HubbubError as error:
                assert error.code is ErrorCode.BROKER_UNAVAILABLE  # noqa: PT017
                await asyncio.sleep(0.01)
                if key is None:
                    break  # it may be there or not
            else:
                told[id] = channel, accepted.position
                break
