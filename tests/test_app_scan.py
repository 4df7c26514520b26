"""The application's hook that scans files, over a whole application."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from tests.attachments.pictures import PLACE, telling
from tests.hub.world import OPEN, OpenPolicy

from hubbub import ErrorCode, Hubbub, HubbubError
from hubbub.attachments.scan import ScannedFile
from hubbub.chat.ledger import Actor
from hubbub.config import AttachmentsConfig, AuthConfig, ChatConfig, Config, StorageConfig

pytestmark = pytest.mark.anyio


def hubbub(path: Path, **values: Any) -> Hubbub:
    return Hubbub(
        Config(
            auth=AuthConfig(hmac_secret=SecretStr("s" * 32)),
            default=OPEN,
            storage=StorageConfig(url=SecretStr(f"sqlite:///{path / 'chat.db'}")),
            chat=ChatConfig(enabled=values.pop("chat", True)),
            attachments=AttachmentsConfig(url=SecretStr("memory:"), **values),
        ),
        policy=OpenPolicy(),
    )


async def test_an_application_scans_what_would_be_kept(tmp_path: Path) -> None:
    app = hubbub(tmp_path)
    asked: list[ScannedFile] = []

    @app.scan_file
    async def scan(file: ScannedFile) -> str | None:
        asked.append(file)
        data = await asyncio.to_thread(file.path.read_bytes)
        assert len(data) == file.size
        assert PLACE not in data, "what is scanned is what is kept"
        return "it is a virus" if b"EICAR" in data else None

    await app.start()
    try:
        await app.chat.call("users.upsert", user="ada")
        files = app.chat.files
        assert files is not None
        path = tmp_path / "file"
        await asyncio.to_thread(path.write_bytes, telling("JPEG"))
        row = await files.take(Actor("ada"), "cat.jpg", path, path.stat().st_size)
        assert row.state == "ready"
        assert [(each.id, each.name, each.type, each.owner) for each in asked] == [
            (row.id, "cat.jpg", "image/jpeg", "ada")
        ]
        await asyncio.to_thread(path.write_bytes, b"EICAR")
        with pytest.raises(HubbubError, match="it is a virus") as failure:
            await files.take(Actor("ada"), "x.txt", path, 5)
        assert failure.value.code == ErrorCode.FILE_REFUSED
        listed = await app.chat.call("files.list", as_user="ada")
        assert {(each.state, each.reason) for each in listed.files} == {
            ("ready", None),
            ("refused", "it is a virus"),
        }
        left = await asyncio.to_thread(lambda: {each.name for each in tmp_path.iterdir()})
        assert not {name for name in left if "kept" in name}
    finally:
        await app.stop()


async def test_what_is_wrong_with_a_hook_is_told_at_once(tmp_path: Path) -> None:
    app = hubbub(tmp_path)

    async def scan(file: ScannedFile) -> str | None:
        return None

    async def nothing() -> None: ...

    with pytest.raises(TypeError, match="must take"):
        app.scan_file(nothing)
    assert app.scan_file(scan) is scan
    with pytest.raises(TypeError, match="already"):
        app.scan_file(scan)
    with pytest.raises(RuntimeError, match=r"attachments\.enabled"):
        hubbub(tmp_path, enabled=False).scan_file(scan)
    with pytest.raises(RuntimeError):
        hubbub(tmp_path, chat=False).scan_file(scan)
