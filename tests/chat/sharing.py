"""Files of users in a World, as tests need them."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.chat.world import World

from hubbub.attachments.base import read
from hubbub.chat.attaching import FileRow, row_of
from hubbub.chat.ledger import Actor
from hubbub.storage.tables import file_usage

HELLO = b"hello"


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for each in data:
        yield each


async def stored(world: World, user: str, data: bytes = HELLO, name: str = "a.txt") -> FileRow:
    """A file that came whole."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data)
        return await world.files.take(Actor(user), name, path, len(data))


async def shared(world: World, user: str, conversation: str, file: str, **params: Any) -> int:
    """Send a message with a file; its seq."""
    part = {"type": "file", "file": file, **params}
    sent = await world.do("messages.send", user, conversation=conversation, parts=[part])
    seq: int = sent.message.seq
    return seq


async def file_row(world: World, id: str) -> FileRow | None:
    return await world.read(lambda view: row_of(view, id))


async def usage(world: World, user: str) -> tuple[int, int]:
    """Files and bytes that are counted for a user."""
    query = file_usage.select().where(file_usage.c.user == user)
    row = await world.read(lambda view: view.execute(query).first())
    return (0, 0) if row is None else (row.files, row.bytes)


async def content(world: World, id: str, variant: str = "content") -> bytes:
    """The bytes that are kept. Raises NOT_FOUND."""
    place = f"files/{id[:2]}/{id}/{variant}"
    return await read(world.blobs, place)
