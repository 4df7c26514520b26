"""What Hubbub promises without sticky sessions, through the proxies that `deploy/` configures."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.cluster.serving import Three, three
from tests.deploy.proxies import proxy

from hubbub.testing.raw import RawClient

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("name", ["nginx", "haproxy"])]
ENGINE = "/socket.io/?EIO=4&transport="


@dataclass
class Behind:
    """Three nodes and the proxy before them."""

    nodes: Three
    port: int
    http: httpx2.AsyncClient

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.nodes.token()}"}

    async def session(self) -> tuple[str, dict[str, str], dict[str, Any]]:
        """A session over HTTP: its id, the header with its secret, and where it goes on."""
        answer = await self.http.post("/v1/sessions", headers=self.bearer)
        assert answer.status_code == 200, answer.text
        opened = answer.json()
        return opened["session"], {"Hubbub-Session-Secret": opened["secret"]}, opened["stream"]

    async def new_sessions(self, count: int) -> set[str]:
        """On which nodes they are."""
        return {(await self.session())[0][:6] for _ in range(count)}


@contextlib.asynccontextmanager
async def behind(name: str, folder: Path, **sections: Any) -> AsyncIterator[Behind]:
    sections.setdefault("server", {"trusted_proxies": ["127.0.0.1"]})
    sections.setdefault("limits", {"connections_per_ip": 10_000, "connections_per_user": 10_000})
    async with (
        three(**sections) as nodes,
        proxy(name, folder, [node.port for node in nodes.nodes]) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http,
    ):
        yield Behind(nodes, port, http)


async def test_websockets_and_whose_they_are(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path) as site:
        clients = [await RawClient.open("127.0.0.1", site.port, source="127.0.0.2") for _ in range(4)]
        for client in clients:
            await client.upgrade(headers={"X-Forwarded-For": "192.0.2.66", "Host": "site.example"})
            await client.authenticate(site.nodes.token(), "news")
        await clients[0].send_json({"type": "publish", "id": 9, "channel": "news", "event": "e", "data": 1})
        for client in clients:
            while (await client.read_json(within=10))["type"] != "publication":
                pass
        sessions = [session for node in site.nodes.nodes for session in node.app.hub.sessions.values()]
        assert {session.info.address for session in sessions} == {"127.0.0.2"}, "not what a client made up"
        for client in clients:
            client.close()


async def test_events_come_at_once(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path) as site:
        url = "/v1/sse?channel=news"
        async with site.http.stream("GET", url, headers=site.bearer) as stream:
            assert stream.status_code == 200
            lines = stream.aiter_lines()

            async def heard(word: str) -> None:
                async with asyncio.timeout(10):
                    while word not in await anext(lines):
                        pass

            await heard("subscribed")
            for number in range(3):
                await site.nodes.nodes[number].app.publish("news", "e", {"number": number})
                await heard(f'"number":{number}')


async def test_any_node_serves_any_request_of_a_session(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path, heartbeat={"poll_timeout": 1.0}) as site:
        sessions = [await site.session() for _ in range(3)]
        statuses = []
        for id, secret, stream in sessions:
            command = {"type": "subscribe", "id": 1, "channel": f"of-{id}"}
            answer = await site.http.post(stream["commands"], headers=secret, content=json.dumps(command))
            statuses.append(answer.status_code)
            assert '"subscribed"' in answer.text
        for round in range(10):
            for id, secret, stream in sessions:
                command = {"type": "publish", "id": 2, "channel": f"of-{id}", "event": "e", "data": round}
                answer = await site.http.post(stream["commands"], headers=secret, content=json.dumps(command))
                statuses.append(answer.status_code)
                poll = await site.http.get(stream["events"], headers=secret)
                statuses.append(poll.status_code)
                assert f'"data":{round}' in poll.text
        assert set(statuses) == {200}
        id, secret, stream = await site.session()
        quiet = await site.http.get(stream["events"], headers=secret)
        assert quiet.status_code in (200, 204), "a poll that waits is answered in its time"
        assert (await site.http.delete(f"/v1/sessions/{id}", headers=secret)).status_code == 204


async def test_socketio_polls_without_stickiness_and_upgrades(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path) as site:
        for _ in range(3):
            opening = await site.http.get(ENGINE + "polling")
            sid = json.loads(opening.text[1:])["sid"]
            place = f"{ENGINE}polling&sid={sid}"
            enter = "40" + json.dumps({"token": site.nodes.token()})
            statuses = [(await site.http.post(place, content=enter)).status_code]
            entered = await site.http.get(place)
            assert entered.text.startswith("40"), entered.text
            for _ in range(5):
                event = '42["hubbub:ping",{}]'
                statuses.append((await site.http.post(place, content=event)).status_code)
            async with await RawClient.open("127.0.0.1", site.port) as client:
                await client.upgrade(f"{ENGINE}websocket&sid={sid}")
                await client.send_text("2probe")
                assert (await client.read_frame()).payload == b"3probe"
                statuses.append((await site.http.get(place)).status_code)  # let go by the probe
                await client.send_text("5")
                await client.send_text("41")
            assert set(statuses) == {200}


async def test_nobody_new_is_sent_to_a_node_that_drains(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path) as site:
        ids = {node.nodes.id for node in site.nodes.nodes}
        seen: set[str] = set()
        async with asyncio.timeout(20):
            while seen != ids:
                seen |= await site.new_sessions(3)
        leaving = site.nodes.nodes[0]
        leaving.app.hub.draining = True
        assert await site.new_sessions(20) == ids - {leaving.nodes.id}, "and nobody was refused"
        leaving.app.hub.draining = False
        seen.clear()
        async with asyncio.timeout(20):
            while leaving.nodes.id not in seen:
                seen |= await site.new_sessions(3)
                await asyncio.sleep(0.1)


async def test_a_node_that_is_gone_is_passed_over(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path) as site:
        gone, *left = site.nodes.nodes
        await gone.stop()
        assert await site.new_sessions(20) == {node.nodes.id for node in left}
        for _ in range(6):
            async with await RawClient.open("127.0.0.1", site.port) as client:
                await client.connect(site.nodes.token())
        site.nodes.nodes.remove(gone)


async def test_when_all_refuse_the_client_is_told_when_to_come(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path, load={"handshake_rate": 0.01, "handshake_burst": 1}) as site:
        for _ in range(20):
            answer = await site.http.post("/v1/sessions", headers=site.bearer)
            if answer.status_code == 503:
                break
        assert answer.json()["name"] == "overloaded"
        assert int(answer.headers["retry-after"]) > 1


async def test_metrics_and_health_are_not_for_everybody(name: str, tmp_path: Path) -> None:
    async with behind(name, tmp_path) as site:
        for path in ("/metrics", "/health/ready", "/health/messaging"):
            assert (await site.http.get(path)).status_code == 404
