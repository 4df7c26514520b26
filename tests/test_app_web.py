"""Where the web app and its page for developers are, in a whole server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from hubbub.testing.server import running_server
from hubbub.web.files import read_static

pytestmark = pytest.mark.anyio

BUILT = bool(read_static())


@asynccontextmanager
async def server(storage: str | None = None, **sections: Any) -> AsyncIterator[httpx2.AsyncClient]:
    if storage is not None:
        sections |= {"chat": {"enabled": True}, "storage": {"url": SecretStr(storage)}}
    async with running_server(**sections) as running, httpx2.AsyncClient(base_url=running.url) as client:
        yield client


async def test_the_web_app_is_at_the_root_and_old_links_lead_to_its_page_for_developers(
    sqlite_url: str,
) -> None:
    async with server(sqlite_url, web={"title": "Acme"}) as client:
        page = await client.get("/")
        assert page.status_code in ((200,) if BUILT else (200, 503))  # others may build it meanwhile
        assert ("<title>Acme</title>" in page.text) is (page.status_code == 200)
        assert "trusted-types 'none'" in page.headers["content-security-policy"]
        assert "&quot;playground&quot;:true" in page.text or page.status_code == 503
        assert "&quot;chat&quot;" not in page.text
        assert "&quot;text_length&quot;:10000" in page.text or page.status_code == 503
        moved = await client.get("/playground")
        assert (moved.status_code, moved.headers["location"]) == (307, "./#/developer")
        assert (await client.get("/docs")).status_code == 200
        assert (await client.get("/health/live")).status_code == 200


async def test_without_conversations_the_page_for_developers_is_all_there_is() -> None:
    async with server() as client:
        page = await client.get("/")
        assert page.status_code in ((200,) if BUILT else (200, 503))
        assert "&quot;chat&quot;:false" in page.text or page.status_code == 503
        assert (await client.get("/playground")).headers["location"] == "./#/developer"
        assert (await client.get("/assets/app.js")).status_code == 404


async def test_without_the_web_app_there_is_no_page() -> None:
    async with server(web={"enabled": False}) as client:
        assert (await client.get("/")).json()["name"] == "hubbub"
        assert (await client.get("/playground")).status_code == 404


async def test_a_server_can_be_without_both(sqlite_url: str) -> None:
    from hubbub.config import Config

    config = Config(
        auth={"hmac_secret": "s" * 32},
        chat={"enabled": True},
        storage={"url": sqlite_url},
        web={"enabled": False},
    )
    async with (
        running_server(config) as running,
        httpx2.AsyncClient(base_url=running.url) as client,
    ):
        assert (await client.get("/")).json()["name"] == "hubbub"
        assert (await client.get("/playground")).status_code == 404
