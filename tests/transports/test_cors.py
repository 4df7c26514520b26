from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from tests.transports.httpclient import client

from hubbub.errors import ErrorCode
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio
APP = "https://app.example.com"


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(server={"allowed_origins": [APP]}) as running:
        yield running


@pytest.fixture
async def http(server: RunningServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with client(server) as http:
        yield http


FOREIGN = [
    "null",
    "https://evil.com",
    "https://app.example.com.evil.com",
    "https://evilapp.example.com",
    "http://app.example.com",
    "https://app.example.com:8443",
    "https://app.example.com.",
    "https://app.example.com https://evil.com",
    "https://app.example.com/path",
    "https://user@app.example.com",
    "",
    "*",
]


def cors_headers(answer: httpx2.Response) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/sessions"),
        ("POST", "/v1/sessions/x/commands?secret=y"),
        ("GET", "/v1/sessions/x/events?secret=y"),
        ("DELETE", "/v1/sessions/x?secret=y"),
        ("GET", "/v1/sse?channel=a&token=x"),
        ("POST", "/v1/publish"),
    ],
)
async def test_foreign_pages_may_call_nothing(
    http: httpx2.AsyncClient, origin: str, method: str, path: str
) -> None:
    answer = await http.request(method, path, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, ErrorCode.ORIGIN_REFUSED)
    assert not cors_headers(answer)
    assert answer.headers["vary"] == "Origin"


async def test_two_origins_are_refused_even_if_both_are_permitted(http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v1/sessions", headers=[("Origin", APP), ("Origin", APP)])
    assert answer.json()["code"] == ErrorCode.ORIGIN_REFUSED


@pytest.mark.parametrize("origin", FOREIGN)
async def test_foreign_pages_are_not_preflighted(http: httpx2.AsyncClient, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = await http.options("/v1/sessions", headers=headers)
    assert answer.status_code == 403
    assert not cors_headers(answer)


@pytest.mark.parametrize("origin", [APP, "HTTPS://APP.EXAMPLE.COM", "https://app.example.com:443"])
async def test_permitted_pages_are_named_and_may_send_credentials(
    server: RunningServer, http: httpx2.AsyncClient, origin: str
) -> None:
    answer = await http.post("/v1/sessions", headers={"Origin": origin}, json={"token": server.token()})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"
    assert "Hubbub-Next" in answer.headers["access-control-expose-headers"]


async def test_the_servers_own_pages_are_permitted(server: RunningServer, http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v1/sessions", headers={"Origin": server.url}, json={"token": server.token()})
    assert answer.status_code == 200


async def test_errors_can_be_read_by_permitted_pages(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/v1/sse?channel=a&token=x", headers={"Origin": APP})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, APP)


async def test_a_preflight_is_answered_once_for_two_hours(http: httpx2.AsyncClient) -> None:
    headers = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "hubbub-session-secret",
    }
    answer = await http.options("/v1/sessions/x/commands", headers=headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-max-age"] == "7200"
    assert "Hubbub-Session-Secret" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]


async def test_public_pages_are_served_but_unreadable_to_foreign_pages(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/health/live", headers={"Origin": "https://evil.com"})
    assert answer.status_code == 200
    assert not cors_headers(answer)


async def test_a_request_from_no_page_needs_its_token_only(
    server: RunningServer, http: httpx2.AsyncClient
) -> None:
    answer = await http.post("/v1/sessions", json={"token": server.token()})
    assert answer.status_code == 200
    assert not cors_headers(answer)
    assert answer.headers["vary"] == "Origin"


async def test_a_server_for_every_page_never_takes_credentials() -> None:
    async with running_server(server={"allowed_origins": ["*"]}) as server, client(server) as http:
        answer = await http.post(
            "/v1/sessions", headers={"Origin": "https://any.example"}, json={"token": server.token()}
        )
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
