"""The cases of Socket.IO's own test suite that are above Engine.IO, under their names, against ours.

After https://github.com/socketio/socket.io-protocol, test-suite/ (its Engine.IO cases are in test_engineio_suite.py).
"""

from __future__ import annotations

import json

import pytest
from tests.reference.servers import References, wired
from tests.reference.test_engineio_suite import PATIENT, SUITE, is_closed, next_frame, next_text

from hubbub.testing.raw import BINARY, Frame

TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


class TestConnect:
    @pytest.mark.parametrize(
        ("sent", "prefix", "auth"),
        [
            pytest.param("40", "", "{}", id="the main namespace"),
            pytest.param('40{"token":"123"}', "", '{"token":"123"}', id="the main namespace with a payload"),
            pytest.param("40/custom,", "/custom,", "{}", id="a custom namespace"),
            pytest.param(
                '40/custom,{"token":"abc"}',
                "/custom,",
                '{"token":"abc"}',
                id="a custom namespace with a payload",
            ),
        ],
    )
    async def test_should_allow_connection_to(
        self, sent: str, prefix: str, auth: str, references: References
    ) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket(join=False)
            await channel.send(sent)
            connected = await next_text(channel)
            assert connected.startswith("40" + prefix)
            handshake = json.loads(connected.removeprefix("40" + prefix))
            assert list(handshake) == ["sid"]
            assert isinstance(handshake["sid"], str)
            assert await next_text(channel) == f'42{prefix}["auth",{auth}]'

    async def test_should_disallow_connection_to_an_unknown_namespace(self, references: References) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket(join=False)
            await channel.send("40/random")
            assert await next_text(channel) == '44/random,{"message":"Invalid namespace"}'

    async def test_should_disallow_connection_with_an_invalid_handshake(self, references: References) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket(join=False)
            await channel.send("4abc")
            await is_closed(channel)

    async def test_should_close_the_connection_if_no_handshake_is_received(
        self, references: References
    ) -> None:
        async with wired(references, connect_timeout=0.2, **SUITE) as wire:
            await is_closed(await wire.websocket(join=False))


class TestDisconnect:
    async def test_should_disconnect_from_the_main_namespace(self, references: References) -> None:
        async with wired(references, **PATIENT) as wire:
            channel = await wire.websocket()
            await channel.send("41")
            assert await next_text(channel) == "2"

    async def test_should_connect_then_disconnect_from_a_custom_namespace(
        self, references: References
    ) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket()
            await channel.send("40/custom")
            await next_text(channel)
            await next_text(channel)
            await channel.send("41/custom", '42["message","message to main namespace"]')
            assert await next_text(channel) == '42["message-back","message to main namespace"]'


class TestMessage:
    @pytest.mark.parametrize(
        ("sent", "received"),
        [
            pytest.param(
                '42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]', id="plain-text"
            ),
            pytest.param(
                '42456["message-with-ack",1,"2",{"3":[false]}]',
                '43456[1,"2",{"3":[false]}]',
                id="plain-text with an ack",
            ),
        ],
    )
    async def test_should_send_a_packet_of(self, sent: str, received: str, references: References) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket()
            await channel.send(sent)
            assert await next_text(channel) == received

    @pytest.mark.parametrize(
        ("sent", "received"),
        [
            pytest.param(f'452-["message",{TWO}]', f'452-["message-back",{TWO}]', id="attachments"),
            pytest.param(
                f'452-789["message-with-ack",{TWO}]', f"462-789[{TWO}]", id="attachments with an ack"
            ),
        ],
    )
    async def test_should_send_a_packet_with_binary(
        self, sent: str, received: str, references: References
    ) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket()
            await channel.send(sent, b"\1\2\3", b"\4\5\6")
            assert await next_text(channel) == received
            assert await next_frame(channel) == Frame(BINARY, b"\1\2\3")
            assert await next_frame(channel) == Frame(BINARY, b"\4\5\6")

    @pytest.mark.parametrize(
        "sent",
        [
            pytest.param("4abc", id="unknown packet type"),
            pytest.param("42{}", id="invalid payload format"),
            pytest.param('42abc["message-with-ack",1,"2",{"3":[false]}]', id="invalid ack id"),
        ],
    )
    async def test_should_close_the_connection_upon(self, sent: str, references: References) -> None:
        async with wired(references) as wire:
            channel = await wire.websocket()
            await channel.send(sent)
            await is_closed(channel)
