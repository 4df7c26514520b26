from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.cluster.serving import Node, Three, three
from tests.waiting import until

from hubbub.protocols.base import Payload
from hubbub.testing.raw import RawClient, request

pytestmark = pytest.mark.anyio

PATH = "/socket.io/?EIO=4&transport="


@pytest.fixture(scope="module")
async def cluster() -> AsyncIterator[Three]:
    async with three() as running:
        yield running


def sockets(node: Node) -> int:
    return len(node.app.node.websockets)


async def polled(node: Node) -> str:
    """A session that began by polling there: its sid."""
    async with await RawClient.open("127.0.0.1", node.port) as client:
        await client.send(f"GET {PATH}polling HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = await client.read_response()
    sid: str = json.loads(answer.body[1:])["sid"]
    return sid


async def upgraded(cluster: Three) -> tuple[RawClient, Node, Node, str]:
    """A WebSocket by which a session of one node is to be reached by way of another: it, and both nodes."""
    owner, between = cluster.nodes[:2]
    sid = await polled(owner)
    client = await RawClient.open("127.0.0.1", between.port)
    await client.upgrade(PATH + f"websocket&sid={sid}")
    return client, owner, between, sid


async def test_an_upgrade_is_answered_by_the_node_of_the_session(cluster: Three) -> None:
    client, owner, between, sid = await upgraded(cluster)
    await client.send_text("2probe")
    assert (await client.read_frame()).payload == b"3probe"
    await client.send_text("5")
    await until(lambda: engine(owner).sessions[sid].transport == "websocket")
    assert sockets(between) == 1
    client.close()
    await until(lambda: sid not in engine(owner).sessions)
    await until(lambda: sockets(between) == sockets(owner) == 0)


def engine(node: Node) -> Any:
    return node.app._engine


async def test_what_is_large_comes_whole_and_in_order(cluster: Three) -> None:
    client, owner, _, sid = await upgraded(cluster)
    await client.send_text("2probe")
    await client.read_frame()
    await client.send_text("5")
    await until(lambda: engine(owner).sessions[sid].transport == "websocket")
    session = engine(owner).sessions[sid]
    for number in range(200):
        session.write(session.framing([_payload(b"4" + b"%d:" % number + b"x" * 20_000)]))
    for number in range(200):
        assert (await client.read_frame()).payload.startswith(b"4%d:" % number)
    client.close()


def _payload(data: bytes) -> Any:
    return Payload(data)


async def test_the_place_among_the_connections_is_given_back(cluster: Three) -> None:
    places = [node.app.node.admission for node in cluster.nodes[:2]]
    await until(lambda: all(each.total == 0 for each in places))
    client, *_ = await upgraded(cluster)
    assert all(each.total == 1 for each in places)
    client.close()
    await until(lambda: all(each.total == 0 for each in places))


async def test_an_upgrade_to_a_node_that_cannot_be_reached_is_told_that_its_session_is_unknown() -> None:
    async with three() as cluster:
        owner, between = cluster.nodes[:2]
        sid = await polled(owner)
        await owner.ends.aclose()
        async with await RawClient.open("127.0.0.1", between.port) as client:
            await client.send(request(PATH + f"websocket&sid={sid}"))
            answer = await client.read_response()
            assert (answer.status, answer.body) == (400, b"Session ID unknown")
            assert await client.read_end() == "closed"


async def test_the_client_is_let_go_when_the_node_dies_or_this_one_ends() -> None:
    async with three() as cluster:
        client, owner, between, _ = await upgraded(cluster)
        owner.vanish()
        await client.read_end()
        client.close()
        await until(lambda: sockets(between) == 0)
