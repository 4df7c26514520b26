from __future__ import annotations

import pytest
from tests.api.server import Server

from hubbub.errors import FORCED, ErrorCode

pytestmark = pytest.mark.anyio


async def test_a_session_is_described(server: Server) -> None:
    ada = await server.connected("ada", "a", "b", ttl=100.0)
    assert await server.ok("GET", f"/v1/connections/{ada.session}") == {
        "session": ada.session,
        "user": "ada",
        "transport": "memory",
        "protocol": "native-json",
        "address": "192.0.2.1",
        "user_agent": "",
        "channels": ["a", "b"],
        "expires": server.world.clock.now() + 100,
    }
    ada.drop()
    gone = await server.ok("GET", f"/v1/connections/{ada.session}")
    assert (gone["detached"], gone["channels"]) == (True, ["a", "b"])


async def test_no_secret_is_told(server: Server) -> None:
    ada = await server.connected("ada")
    for path in ("/v1/connections", f"/v1/connections/{ada.session}", "/v1/users/ada/connections"):
        assert ada.secret not in (await server.call("GET", path)).text


async def test_sessions_are_listed_in_pages_that_miss_none(server: Server) -> None:
    clients = [await server.connected(user) for user in ("ada", "ada", "bob", "bob", "bob")]
    seen, after = [], ""
    while True:
        page = await server.ok("GET", f"/v1/connections?limit=2&after={after}")
        seen += [each["session"] for each in page["connections"]]
        if "next" not in page:
            break
        after = page["next"]
    assert seen == sorted(client.session for client in clients)
    bob = await server.ok("GET", "/v1/users/bob/connections")
    assert {each["user"] for each in bob["connections"]} == {"bob"}
    assert len(bob["connections"]) == 3
    assert await server.ok("GET", "/v1/users/nobody/connections") == {"connections": []}


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/disconnect")])
async def test_a_session_that_is_not_there_is_not_found(server: Server, method: str, path: str) -> None:
    await server.refused(ErrorCode.NOT_FOUND, method, f"/v1/connections/nobody{path}", field="session")


async def test_a_session_is_ended(server: Server) -> None:
    phone, laptop = await server.connected("ada"), await server.connected("ada")
    assert await server.ok("POST", f"/v1/connections/{phone.session}/disconnect") == {"sessions": 1}
    assert (phone.connection.closed, laptop.connection.closed) == (FORCED, None)


async def test_all_sessions_of_a_user_are_ended(server: Server) -> None:
    phone, laptop, bob = [await server.connected(user) for user in ("ada", "ada", "bob")]
    laptop.drop()
    assert await server.ok("POST", "/v1/users/ada/disconnect", {"code": 4321}) == {"sessions": 2}
    assert phone.connection.closed is not None
    assert phone.connection.closed.code == 4321
    assert bob.connection.closed is None
    assert set(server.world.hub.users) == {"bob"}


@pytest.mark.parametrize("code", [0, -1, 1000, 1006, 2999, 3999, 5000, 2**70])
async def test_only_codes_for_applications_end_a_session(server: Server, code: int) -> None:
    ada = await server.connected("ada")
    response = await server.call("POST", "/v1/users/ada/disconnect", {"code": code})
    assert (response.status_code, response.json()["field"]) == (422, "code")
    assert ada.connection.closed is None


async def test_a_user_is_put_into_a_channel_and_out_of_it(server: Server) -> None:
    ada, bob = await server.connected("ada"), await server.connected("bob")
    assert await server.ok("POST", "/v1/users/ada/subscribe", {"channel": "news"}) == {"sessions": 1}
    assert [push["channel"] for push in ada.take("subscribed")] == ["news"]
    await server.ok("POST", "/v1/publish", {"channel": "news", "data": 1})
    assert (ada.texts(), bob.texts()) == ([1], [])
    assert await server.ok("POST", "/v1/users/ada/unsubscribe", {"channel": "news"}) == {"sessions": 1}
    assert [push["channel"] for push in ada.take("unsubscribed")] == ["news"]
    assert await server.ok("POST", "/v1/users/ada/unsubscribe", {"channel": "news"}) == {"sessions": 0}


async def test_a_user_cannot_be_put_into_an_impossible_channel(server: Server) -> None:
    await server.refused(
        ErrorCode.INVALID_CHANNEL, "POST", "/v1/users/ada/subscribe", {"channel": "no good"}, field="channel"
    )
