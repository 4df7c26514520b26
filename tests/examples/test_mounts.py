from __future__ import annotations

import asyncio
import importlib.util
import json
import secrets
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
import websockets
from tests.transports.asgihost import hosted

from hubbub.auth import tokens

pytestmark = pytest.mark.anyio
EXAMPLES = Path(__file__).parents[2] / "examples"
SECRET = secrets.token_urlsafe(32)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBBUB_AUTH__HMAC_SECRET", SECRET)


def load(example: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{example}", EXAMPLES / example / "main.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("example", "application", "channel", "path", "body"),
    [
        ("mount_fastapi", "api", "orders", "/orders", {"price": 7}),
        ("mount_starlette", "app", "news", "/announce", "hello"),
    ],
)
async def test_a_mounted_hubbub_reaches_websockets_and_event_sources(
    example: str, application: str, channel: str, path: str, body: Any
) -> None:
    token = tokens.mint(SECRET, "ada", now=time.time(), ttl=60)
    module = await asyncio.to_thread(load, example)
    async with (
        hosted(getattr(module, application)) as address,
        websockets.connect(f"ws://{address}/realtime/v1/ws", compression=None) as socket,
        httpx2.AsyncClient(base_url=f"http://{address}", timeout=10) as http,
    ):
        await socket.send(json.dumps({"type": "connect", "id": 1, "token": token}))
        await socket.send(json.dumps({"type": "subscribe", "id": 2, "channel": channel}))
        assert json.loads(await socket.recv())["user"] == "ada"
        assert json.loads(await socket.recv())["type"] == "subscribed"
        query = {"channel": channel, "token": token}
        async with http.stream("GET", "/realtime/v1/sse", params=query) as stream:
            lines = stream.aiter_lines()
            while "subscribed" not in await anext(lines):
                pass
            answer = (
                await http.post(path, json=body)
                if isinstance(body, dict)
                else await http.post(path, content=body)
            )
            assert answer.status_code == 200
            assert json.loads(await socket.recv())["data"] == body
            while not (line := await anext(lines)).startswith("data: "):
                pass
            assert json.loads(line[6:])["data"] == body


@pytest.mark.parametrize("example", ["mount_fastapi", "mount_starlette"])
def test_the_example_is_short(example: str) -> None:
    assert len((EXAMPLES / example / "main.py").read_text().splitlines()) <= 40
