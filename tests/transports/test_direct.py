"""Requests that are answered in the parser's callbacks: HTTP as it is elsewhere, only without ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.transports.answering import LIMIT, Answering, chunked, http
from tests.waiting import until

from hubbub.testing.raw import RawClient
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio

HEALTH = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@dataclass
class Direct:
    server: RunningServer
    endpoint: Answering

    async def open(self, **options: Any) -> RawClient:
        return await RawClient.open(self.server.host, self.server.port, **options)


@pytest.fixture
async def direct() -> AsyncIterator[Direct]:
    async with running_server(limits={"write_timeout": 1.0}) as server:
        endpoint = server.app.node.direct["/direct/"] = Answering()
        yield Direct(server, endpoint)


async def answers(client: RawClient, count: int) -> list[bytes]:
    return [(await client.read_response()).body for _ in range(count)]


async def test_one_connection_serves_many(direct: Direct) -> None:
    async with await direct.open() as client:
        for number in range(3):
            await client.send(http("GET", f"at=once{number}"))
            response = await client.read_response()
            assert (response.status, response.body) == (200, b"at=once%d" % number)
            assert response.headers["content-type"] == "text/plain"
            assert response.headers["x-extra"] == "1"
            assert "date" in response.headers
        await client.send(http("POST", "", b"body"))
        assert await answers(client, 1) == [b"body"]
        await client.send(HEALTH)
        assert (await client.read_response()).status == 200
        assert direct.server.app.metrics.http_requests["2xx"] == 4 + 1


@pytest.mark.parametrize(
    "data", [http("GET", "at=once", Connection="close"), http("GET", "at=once", version="1.0")]
)
async def test_a_connection_that_is_to_be_closed(direct: Direct, data: bytes) -> None:
    async with await direct.open() as client:
        await client.send(data + http("GET", "at=once2"))
        response = await client.read_response()
        assert (response.body, response.headers["connection"]) == (b"at=once", "close")
        assert await client.read_end() == "closed"
        assert direct.endpoint.begun == ["GET at=once"]


async def test_segments_of_one_byte(direct: Direct) -> None:
    async with await direct.open() as client:
        data = http("POST", "", b"body") + chunked("POST", "", b"a", b"bc") + http("GET", "at=once")
        await client.send_slowly(bytes([byte]) for byte in data)
        assert await answers(client, 3) == [b"body", b"abc", b"at=once"]


async def test_a_body_of_the_largest_size(direct: Direct) -> None:
    async with await direct.open() as client:
        for data in (http("POST", "", b"x" * LIMIT), chunked("POST", "", b"x" * (LIMIT - 1), b"x")):
            await client.send(data)
            assert len((await client.read_response()).body) == LIMIT
        for data in (http("POST", "", b"x" * (LIMIT + 1)), chunked("POST", "", b"x" * LIMIT, b"x")):
            await client.send(data)
            assert (await client.read_response()).status == 413
        await client.send(http("GET", "at=once"))  # what was left of the bodies has been dropped
        assert await answers(client, 1) == [b"at=once"]


async def test_a_body_that_is_told_to_be_too_large_is_not_waited_for(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(http("POST", "", b"x" * 10_000_000)[:200])
        assert (await client.read_response()).status == 413
    async with await direct.open() as client:
        await client.send(http("POST", "", b"x" * (LIMIT + 1), Connection="close")[:200])
        assert (await client.read_response()).headers["connection"] == "close"
        assert await client.read_end() == "closed"
        # What it is still sending is read for a while, so that the answer is not lost to a reset.
        await client.send_slowly([b"x" * 1000] * 5, 0.02)


async def test_a_client_that_waits_for_a_go_ahead(direct: Direct) -> None:
    async with await direct.open() as client:
        data = http("POST", "", b"body", Expect="100-continue")
        await client.send(data[:-4])
        assert (await client.read_response()).status == 100
        await client.send(data[-4:])
        assert await answers(client, 1) == [b"body"]
        await client.send(http("POST", "", b"x" * (LIMIT + 1), Expect="100-continue")[: -LIMIT - 1])
        assert (await client.read_response()).status == 413


async def test_the_head_alone(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(http("HEAD", "at=once") + http("GET", "at=once"))
        raw = b""
        while raw.count(b"\r\n\r\n") < 2 or not raw.endswith(b"at=once"):
            raw += await client.read_some()
        assert raw.count(b"Content-Length: 7\r\n") == 2
        assert raw.count(b"at=once") == 1


# --- order ------------------------------------------------------------------------------------------------


async def test_pipelined_requests_are_answered_in_order(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(
            http("GET", "at=later") + http("POST", "", b"body") + HEALTH + http("GET", "at=once")
        )
        await until(lambda: direct.endpoint.waiting)
        assert direct.endpoint.begun == ["GET at=later"]
        direct.endpoint.answer(b"first")
        responses = [await client.read_response() for _ in range(4)]
        assert [response.body for response in responses[:2]] == [b"first", b"body"]
        assert responses[2].headers["content-type"] == "application/json"
        assert responses[3].body == b"at=once"


async def test_a_request_behind_one_of_asgi(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(HEALTH + http("POST", "", b"body") + HEALTH)
        kinds = [(await client.read_response()).headers["content-type"] for _ in range(3)]
        assert kinds == ["application/json", "text/plain", "application/json"]


async def test_a_large_body_waits_for_its_turn(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(http("GET", "at=later") + http("POST", "", b"x" * (LIMIT + 1)))
        await until(lambda: direct.endpoint.waiting)
        direct.endpoint.answer(b"first")
        assert (await client.read_response()).body == b"first"
        assert (await client.read_response()).status == 413


async def test_an_upgrade_while_an_answer_is_awaited(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(http("GET", "at=later"))
        await until(lambda: direct.endpoint.waiting)
        await client.send(
            b"GET /v1/ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        await client.send(http("GET", "at=once"))
        await until(lambda: direct.server.app.metrics.http_requests["4xx"])
        direct.endpoint.answer(b"the last")
        assert (await client.read_response()).headers["connection"] == "close"
        assert await client.read_end() in ("closed", "reset")
        assert direct.endpoint.begun == ["GET at=later"]


# --- ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("behind", [b"", http("GET", "at=once"), HEALTH])
@pytest.mark.parametrize("way", ["close", "reset", "half_close"])
async def test_a_client_that_leaves_is_noticed(direct: Direct, way: str, behind: bytes) -> None:
    async with await direct.open() as client:
        await client.send(http("GET", "at=later") + behind)
        await until(lambda: direct.endpoint.waiting)
        getattr(client, way)()
        if not behind:
            await until(lambda: direct.endpoint.lost_requests)
            assert direct.endpoint.begun == ["GET at=later"]
            return
        # Nothing is read while requests wait for their turn: the end is seen with the next bytes of either side.
        direct.endpoint.answer(b"x")
    await until(lambda: not direct.server.app.node.admission.total)


async def test_a_client_that_leaves_within_a_body(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(http("POST", "", b"body")[:-1])
        await until(lambda: direct.endpoint.waiting)
        client.close()
        await until(lambda: direct.endpoint.lost_requests)


async def test_an_abort_answers_nothing(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(http("GET", "at=aborted"))
        assert await client.read_end() in ("closed", "reset")
        await until(lambda: not direct.server.app.node.admission.total)


@pytest.mark.parametrize("data", [http("GET", "at=fault"), http("POST", "at=reading", b"x")])
async def test_a_fault_of_ours_is_answered(direct: Direct, data: bytes) -> None:
    async with await direct.open() as client:
        await client.send(data)
        assert (await client.read_response()).status == 500
        await client.send(http("GET", "at=once"))
        assert await answers(client, 1) == [b"at=once"]


async def test_a_body_that_breaks_http(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(chunked("POST", "", b"a")[:-5] + b"xyz\r\n")
        assert (await client.read_response()).status == 400
        assert await client.read_end() == "closed"
        await until(lambda: direct.endpoint.lost_requests)


async def test_the_end_of_the_server(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(http("GET", "at=later"))
        await until(lambda: direct.endpoint.waiting)
        await direct.server.app.asgi.close()
        assert await answers(client, 1) == [b"stopped"]


async def test_connections_above_the_limit() -> None:
    async with running_server(limits={"connections": 1}) as server:
        endpoint = server.app.node.direct["/direct/"] = Answering()
        one = Direct(server, endpoint)
        async with await one.open() as first, await one.open() as second:
            await first.send(http("GET", "at=once"))
            assert (await first.read_response()).status == 200
            await second.send(http("GET", "at=once"))
            assert (await second.read_response()).status == 503
        assert len(endpoint.begun) == 1


# --- clients that do not read -----------------------------------------------------------------------------

BIG = 8_000_000
"""More than the kernel takes for a client that does not read."""


async def test_the_next_request_waits_until_an_answer_is_read(direct: Direct) -> None:
    async with await direct.open() as client:
        await client.send(http("GET", f"size={BIG}") + http("GET", "at=once") + http("GET", "at=once"))
        await until(lambda: direct.endpoint.begun)
        await client.take_in(100_000)
        assert direct.endpoint.begun == [f"GET size={BIG}"]
        assert [len(body) for body in await answers(client, 3)] == [BIG, 7, 7]


async def test_a_client_that_reads_nothing_is_cut_off(direct: Direct) -> None:
    async with await direct.open(receive_buffer=4096) as client:
        await client.send(http("GET", f"size={BIG}"))
        await until(lambda: direct.server.app.metrics.rejected["write_timeout"])
        assert await client.read_end() == "reset"
        await until(lambda: not direct.server.app.node.admission.total)


async def test_a_slow_reader_is_left_alone(direct: Direct) -> None:
    async with await direct.open(receive_buffer=4096) as client:
        await client.send(http("GET", "size=1500000"))
        taken = 0
        while taken < 60_000:
            taken += len(await client.read_some(2_000))
            await until(lambda: True)
        assert not direct.server.app.metrics.rejected["write_timeout"]
