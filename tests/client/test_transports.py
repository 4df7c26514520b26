from __future__ import annotations

from typing import Any

import pytest
from tests.client.places import Gate, take, until

from hubbub.client import Client, ClientError, Transport
from hubbub.client.failures import UnreachableError
from hubbub.client.links.base import Place
from hubbub.client.transports import ALL, REMEMBERED, REMEMBERED_BRIEFLY, Chooser
from hubbub.errors import ErrorCode, HubbubError
from hubbub.testing.server import running_server

pytestmark = pytest.mark.anyio
PLACE = Place("http://h")


class Line:
    """A link that fails as it is told."""

    def __init__(self, transport: Transport, ended: list[Transport]) -> None:
        self.transport = transport
        self._ended = ended

    async def close(self) -> None:
        self._ended.append(self.transport)

    def abort(self) -> None:
        pass


class Network:
    """What gets through. `tried` is what was opened, `now` the time."""

    def __init__(self, *through: Transport) -> None:
        self.through = set(through)
        self.tried: list[Transport] = []
        self.ended: list[Transport] = []
        self.other = True
        self.now = 0.0

    async def open(self, place: Place, transport: Transport) -> Any:
        self.tried.append(transport)
        if transport not in self.through:
            raise UnreachableError(f"no {transport}", True, other=self.other)
        return Line(transport, self.ended)

    def chooser(self, *transports: Transport) -> Chooser:
        return Chooser(PLACE, transports or ALL, opened=self.open, clock=lambda: self.now)


async def begin(link: Any) -> tuple[int, int]:
    return 1, 2


async def test_the_first_that_gets_through_is_taken_and_remembered_for_a_while() -> None:
    network = Network("polling")
    chooser = network.chooser()
    assert [(await chooser.open(begin))[0].transport for _ in range(2)] == ["polling", "polling"]
    assert network.tried == ["websocket", "sse", "polling", "polling"]
    network.through = set(ALL)
    network.now = REMEMBERED - 1
    assert (await chooser.open(begin))[0].transport == "polling"
    network.now = REMEMBERED + 1
    assert [(await chooser.open(begin))[0].transport for _ in range(2)] == ["websocket", "websocket"]


async def test_one_that_has_got_through_is_tried_once_more_before_others() -> None:
    network = Network(*ALL)
    chooser = network.chooser()
    for _ in range(3):  # each time anew
        assert (await chooser.open(begin))[0].transport == "websocket"
        network.through = {"sse"}
        network.tried.clear()
        with pytest.raises(UnreachableError, match="no websocket"):
            await chooser.open(begin)
        assert network.tried == ["websocket"]
        network.through = set(ALL)


async def test_where_it_gets_through_no_more_another_is_taken_for_a_little_while() -> None:
    network = Network(*ALL)
    chooser = network.chooser()
    await chooser.open(begin)
    network.through = {"sse"}
    network.tried.clear()
    with pytest.raises(UnreachableError):
        await chooser.open(begin)
    assert (await chooser.open(begin))[0].transport == "sse"
    assert network.tried == ["websocket", "websocket", "sse"]
    network.through = set(ALL)
    network.now = REMEMBERED_BRIEFLY
    assert (await chooser.open(begin))[0].transport == "sse"
    network.now = REMEMBERED_BRIEFLY + 1
    assert (await chooser.open(begin))[0].transport == "websocket"


async def test_nobody_is_there_by_any_transport() -> None:
    network = Network()
    network.other = False
    with pytest.raises(UnreachableError, match="no websocket"):
        await network.chooser().open(begin)
    assert network.tried == ["websocket"]
    network.other = True
    with pytest.raises(UnreachableError, match="no websocket"):
        await network.chooser().open(begin)
    assert network.tried == ["websocket", *ALL]


async def test_a_link_on_which_nothing_can_be_begun_is_closed() -> None:
    network = Network("websocket", "sse")

    async def refused(link: Any) -> tuple[int, int]:
        if link.transport == "websocket":
            raise UnreachableError("silent", True, other=True)
        raise HubbubError(ErrorCode.INVALID_TOKEN)

    with pytest.raises(HubbubError):
        await network.chooser().open(refused)
    assert network.ended == ["websocket", "sse"]


@pytest.mark.parametrize("transports", [(), ("pigeon",), ("websocket", "pigeon")])
def test_what_is_no_transport(transports: Any) -> None:
    with pytest.raises(ClientError, match="one or more of"):
        Client("http://h", transports=transports)


def upgrades(head: bytes) -> bool:
    return b"upgrade: websocket" in head.lower()


def streams(head: bytes) -> bool:
    return b"text/event-stream" in head.lower()


@pytest.mark.parametrize("stream_too", [False, True])
async def test_a_proxy_that_lets_no_websocket_through(stream_too: bool) -> None:
    def blocked(head: bytes) -> bool:
        return upgrades(head) or (stream_too and streams(head))

    async with (
        running_server() as server,
        Gate(server.host, server.port, blocked=blocked) as gate,
        Client(gate.url, server.token(), transports=ALL) as client,
        client.channel("lobby").subscribe() as subscription,
    ):
        assert client.state.transport in ("sse", "polling")
        await client.publish("lobby", 1)
        assert [each.data for each in await take(subscription, 1)] == [1]
        if stream_too:
            await until(lambda: client.state.transport == "polling")
        client.drop()
        await client.publish("lobby", 2)
        assert [each.data for each in await take(subscription, 1)] == [2]
        assert sum(b"/v1/ws" in request for request in gate.requests) == 1


async def test_a_proxy_that_keeps_streams_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hubbub.client.links.streaming.FIRST_BYTES", 0.1)
    async with (
        running_server() as server,
        Gate(server.host, server.port, blocked=upgrades, buffered=streams) as gate,
        Client(gate.url, server.token()) as client,
        client.channel("lobby").subscribe() as subscription,
    ):
        for number in range(3):
            await client.publish("lobby", number)
        assert [each.data for each in await take(subscription, 3)] == [0, 1, 2]
        assert client.state.transport == "polling"
        assert client.state.status == "connected"
