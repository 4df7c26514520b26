from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.chat_server import ChatServer
from tests.api.server import refusal
from tests.api.toys import TOYS

from hubbub.api.app import _routes
from hubbub.chat.directory import OPERATIONS
from hubbub.errors import ErrorCode

WHO = ("POST", "/v1/toys-who")


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChatServer]:
    for toy in TOYS:
        monkeypatch.setitem(OPERATIONS, toy.name, toy)
    _routes.cache_clear()
    running = await ChatServer(tmp_path, limits={"command_rate": 2.0, "command_burst": 3}).start()
    yield running
    await running.stop()
    _routes.cache_clear()


@pytest.mark.anyio
class TestCallers:
    async def test_a_token_is_its_user(self, server: ChatServer) -> None:
        assert (await server.ok("ada", *WHO))["by"] == "ada"

    async def test_an_api_key_is_the_server(self, server: ChatServer) -> None:
        assert "by" not in await server.ok("", *WHO)

    @pytest.mark.parametrize(
        "authorization",
        [
            "",
            "Bearer",
            "Bearer ",
            "Basic YTpi",
            "Bearer hubbub_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "Bearer hubbub_",
            "Bearer \x7f",
        ],
    )
    async def test_nobody_may_nothing(self, server: ChatServer, authorization: str) -> None:
        response = await server.http.request(*WHO, headers={"Authorization": authorization})
        body = response.json()
        assert body["code"] in (ErrorCode.UNAUTHENTICATED, ErrorCode.INVALID_TOKEN)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")

    async def test_tokens_in_the_query_are_none(self, server: ChatServer) -> None:
        refusal(await server.http.get(f"/v1/toys/x?token={server.token('ada')}"), ErrorCode.UNAUTHENTICATED)

    async def test_a_token_that_is_over_or_revoked_is_refused(self, server: ChatServer) -> None:
        old = {"Authorization": f"Bearer {server.token('ada', ttl=1.0)}"}
        server.world.clock.advance(100.0)
        refusal(await server.http.request(*WHO, headers=old), ErrorCode.TOKEN_EXPIRED)
        revoked = server.credentials("ada")
        await server.ok("", "POST", "/v1/revoke", {"user": "ada"})
        refusal(await server.http.request(*WHO, headers=revoked), ErrorCode.INVALID_TOKEN)

    async def test_the_anonymous_have_no_conversations(self, tmp_path: Path, server: ChatServer) -> None:
        (tmp_path / "open").mkdir()
        guests = await ChatServer(tmp_path / "open", auth={"anonymous": True}).start()
        refusal(await guests.http.request(*WHO), ErrorCode.UNAUTHENTICATED)
        await guests.stop()

    async def test_what_is_for_the_server_is_for_nobody_else(self, server: ChatServer) -> None:
        assert (await server.ok("", "GET", "/v1/toys"))["toy"] == "all"
        refusal(await server.call("ada", "GET", "/v1/toys"), ErrorCode.PERMISSION_DENIED)


@pytest.mark.anyio
class TestActingFor:
    @pytest.mark.parametrize("user", ["ada", "ada/b", "Ünï 日本", "100%"])
    async def test_the_server_acts_for_a_user(self, server: ChatServer, user: str) -> None:
        await server.world.user(user)
        encoded = "".join(f"%{byte:02X}" for byte in user.encode())
        assert (await server.ok("", *WHO, headers={"Hubbub-User": encoded}))["by"] == user
        denied = await server.call("", "GET", "/v1/toys", headers={"Hubbub-User": encoded})
        refusal(denied, ErrorCode.PERMISSION_DENIED)

    async def test_a_name_may_stand_as_it_is(self, server: ChatServer) -> None:
        await server.world.user("Ünï")
        headers: Any = {**server.credentials(""), b"Hubbub-User": "Ünï".encode()}
        raw = [
            (k.encode() if isinstance(k, str) else k, v.encode() if isinstance(v, str) else v)
            for k, v in headers.items()
        ]
        assert (await server.http.request(*WHO, headers=raw)).json()["by"] == "Ünï"

    @pytest.mark.parametrize("user", ["bob", "", "%00", "x" * 10_000, "ada%0A", "%ED%A0%80%FF"])
    async def test_the_user_must_be_there(self, server: ChatServer, user: str) -> None:
        await server.world.user("ada")
        code = ErrorCode.BAD_REQUEST if user.startswith("%ED") else ErrorCode.NOT_FOUND
        refusal(await server.call("", *WHO, headers={"Hubbub-User": user}), code, "Hubbub-User")
        assert await server.world.read(lambda view: view.missing_users(["bob"])) == ["bob"]

    async def test_users_act_for_themselves_alone(self, server: ChatServer) -> None:
        await server.world.users("ada", "bob")
        for user in ("bob", "ada", ""):
            wrong = await server.call("ada", *WHO, headers={"Hubbub-User": user})
            refusal(wrong, ErrorCode.PERMISSION_DENIED, "Hubbub-User")


@pytest.mark.anyio
class TestRates:
    async def test_a_user_has_a_bucket_for_all_its_requests(self, server: ChatServer) -> None:
        for _ in range(3):
            await server.ok("ada", *WHO)
        late = await server.call("ada", *WHO)
        assert refusal(late, ErrorCode.RATE_LIMITED)["retry_after"] == 0.5
        assert late.headers["retry-after"] == "1"
        assert server.world.metrics.rejected["command_rate"] == 1
        await server.ok("bob", *WHO)
        server.world.clock.advance(0.5)
        await server.ok("ada", *WHO)
        refusal(await server.call("ada", *WHO), ErrorCode.RATE_LIMITED)

    async def test_the_server_has_none(self, server: ChatServer) -> None:
        await server.world.user("ada")
        for _ in range(10):
            await server.ok("", *WHO)
            await server.ok("", *WHO, headers={"Hubbub-User": "ada"})
