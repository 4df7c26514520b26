from __future__ import annotations

from typing import Any

import pytest
from tests.api.server import Server

from hubbub.api.channels import position
from hubbub.api.paths import encoded
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Position

pytestmark = pytest.mark.anyio

ODD = ["a/b", "a/history", "a/b/presence", "history", "x:y", "a@b", "a=b+c,d~e", "a//b", "/a", "a/", "a..b"]


async def publish(server: Server, channel: str, *values: Any) -> None:
    for value in values:
        await server.ok("POST", "/v1/publish", {"channel": channel, "data": value})


@pytest.mark.parametrize("channel", ODD)
async def test_channels_may_have_odd_names(server: Server, channel: str) -> None:
    await publish(server, channel, 1)
    path = f"/v1/channels/{encoded(channel)}"
    assert (await server.ok("GET", path))["name"] == channel
    assert [each["data"] for each in (await server.ok("GET", f"{path}/history"))["publications"]] == [1]
    assert await server.ok("GET", f"{path}/presence") == {"sessions": 0, "users": 0, "members": []}


async def test_slashes_may_stand_as_they_are(server: Server) -> None:
    await publish(server, "a/b/c", 1)
    assert (await server.ok("GET", "/v1/channels/a/b/c"))["name"] == "a/b/c"
    assert len((await server.ok("GET", "/v1/channels/a/b/c/history"))["publications"]) == 1


@pytest.mark.parametrize("name", ["a%00b", "a%20b", "%C3%A9", "a*", "x" * 256, "a%0Ab"])
@pytest.mark.parametrize("rest", ["", "/history", "/presence"])
async def test_names_are_checked(server: Server, name: str, rest: str) -> None:
    await server.refused(ErrorCode.INVALID_CHANNEL, "GET", f"/v1/channels/{name}{rest}", field="channel")


async def test_a_name_that_is_not_utf8_is_refused(server: Server) -> None:
    await server.refused(ErrorCode.BAD_REQUEST, "GET", "/v1/channels/%FF", field="channel")


async def test_history_is_read_from_a_position_and_backwards(server: Server) -> None:
    await publish(server, "a", 1, 2, 3, 4)

    async def read(query: str) -> tuple[list[int], dict[str, Any]]:
        answer = await server.ok("GET", f"/v1/channels/a/history{query}")
        return [each["data"] for each in answer["publications"]], answer

    values, answer = await read("")
    epoch = answer["position"]["epoch"]
    assert (values, answer["position"]["offset"], answer["complete"], answer["more"]) == (
        [1, 2, 3, 4],
        4,
        True,
        False,
    )
    assert (await read(f"?since={epoch}:2"))[0] == [3, 4]
    assert (await read("?limit=2"))[0] == [1, 2]
    assert (await read("?limit=2"))[1]["more"] is True
    assert (await read("?limit=2&reverse=true"))[0] == [4, 3]
    assert (await read(f"?since={epoch}:3&reverse=1"))[0] == [2, 1]
    assert (await read("?limit=0"))[0] == []
    assert (await read("?since=another:2"))[1]["complete"] is False


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("since=", ErrorCode.VALIDATION_FAILED, "since"),
        ("since=7", ErrorCode.VALIDATION_FAILED, "since"),
        ("since=e:", ErrorCode.VALIDATION_FAILED, "since"),
        ("since=e:-1", ErrorCode.VALIDATION_FAILED, "since"),
        ("since=e:%D9%A3", ErrorCode.VALIDATION_FAILED, "since"),
        ("since=e:" + "9" * 30, ErrorCode.VALIDATION_FAILED, "since"),
        ("limit=-1", ErrorCode.VALIDATION_FAILED, "limit"),
        ("limit=x", ErrorCode.VALIDATION_FAILED, "limit"),
        ("limit=1e400", ErrorCode.VALIDATION_FAILED, "limit"),
        ("limit=1001", ErrorCode.LIMIT_EXCEEDED, "limit"),
        ("limit=" + "9" * 400, ErrorCode.LIMIT_EXCEEDED, "limit"),
        ("reverse=perhaps", ErrorCode.VALIDATION_FAILED, "reverse"),
    ],
)
async def test_what_does_not_fit_in_a_query_is_named(
    server: Server, query: str, code: ErrorCode, field: str
) -> None:
    response = await server.call("GET", f"/v1/channels/a/history?{query}")
    body = response.json()
    assert (response.status_code, body["field"]) == (422, field), body
    if len(query) < 300:
        assert body["code"] == code


@pytest.mark.parametrize(
    ("text", "expected"), [("e:0", Position("e", 0)), ("a:b:7", Position("a:b", 7)), (":7", Position("", 7))]
)
async def test_a_position_is_epoch_and_offset(text: str, expected: Position) -> None:
    assert position(text) == expected


async def test_a_position_needs_its_colon() -> None:
    with pytest.raises(HubbubError):
        position("7")


@pytest.mark.parametrize("what", ["history", "presence"])
async def test_what_a_namespace_does_not_keep_is_not_available(server: Server, what: str) -> None:
    await server.refused(ErrorCode.NOT_AVAILABLE, "GET", f"/v1/channels/plain:x/{what}", field="channel")


async def test_a_channel_tells_its_subscribers_head_and_members(server: Server) -> None:
    ada = await server.connected("ada", "a", "plain:x", info={"name": "Ada"})
    await publish(server, "a", 1)
    info = await server.ok("GET", "/v1/channels/a")
    assert (info["name"], info["subscribers"], info["position"]["offset"]) == ("a", 1, 1)
    member = {"session": ada.session, "user": "ada", "info": {"name": "Ada"}}
    assert info["presence"] == {"sessions": 1, "users": 1, "members": [member]}
    assert await server.ok("GET", "/v1/channels/a/presence") == info["presence"]
    assert await server.ok("GET", "/v1/channels/plain:x") == {"name": "plain:x", "subscribers": 1}


async def test_channels_are_listed_in_order_by_prefix_and_page(server: Server) -> None:
    await server.connected("ada", "orders:b")
    await publish(server, "orders:a", 1)
    await publish(server, "other", 1)
    assert await server.ok("GET", "/v1/channels") == {
        "channels": [
            {"name": "orders:a", "subscribers": 0},
            {"name": "orders:b", "subscribers": 1},
            {"name": "other", "subscribers": 0},
        ],
        "more": False,
    }
    page = await server.ok("GET", "/v1/channels?prefix=orders:&limit=1")
    assert ([each["name"] for each in page["channels"]], page["more"]) == (["orders:a"], True)
    assert (await server.ok("GET", "/v1/channels?prefix=orders:&limit=2"))["more"] is False
    assert await server.ok("GET", "/v1/channels/?prefix=none") == {"channels": [], "more": False}


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "x"])
async def test_pages_are_of_1_to_1000(server: Server, limit: str) -> None:
    for path in ("channels", "connections", "users/ada/connections"):
        await server.refused(ErrorCode.VALIDATION_FAILED, "GET", f"/v1/{path}?limit={limit}", field="limit")
