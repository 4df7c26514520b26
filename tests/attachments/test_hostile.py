"""A thousand files that mean harm, and what browsers are given of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from tests.attachments.hostile import MARK, Hostile, hostile

from hubbub.attachments.examine import Examined, Examiner
from hubbub.attachments.images import FORMATS, Picture, Task, look
from hubbub.attachments.serving import headers
from hubbub.config import AttachmentsConfig

pytestmark = pytest.mark.anyio
CONFIG = AttachmentsConfig()
EVERYTHING = ("*/*", "text/*", "text/html", "image/*", "image/svg+xml", "application/*")
UNCLEANED = ("image/bmp", "image/tiff", "image/avif")
"""Of these nothing is taken out but what tells; they have no place where browsers would look for a page."""
SHOWN = ("image/", "audio/", "video/")


async def here(task: Task, seconds: float) -> Picture:
    """What the process that looks at images does, without a process for each of a thousand."""
    return await asyncio.to_thread(look, task)


async def test_none_of_a_thousand_hostile_files_is_served_actively(tmp_path: Path) -> None:
    examine = Examiner(look=here)
    shown: Counter[str] = Counter()
    for number, each in enumerate(hostile(1000)):
        path = tmp_path / str(number)
        await asyncio.to_thread(path.write_bytes, each.content)
        found = await examine(path, each.name, CONFIG)
        shown[f"{each.kind} refused" if found.refused else _harmless(each, found)] += 1
        if found.refused is None and found.type in FORMATS:
            kept = await asyncio.to_thread((found.replaced or path).read_bytes)
            assert MARK not in kept or found.type in UNCLEANED, each
        assert each.kind != "bomb" or found.refused, each
    assert shown["attachment"] > 300, "there are many that browsers must not open"
    assert shown["inline"] > 100, "and pictures whose harm was taken out of them"


async def test_hostile_files_of_each_kind_end_with_their_process(tmp_path: Path) -> None:
    examine = Examiner()
    for number, each in enumerate(hostile(18, seed=7)):
        path = tmp_path / str(number)
        await asyncio.to_thread(path.write_bytes, each.content)
        found = await examine(path, each.name, CONFIG)
        assert found.refused or _harmless(each, found)


def _harmless(file: Hostile, found: Examined) -> str:
    """How it is shown: in place only if nothing in it can run."""
    for allowed in (EVERYTHING, CONFIG.inline_types):
        given = headers(found.type, found.name, allowed)
        fields = dict(given)
        assert len(fields) == len(given)
        assert all(value.isascii() and value.decode().isprintable() for value in fields.values())
        assert fields[b"x-content-type-options"] == b"nosniff"
        assert b"sandbox" in fields[b"content-security-policy"]
        type = fields[b"content-type"].decode()
        shown = fields[b"content-disposition"].partition(b";")[0].decode()
        if shown == "attachment":
            assert type == "application/octet-stream"
        else:
            assert type.startswith(SHOWN), (file, type)
            assert not type.endswith("xml"), (file, type)
            assert not found.name.lower().endswith((".html", ".svg", ".exe", ".htm", ".js")), (
                file,
                found.name,
            )
    return shown
