"""The operations of the chat by every way: REST, the native protocol and Socket.IO give the same answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.api.chat_server import ChatServer
from tests.api.test_chat_results import NEED_MORE
from tests.chat.attempts import ATTEMPTS, Ids, furnish, furnish_group
from tests.chat.speaking import SocketIoNode, Speak, native, rest, socketio

from hubbub.chat.directory import OPERATIONS

pytestmark = pytest.mark.anyio
NEEDS_A_SESSION = {"presence.follow", "presence.unfollow", "presence.set"}
"""By REST they do without what is live, or are refused."""

SHOW_MORE = {
    "conversations.list",
    "conversations.discover",
    "conversations.direct",
    "threads.list",
    "sync",
    "me.get",
    "me.update",
    "users.queue",
    "rights.export",
    "administration.user",
    "administration.users",
    "administration.conversations",
    "statistics.get",
}
"""They show what the ways before have left, too."""
WHO = {"members.join": "invited", "members.leave": "bob", "users.queue": "bob", "reports.create": "bob"}
ONCE = ("emoji.", "groups.", "restrictions.", "retention.", "rights.erase", "moderation.")
"""Not to be done five times over: they change what all others find."""
MADE = ("id", "next", "token", "invocation", "case", "upload")
"""Fields that hold what was made up for this answer."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ChatServer]:
    limits = {"command_rate": 0.0, "error_burst": 10**6}
    running = await ChatServer(tmp_path, limits=limits).start()
    yield running
    await running.world.check()
    await running.stop()


async def ways(server: ChatServer, user: str) -> dict[str, Speak]:
    node = SocketIoNode(server)
    return {
        "rest": rest(server, user),
        "rest for": rest(server, "", **{"Hubbub-User": user}),
        "native": await native(server, user),
        "hubbub:call": await socketio(node, server, user, by_name=False),
        "event": await socketio(node, server, user, by_name=True),
    }


def alike(content: Any, ids: Ids) -> Any:
    """Without what differs from one time to the next: the conversation, times, and places in the log."""
    text = json.dumps(content).replace(str(ids.conversation), "(conversation)")

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: "(time)" if isinstance(inner, float) else "(id)" if key in MADE else plain(inner)
                for key, inner in value.items()
            }
        return [plain(each) for each in value] if isinstance(value, list) else value

    return plain(json.loads(text))


async def test_a_result_is_the_same_by_every_way(server: ChatServer) -> None:
    """Each way finds a place of its own, furnished alike."""
    await furnish(server.world)
    await server.world.do("users.upsert", "", user="ada", office="admin")
    users = {user: await ways(server, user) for user in ("ada", "bob", "invited")}
    for name, operation in OPERATIONS.items():
        if operation.server or name in NEEDS_A_SESSION or name.startswith(ONCE):
            continue
        answers = {}
        ids: Ids | None = None
        for way, speak in users[WHO.get(name, "ada")].items():
            if ids is None or operation.kind != "read":
                ids = await furnish_group(server.world)
            about = replace(ids, user="stranger") if name.startswith("blocks.") else ids
            code, content = await speak(name, ATTEMPTS[name](about))
            assert code == "done" or name.startswith(NEED_MORE), (name, way, content)
            answers[way] = alike(content, ids)
        first = answers.pop("rest")
        for way, answer in answers.items():
            assert name in SHOW_MORE or answer == first, (name, way)


@pytest.mark.parametrize(
    "wrong",
    [
        {"conversation": "AAAAAAAAAAAA"},
        {"message": 10**6},
        {"message": -1},
        {"message": 2**63},
        {"message": "first"},
        {"thread": 10**6},
        {"user": "nobody"},
        {"user": "x" * 129},
    ],
    ids=str,
)
async def test_a_refusal_is_the_same_by_every_way(server: ChatServer, wrong: dict[str, Any]) -> None:
    found = await ways(server, "ada")
    ids = (await furnish(server.world)).group
    refused = 0
    for name in OPERATIONS:
        params = ATTEMPTS[name](replace(ids, **wrong))
        if params == ATTEMPTS[name](ids):
            continue
        answers = {}
        for way, speak in found.items():
            answers[way] = await speak(name, params)
        if answers["native"][0] == "refused":
            assert len(set(answers.values())) == 1, (name, answers)
            refused += 1
    assert refused


async def test_there_are_no_other_methods(server: ChatServer) -> None:
    ways_ = await ways(server, "ada")
    for way in ("native", "hubbub:call", "event"):
        answer = await ways_[way]("messages.forge", {})
        assert (answer[0], answer[1][0]) == ("refused", 106), way
