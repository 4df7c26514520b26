from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from tests.api.server import Server

from hubbub.broker.base import Broker
from hubbub.broker.deadletters import letters_of
from hubbub.broker.envelopes import frame_of
from hubbub.errors import ErrorCode
from hubbub.model import Envelope, Join, Member
from hubbub.testing.contracts import publication

pytestmark = pytest.mark.anyio

SAID = frame_of(
    Envelope(msgspec.structs.replace(publication("lobby", b'{"n":1}'), id="id-1", sender="ada", time=12.5))
)
PATH = "/v1/dead-letters"


def add(server: Server, frame: bytes = SAID, reason: str = "listener", channel: str = "lobby") -> None:
    letters_of(server.world.hub.broker).add(channel, reason, "it failed", frame)


async def letters(server: Server, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await server.ok("GET", PATH + query))["letters"]
    return found


async def test_none_are_there(server: Server) -> None:
    assert await server.ok("GET", PATH) == {"letters": []}


async def test_they_are_listed_in_pages_without_what_is_in_them(server: Server) -> None:
    for number in range(5):
        add(server, channel=f"c:{number}")
    page = await server.ok("GET", f"{PATH}?limit=3")
    assert [each["channel"] for each in page["letters"]] == ["c:4", "c:3", "c:2"]
    rest = await server.ok("GET", f"{PATH}?limit=3&before={page['next']}")
    assert [each["channel"] for each in rest["letters"]] == ["c:1", "c:0"]
    assert "next" not in rest
    assert set(page["letters"][0]) == {"id", "time", "channel", "reason", "detail", "node", "size"}
    assert page["letters"][0]["size"] == len(SAID)


async def test_one_is_shown_with_what_is_in_it(server: Server) -> None:
    add(server)
    ((letter),) = await letters(server)
    shown = await server.ok("GET", f"{PATH}/{letter['id']}")
    push = shown.pop("push")
    assert shown == {**letter, "frame": base64.b64encode(SAID).decode()}
    assert push == {
        "type": "publication",
        "channel": "lobby",
        "event": "message",
        "data": {"n": 1},
        "id": "id-1",
        "sender": "ada",
        "time": 12.5,
    }


async def test_what_cannot_be_read_is_shown_as_it_came(server: Server) -> None:
    add(server, b"\x09\xff", "version")
    ((letter),) = await letters(server)
    shown = await server.ok("GET", f"{PATH}/{letter['id']}")
    assert shown["frame"] == base64.b64encode(b"\x09\xff").decode()
    assert "push" not in shown
    await server.refused(ErrorCode.NOT_AVAILABLE, "POST", f"{PATH}/{letter['id']}/replay")
    assert len(await letters(server)) == 1


async def test_one_is_replayed_to_who_is_there_and_is_gone(server: Server) -> None:
    client = await server.connected("bob", "lobby")
    add(server)
    ((letter),) = await letters(server)
    assert await server.ok("POST", f"{PATH}/{letter['id']}/replay") == letter
    (push,) = client.take()
    assert (push["type"], push["data"], push["sender"]) == ("publication", {"n": 1}, "ada")
    assert await letters(server) == []
    await server.refused(ErrorCode.NOT_FOUND, "POST", f"{PATH}/{letter['id']}/replay", field="id")


async def test_a_join_is_shown_too(server: Server) -> None:
    add(server, frame_of(Envelope(Join("lobby", Member("s", "ada")))))
    ((letter),) = await letters(server)
    shown = await server.ok("GET", f"{PATH}/{letter['id']}")
    assert shown["push"] == {"type": "join", "channel": "lobby", "member": {"session": "s", "user": "ada"}}


async def test_they_are_thrown_away(server: Server) -> None:
    for _ in range(3):
        add(server)
    (first, *_) = await letters(server)
    assert await server.ok("DELETE", f"{PATH}/{first['id']}") == {"letters": 1}
    assert await server.ok("DELETE", f"{PATH}/{first['id']}") == {"letters": 0}
    assert await server.ok("DELETE", PATH) == {"letters": 2}
    assert await letters(server) == []


@pytest.mark.parametrize(
    ("method", "path", "code", "field"),
    [
        ("GET", f"{PATH}/1-1", ErrorCode.NOT_FOUND, "id"),
        ("GET", f"{PATH}/nonsense", ErrorCode.VALIDATION_FAILED, "id"),
        ("POST", f"{PATH}/+/replay", ErrorCode.VALIDATION_FAILED, "id"),
        ("DELETE", f"{PATH}/1-1-1", ErrorCode.VALIDATION_FAILED, "id"),
        ("GET", f"{PATH}?before=x", ErrorCode.VALIDATION_FAILED, "id"),
        ("GET", f"{PATH}?limit=0", ErrorCode.VALIDATION_FAILED, "limit"),
    ],
)
async def test_what_is_not_one_is_refused(
    server: Server, method: str, path: str, code: ErrorCode, field: str
) -> None:
    await server.refused(code, method, path, field=field)


async def test_only_holders_of_an_api_key_see_them(server: Server) -> None:
    for method, path in (
        ("GET", PATH),
        ("GET", f"{PATH}/1-1"),
        ("DELETE", PATH),
        ("POST", f"{PATH}/1-1/replay"),
    ):
        assert (await server.http.request(method, path)).status_code == 401


async def test_where_the_broker_keeps_none_it_says_so(server: Server) -> None:
    class Plain:
        def __init__(self, broker: Broker) -> None:
            self.publish = broker.publish
            self.stop = broker.stop

    server.world.hub.broker = Plain(server.world.hub.broker)  # type: ignore[assignment]
    await server.refused(ErrorCode.NOT_AVAILABLE, "GET", PATH)
