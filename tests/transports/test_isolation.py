"""A node that alone is cut off from what stands between the nodes, while clients reach it as before."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.cluster.serving import Node, three
from tests.transports.httpclient import TIMEOUT, HttpSession, lines, publish, subscribe
from tests.waiting import until

from hubbub.errors import ErrorCode

pytestmark = pytest.mark.anyio
SETTINGS: dict[str, Any] = {"heartbeat": {"poll_timeout": 0.2}, "cluster": {"lease": 2.0}}


def at(node: Node) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{node.port}", timeout=TIMEOUT)


async def opened(http: httpx2.AsyncClient, token: str) -> HttpSession:
    answer = await http.post("/v1/sessions", json={"token": token})
    assert answer.status_code == 200, answer.text
    session = HttpSession(http, answer.json())
    await session.post(subscribe(1, "news"))
    return session


def cut(node: Node) -> None:
    node.broker.cut_off()
    node.state.cut = True


async def test_its_sessions_are_left_to_the_others_until_it_is_back() -> None:
    async with three(**SETTINGS) as cluster:
        lone, other, _ = cluster.nodes
        async with at(lone) as here, at(other) as there:
            session = await opened(here, cluster.token())
            await lone.claims._records.flush()
            cut(lone)
            await until(lambda: not lone.nodes.sure and lone.nodes.id not in other.nodes.others)
            for answer in (
                await session.poll(),
                await here.post("/v1/sessions", json={"resume": session.proof()}),
            ):
                assert answer.status_code == 503
                assert answer.json()["code"] == ErrorCode.NODE_UNAVAILABLE
                assert answer.headers["retry-after"] == "1"
            resumed = await there.post("/v1/sessions", json={"resume": session.proof()})
            assert resumed.status_code == 200, resumed.text
            moved = HttpSession(there, session.connected)
            await moved.post(publish(2, "news", "once"))
            got = lines(await moved.poll())
            assert [each["data"] for each in got if each["type"] == "publication"] == ["once"]
            assert (await session.poll()).status_code == 503

            lone.state.cut = False
            lone.broker.rejoin()
            await until(lambda: lone.nodes.sure)
            (reply,) = await session.post(publish(3, "news", "here again"))
            assert reply["type"] == "published", "the other node has answered"
            assert session.id in other.app.hub.sessions


async def test_when_nobody_is_better_off_it_goes_on_with_what_it_has() -> None:
    async with three(**SETTINGS) as cluster:
        lone = cluster.nodes[0]
        async with at(lone) as here:
            session = await opened(here, cluster.token())
            for node in cluster.nodes:
                cut(node)
            await until(lambda: not any(node.nodes.sure for node in cluster.nodes))
            assert (await session.poll()).status_code == 200
            for node in cluster.nodes:
                node.state.cut = False
                node.broker.rejoin()
