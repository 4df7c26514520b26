from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest
from tests.hub.world import World, memory_broker, settle

from hubbub.auth.api_keys import ApiKeys, new_key
from hubbub.errors import ERRORS, ErrorCode, HubbubError
from hubbub.telemetry.health import LAG_LIMIT, PATHS, Health
from hubbub.testing.clock import FakeClock
from hubbub.testing.faults import FaultyBroker

pytestmark = pytest.mark.anyio


class Node:
    """A hub, its health, and whether it has been started."""

    def __init__(self, *, faulty: bool = False, **settings: Any) -> None:
        self.key, hashed = new_key()
        clock = FakeClock()
        self.broker = FaultyBroker(memory_broker(clock))
        self.world = World(clock=clock, broker=self.broker if faulty else None, **settings)
        self.started = True
        # What never comes back is waited for until the timeout, so it is a short one where a test loses it.
        timeout = 0.05 if faulty else 5.0
        self.health = Health(self.world.hub, ApiKeys([hashed]), lambda: self.started, timeout)

    async def get(
        self, path: str, address: str = "127.0.0.1", method: str = "GET", mount: str = "", **headers: str
    ) -> httpx2.Response:
        transport = httpx2.ASGITransport(self.health, client=(address, 1), root_path=mount)
        async with httpx2.AsyncClient(transport=transport, base_url="http://node") as client:
            return await client.request(
                method,
                mount + path,
                headers={name.replace("_", "-"): value for name, value in headers.items()},
            )


async def node(**settings: Any) -> Node:
    made = Node(**settings)
    await made.world.start()
    return made


def refused(response: httpx2.Response, code: ErrorCode) -> None:
    body = response.json()
    assert (response.status_code, body["code"], body["name"]) == (
        ERRORS[code].status,
        code,
        ERRORS[code].name,
    )


async def test_a_healthy_node_is_live_ready_and_delivers() -> None:
    healthy = await node()
    assert (await healthy.get("/health/live")).json() == {"status": "ok"}
    ready = await healthy.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ok")
    assert {name: check["status"] for name, check in ready.json()["checks"].items()} == {
        "loop": "ok",
        "load": "ok",
        "broker": "ok",
    }
    messaging = (await healthy.get("/health/messaging")).json()
    assert messaging["checks"]["broker"]["seconds"] >= 0
    assert ready.headers["cache-control"] == "no-store"


async def test_a_probe_leaves_nothing_behind() -> None:
    healthy = await node()
    await healthy.get("/health/messaging")
    assert healthy.world.hub.channels == {}
    assert await healthy.world.broker.channels() == []


async def test_a_probe_measures_the_way_through_the_broker() -> None:
    slow = await node(faulty=True)
    slow.health.timeout = 5.0
    slow.broker.hold()
    asked = asyncio.ensure_future(slow.get("/health/messaging"))
    await settle()
    assert slow.broker._held, "the probe is on its way"
    slow.world.clock.advance(0.25)
    slow.broker.release()
    assert (await asked).json()["checks"]["broker"] == {"status": "ok", "seconds": 0.25}


async def test_those_who_ask_at_once_share_a_probe() -> None:
    busy = await node(faulty=True)
    busy.health.timeout = 5.0
    busy.broker.hold()
    asked = [asyncio.ensure_future(busy.get("/health/messaging")) for _ in range(10)]
    await settle()
    held = busy.broker._held
    assert held is not None
    assert len(held) == 1
    busy.broker.release()
    assert {response.status_code for response in await asyncio.gather(*asked)} == {200}
    assert (await busy.get("/health/messaging")).status_code == 200, "the next one is probed anew"


@pytest.mark.parametrize("path", ["/health/ready", "/health/messaging"])
async def test_a_node_whose_publications_do_not_come_back_is_failing(path: str) -> None:
    deaf = await node(faulty=True)
    deaf.broker.drop(1)
    response = await deaf.get(path)
    assert (response.status_code, response.json()["status"]) == (503, "failing")
    assert "nothing came back" in response.json()["checks"]["broker"]["message"]
    assert deaf.world.hub.channels == {}
    assert (await deaf.get(path)).status_code == 200, "it recovers"


async def test_a_broker_that_raises_is_failing() -> None:
    broken = await node()

    async def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("refused")

    broken.world.hub.broker.publish = refuse  # type: ignore[method-assign,assignment]
    check = (await broken.get("/health/messaging")).json()["checks"]["broker"]
    assert check == {"status": "failing", "message": "ConnectionError: refused"}


async def test_a_node_that_starts_or_drains_is_live_and_not_ready() -> None:
    leaving = await node()
    leaving.started = False
    assert (await leaving.get("/health/ready")).json() == {"status": "starting"}
    assert (await leaving.get("/health/messaging")).status_code == 503
    leaving.started = leaving.world.hub.draining = True
    response = await leaving.get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "draining"})
    assert (await leaving.get("/health/live")).status_code == 200


@pytest.mark.parametrize(("lag", "status"), [(LAG_LIMIT, 200), (LAG_LIMIT + 0.01, 503)])
async def test_a_loop_that_lags_wants_no_new_clients(lag: float, status: int) -> None:
    late = await node()
    late.world.metrics.lag(lag)
    response = await late.get("/health/ready")
    assert (response.status_code, response.json()["checks"]["loop"]["seconds"]) == (status, lag)


# --- HTTP -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
async def test_only_reading_is_possible(path: str) -> None:
    quiet = await node()
    head = await quiet.get(path, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 0
    post = await quiet.get(path, method="POST")
    refused(post, ErrorCode.METHOD_NOT_ALLOWED)
    assert post.headers["allow"] == "GET, HEAD"


async def test_what_is_not_there_is_not_found() -> None:
    refused(await (await node()).get("/health/nope"), ErrorCode.NOT_FOUND)


async def test_it_works_below_another_path() -> None:
    assert (await (await node()).get("/health/live", mount="/rt")).status_code == 200


async def test_the_exposition_is_prometheus_text() -> None:
    response = await (await node()).get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "# TYPE hubbub_sessions gauge\nhubbub_sessions 0.0\n" in response.text


FAR, NEAR = "192.0.2.9", "127.0.0.1"
DENIED, MISSING, NO_KEY = ErrorCode.PERMISSION_DENIED, ErrorCode.NOT_FOUND, ErrorCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    ("who", "address", "headers", "key", "code"),
    [
        ("local", NEAR, {}, False, None),
        ("local", "::1", {}, False, None),
        ("local", FAR, {}, False, DENIED),
        ("local", FAR, {}, True, DENIED),
        ("local", "not an address", {}, False, DENIED),
        ("local", NEAR, {"x_forwarded_for": FAR}, False, DENIED),
        ("local", NEAR, {"forwarded": "for=192.0.2.9"}, False, DENIED),
        ("local", NEAR, {"x_real_ip": NEAR}, False, DENIED),
        ("local", FAR, {"x_forwarded_for": NEAR}, False, DENIED),
        ("key", NEAR, {}, False, None),
        ("key", NEAR, {"x_forwarded_for": FAR}, False, NO_KEY),
        ("key", FAR, {}, False, NO_KEY),
        ("key", FAR, {"authorization": "Bearer nonsense"}, False, NO_KEY),
        ("key", FAR, {}, True, None),
        ("public", FAR, {}, False, None),
        ("off", NEAR, {}, True, MISSING),
        ("off", FAR, {}, True, MISSING),
    ],
)
async def test_who_may_read_the_metrics(
    who: str, address: str, headers: dict[str, str], key: bool, code: ErrorCode | None
) -> None:
    guarded = await node(telemetry={"metrics": who})
    if key:
        headers = headers | {"authorization": f"bearer {guarded.key}"}
    response = await guarded.get("/metrics", address, **headers)
    if code is None:
        assert response.status_code == 200
        assert "hubbub_sessions" in response.text
    else:
        refused(response, code)
        assert "hubbub_sessions" not in response.text
        assert ("www-authenticate" in response.headers) is (code is NO_KEY)
        assert guarded.world.metrics.errors[code] == 1


async def test_a_database_that_takes_no_writes_is_seen() -> None:
    healthy = await node()

    async def written() -> None:
        if failing:
            raise HubbubError(ErrorCode.STORE_UNAVAILABLE)

    failing = False
    healthy.health.written = written
    assert (await healthy.get("/health/messaging")).json()["checks"]["store"]["status"] == "ok"
    failing = True
    report = await healthy.get("/health/messaging")
    assert report.status_code == 503
    assert report.json()["checks"]["store"]["status"] == "failing"
    assert (await healthy.get("/health/ready")).status_code == 200, "channels go on without it"


async def test_a_database_that_does_not_answer_is_waited_for_no_longer_than_the_broker() -> None:
    healthy = await node()
    healthy.health.timeout = 0.05
    healthy.health.written = asyncio.Event().wait
    check = (await healthy.get("/health/messaging")).json()["checks"]["store"]
    assert check["message"] == "nothing was written within 0.05 s"
