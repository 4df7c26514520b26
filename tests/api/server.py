"""A server's API in this process: real routes, a real hub, no sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
from tests.hub.world import Client, World

from hubbub.api.app import build_api
from hubbub.api.context import ApiContext
from hubbub.auth import tokens
from hubbub.auth.api_keys import ApiKeys, new_key
from hubbub.auth.keys import Keys
from hubbub.auth.policy import TokenPolicy
from hubbub.auth.tickets import Tickets
from hubbub.config import NamespaceConfig
from hubbub.errors import ERRORS, ErrorCode
from hubbub.state.memory import MemoryState

SECRET = "a secret for tests that is longer than thirty-two bytes"
BASE = "http://127.0.0.1:8000"
NAMESPACES = {"plain": NamespaceConfig(subscribe="authenticated", publish="authenticated")}
"""`plain:` keeps neither a log nor presence; all other channels keep both."""


class Server:
    """The API over a `World` whose policy verifies real tokens. `refused` and `ok` call it with the API key."""

    def __init__(self, *, revocations: bool = True, mount: str = "", **settings: Any) -> None:
        self.key, hashed = new_key()
        auth = {"hmac_secret": SECRET, "api_keys": (hashed,), **settings.pop("auth", {})}
        self.world = World(auth=auth, namespaces=NAMESPACES, **settings)
        hub = self.world.hub
        keys = Keys(self.world.config.auth, self.world.clock, lambda message: None)
        self.policy = TokenPolicy(self.world.config, keys, self.world.clock)
        hub.policy = self.policy
        self.keys = ApiKeys(auth["api_keys"])
        self.tickets = Tickets(MemoryState(self.world.clock), self.world.clock, 30.0)
        self.context = ApiContext(
            hub, self.keys, self.tickets, self.policy.revocations if revocations else None
        )
        self.asgi = build_api(self.context)
        self.http = self.client(mount=mount)

    def client(self, address: str = "127.0.0.1", mount: str = "", **options: Any) -> httpx2.AsyncClient:
        """An HTTP client at `address`, without credentials."""
        transport = httpx2.ASGITransport(self.asgi, client=(address, 50_000), root_path=mount)
        return httpx2.AsyncClient(transport=transport, base_url=options.pop("base_url", BASE), **options)

    async def start(self) -> Server:
        await self.world.start()
        return self

    async def stop(self) -> None:
        await self.http.aclose()
        await self.world.hub.stop()

    def token(self, user: str = "ada", **claims: Any) -> str:
        return tokens.mint(SECRET, user, now=self.world.clock.now(), **{"ttl": 600.0, **claims})

    async def connected(self, user: str, *channels: str, **claims: Any) -> Client:
        """A session of `user` that is in `channels`, with nothing unread."""
        client = self.world.client()
        reply = await client.ask(type="connect", token=self.token(user, **claims))
        client.session, client.secret = reply["session"], reply["secret"]
        for channel in channels:
            assert (await client.ask(type="subscribe", channel=channel))["type"] == "subscribed"
        client.take()
        return client

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Call with the API key; `body` becomes JSON, `raw` goes as it is."""
        sent = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        if raw is not None:
            return await self.http.request(method, path, content=raw, headers=sent)
        if body is None:
            return await self.http.request(method, path, headers=sent)
        return await self.http.request(method, path, json=body, headers=sent)

    async def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The answer to a call that succeeds."""
        response = await self.call(method, path, body, **options)
        assert response.is_success, response.text
        return response.json()

    async def refused(
        self,
        code: ErrorCode,
        method: str,
        path: str,
        body: Any = None,
        *,
        field: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """The body of a call that is refused with `code` and `field`."""
        return refusal(await self.call(method, path, body, **options), code, field)


def refusal(response: httpx2.Response, code: ErrorCode, field: str | None = None) -> dict[str, Any]:
    """The body of `response`, checked to be the refusal `code` in the shape and with the status of the table."""
    info = ERRORS[code]
    body: dict[str, Any] = response.json()
    assert (body["code"], body.get("field")) == (int(code), field), body
    assert response.status_code == info.status
    assert response.headers["content-type"] == "application/json"
    assert body["name"] == info.name
    assert body["temporary"] is info.temporary
    assert body["message"]
    assert set(body) <= {"code", "name", "message", "temporary", "field", "retry_after"}
    return body
