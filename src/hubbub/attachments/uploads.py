"""How the bytes of an upload come in: piece by piece into the store, so that any node can go on with it.

An upload is what the database says of it: so many bytes are there, in these pieces. A piece is put into the store first
and named in the database then, in one step that fails if somebody else has gone on in between; so what the database
says is there, and who sends the same bytes twice at once loses once.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from hubbub.attachments.base import Blobs, read
from hubbub.errors import ErrorCode, HubbubError

PIECE = 1_048_576
"""Bytes of a piece, at the least, while there are more to come."""
PIECES = 1_000
"""Pieces of an upload, about; they are larger where these would be more."""
ALGORITHMS = ("sha1", "sha256", "md5")


class Piece(Struct, frozen=True, array_like=True):
    """Some bytes of an upload that are in the store."""

    key: str
    size: int


class Upload(Struct, frozen=True):
    """An upload as far as it has come. `size` is what it will be."""

    id: str
    size: int
    received: int = 0
    pieces: tuple[Piece, ...] = ()

    @property
    def complete(self) -> bool:
        return self.received == self.size


class Checksum(Struct, frozen=True):
    """What a body must hash to."""

    algorithm: str
    digest: bytes


class ChecksumMismatch(Exception):
    """The bytes are others than were sent."""


class Cut(Exception):
    """The client has left before its body was whole."""


Keep = Callable[[Upload, Upload], Awaitable[None]]
"""Writes down how an upload stands now, if it still stood as before. Raises UPLOAD_CONFLICT otherwise."""


def folder_of(id: str) -> str:
    """Where the pieces of an upload are."""
    return f"uploads/{id[:2]}/{id}"


def conflict(received: int) -> HubbubError:
    return HubbubError(
        ErrorCode.UPLOAD_CONFLICT, f"the upload is at {received} bytes: go on from there", field="offset"
    )


def read_checksum(header: str) -> Checksum:
    """`Upload-Checksum` of tus: an algorithm, and a digest in Base64. Raises BAD_REQUEST."""
    algorithm, _, encoded = header.strip().partition(" ")
    with suppress(ValueError, binascii.Error):
        if algorithm in ALGORITHMS:
            return Checksum(algorithm, base64.b64decode(encoded.encode("ascii"), validate=True))
    raise HubbubError(
        ErrorCode.BAD_REQUEST, f"Upload-Checksum: one of {', '.join(ALGORITHMS)} and a digest in Base64"
    )


def read_metadata(header: str) -> dict[str, str]:
    """`Upload-Metadata` of tus: names and values in Base64. Raises BAD_REQUEST."""
    found: dict[str, str] = {}
    for pair in header.split(","):
        name, _, encoded = pair.strip().partition(" ")
        if not name:
            continue
        try:
            found[name] = base64.b64decode(encoded.strip().encode("ascii"), validate=True).decode()
        except (ValueError, binascii.Error):
            raise HubbubError(
                ErrorCode.BAD_REQUEST, "Upload-Metadata: names, each with a value of UTF-8 in Base64"
            ) from None
    return found


async def receive(
    blobs: Blobs,
    upload: Upload,
    chunks: AsyncIterator[bytes],
    keep: Keep,
    checksum: Checksum | None = None,
) -> Upload:
    """Take what comes behind what is there, and give how the upload stands then. No more than a piece is in memory.

    With a `checksum` all of it is kept or nothing; without one, whatever came. Raises ChecksumMismatch, Cut,
    MESSAGE_TOO_LARGE for more than the upload was to be, what `keep` raises, and STORE_UNAVAILABLE.
    """
    return await _Intake(blobs, upload, keep, checksum).take(chunks)


class _Intake:
    def __init__(self, blobs: Blobs, upload: Upload, keep: Keep, checksum: Checksum | None) -> None:
        self._blobs = blobs
        self._kept = upload  # as the database has it
        self._now = upload
        self._keep = keep
        self._checksum = checksum
        self._hash: Any = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
        self._size = max(PIECE, upload.size // PIECES)
        self._buffer = bytearray()

    async def take(self, chunks: AsyncIterator[bytes]) -> Upload:
        try:
            await self._take(chunks)
        except ChecksumMismatch:
            await self._forget()
            raise
        except HubbubError as error:
            # After any other error the database may name them, for all we know.
            if error.code in (ErrorCode.UPLOAD_CONFLICT, ErrorCode.NOT_FOUND):
                await self._forget()
            raise
        return self._kept

    async def _take(self, chunks: AsyncIterator[bytes]) -> None:
        try:
            async for chunk in chunks:
                if self._now.received + len(self._buffer) + len(chunk) > self._now.size:
                    raise HubbubError(
                        ErrorCode.MESSAGE_TOO_LARGE,
                        f"the body is longer than what is left of {self._now.size} bytes",
                        field="body",
                    )
                if self._hash is not None:
                    self._hash.update(chunk)
                self._buffer += chunk
                if len(self._buffer) >= self._size:
                    await self._flush()
        except Cut:
            if self._checksum is None:
                await self._flush()
            raise
        if self._checksum is not None and self._hash.digest() != self._checksum.digest:
            raise ChecksumMismatch
        await self._flush(last=True)

    async def _flush(self, *, last: bool = False) -> None:
        if self._buffer:
            await self._add(bytes(self._buffer))
            self._buffer.clear()
        if (self._checksum is None or last) and self._now is not self._kept:
            await self._keep(self._kept, self._now)
            gone = set(self._kept.pieces) - set(self._now.pieces)
            self._kept = self._now
            for piece in gone:
                await self._blobs.delete(piece.key)

    async def _add(self, data: bytes) -> None:
        """Behind the last piece, or into it if it is small: who sends in small bits makes no more pieces for it."""
        pieces, received = self._now.pieces, self._now.received + len(data)
        if pieces and pieces[-1].size + len(data) <= self._size:
            data = await self._read(pieces[-1].key) + data
            pieces = pieces[:-1]
        key = f"{folder_of(self._now.id)}/{received:015d}-{secrets.token_hex(4)}"
        await self._blobs.put(key, data)
        self._now = replace(self._now, received=received, pieces=(*pieces, Piece(key, len(data))))

    async def _read(self, key: str) -> bytes:
        try:
            return await read(self._blobs, key)
        except HubbubError as error:
            if error.code is ErrorCode.NOT_FOUND:  # somebody else has gone on
                raise conflict(self._kept.received) from None
            raise

    async def _forget(self) -> None:
        """Delete the pieces that the database does not name. (Those that are left here go with the upload.)"""
        with suppress(HubbubError):
            for piece in set(self._now.pieces) - set(self._kept.pieces):
                await self._blobs.delete(piece.key)
