"""A server's API with conversations on a real database: routes, hub and store, no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
from tests.api.server import BASE, SECRET
from tests.chat.world import World
from tests.services import sqlite_in

from hubbub.api.app import build_api
from hubbub.api.context import ApiContext
from hubbub.auth import tokens
from hubbub.auth.api_keys import ApiKeys, new_key
from hubbub.auth.keys import Keys
from hubbub.auth.policy import TokenPolicy
from hubbub.auth.tickets import Tickets
from hubbub.state.memory import MemoryState


class ChatServer:
    """The API over a chat `World` whose policy verifies real tokens."""

    def __init__(self, database: Path | str, *, serve: bool = True, **settings: Any) -> None:
        """`database` is a URL, or a folder for an SQLite database."""
        url = database if isinstance(database, str) else sqlite_in(database)
        self.key, hashed = new_key()
        auth = {"hmac_secret": SECRET, "api_keys": (hashed,), **settings.pop("auth", {})}
        self.world = World(url, auth=auth, **settings)
        hub, clock = self.world.hub, self.world.clock
        self.policy = TokenPolicy(
            self.world.config, Keys(self.world.config.auth, clock, lambda message: None), clock
        )
        hub.policy = self.policy
        self.context = ApiContext(
            hub,
            ApiKeys(auth["api_keys"]),
            Tickets(MemoryState(clock), clock, 30.0),
            self.policy.revocations,
            self.world.chat if serve else None,
        )
        self.asgi = build_api(self.context)
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.asgi), base_url=BASE)

    async def start(self) -> ChatServer:
        await self.world.start()
        return self

    async def stop(self) -> None:
        await self.http.aclose()
        await self.world.stop()

    def token(self, user: str, **claims: Any) -> str:
        return tokens.mint(SECRET, user, now=self.world.clock.now(), **{"ttl": 36_000.0, **claims})

    def credentials(self, user: str) -> dict[str, str]:
        """The headers of a user with its token; "" is the server with its API key."""
        return {"Authorization": f"Bearer {self.token(user) if user else self.key}"}

    async def call(
        self,
        user: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Call as `user`, or as the server; `body` becomes JSON, `raw` goes as it is."""
        sent = {**self.credentials(user), **(headers or {})}
        given: dict[str, Any] = {} if query is None else {"params": query}
        if raw is not None:
            given["content"] = raw
        elif body is not None:
            given["json"] = body
        return await self.http.request(method, path, headers=sent, **given)

    async def ok(self, user: str, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The answer to a call that succeeds."""
        response = await self.call(user, method, path, body, **options)
        assert response.is_success, response.text
        return response.json()
