"""The promises of `hubbub.attachments.base.Blobs`."""

from __future__ import annotations

import asyncio
import os
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hubbub.attachments.base import Blobs, read
from hubbub.errors import ErrorCode, HubbubError

LARGE = 13_000_000
"""Bytes: more than stores take in one part."""


class BlobsContract(ABC):
    """Subclass it, implement `open`, and run it with pytest and anyio's plugin.

    Each `open` is another node's way to the same bytes. They may share one store with other tests: keys are unique.
    """

    pytestmark = pytest.mark.anyio

    @abstractmethod
    async def open(self) -> Blobs:
        """A way to the store, not started."""

    @pytest.fixture
    async def blobs(self) -> AsyncIterator[Blobs]:
        blobs = await self.open()
        await blobs.start()
        yield blobs
        await blobs.stop()

    @pytest.fixture
    async def other(self, blobs: Blobs) -> AsyncIterator[Blobs]:
        other = await self.open()
        await other.start()
        yield other
        await other.stop()

    @pytest.fixture
    def folder(self) -> str:
        return f"contract/{uuid.uuid4().hex}"

    async def test_what_is_put_is_there_for_every_node(self, blobs: Blobs, other: Blobs, folder: str) -> None:
        await blobs.put(f"{folder}/a", b"hello")
        assert await read(other, f"{folder}/a") == b"hello"

    async def test_a_file_from_disk_is_put_whole(
        self, blobs: Blobs, other: Blobs, folder: str, tmp_path: Path
    ) -> None:
        data = os.urandom(1_000) * (LARGE // 1_000)
        path = tmp_path / "large"
        await asyncio.to_thread(path.write_bytes, data)
        await blobs.put(f"{folder}/large", path)
        assert await read(other, f"{folder}/large") == data

    @pytest.mark.parametrize(
        ("start", "end"), [(0, None), (0, 1), (4, None), (4, 9), (9, 10), (0, 10), (3, 4)]
    )
    async def test_a_part_of_it_can_be_read(
        self, blobs: Blobs, folder: str, start: int, end: int | None
    ) -> None:
        await blobs.put(f"{folder}/a", b"0123456789")
        found = [piece async for piece in await blobs.open(f"{folder}/a", start, end)]
        assert b"".join(found) == b"0123456789"[start:end]

    async def test_what_is_large_is_read_piece_by_piece(self, blobs: Blobs, folder: str) -> None:
        await blobs.put(f"{folder}/a", bytes(3_000_000))
        sizes = [len(piece) async for piece in await blobs.open(f"{folder}/a")]
        assert sum(sizes) == 3_000_000
        assert max(sizes) <= 1_048_576

    async def test_what_is_not_there_is_not_found(self, blobs: Blobs, folder: str) -> None:
        with pytest.raises(HubbubError) as failure:
            await blobs.open(f"{folder}/nothing")
        assert failure.value.code == ErrorCode.NOT_FOUND

    async def test_what_is_deleted_is_gone_for_every_node(
        self, blobs: Blobs, other: Blobs, folder: str
    ) -> None:
        await blobs.put(f"{folder}/a", b"hello")
        await other.delete(f"{folder}/a")
        await other.delete(f"{folder}/a")
        with pytest.raises(HubbubError):
            await blobs.open(f"{folder}/a")

    async def test_a_folder_is_dropped_with_all_in_it_and_nothing_else(
        self, blobs: Blobs, other: Blobs, folder: str
    ) -> None:
        for key in ("one/a", "one/b/c", "one/d", "two/a", "onesome/a"):
            await blobs.put(f"{folder}/{key}", b"x")
        await other.drop(f"{folder}/one")
        await other.drop(f"{folder}/one")
        await other.drop(f"{folder}/nothing")
        for key in ("one/a", "one/b/c", "one/d"):
            with pytest.raises(HubbubError):
                await blobs.open(f"{folder}/{key}")
        for key in ("two/a", "onesome/a"):
            assert await read(blobs, f"{folder}/{key}") == b"x"

    async def test_a_folder_of_many_is_dropped(self, blobs: Blobs, folder: str) -> None:
        for number in range(250):
            await blobs.put(f"{folder}/many/{number}", b"x")
        await blobs.drop(f"{folder}/many")
        for number in (0, 100, 249):
            with pytest.raises(HubbubError):
                await blobs.open(f"{folder}/many/{number}")

    async def test_what_is_stopped_refuses(self, blobs: Blobs, folder: str) -> None:
        stopped = await self.open()
        with pytest.raises(HubbubError) as failure:
            await stopped.put(f"{folder}/a", b"x")
        assert failure.value.code == ErrorCode.STORE_UNAVAILABLE
