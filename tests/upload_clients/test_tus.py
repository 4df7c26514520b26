"""tus-js-client, the client of browsers, against a running server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import httpx2
import pytest

from hubbub.testing.server import RunningServer, running_server

pytestmark = pytest.mark.anyio
HERE = Path(__file__).parent
MIB = 1_048_576


async def run(server: RunningServer, **options: Any) -> dict[str, Any]:
    """What the client says in the end. Raises AssertionError when Node or the package are not installed."""
    node = shutil.which("node")
    assert node is not None, "install Node 20 or later"
    assert (HERE / "node_modules").is_dir(), "run `npm ci --ignore-scripts` in tests/upload_clients first"
    given = {"endpoint": f"{server.url}/v1/uploads", "token": server.token("ada"), **options}
    process = await asyncio.create_subprocess_exec(
        node, str(HERE / "run.js"), json.dumps(given), stdout=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(100):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found: dict[str, Any] = json.loads(said)
    return found


def serving(folder: Path, **attachments: Any) -> Any:
    return running_server(
        chat={"enabled": True},
        storage={"url": f"sqlite:///{folder / 'chat.db'}"},
        attachments={"url": f"file:{folder / 'files'}", **attachments},
    )


@pytest.mark.parametrize(
    "options",
    [
        {"size": 1},
        {"size": 3 * MIB + 17},
        {"size": 3 * MIB, "chunkSize": MIB},
        {"size": 700_001, "chunkSize": 65_536},
        {"size": 2 * MIB, "during": True},
        {"size": 2 * MIB, "during": True, "chunkSize": MIB // 2},
        {"size": 8 * MIB, "breakAt": 3 * MIB},
        {"size": 8 * MIB, "chunkSize": MIB, "breakAt": 5 * MIB},
    ],
    ids=str,
)
async def test_what_is_uploaded_is_what_is_there(tmp_path: Path, options: dict[str, Any]) -> None:
    async with serving(tmp_path) as server:
        done = await run(server, name="a ünicode näme.bin", **options)
        assert "error" not in done, done
        file = done["url"].rpartition("/")[2]
        async with httpx2.AsyncClient(base_url=server.url) as http:
            http.headers["Authorization"] = f"Bearer {server.token('ada')}"
            known = (await http.get(f"/v1/files/{file}")).json()
            assert (known["state"], known["size"], known["name"]) == (
                "ready",
                options["size"],
                "a ünicode näme.bin",
            )
            assert known["type"] != "text/html"
            content = (await http.get(f"/v1/files/{file}/content")).content
        assert hashlib.sha256(content).hexdigest() == done["digest"]
        assert not list((tmp_path / "files" / "uploads").rglob("*-*")), "no piece is left"


async def test_the_client_is_told_why_it_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path, file_bytes=1_000) as server:
        assert (await run(server, size=1_001))["status"] == 413
    async with serving(tmp_path, types=("image/*",)) as server:
        assert (await run(server, size=1_001))["status"] == 415
