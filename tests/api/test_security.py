from __future__ import annotations

import pytest
from tests.api.server import Server, refusal

from hubbub.api.app import routers
from hubbub.api.security import is_loopback
from hubbub.auth.api_keys import new_key
from hubbub.errors import ErrorCode

GUARDED = sorted(
    (method, route.path.replace("{name:str}", "a").replace("{user:str}", "a").replace("{session:str}", "a"))
    for router in routers()
    if router.guards
    for route in router.routes
    for handler in route.route_handlers  # type: ignore[union-attr]
    for method in handler.http_methods
    if method != "OPTIONS"
)


def test_there_are_routes_to_guard() -> None:
    assert len(GUARDED) == 24


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.anyio
async def test_every_route_needs_an_api_key(server: Server, method: str, path: str) -> None:
    for headers in (
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": server.key},
        {"Authorization": f"Basic {server.key}"},
        {"Authorization": f"Bearer {server.key}x"},
        {"Authorization": f"Bearer {server.key[:-1]}"},
        {"Authorization": f"Bearer {new_key()[0]}"},
        {"Authorization": f"Bearer {server.token('ada', kind='service', channels={'*': ['*']})}"},
        {"X-Api-Key": server.key},
        {"Cookie": f"key={server.key}"},
    ):
        response = await server.http.request(method, path, headers=headers, content=b"{")
        refusal(response, ErrorCode.UNAUTHENTICATED)
        assert response.headers["www-authenticate"] == 'Bearer realm="hubbub"'
    response = await server.http.request(method, f"{path}?key={server.key}&token={server.key}")
    refusal(response, ErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
@pytest.mark.anyio
async def test_the_scheme_is_of_any_case(server: Server, scheme: str) -> None:
    response = await server.http.get("/v1/channels", headers={"Authorization": f"{scheme} {server.key}"})
    assert response.status_code == 200


@pytest.mark.anyio
async def test_without_keys_nobody_may_call() -> None:
    server = await Server(auth={"api_keys": ()}).start()
    await server.refused(ErrorCode.UNAUTHENTICATED, "GET", "/v1/channels")
    await server.stop()


@pytest.mark.parametrize(
    ("host", "verdict"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("testclient", False),
    ],
)
def test_loopback_is_known(host: str, verdict: bool) -> None:
    assert is_loopback(host) is verdict
