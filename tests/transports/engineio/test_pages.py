"""Pages of other origins: who may come, and what their browsers are told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.transports.engineio.echo import PATH, EchoServer, echo_server, http, opened

from hubbub.errors import ErrorCode
from hubbub.testing.raw import Response
from hubbub.transports.engineio import pages
from hubbub.transports.engineio.pages import Pages
from hubbub.transports.guards import Origins

pytestmark = pytest.mark.anyio

PAGE = "https://app.example.com"
FOREIGN = "https://evil.example.com"
POLLING = PATH + "polling"


@pytest.fixture
async def echo() -> AsyncIterator[EchoServer]:
    async with echo_server(server={"allowed_origins": (PAGE,)}, limits={"packet_bytes": 100}) as running:
        yield running


async def ask(
    echo: EchoServer, method: str, target: str, headers: dict[str, str], body: bytes | None = None
) -> Response:
    async with await echo.raw() as client:
        await client.send(http(method, target, headers, body))
        return await client.read_response()


def told(response: Response) -> dict[str, str]:
    """What a browser reads."""
    return {
        name: value
        for name, value in response.headers.items()
        if name.startswith("access-control") or name == "vary"
    }


ALLOWED = {
    "access-control-allow-origin": PAGE,
    "access-control-allow-credentials": "true",
    "vary": "Origin",
}


async def test_every_answer_tells_the_page_that_it_may_read(echo: EchoServer) -> None:
    headers = {"Origin": PAGE}
    opening = await ask(echo, "GET", POLLING, headers)
    assert (opening.status, told(opening)) == (200, ALLOWED)
    target = f"{POLLING}&sid={opened(opening.body)['sid']}"
    for method, where, body, status in (
        ("POST", target, b"4x", 200),
        ("GET", target, None, 200),
        ("POST", target, b"x" * 101, 413),
        ("PUT", target, b"4x", 500),
        ("GET", "/socket.io/", None, 400),
    ):
        response = await ask(echo, method, where, headers, body)
        assert (response.status, told(response)) == (status, ALLOWED)


async def test_the_servers_own_page(echo: EchoServer) -> None:
    response = await ask(echo, "GET", POLLING, {"Origin": "http://localhost"})
    assert response.status == 200
    assert told(response)["access-control-allow-origin"] == "http://localhost"


async def test_no_page_at_all(echo: EchoServer) -> None:
    assert told(await ask(echo, "GET", POLLING, {})) == {"vary": "Origin"}


@pytest.mark.parametrize("origin", [FOREIGN, "null", "https://app.example.com.evil.example.com", "x"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_a_foreign_page_gets_nothing(echo: EchoServer, origin: str, method: str) -> None:
    asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    response = await ask(echo, method, POLLING, asking)
    assert (response.status, response.body) == (403, b'{"code":4,"message":"Forbidden"}')
    assert told(response) == {"vary": "Origin"}
    assert not echo.clients
    assert echo.metrics.errors[int(ErrorCode.ORIGIN_REFUSED)] == 1


async def test_a_browser_asks_before_it_sends_headers_of_its_own(echo: EchoServer) -> None:
    asking = {
        "Origin": PAGE,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-token, content-type",
    }
    response = await ask(echo, "OPTIONS", POLLING + "&sid=whichever", asking)
    assert (response.status, response.body) == (204, b"")
    assert told(response) == ALLOWED | {
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "x-token, content-type",
        "access-control-max-age": "7200",
    }
    del asking["Access-Control-Request-Headers"]
    response = await ask(echo, "OPTIONS", POLLING, asking)
    assert "access-control-allow-headers" not in told(response)
    response = await ask(echo, "OPTIONS", POLLING, {"Origin": PAGE})  # no preflight
    assert (response.status, told(response)) == (400, ALLOWED)


async def test_every_page_may_come_where_that_is_set() -> None:
    async with echo_server(server={"allowed_origins": ("*",)}) as echo:
        response = await ask(echo, "GET", POLLING, {"Origin": FOREIGN})
        assert (response.status, told(response)) == (200, {"access-control-allow-origin": "*"})
        assert told(await ask(echo, "GET", POLLING, {})) == {}


async def test_a_trusted_proxy_tells_the_scheme_of_the_page() -> None:
    async with echo_server(server={"trusted_proxies": ("127.0.0.0/8",)}) as echo:
        headers = {
            "Origin": "https://localhost",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "192.0.2.7",
        }
        response = await ask(echo, "GET", POLLING, headers)
        assert response.status == 200
        assert echo.clients[0].link.info.address == "192.0.2.7"
        del headers["X-Forwarded-Proto"]
        assert (await ask(echo, "GET", POLLING, headers)).status == 403


class Page:
    """As much of a request as `Pages` asks for."""

    scheme = "https"

    def __init__(self, number: int) -> None:
        self._origin = b"https://%d.example.com" % number

    def header(self, name: bytes) -> bytes | None:
        return self._origin if name == b"origin" else None


async def test_what_is_remembered_is_bounded() -> None:
    judge = Pages(Origins(()))
    for number in range(3 * pages.REMEMBERED):
        assert judge.headers(Page(number)) is None  # type: ignore[arg-type]
        assert len(judge._known) <= pages.REMEMBERED
