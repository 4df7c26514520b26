"""Direct endpoints in a mounted application, under plain uvicorn; and what of our own server's comes this way."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tests.transports.answering import LIMIT, Answering, chunked, http
from tests.transports.asgihost import hosted
from tests.waiting import until

from hubbub.app import Hubbub
from hubbub.config import Config, development
from hubbub.testing.raw import RawClient
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio


@dataclass
class Mounted:
    app: Hubbub
    port: int
    endpoint: Answering

    async def open(self) -> RawClient:
        return await RawClient.open("127.0.0.1", self.port)


@pytest.fixture
async def mounted() -> AsyncIterator[Mounted]:
    app = Hubbub(development(Config(), secrets.token_urlsafe(32)))
    endpoint = app.node.direct["/direct/"] = Answering()
    async with hosted(app.asgi) as address:
        yield Mounted(app, int(address.rpartition(":")[2]), endpoint)


async def test_answers(mounted: Mounted) -> None:
    async with await mounted.open() as client:
        await client.send(http("GET", "at=once"))
        response = await client.read_response()
        assert (response.status, response.body) == (200, b"at=once")
        assert response.headers["content-type"] == "text/plain"
        assert response.headers["x-extra"] == "1"
        await client.send(http("POST", "", b"body") + chunked("POST", "", b"a", b"b"))
        assert (await client.read_response()).body == b"body"
        assert (await client.read_response()).body == b"ab"
        assert mounted.app.metrics.http_requests["2xx"] == 3
        assert mounted.endpoint.begun == ["GET at=once", "POST", "POST"]


async def test_an_answer_that_takes_its_time(mounted: Mounted) -> None:
    async with await mounted.open() as client:
        await client.send(http("GET", "at=later"))
        await until(lambda: mounted.endpoint.waiting)
        mounted.endpoint.answer(b"now")
        assert (await client.read_response()).body == b"now"


async def test_the_head_alone(mounted: Mounted) -> None:
    async with await mounted.open() as client:
        await client.send(http("HEAD", "at=once", Connection="close"))
        raw = b""
        while data := await client.read_some():
            raw += data
        assert b"content-length: 7\r\n" in raw
        assert raw.endswith(b"\r\n\r\n")


async def test_a_body_of_the_largest_size(mounted: Mounted) -> None:
    async with await mounted.open() as client:
        await client.send(http("POST", "", b"x" * LIMIT))
        assert len((await client.read_response()).body) == LIMIT
        for data in (http("POST", "", b"x" * (LIMIT + 1)), chunked("POST", "", b"x" * LIMIT, b"x")):
            await client.send(data)
            assert (await client.read_response()).status == 413


@pytest.mark.parametrize("data", [http("GET", "at=later"), http("POST", "", b"body")[:-1]])
async def test_a_client_that_leaves_is_noticed(mounted: Mounted, data: bytes) -> None:
    async with await mounted.open() as client:
        await client.send(data)
        await until(lambda: mounted.endpoint.waiting)
    await until(lambda: mounted.endpoint.lost_requests)


async def test_an_abort_is_a_refusal_where_the_connection_is_not_ours(mounted: Mounted) -> None:
    async with await mounted.open() as client:
        await client.send(http("GET", "at=aborted"))
        response = await client.read_response()
        assert (response.status, response.headers["connection"]) == (400, "close")
        assert await client.read_end() == "closed"


@pytest.mark.parametrize("data", [http("GET", "at=fault"), http("POST", "at=reading", b"x")])
async def test_a_fault_of_ours_is_answered(mounted: Mounted, data: bytes) -> None:
    async with await mounted.open() as client:
        await client.send(data)
        assert (await client.read_response()).status == 500


async def test_the_end_of_the_server(mounted: Mounted) -> None:
    async with await mounted.open() as client:
        await client.send(http("GET", "at=later"))
        await until(lambda: mounted.endpoint.waiting)
        await mounted.app.stop()
        assert (await client.read_response()).body == b"stopped"


async def test_a_path_that_only_decodes_to_an_endpoints() -> None:
    """Our own server knows its endpoints by the bytes of the path; the same path in other letters comes by ASGI."""
    async with running_server() as server:
        endpoint = server.app.node.direct["/direct/"] = Answering()
        async with await RawClient.open(server.host, server.port) as client:
            for target in (b"/dire%63t/", b"http://localhost/direct/"):
                await client.send(http("GET", "at=once").replace(b"/direct/", target))
                assert (await client.read_response()).body == b"at=once"
            await client.send(http("GET", "at=aborted").replace(b"/direct/", b"/dire%63t/"))
            assert await client.read_end() in ("closed", "reset")
        assert len(endpoint.begun) == 3
        await asyncio.sleep(0)
