from __future__ import annotations

import pytest
from tests.client.scripted import Peer, scripted
from websockets.datastructures import Headers
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from hubbub.client.events import ClientError
from hubbub.client.failures import EndedError, LostError, UnreachableError
from hubbub.client.links.base import Place
from hubbub.client.links.websocket import WebSocketLink, _refused
from hubbub.model import Connect, Connected, Ping

pytestmark = pytest.mark.anyio


async def test_a_link_from_its_beginning_to_its_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.take("ping")
        await peer.give({"type": "result", "id": 3, "result": {}})
        await peer.socket.close(3000, "going")

    async with scripted(script) as url:
        link = await WebSocketLink.open(Place(url))
        reply, rest = await link.begin(Connect(1, "t"))
        assert isinstance(reply, Connected)
        assert not rest
        await link.send(Ping(3))
        assert [type(each).__name__ for each in await link.receive()] == ["ResultReply"]
        with pytest.raises(EndedError) as ended:
            await link.receive()
        assert (ended.value.reason.code, ended.value.reason.text, ended.value.again) == (3000, "going", True)
        with pytest.raises(LostError):
            await link.send(Ping(4))
        await link.close()


async def test_a_server_that_closes_instead_of_answering() -> None:
    async def script(peer: Peer) -> None:
        await peer.take("connect")
        peer.cut()

    async with scripted(script) as url:
        link = await WebSocketLink.open(Place(url))
        with pytest.raises(UnreachableError, match="closed the connection") as lost:
            await link.begin(Connect(1, "t"))
        assert lost.value.other


async def test_who_closes_with_1000_is_returned_to() -> None:
    async def script(peer: Peer) -> None:
        await peer.accept()
        await peer.socket.close(1000)

    async with scripted(script) as url:
        link = await WebSocketLink.open(Place(url))
        await link.begin(Connect(1, "t"))
        with pytest.raises(EndedError) as ended:
            await link.receive()
        assert ended.value.again


async def test_nonsense() -> None:
    async def script(peer: Peer) -> None:
        await peer.take("connect")
        await peer.socket.send("<html>")
        await peer.stay()

    async with scripted(script) as url:
        link = await WebSocketLink.open(Place(url))
        with pytest.raises(ClientError, match="does not speak"):
            await link.begin(Connect(1, "t"))
        await link.close()


@pytest.mark.parametrize(
    ("status", "headers", "body", "again", "after", "other"),
    [
        (403, {}, b"<html>", False, 0.0, True),
        (502, {}, b"bad gateway", True, 0.0, True),
        (503, {"Retry-After": "7"}, b"", True, 7.0, False),
        (503, {}, b'{"code":120,"name":"draining","temporary":true,"retry_after":2.5}', True, 2.5, False),
        (
            403,
            {},
            b'{"code":123,"name":"origin_refused","message":"no","temporary":false}',
            False,
            0.0,
            False,
        ),
    ],
)
def test_what_a_refused_handshake_means(
    status: int, headers: dict[str, str], body: bytes, again: bool, after: float, other: bool
) -> None:
    error = _refused(InvalidStatus(Response(status, "", Headers(headers), body)))
    assert (error.again, error.retry_after, error.other) == (again, after, other)
