from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator

import pytest

from hubbub.attachments.base import Blobs, read
from hubbub.attachments.blobs import ObjectBlobs
from hubbub.attachments.uploads import (
    PIECE,
    Checksum,
    ChecksumMismatch,
    Cut,
    Upload,
    conflict,
    read_checksum,
    read_metadata,
    receive,
)
from hubbub.config import AttachmentsConfig
from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


class Kept:
    """What a database would say of uploads."""

    def __init__(self) -> None:
        self.upload: Upload | None = None
        self.steps = 0

    async def __call__(self, before: Upload, now: Upload) -> None:
        if self.upload is not None and self.upload != before:
            raise conflict(self.upload.received)
        self.upload = now
        self.steps += 1


@pytest.fixture
async def blobs() -> AsyncIterator[Blobs]:
    blobs = ObjectBlobs(AttachmentsConfig.model_validate({"url": "memory:"}))
    await blobs.start()
    yield blobs
    await blobs.stop()


async def chunks(*data: bytes, cut: bool = False) -> AsyncIterator[bytes]:
    for each in data:
        yield each
    if cut:
        raise Cut


async def whole(blobs: Blobs, upload: Upload) -> bytes:
    return b"".join([await read(blobs, piece.key) for piece in upload.pieces])


async def stored(blobs: Blobs) -> int:
    assert isinstance(blobs, ObjectBlobs)
    import obstore

    return len(await obstore.list(await blobs._opened()).collect_async())


async def test_bytes_become_pieces_of_a_size(blobs: Blobs) -> None:
    data = bytes(range(256)) * 10_240  # 2.5 pieces
    kept = Kept()
    parts = [data[begin : begin + 65_536] for begin in range(0, len(data), 65_536)]
    upload = await receive(blobs, Upload("ab", len(data)), chunks(*parts), kept)
    assert upload.complete
    assert [piece.size for piece in upload.pieces] == [PIECE, PIECE, PIECE // 2]
    assert await whole(blobs, upload) == data
    assert kept.steps == 3


async def test_who_sends_single_bytes_makes_no_more_pieces_for_it(blobs: Blobs) -> None:
    kept, upload = Kept(), Upload("ab", 100)
    for number in range(100):
        upload = await receive(blobs, upload, chunks(bytes([number])), kept)
    assert len(upload.pieces) == 1
    assert await whole(blobs, upload) == bytes(range(100))
    assert await stored(blobs) == 1


async def test_what_came_before_the_client_left_is_kept(blobs: Blobs) -> None:
    kept = Kept()
    with pytest.raises(Cut):
        await receive(blobs, Upload("ab", 100), chunks(b"abc", b"def", cut=True), kept)
    assert kept.upload is not None
    assert kept.upload.received == 6
    upload = await receive(blobs, kept.upload, chunks(b"x" * 94), kept)
    assert await whole(blobs, upload) == b"abcdef" + b"x" * 94


async def test_no_more_is_taken_than_was_said(blobs: Blobs) -> None:
    kept = Kept()
    with pytest.raises(HubbubError) as failure:
        await receive(blobs, Upload("ab", 5), chunks(b"abc", b"def"), kept)
    assert failure.value.code == ErrorCode.MESSAGE_TOO_LARGE
    assert kept.upload is None


async def test_of_two_at_once_one_is_refused_and_leaves_nothing(blobs: Blobs) -> None:
    kept, upload = Kept(), Upload("ab", 10)
    await receive(blobs, upload, chunks(b"first"), kept)
    with pytest.raises(HubbubError) as failure:
        await receive(blobs, upload, chunks(b"other"), kept)
    assert failure.value.code == ErrorCode.UPLOAD_CONFLICT
    assert kept.upload is not None
    assert await whole(blobs, kept.upload) == b"first"
    assert await stored(blobs) == 1


async def test_who_goes_on_from_a_piece_that_was_replaced_is_refused(blobs: Blobs) -> None:
    kept = Kept()
    old = await receive(blobs, Upload("ab", 10), chunks(b"first"), kept)
    await receive(blobs, old, chunks(b"!"), kept)
    with pytest.raises(HubbubError) as failure:
        await receive(blobs, old, chunks(b"?"), kept)
    assert failure.value.code == ErrorCode.UPLOAD_CONFLICT


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
async def test_with_a_checksum_all_is_kept_or_nothing(blobs: Blobs, algorithm: str) -> None:
    data = bytes(2 * PIECE + 5)
    right = Checksum(algorithm, hashlib.new(algorithm, data).digest())
    kept, begun = Kept(), Upload("ab", len(data))
    with pytest.raises(ChecksumMismatch):
        await receive(blobs, begun, chunks(data[:-1] + b"x"), kept, right)
    with pytest.raises(Cut):
        await receive(blobs, begun, chunks(data[:PIECE], cut=True), kept, right)
    assert kept.upload is None
    upload = await receive(blobs, begun, chunks(data[:PIECE], data[PIECE:]), kept, right)
    assert upload.complete
    assert kept.steps == 1


@pytest.mark.parametrize("header", ["", "sha1 !", "sha1 ü", "crc32 AAAA", "SHA1 AAAA", " sha512 AAAA"])
async def test_wrong_checksums_are_refused(header: str) -> None:
    with pytest.raises(HubbubError):
        read_checksum(header)


async def test_metadata_is_names_and_values() -> None:
    name = base64.b64encode("ü.txt".encode()).decode()
    assert read_metadata(f"filename {name},empty, flag ") == {"filename": "ü.txt", "empty": "", "flag": ""}
    assert read_metadata("") == {}
    for wrong in ("filename !", "filename /w==", "a b c"):
        with pytest.raises(HubbubError):
            read_metadata(wrong)
