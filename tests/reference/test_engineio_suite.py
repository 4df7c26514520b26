"""The 25 cases of Engine.IO's own test suite, under their names, against ours.

After https://github.com/socketio/engine.io-protocol, test-suite/. Its server echoes messages; here a Socket.IO event
is sent back. Where it sleeps for the time of a heartbeat, here the end is waited for.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.reference.servers import References, wired
from tests.reference.wire import Session, Socket, Wire

from hubbub.testing.raw import BINARY, CLOSE, TEXT, Frame

POLLING = "?EIO=4&transport=polling"
WEBSOCKET = "?EIO=4&transport=websocket"
SUITE = {"ping_interval": 0.3, "ping_timeout": 0.2}
PATIENT = {"ping_interval": 0.3}
"""As in the suite, but a pong may be late on a busy machine."""


def message(value: Any) -> str:
    return f'42["message",{json.dumps(value)}]'


def back(value: Any) -> str:
    return f'42["message-back",{json.dumps(value)}]'


async def next_frame(channel: Socket) -> Frame:
    return await channel.client.read_frame()


async def next_text(channel: Socket) -> str:
    frame = await next_frame(channel)
    assert frame.opcode == TEXT
    return frame.payload.decode()


async def is_closed(channel: Socket) -> None:
    while (await next_frame(channel)).opcode != CLOSE:
        pass


async def upgraded(wire: Wire, session: Session) -> Socket:
    channel = await wire.websocket(session.upgrade_query)
    await channel.send("2probe")
    assert await next_text(channel) == "3probe"
    await channel.send("5")
    return channel


def opened(packet: str, upgrades: list[str]) -> None:
    value = json.loads(packet.removeprefix("0"))
    assert packet[0] == "0"
    assert isinstance(value.pop("sid"), str)
    assert value == {
        "upgrades": upgrades,
        "pingInterval": 300,
        "pingTimeout": 200,
        "maxPayload": 1_000_000,
    }


class TestHandshake:
    async def test_polling_successfully_opens_a_session(self, references: References) -> None:
        async with wired(references, **SUITE) as wire:
            answer = await wire.request("GET", POLLING)
            assert answer.status == 200
            opened(answer.body.decode(), ["websocket"])

    @pytest.mark.parametrize(
        ("method", "query"),
        [
            pytest.param("GET", "?transport=polling", id="invalid EIO"),
            pytest.param("GET", "?EIO=abc&transport=polling", id="invalid EIO, abc"),
            pytest.param("GET", "?EIO=4", id="invalid transport"),
            pytest.param("GET", "?EIO=4&transport=abc", id="invalid transport, abc"),
            pytest.param("POST", POLLING, id="invalid method, post"),
            pytest.param("PUT", POLLING, id="invalid method, put"),
        ],
    )
    async def test_polling_fails_with(self, method: str, query: str, references: References) -> None:
        async with wired(references, **SUITE) as wire:
            assert (await wire.request(method, query)).status == 400

    async def test_websocket_successfully_opens_a_session(self, references: References) -> None:
        async with wired(references, **SUITE) as wire:
            channel = await wire.ask_upgrade(WEBSOCKET)
            opened(await next_text(channel), [])

    @pytest.mark.parametrize(
        "query", ["?transport=websocket", "?EIO=abc&transport=websocket", "?EIO=4", "?EIO=4&transport=abc"]
    )
    async def test_websocket_fails_with_an_invalid(self, query: str, references: References) -> None:
        async with wired(references, **SUITE) as wire:
            channel = await wire.ask_upgrade(query)
            assert await channel.client.read_end() == "closed"


class TestMessage:
    @pytest.mark.parametrize(
        ("sent", "received"),
        [
            pytest.param([message("hello")], [back("hello")], id="one plain text packet"),
            pytest.param(
                [message(value) for value in ("test1", "test2", "test3")],
                [back(value) for value in ("test1", "test2", "test3")],
                id="several plain text packets",
            ),
            pytest.param(
                [message("hello"), '451-["message",{"_placeholder":true,"num":0}]', "bAQIDBA=="],
                [back("hello"), '451-["message-back",{"_placeholder":true,"num":0}]', "bAQIDBA=="],
                id="plain text and binary packets",
            ),
        ],
    )
    async def test_polling_sends_and_receives(
        self, sent: list[str], received: list[str], references: References
    ) -> None:
        async with wired(references) as wire:
            session = await wire.poll()
            answer = await session.post("\x1e".join(sent).encode())
            assert (answer.status, answer.body) == (200, b"ok")
            packets: list[str] = []
            while len(packets) < len(received):
                answer = await session.get()
                assert answer.status == 200
                packets += answer.body.decode().split("\x1e")
            assert packets == received

    async def test_polling_closes_the_session_upon_invalid_packet_format(
        self, references: References
    ) -> None:
        async with wired(references) as wire:
            session = await wire.poll(join=False)
            await session.post(b"abc")
            assert (await session.get()).status == 400

    async def test_polling_closes_the_session_upon_duplicate_poll_requests(
        self, references: References
    ) -> None:
        async with wired(references) as wire:
            session = await wire.poll(join=False)
            first = await session.begin()
            second = await session.begin()
            answer = await first.answer()
            assert (answer.status, answer.body) == (200, b"1")
            assert (await second.answer()).status == 400
            assert (await session.get()).status == 400

    async def test_polling_closes_the_session_upon_cancelled_polling_request(
        self, references: References
    ) -> None:
        async with wired(references) as wire:
            session = await wire.poll(join=False)
            await (await session.begin()).abandon()
            assert (await session.get()).status == 400

    async def test_websocket_sends_and_receives_a_plain_text_packet(self, references: References) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket()
            await channel.send(message("hello"))
            assert await next_text(channel) == back("hello")

    async def test_websocket_sends_and_receives_a_binary_packet(self, references: References) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket()
            await channel.send('451-["message",{"_placeholder":true,"num":0}]', b"\1\2\3\4")
            assert await next_text(channel) == '451-["message-back",{"_placeholder":true,"num":0}]'
            assert await next_frame(channel) == Frame(BINARY, b"\1\2\3\4")

    async def test_websocket_closes_the_session_upon_invalid_packet_format(
        self, references: References
    ) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket(join=False)
            await channel.send("abc")
            await is_closed(channel)


class TestHeartbeat:
    async def test_polling_sends_ping_pong_packets(self, references: References) -> None:
        async with wired(references, **PATIENT) as wire:
            session = await wire.poll(join=False)
            for _ in range(3):
                answer = await session.get()
                assert (answer.status, answer.body) == (200, b"2")
                assert (await session.post(b"3")).status == 200

    async def test_polling_closes_the_session_upon_ping_timeout(self, references: References) -> None:
        async with wired(references, **SUITE) as wire:
            session = await wire.poll(join=False)
            while b'"code":1' not in (await wire.request("GET", session.upgrade_query)).body:
                pass
            assert (await session.get()).status == 400

    async def test_websocket_sends_ping_pong_packets(self, references: References) -> None:
        async with wired(references, **PATIENT) as wire:
            channel = await wire.websocket(join=False)
            for _ in range(3):
                assert await next_text(channel) == "2"
                await channel.send("3")

    async def test_websocket_closes_the_session_upon_ping_timeout(self, references: References) -> None:
        async with wired(references, **SUITE) as wire:
            await is_closed(await wire.websocket(join=False))


class TestClose:
    async def test_polling_forcefully_closes_the_session(self, references: References) -> None:
        async with wired(references) as wire:
            session = await wire.poll(join=False)
            poll = await session.begin()
            await session.post(b"1")
            answer = await poll.answer()
            assert (answer.status, answer.body) == (200, b"6")
            assert (await session.get()).status == 400

    async def test_websocket_forcefully_closes_the_session(self, references: References) -> None:
        async with wired(references, **SUITE) as wire:
            channel = await wire.websocket(join=False)
            await channel.send("1")
            await is_closed(channel)


class TestUpgrade:
    async def test_successfully_upgrades_from_polling_to_websocket(self, references: References) -> None:
        async with wired(references) as wire:
            session = await wire.poll()
            channel = await wire.websocket(session.upgrade_query)
            await channel.send("2probe")
            assert await next_text(channel) == "3probe"
            answer = await session.get()
            assert (answer.status, answer.body) == (200, b"6")
            await channel.send("5", message("hello"))
            assert await next_text(channel) == back("hello")

    async def test_ignores_http_requests_with_same_sid_after_upgrade(self, references: References) -> None:
        async with wired(references) as wire:
            session = await wire.poll()
            channel = await upgraded(wire, session)
            assert (await session.get()).status == 400
            await channel.send(message("hello"))
            assert await next_text(channel) == back("hello")

    async def test_ignores_websocket_connection_with_same_sid_after_upgrade(
        self, references: References
    ) -> None:
        async with wired(references) as wire:
            session = await wire.poll()
            channel = await upgraded(wire, session)
            await is_closed(await wire.websocket(session.upgrade_query))
            await channel.send(message("hello"))
            assert await next_text(channel) == back("hello")
