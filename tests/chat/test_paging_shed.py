"""Lists of conversations have shorter pages while there is too much load, and everything is on one of them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chat.wire import chat_server, do, group, text

from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.levels import Level, Reading
from hubbub.testing.server import RunningServer

pytestmark = pytest.mark.anyio
PAGE = 20
MESSAGES = 25
LEVELS = {"busy": 0.7, "overloaded": 0.85, "critical": 0.95}
FULL = {Level.NORMAL: 20, Level.BUSY: 20, Level.OVERLOADED: 5, Level.CRITICAL: 2}


def load(server: RunningServer, share: float) -> Level:
    """This is how full the node is."""
    server.app.node.load.take(Reading(cpu=share))
    return server.app.node.load.level


async def listed(server: RunningServer, id: str, **params: Any) -> list[int]:
    page = await do(server, "messages.list", "bob", conversation=id, **params)
    return [message.seq for message in page.messages]


async def test_pages_follow_the_levels_with_their_hysteresis(database: str) -> None:
    async with chat_server(database, limits={"page": PAGE}, load=LEVELS) as server:
        server.app.node.load.stop()
        id = await group(server, "ada", "bob")
        for number in range(MESSAGES):
            await do(server, "messages.send", "ada", conversation=id, parts=text(str(number)))
        for share, level in (
            (0.1, Level.NORMAL),
            (0.72, Level.BUSY),
            (0.84, Level.BUSY),
            (0.86, Level.OVERLOADED),
            (0.81, Level.OVERLOADED),
            (0.96, Level.CRITICAL),
            (0.91, Level.CRITICAL),
            (0.89, Level.OVERLOADED),
            (0.79, Level.BUSY),
            (0.10, Level.NORMAL),
        ):
            assert load(server, share) is level
            assert len(await listed(server, id, limit=PAGE)) == FULL[level], level
            assert len(await listed(server, id)) == FULL[level], level
            assert len(await listed(server, id, limit=1)) == 1
            with pytest.raises(HubbubError) as failure:
                await listed(server, id, limit=PAGE + 1)
            assert failure.value.code is ErrorCode.LIMIT_EXCEEDED


@pytest.mark.parametrize(
    ("share", "level"), [(0.1, Level.NORMAL), (0.9, Level.OVERLOADED), (1.0, Level.CRITICAL)]
)
async def test_who_goes_on_sees_all(share: float, level: Level, database: str) -> None:
    async with chat_server(database, limits={"page": PAGE}, load=LEVELS) as server:
        server.app.node.load.stop()
        id = await group(server, "ada", "bob")
        for number in range(MESSAGES):
            await do(server, "messages.send", "ada", conversation=id, parts=text(str(number)))
        whole = await listed(server, id, limit=PAGE)
        assert load(server, share) is level
        seen, after = [], whole[0] - 1
        while True:
            page = await do(server, "messages.list", "bob", conversation=id, after=after, limit=PAGE)
            seen += [message.seq for message in page.messages]
            if not page.more_after:
                break
            after = seen[-1]
        assert seen == whole
        members, cursor = [], None
        while True:
            found = await do(server, "members.list", "bob", conversation=id, cursor=cursor, limit=PAGE)
            members += [member.user for member in found.members]
            if (cursor := found.next) is None:
                break
        assert sorted(members) == ["ada", "bob"]
