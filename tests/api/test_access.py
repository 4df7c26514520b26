from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.api.server import SECRET, Server, refusal

from hubbub.auth.base import ConnectionInfo
from hubbub.errors import REVOKED, ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def verdict(server: Server, token: str) -> ErrorCode | None:
    """What the policy says of a token: a refusal, or None."""
    try:
        await server.policy.authenticate(token, ConnectionInfo())
    except HubbubError as error:
        return error.code
    return None


# --- revocation -------------------------------------------------------------------------------------------


async def test_a_revoked_user_is_out_at_once_and_stays_out(server: Server) -> None:
    ada, away, bob = [await server.connected(user) for user in ("ada", "ada", "bob")]
    away.drop()
    old = server.token("ada")
    assert await server.ok("POST", "/v1/revoke", {"user": "ada"}) == {"sessions": 2}
    assert (ada.connection.closed, bob.connection.closed) == (REVOKED, None)
    assert set(server.world.hub.users) == {"bob"}
    assert await verdict(server, old) is ErrorCode.INVALID_TOKEN
    server.world.clock.advance(1.0)
    assert await verdict(server, server.token("ada")) is None


async def test_a_revoked_token_takes_its_own_sessions_only(server: Server) -> None:
    first, second = await server.connected("ada", token_id="t1"), await server.connected("ada", token_id="t2")
    assert await server.ok("POST", "/v1/revoke", {"token_id": "t1"}) == {"sessions": 1}
    assert (first.connection.closed, second.connection.closed) == (REVOKED, None)
    assert await verdict(server, server.token("ada", token_id="t1")) is ErrorCode.INVALID_TOKEN
    assert await verdict(server, server.token("ada", token_id="t2")) is None


async def test_user_and_token_together_mean_that_token(server: Server) -> None:
    ada, bob = await server.connected("ada", token_id="t"), await server.connected("bob", token_id="t")
    assert await server.ok("POST", "/v1/revoke", {"user": "ada", "token_id": "t"}) == {"sessions": 1}
    assert (ada.connection.closed, bob.connection.closed) == (REVOKED, None)
    assert await verdict(server, server.token("ada")) is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "user"),
        ({"user": ""}, "user"),
        ({"token_id": "x" * 257}, "token_id"),
        ({"user": "a", "all": True}, "all"),
    ],
)
async def test_what_is_revoked_must_be_said(server: Server, body: dict[str, Any], field: str) -> None:
    await server.refused(ErrorCode.VALIDATION_FAILED, "POST", "/v1/revoke", body, field=field)


async def test_a_policy_without_revocations_says_so() -> None:
    server = await Server(revocations=False).start()
    ada = await server.connected("ada")
    await server.refused(ErrorCode.NOT_AVAILABLE, "POST", "/v1/revoke", {"user": "ada"})
    assert ada.connection.closed is None
    await server.stop()


# --- tickets ----------------------------------------------------------------------------------------------


async def test_a_users_token_buys_one_ticket_for_one_use(server: Server) -> None:
    headers = {"Authorization": f"bearer {server.token('ada')}"}
    response = await server.http.post("/v1/tickets", headers=headers)
    assert response.status_code == 201
    ticket = response.json()
    assert ticket["expires_in"] == 30.0
    assert (await server.tickets.redeem(ticket["ticket"])).user == "ada"
    with pytest.raises(HubbubError):
        await server.tickets.redeem(ticket["ticket"])


async def test_a_ticket_may_be_for_some_channels(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token('ada')}"}
    response = await server.http.post("/v1/tickets", json={"channels": ["a"]}, headers=headers)
    with pytest.raises(HubbubError):
        await server.tickets.redeem(response.json()["ticket"], ["b"])
    response = await server.http.post("/v1/tickets", json={"channels": ["*"]}, headers=headers)
    refusal(response, ErrorCode.INVALID_CHANNEL, "channel")


async def test_a_ticket_needs_a_users_token(server: Server) -> None:
    response = await server.http.post("/v1/tickets")
    refusal(response, ErrorCode.UNAUTHENTICATED)
    assert response.headers["www-authenticate"].startswith("Bearer")
    refusal(await server.call("POST", "/v1/tickets"), ErrorCode.INVALID_TOKEN)
    expired = {"Authorization": f"Bearer {server.token('ada', ttl=1.0)}"}
    server.world.clock.advance(100.0)
    refusal(await server.http.post("/v1/tickets", headers=expired), ErrorCode.TOKEN_EXPIRED)


async def test_a_user_cannot_hoard_tickets(server: Server) -> None:
    headers = {"Authorization": f"Bearer {server.token('ada')}"}
    answers = await asyncio.gather(*(server.http.post("/v1/tickets", headers=headers) for _ in range(20)))
    assert [answer.status_code for answer in answers].count(201) == server.tickets.per_user
    late = next(answer for answer in answers if answer.status_code == 429)
    assert refusal(late, ErrorCode.RATE_LIMITED)["retry_after"] == 30.0
    assert late.headers["retry-after"] == "30"


# --- tokens for trying things out -------------------------------------------------------------------------


async def test_dev_mints_a_token_for_whoever_asks() -> None:
    server = await Server(dev=True).start()
    response = await server.http.post("/dev/token", json={"user": "ada", "info": {"name": "Ada"}, "ttl": 60})
    assert response.status_code == 201
    token = response.json()
    principal = await server.policy.authenticate(token["token"], ConnectionInfo())
    assert (principal.user, principal.info, principal.expires) == ("ada", b'{"name":"Ada"}', token["expires"])
    await server.policy.authorize(principal, "publish", "any:thing")
    assert SECRET not in response.text
    await server.stop()


@pytest.mark.parametrize(
    ("address", "base", "headers"),
    [
        ("192.0.2.7", "http://127.0.0.1:8000", {}),
        ("127.0.0.1", "http://evil.example", {}),
        ("127.0.0.1", "http://127.0.0.1.evil.example:8000", {}),
        ("127.0.0.1", "http://127.0.0.1:8000", {"Origin": "https://evil.example"}),
        ("127.0.0.1", "http://127.0.0.1:8000", {"Origin": "http://127.0.0.1:9000"}),
        ("127.0.0.1", "http://127.0.0.1:8000", {"Origin": "null"}),
        ("127.0.0.1", "http://127.0.0.1:8000", {"Sec-Fetch-Site": "cross-site"}),
        ("127.0.0.1", "http://127.0.0.1:8000", {"X-Forwarded-For": "192.0.2.7"}),
        ("127.0.0.1", "http://127.0.0.1:8000", {"Forwarded": "for=192.0.2.7"}),
    ],
)
async def test_for_anybody_else_there_is_no_such_thing(
    address: str, base: str, headers: dict[str, str]
) -> None:
    server = await Server(dev=True).start()
    async with server.client(address, base_url=base) as client:
        refusal(await client.post("/dev/token", json={"user": "ada"}, headers=headers), ErrorCode.NOT_FOUND)
    await server.stop()


async def test_without_dev_there_is_no_such_thing(server: Server) -> None:
    refusal(await server.call("POST", "/dev/token", {"user": "ada"}), ErrorCode.NOT_FOUND)


@pytest.mark.parametrize("base", ["http://localhost:8000", "http://[::1]:8000", "http://127.0.0.1:8000"])
async def test_the_servers_own_pages_may_ask(base: str) -> None:
    server = await Server(dev=True).start()
    async with server.client(base_url=base) as client:
        headers = {"Origin": base, "Sec-Fetch-Site": "same-origin"}
        assert (await client.post("/dev/token", json={"user": "a"}, headers=headers)).status_code == 201
    await server.stop()


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"user": ""}, ErrorCode.VALIDATION_FAILED, "user"),
        ({"user": "a\nb"}, ErrorCode.VALIDATION_FAILED, "user"),
        ({"user": "a", "ttl": 0}, ErrorCode.VALIDATION_FAILED, "ttl"),
        ({"user": "a", "ttl": 1e9}, ErrorCode.VALIDATION_FAILED, "ttl"),
        ({"user": "a", "kind": "god"}, ErrorCode.VALIDATION_FAILED, "kind"),
        ({"user": "a", "iss": "me"}, ErrorCode.VALIDATION_FAILED, "iss"),
        ({"user": "a", "channels": {"b c": ["*"]}}, ErrorCode.INVALID_CHANNEL, "channels"),
        ({"user": "a", "channels": {"b": ["fly"]}}, ErrorCode.VALIDATION_FAILED, "channels[...][0]"),
        ({"user": "a", "subscribe": ["b c"]}, ErrorCode.INVALID_CHANNEL, "channel"),
    ],
)
async def test_a_token_is_for_somebody_sensible(body: dict[str, Any], code: ErrorCode, field: str) -> None:
    server = await Server(dev=True).start()
    await server.refused(code, "POST", "/dev/token", body, field=field)
    await server.stop()
