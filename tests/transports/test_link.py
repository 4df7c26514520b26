"""WebSockets as bytes on a socket: framing and its violations, control frames, compression, and the end."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.waiting import until

from hubbub.testing.raw import CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, RawClient, masked
from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio

MESSAGE_BYTES = 4096


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[RunningServer]:
    async with running_server(
        limits={"message_bytes": MESSAGE_BYTES, "control_burst": 20, "control_rate": 0.01}
    ) as running:
        yield running


@pytest.fixture
async def client(server: RunningServer) -> AsyncIterator[RawClient]:
    async with await RawClient.open(server.host, server.port) as raw:
        await raw.connect(server.token())
        yield raw


def ping(size: int) -> bytes:
    """A `ping` command of exactly `size` bytes."""
    command = b'{"type":"ping","id":7}'
    return command[:-1] + b" " * (size - len(command)) + b"}"


# --- framing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        (b"\x81\x02{}", 1002),  # unmasked
        (masked(TEXT, b"{}", rsv=4), 1002),  # RSV1, and no compression agreed
        (masked(TEXT, b"{}", rsv=2), 1002),
        (masked(3, b""), 1002),
        (masked(11, b""), 1002),
        (masked(PING, b"x" * 126), 1002),
        (masked(PING, b"", fin=False), 1002),
        (masked(CONTINUATION, b"x"), 1002),
        (masked(TEXT, b"a", fin=False) + masked(TEXT, b"b"), 1002),
        (b"\x81\xfe\x00\x05" + b"\0" * 9, 1002),  # a length that fits in fewer bytes
        (b"\x82\xff" + (1 << 63).to_bytes(8, "big") + b"\0" * 4, 1002),
        (b"\x82\xff" + (1 << 62).to_bytes(8, "big") + b"\0" * 4, 1009),
        (masked(CLOSE, b"\x03"), 1002),
        *((masked(CLOSE, code.to_bytes(2, "big")), 1002) for code in (0, 999, 1005, 1006, 2999, 5000)),
        (masked(CLOSE, b"\x03\xe8\xff"), 1007),
        (masked(TEXT, b"\xff"), 1007),
        (masked(TEXT, b"\xc3", fin=False) + masked(CONTINUATION, b"\x28"), 1007),
        (masked(TEXT, b"x" * (MESSAGE_BYTES + 1)), 1009),
        (masked(TEXT, b"x" * MESSAGE_BYTES, fin=False) + masked(CONTINUATION, b"x"), 1009),
        (masked(TEXT, b"", fin=False) + masked(CONTINUATION, b"", fin=False) * 200, 1009),
    ],
)
async def test_a_violation_ends_the_connection_with_its_code(
    server: RunningServer, client: RawClient, frames: bytes, code: int
) -> None:
    before = server.app.metrics.disconnects[code]
    await client.send(frames)
    close = await client.read_close()
    assert close.code == code
    assert close.reason
    assert server.app.metrics.disconnects[code] == before + 1
    # The peer sees the end of the stream at once: its own close frame would not be understood any more.
    assert await client.read_end(within=1.0) == "closed"
    client.close()


async def test_after_a_violation_nothing_more_is_handled(server: RunningServer, client: RawClient) -> None:
    before = server.app.metrics.messages_in
    await client.send(masked(TEXT, ping(30)) + masked(3) + masked(TEXT, ping(30)))
    assert (await client.read_json())["type"] == "result"  # what came before it is answered
    assert (await client.read_close()).code == 1002
    await client.send(masked(TEXT, ping(30)))
    client.half_close()
    assert await client.read_end() == "closed"
    assert server.app.metrics.messages_in == before + 1


async def test_after_a_close_nothing_more_is_handled(server: RunningServer, client: RawClient) -> None:
    before = server.app.metrics.messages_in
    await client.send(masked(CLOSE, b"\x03\xe8bye") + masked(TEXT, ping(30)) + masked(PING))
    assert await client.read_frame() == Frame(CLOSE, b"\x03\xe8")
    assert await client.read_end() == "closed"
    assert server.app.metrics.messages_in == before


@pytest.mark.parametrize(
    ("sent", "echo"), [(b"", b""), (b"\x03\xe9gone", b"\x03\xe9"), (b"\x0f\xa0", b"\x0f\xa0")]
)
async def test_echoes_the_close_code(client: RawClient, sent: bytes, echo: bytes) -> None:
    await client.send(masked(CLOSE, sent))
    assert (await client.read_frame()).payload == echo
    assert await client.read_end() == "closed"


@pytest.mark.parametrize("size", [MESSAGE_BYTES - 1, MESSAGE_BYTES])
async def test_takes_messages_up_to_the_limit(server: RunningServer, client: RawClient, size: int) -> None:
    metrics = server.app.metrics
    messages, received = metrics.messages_in, metrics.bytes_in
    await client.send(masked(TEXT, ping(size)))
    assert await client.read_json() == {"type": "result", "id": 7, "result": {}}
    assert (metrics.messages_in - messages, metrics.bytes_in - received) == (1, size)


async def test_takes_fragments_with_control_frames_between(client: RawClient) -> None:
    await client.send(
        masked(TEXT, b'{"type":"pi', fin=False)
        + masked(PING, b"a")
        + masked(CONTINUATION, b'ng","id"', fin=False)
        + masked(PONG, b"unasked")
        + masked(CONTINUATION, b":7}")
    )
    assert {(await client.read_frame()).opcode for _ in range(2)} == {PONG, TEXT}


async def test_takes_one_byte_a_segment(client: RawClient) -> None:
    await client.send_slowly(bytes([byte]) for byte in masked(TEXT, ping(60)))
    assert (await client.read_json())["id"] == 7


# --- control frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "closed"), [(20, False), (21, True)])
@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_control_frames_are_counted(
    server: RunningServer, client: RawClient, count: int, closed: bool, opcode: int
) -> None:
    rejected = server.app.metrics.rejected["control_rate"]
    await client.send(masked(opcode, b"x") * count + masked(TEXT, ping(30)))
    if closed:
        assert (await client.read_close()).code == 3505
    else:
        while (await client.read_frame()).opcode == PONG:
            pass
    assert server.app.metrics.rejected["control_rate"] == rejected + closed


async def test_answers_a_ping_with_its_data(client: RawClient) -> None:
    for data in (b"", b"x" * 125):
        await client.send(masked(PING, data))
        assert await client.read_frame() == Frame(PONG, data)


# --- the end ----------------------------------------------------------------------------------------------


async def test_a_reset_in_the_middle_of_a_frame(server: RunningServer, client: RawClient) -> None:
    sessions = len(server.app.hub.detached)
    await client.send(masked(TEXT, ping(60))[:20])
    client.reset()
    await until(lambda: len(server.app.hub.detached) > sessions)


async def test_commands_before_a_half_close_are_answered(client: RawClient) -> None:
    await client.send(masked(TEXT, ping(60)))
    client.half_close()
    assert (await client.read_json())["id"] == 7
    assert await client.read_end() == "closed"


async def test_a_peer_that_never_closes_is_aborted(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hubbub.transports.link.CLOSING_TIMEOUT", 0.5)
    before = len(server.app.node.websockets)
    async with await RawClient.open(server.host, server.port) as client:
        await client.connect(server.token())
        await client.send(masked(TEXT, b"{"))
        assert (await client.read_close()).code == 3500
        await client.read_end(within=2.0)
        assert len(server.app.node.websockets) == before


# --- compression ------------------------------------------------------------------------------------------

DEFLATE = {"sec-websocket-extensions": "permessage-deflate"}


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def test_one_compressed_frame_serves_a_group() -> None:
    async with running_server(
        compression={"enabled": True, "minimum": 2000},
        default={"subscribe": "authenticated", "presence": "off"},
        heartbeat={"ping_interval": 0.0},
    ) as server:
        packed = [await RawClient.open(server.host, server.port) for _ in range(3)]
        plain = await RawClient.open(server.host, server.port)
        for client in packed:
            response = await client.upgrade(headers=DEFLATE)
            assert "server_no_context_takeover" in response.headers["sec-websocket-extensions"]
            await client.authenticate(server.token(), "news")
        await plain.connect(server.token(), "news")
        encodes = server.app.metrics.encodes
        await server.app.publish("news", "e", "x" * 5000)
        first, *others = [await client.read_frame() for client in packed]
        assert all(frame == first for frame in others)
        assert (first.rsv, len(first.payload) < 500) == (4, True)
        inflated = zlib.decompressobj(-15).decompress(first.payload + b"\0\0\xff\xff")
        assert inflated == (await plain.read_frame()).payload
        assert server.app.metrics.encodes - encodes <= 2
        for client in (*packed, plain):
            client.close()


async def test_a_deflate_bomb_is_not_inflated() -> None:
    bomb = deflated(b"\0" * 60_000_000)
    assert len(bomb) < 65_536
    async with (
        running_server(compression={"enabled": True}) as server,
        await RawClient.open(server.host, server.port) as client,
    ):
        await client.upgrade(headers=DEFLATE)
        before = resident()
        await client.send(masked(TEXT, bomb, rsv=4))
        assert (await client.read_close()).code == 1009
        assert resident() - before < 20_000_000


def resident() -> int:
    """Bytes of memory of this process, server and client."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
