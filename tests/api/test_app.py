from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from tests.api.server import Server

from hubbub.auth.api_keys import new_key
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


async def test_every_answer_has_an_id_of_its_own_and_is_not_kept(server: Server) -> None:
    answers = [await server.call("GET", path) for path in ("/v1/channels", "/v1/channels", "/nope")]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3
    for answer in answers:
        assert re_hex(answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers.get_list("cache-control") == ["no-store"]


def re_hex(text: str) -> bool:
    return len(text) == 16 and int(text, 16) >= 0


async def test_it_works_below_another_path() -> None:
    server = await Server(mount="/rt").start()
    await server.ok("POST", "/rt/v1/publish", {"channel": "rt/rt", "data": 1})
    assert (await server.ok("GET", "/rt/v1/channels/rt/rt"))["name"] == "rt/rt"
    await server.stop()


async def test_requests_at_once_do_not_mix(server: Server) -> None:
    async def publish(number: int) -> tuple[int, int]:
        channel = f"c{number % 5}"
        answer = await server.ok("POST", "/v1/publish", {"channel": channel, "data": number})
        log = await server.ok("GET", f"/v1/channels/{channel}/history")
        return number, next(each["data"] for each in log["publications"] if each["id"] == answer["id"])

    for number, published in await asyncio.gather(*(publish(number) for number in range(40))):
        assert number == published


# --- over sockets -----------------------------------------------------------------------------------------


async def test_the_api_is_served_with_everything_else() -> None:
    key, hashed = new_key()
    async with (
        running_server(auth={"api_keys": [hashed]}) as running,
        httpx2.AsyncClient(base_url=running.url, headers={"Authorization": f"Bearer {key}"}) as client,
    ):
        published = await client.post("/v1/publish", json={"channel": "a/b:c", "data": {"n": 1}})
        assert published.status_code == 200
        for name in ("a/b:c", "a%2Fb%3Ac"):
            log = (await client.get(f"/v1/channels/{name}/history")).json()
            assert [each["id"] for each in log["publications"]] == [published.json()["id"]]
        assert (await client.get("/health/ready")).json()["status"] == "ok"
        assert (await client.get("/health/live")).json() == {"status": "ok"}
        metrics = (await client.get("/metrics")).text
        assert 'hubbub_http_requests_total{status="2xx"} 5.0' in metrics
        assert (await client.get("/docs")).status_code == 200


async def test_a_body_that_is_too_large_is_refused_over_a_socket() -> None:
    key, hashed = new_key()

    async def chunks() -> Any:
        for _ in range(40):
            yield b"x" * 100

    async with (
        running_server(auth={"api_keys": [hashed]}, limits={"body_bytes": 1000}) as running,
        httpx2.AsyncClient(base_url=running.url, headers={"Authorization": f"Bearer {key}"}) as client,
    ):
        for content in (b"x" * 1001, chunks()):
            response = await client.post("/v1/publish", content=content)
            assert (response.status_code, response.json()["field"]) == (413, "body")
