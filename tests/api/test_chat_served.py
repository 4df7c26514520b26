"""Conversations over sockets, as browsers and servers reach them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest

from hubbub.auth.api_keys import new_key
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio
APP = "https://app.example"


async def test_a_page_talks_with_its_users_token(tmp_path: Path) -> None:
    key, hashed = new_key()
    async with (
        running_server(
            chat={"enabled": True},
            storage={"url": f"sqlite:///{tmp_path / 'chat.db'}"},
            auth={"api_keys": [hashed]},
            server={"allowed_origins": [APP]},
        ) as running,
        httpx2.AsyncClient(base_url=running.url) as client,
    ):
        preflight = await client.options(
            "/v1/conversations/x/messages",
            headers={
                "Origin": APP,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
            },
        )
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == APP
        permitted = preflight.headers["access-control-allow-headers"].lower()
        assert all(name in permitted for name in ("authorization", "content-type", "idempotency-key"))
        assert {"POST", "PUT", "PATCH", "DELETE"} <= set(
            preflight.headers["access-control-allow-methods"].split(", ")
        )

        server = {"Authorization": f"Bearer {key}"}
        made = await client.put("/v1/users/bob", json={"name": "Bob"}, headers=server)
        assert made.json()["name"] == "Bob"
        page = {"Authorization": f"Bearer {running.token('ada')}", "Origin": APP}
        direct = await client.put("/v1/conversations/direct/bob", headers=page)
        assert direct.headers["access-control-allow-origin"] == APP
        id = direct.json()["conversation"]["conversation"]["id"]
        path = f"/v1/conversations/{id}/messages"
        body = {"parts": [{"type": "text", "text": "Hello, Bob"}]}
        sent = await asyncio.gather(
            *(client.post(path, json=body, headers={**page, "Idempotency-Key": "1"}) for _ in range(3))
        )
        assert {each.json()["message"]["seq"] for each in sent} == {2}
        assert sorted(each.json().get("duplicate", False) for each in sent) == [False, True, True]
        read = await client.get(path, headers={**server, "Hubbub-User": "bob"})
        assert [each["parts"] for each in read.json()["messages"]] == [body["parts"]]
        foreign = await client.post(path, json=body, headers={**page, "Origin": "https://evil.example"})
        assert (foreign.status_code, foreign.json()["code"]) == (403, 123)


async def test_without_conversations_no_database_is_opened_and_nothing_is_there(tmp_path: Path) -> None:
    database = tmp_path / "chat.db"
    async with (
        running_server(chat={"enabled": False}, storage={"url": f"sqlite:///{database}"}) as running,
        httpx2.AsyncClient(base_url=running.url) as client,
    ):
        page = {"Authorization": f"Bearer {running.token('ada')}"}
        for path in ("/v1/me", "/v1/conversations", "/v1/sync", "/v1/users/ada"):
            missing = await client.get(path, headers=page)
            assert (missing.status_code, missing.json()["code"]) == (404, 105)
        assert "/v1/me" not in (await client.get("/openapi.json")).json()["paths"]
        assert not database.exists()
