from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.api.chat_server import ChatServer
from tests.api.server import refusal
from tests.api.toys import TOYS

from hubbub.api.app import _routes
from hubbub.api.chat import operation_id
from hubbub.chat.directory import OPERATIONS
from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChatServer]:
    """With operations that need no conversation."""
    for toy in TOYS:
        monkeypatch.setitem(OPERATIONS, toy.name, toy)
    _routes.cache_clear()
    running = await ChatServer(tmp_path).start()
    yield running
    await running.stop()
    _routes.cache_clear()


def test_operations_have_ids() -> None:
    found = [operation_id(toy) for toy in TOYS]
    assert found[:2] == ["chatToysPut", "chatToysFind"]
    assert found[-1] == "chatToysMyPart"


# --- params ---------------------------------------------------------------------------------------------------


async def test_params_come_from_path_and_body(server: ChatServer) -> None:
    response = await server.call("ada", "PUT", "/v1/toys/bear", {"name": "Teddy", "sizes": [1, 2]})
    assert (response.status_code, response.json()) == (201, {"toy": "bear", "by": "ada", "said": "Teddy"})
    assert response.headers["content-type"] == "application/json"


async def test_params_come_from_path_and_query(server: ChatServer) -> None:
    query = {
        "size": "3",
        "ratio": "-0.5",
        "big": "true",
        "colors": ["red", "blue"],
        "for": "all",
        "named": "a b+ü",
    }
    asked = (await server.ok("ada", "GET", "/v1/toys/bear", query=query))["asked"]
    assert asked == {
        "toy": "bear",
        "size": 3,
        "ratio": -0.5,
        "big": True,
        "colors": ["red", "blue"],
        "for": "all",
        "named": "a b+ü",
    }
    dropped = await server.ok("ada", "DELETE", "/v1/toys/bear", query={"for": "all"})
    assert dropped["said"] == "all"


@pytest.mark.parametrize("named", ["a/b", "a%2Fb", "ü:?#", "%", ".x", "mine", "me"])
async def test_names_in_paths_are_percent_encoded(server: ChatServer, named: str) -> None:
    path = "/v1/toys/" + "".join(f"%{byte:02X}" for byte in named.encode())
    assert (await server.ok("ada", "GET", path))["asked"]["toy"] == named


async def test_what_is_static_in_a_path_wins(server: ChatServer) -> None:
    assert (await server.ok("ada", "GET", "/v1/toys/mine/x"))["said"] == "mine"
    assert (await server.ok("ada", "GET", "/v1/toys/x/parts/me"))["said"] == "my part"
    assert (await server.ok("ada", "GET", "/v1/toys/x/parts/7"))["said"] == "part 7"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("size=x", "size"),
        ("size=", "size"),
        ("size=-1", "size"),
        ("size=1.0", "size"),
        ("size=01", "size"),
        ("size=9007199254740993", "size"),
        (f"size={2**63}", "size"),
        (f"size={'9' * 5000}", "size"),
        ("size=null", "size"),
        ("size=1&size=2", "size"),
        ("ratio=nan", "ratio"),
        ("ratio=1e5", "ratio"),
        ("big=1", "big"),
        ("big=True", "big"),
        ("colors=green", "colors[0]"),
        ("colors=red&colors=", "colors[1]"),
        ("for=you", "for"),
        ("for_=me", "for_"),
        ("toy=other", "toy"),
        ("other=1", "other"),
        ("__class__=x", "__class__"),
    ],
)
async def test_queries_are_strict(server: ChatServer, query: str, field: str) -> None:
    refusal(await server.call("ada", "GET", f"/v1/toys/bear?{query}"), ErrorCode.VALIDATION_FAILED, field)


@pytest.mark.parametrize(
    ("raw", "code", "field"),
    [
        (b"", ErrorCode.VALIDATION_FAILED, "name"),
        (b"null", ErrorCode.VALIDATION_FAILED, "name"),
        (b"{}", ErrorCode.VALIDATION_FAILED, "name"),
        (b"[]", ErrorCode.VALIDATION_FAILED, "params"),
        (b"5", ErrorCode.VALIDATION_FAILED, "params"),
        (b"{", ErrorCode.INVALID_DATA, "params"),
        (b'{"name":"a","name":"b"}', ErrorCode.INVALID_DATA, "params"),
        (b'{"name":"a\xff"}', ErrorCode.INVALID_DATA, "params"),
        (b'{"name":NaN}', ErrorCode.INVALID_DATA, "params"),
        (b'{"name":"a","custom":' + b"[" * 100 + b"]" * 100 + b"}", ErrorCode.LIMIT_EXCEEDED, "params"),
        (b'{"name":"12345678901"}', ErrorCode.VALIDATION_FAILED, "name"),
        (b'{"name":"a","sizes":[1,"2"]}', ErrorCode.VALIDATION_FAILED, "sizes[1]"),
        (b'{"name":"a","toy":"other"}', ErrorCode.VALIDATION_FAILED, "toy"),
        (b'{"name":"a","role":"owner"}', ErrorCode.VALIDATION_FAILED, "role"),
    ],
)
async def test_bodies_are_strict(server: ChatServer, raw: bytes, code: ErrorCode, field: str) -> None:
    refusal(await server.call("ada", "PUT", "/v1/toys/bear", raw=raw), code, field)
    assert (await server.ok("ada", "PUT", "/v1/toys/bear", {"name": "new"}))["said"] == "new"


async def test_params_in_the_wrong_place_are_not_passed_over(server: ChatServer) -> None:
    wrong = await server.call("ada", "DELETE", "/v1/toys/bear", {"for": "all"})
    refusal(wrong, ErrorCode.BAD_REQUEST, "body")
    wrong = await server.call("ada", "PUT", "/v1/toys/bear?sizes=1", {"name": "a"})
    refusal(wrong, ErrorCode.BAD_REQUEST, "query")


@pytest.mark.parametrize(
    ("path", "code", "field"),
    [
        ("/v1/toys/%FF", ErrorCode.BAD_REQUEST, "toy"),
        ("/v1/toys/x?named=%FF", ErrorCode.BAD_REQUEST, "query"),
        ("/v1/toys/" + "x" * 10_000, ErrorCode.VALIDATION_FAILED, "toy"),
        ("/v1/toys/x/parts/seven", ErrorCode.VALIDATION_FAILED, "part"),
        ("/v1/toys/x/parts/" + "9" * 40, ErrorCode.VALIDATION_FAILED, "part"),
        ("/v1/toys/x/parts", ErrorCode.NOT_FOUND, None),
    ],
)
async def test_paths_are_strict(server: ChatServer, path: str, code: ErrorCode, field: str | None) -> None:
    refusal(await server.call("ada", "GET", path), code, field)


async def test_a_body_that_is_too_large_is_refused(server: ChatServer) -> None:
    _routes.cache_clear()
    small = await server.call("ada", "PUT", "/v1/toys/bear", raw=b" " * 2_000_000)
    refusal(small, ErrorCode.MESSAGE_TOO_LARGE, "body")


async def test_another_method_is_not_allowed(server: ChatServer) -> None:
    wrong = await server.call("ada", "POST", "/v1/toys/bear")
    refusal(wrong, ErrorCode.METHOD_NOT_ALLOWED)
    assert set(wrong.headers["allow"].replace(" ", "").split(",")) == {"DELETE", "GET", "OPTIONS", "PUT"}


# --- idempotency ----------------------------------------------------------------------------------------------


async def test_a_key_gives_the_first_answer_again(server: ChatServer) -> None:
    async def put(user: str, name: str, key: str | None) -> httpx2.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await server.call(user, "PUT", "/v1/toys/bear", {"name": name}, headers=headers)

    first = await put("ada", "Teddy", "k")
    again = await put("ada", "Teddy", "k")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    refusal(await put("ada", "Other", "k"), ErrorCode.IDEMPOTENCY_CONFLICT, "key")
    refusal(await put("bob", "Teddy", "k"), ErrorCode.CONFLICT, "toy")
    refusal(await put("ada", "Teddy", None), ErrorCode.CONFLICT, "toy")


async def test_keys_are_for_writes_alone(server: ChatServer) -> None:
    headers = {"Idempotency-Key": "k"}
    assert (await server.ok("ada", "POST", "/v1/toys/x/begin", headers=headers))["key"] == "k"
    assert "key" not in await server.ok("ada", "POST", "/v1/toys-who", headers=headers)
    for key in ("", "x" * 129):
        wrong = await server.call("ada", "POST", "/v1/toys/x/begin", headers={"Idempotency-Key": key})
        refusal(wrong, ErrorCode.BAD_REQUEST, "key")


async def test_a_forward_is_done_once_for_a_key(tmp_path: Path) -> None:
    """It is no single write, and takes a key all the same."""
    server = await ChatServer(tmp_path).start()
    chat = server.world
    source, target = await chat.group("ada", "bob"), await chat.group("ada", "eve")
    sent = await chat.do(
        "messages.send", "ada", conversation=source, parts=[{"type": "text", "text": "Pass it on"}]
    )
    path = f"/v1/conversations/{source}/messages/{sent.message.seq}/forward"
    headers = {"Idempotency-Key": "k"}
    first, again = [
        await server.call("ada", "POST", path, {"to": [target]}, headers=headers) for _ in range(2)
    ]
    (sent_first,), (sent_again,) = first.json()["sent"], again.json()["sent"]
    assert sent_again == {**sent_first, "duplicate": True}
    assert (await chat.do("conversations.get", "ada", conversation=target)).conversation.messages == 1
    await server.stop()


# --- with and without -----------------------------------------------------------------------------------------


async def test_without_conversations_there_are_no_routes(tmp_path: Path) -> None:
    server = ChatServer(tmp_path, serve=False)
    for path in ("/v1/toys/x", "/v1/me", "/v1/conversations", "/v1/users/ada"):
        refusal(await server.call("", "GET", path), ErrorCode.NOT_FOUND)
    await server.http.aclose()


async def test_the_other_routes_are_there_too(server: ChatServer) -> None:
    for path in ("/v1/users/a/connections", "/v1/users/a%2Fb/connections", "/v1/users/a/b/connections"):
        assert await server.ok("", "GET", path) == {"connections": []}
    published: Any = await server.ok("", "POST", "/v1/users/a/publish", {"data": 1})
    assert published == {"sessions": 0}
