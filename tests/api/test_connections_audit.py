"""What an API key does to sessions is in the audit log, where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.api.chat_server import ChatServer

from hubbub.chat import auditing
from hubbub.chat.chat import Chat
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def acts(server: ChatServer) -> list[dict[str, Any]]:
    answer = await server.call("", "GET", "/v1/audit")
    found: list[dict[str, Any]] = answer.json()["acts"]
    return [{key: act.get(key) for key in ("act", "actor", "user", "data")} for act in found]


async def test_ended_sessions_and_revoked_tokens_are_written_down(tmp_path: Path) -> None:
    server = await ChatServer(tmp_path).start()
    try:
        await server.world.user("ada")
        one, _ = [await server.world.client(server.token("ada")) for _ in range(2)]
        path = f"/v1/connections/{one.session}/disconnect"
        assert (await server.call("", "POST", path)).status_code == 200
        assert (await server.call("", "POST", path)).status_code == 404
        assert (await server.call("", "POST", "/v1/users/ada/disconnect", {"code": 4001})).status_code == 200
        assert (await server.call("", "POST", "/v1/revoke", {"user": "ada"})).status_code == 200
        assert await acts(server) == [
            {"act": "tokens.revoke", "actor": None, "user": "ada", "data": {"token_id": None}},
            {"act": "sessions.disconnect", "actor": None, "user": "ada", "data": {"code": 4001}},
            {
                "act": "sessions.disconnect",
                "actor": None,
                "user": None,
                "data": {"session": one.session, "code": 3502},
            },
        ]
    finally:
        await server.stop()


async def test_a_database_that_is_gone_is_no_reason_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await ChatServer(tmp_path).start()
    try:

        def gone(*args: object) -> None:
            raise HubbubError(ErrorCode.STORE_UNAVAILABLE)

        with monkeypatch.context() as patched:
            patched.setattr(server.world.store, "write", gone)
            assert (await server.call("", "POST", "/v1/revoke", {"user": "ada"})).status_code == 200
        assert await acts(server) == []
        chat: Chat = server.world.chat
        await auditing.write_down(chat, "tokens.revoke", user="ada")
        assert len(await acts(server)) == 1
    finally:
        await server.stop()
