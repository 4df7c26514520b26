"""A thousand files that mean harm, and what browsers are given of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from tests.attachments.hostile import Hostile, hostile

from hubbub.attachments.examine import Examined, examine
from hubbub.attachments.serving import headers
from hubbub.config import AttachmentsConfig

pytestmark = pytest.mark.anyio
CONFIG = AttachmentsConfig()
EVERYTHING = ("*/*", "text/*", "text/html", "image/*", "image/svg+xml", "application/*")
SHOWN = ("image/", "audio/", "video/")


async def test_none_of_a_thousand_hostile_files_is_served_actively(tmp_path: Path) -> None:
    shown: Counter[str] = Counter()
    for number, each in enumerate(hostile(1000)):
        path = tmp_path / str(number)
        await asyncio.to_thread(path.write_bytes, each.content)
        found = await examine(path, each.name, CONFIG)
        if found.refused is None:
            shown[_harmless(each, found)] += 1
    assert shown["attachment"] > 300, "there are many that browsers must not open"


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
