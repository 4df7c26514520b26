from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.chat.wire import chat_server, do, group, text

import socketio  # type: ignore[import-untyped]

pytestmark = pytest.mark.anyio


async def test_a_stock_client_follows_conversations(tmp_path: Any) -> None:
    """It calls `chat.sync` as an event, and gets what happens as events of its own."""
    async with chat_server(f"sqlite:///{tmp_path / 'chat.db'}") as server:
        id = await group(server, "ada", "bob")
        client = socketio.AsyncClient()
        heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

        @client.on("*")  # type: ignore[untyped-decorator]
        async def anything(event: str, *data: Any) -> None:
            await heard.put((event, data[0] if data else None))

        await client.connect(server.url, auth={"token": server.token("bob")}, transports=["websocket"])
        try:
            page = await client.call("chat.sync", {"live": True})
            assert [each["conversation"]["conversation"]["id"] for each in page["conversations"]] == [id]
            sent = await client.call("chat.messages.send", {"conversation": id, "parts": text("hello")})
            second = await group(server, "ada", "bob")
            await do(server, "messages.send", "ada", conversation=second, parts=text("there too"))
            texts: list[str] = []
            async with asyncio.timeout(20):
                while len(texts) < 2:
                    event, data = await heard.get()
                    if event == "message.created":
                        texts.append(data["message"]["parts"][0]["text"])
                        if data["conversation"] == id:
                            assert data["message"]["seq"] == sent["message"]["seq"]
            assert texts == ["hello", "there too"]
            refusal = await client.call("chat.messages.send", {"conversation": "nowhere", "parts": text("x")})
            assert refusal["error"]["name"] == "not_found"
        finally:
            await client.disconnect()
