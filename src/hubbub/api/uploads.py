"""Bytes of files, coming in: by tus 1.0.0 (core, creation, creation-with-upload, expiration, termination, checksum),
for files of any size, and in one request for small ones.

    POST /v1/uploads                        begins an upload; without `Tus-Resumable` it is the file itself
    HEAD, PATCH, DELETE /v1/uploads/{file}  how far it is; more of it; give it up
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import tempfile
from collections.abc import AsyncIterator
from email.message import Message
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from multipart import MultipartError, PushMultipartParser  # type: ignore[import-untyped]

from hubbub.api.plain import Header, PlainRequest
from hubbub.attachments.uploads import (
    ALGORITHMS,
    ChecksumMismatch,
    Cut,
    conflict,
    read_checksum,
    read_metadata,
)
from hubbub.chat.attaching import FileRow, no_such_file
from hubbub.chat.files import file_of
from hubbub.chat.ledger import Actor
from hubbub.errors import ErrorCode, HubbubError

if TYPE_CHECKING:
    from hubbub.chat.filing import Files

COLLECTION = "/v1/uploads"
VERSION = b"1.0.0"
EXTENSIONS = b"creation,creation-with-upload,expiration,termination,checksum"
RESUMABLE: Header = (b"tus-resumable", VERSION)
PATCH_TYPE = "application/offset+octet-stream"
CHECKSUM_MISMATCH = 460
METADATA_LENGTH = 4_096
BUFFER = 1_048_576
UNNAMED = "file"
_ID = re.compile(r"[0-9a-f]{32}")


class Uploads:
    """Answers what is below `/v1/uploads`."""

    def __init__(self, files: Files, small_bytes: int, file_bytes: int) -> None:
        self._files = files
        self._small = small_bytes
        self._most = file_bytes

    async def answer(self, request: PlainRequest, actor: Actor) -> None:
        """Raises HubbubError to refuse, and Cut if there is nobody any more."""
        id = request.path.removeprefix(COLLECTION).strip("/")
        method = _method(request)
        tus = request.header("Tus-Resumable")
        if method == "POST" and not id and tus is None:
            await self._take(request, actor)
        elif tus is not None and tus.encode("latin-1") != VERSION:
            error = HubbubError(ErrorCode.BAD_REQUEST, f"Tus-Resumable: {VERSION.decode()} is spoken here")
            await request.refuse(error, 412, [(b"tus-version", VERSION)])
        elif method == "POST" and not id:
            await self._begin(request, actor)
        elif id and method in ("HEAD", "PATCH", "DELETE"):
            if not _ID.fullmatch(id):
                raise no_such_file(None)
            row = await self._files.upload(actor, id)
            if method == "HEAD":
                await request.respond(200, self._progress(row, row.received, whole=True))
            elif method == "PATCH":
                await self._go_on(request, row)
            else:
                await self._files.discard(actor, row.id)
                await request.respond(204, [RESUMABLE])
        else:
            allowed = "HEAD, PATCH, DELETE" if id else "OPTIONS, POST"
            error = HubbubError(ErrorCode.METHOD_NOT_ALLOWED, f"method not allowed here; use {allowed}")
            await request.refuse(error, headers=[(b"allow", allowed.encode())])

    async def describe(self, request: PlainRequest) -> None:
        """What of tus there is, for everybody."""
        headers = [
            RESUMABLE,
            (b"tus-version", VERSION),
            (b"tus-extension", EXTENSIONS),
            (b"tus-max-size", b"%d" % self._most),
            (b"tus-checksum-algorithm", ",".join(ALGORITHMS).encode()),
        ]
        await request.respond(204, headers)

    # --- tus ----------------------------------------------------------------------------------------------

    async def _begin(self, request: PlainRequest, actor: Actor) -> None:
        size = request.number("Upload-Length")
        if not size:
            raise HubbubError(
                ErrorCode.BAD_REQUEST, "Upload-Length: how many bytes there will be; at least one"
            )
        said = request.header("Upload-Metadata") or ""
        if len(said) > METADATA_LENGTH:
            raise HubbubError(
                ErrorCode.BAD_REQUEST, f"Upload-Metadata: more than {METADATA_LENGTH} characters"
            )
        metadata = read_metadata(said)
        name = metadata.get("filename") or metadata.get("name") or UNNAMED
        row = await self._files.begin(actor, name, size, said)
        received, begins = 0, request.header("Content-Type") == PATCH_TYPE
        if begins:
            with contextlib.suppress(Cut):
                received = await self._receive(request, row, 0)
        location = f"{request.mounted}{COLLECTION}/{row.id}".encode()
        headers = [(b"location", location), *self._progress(row, received, whole=False)]
        await request.respond(201, headers if begins else [each for each in headers if each != _AT_START])

    async def _go_on(self, request: PlainRequest, row: FileRow) -> None:
        if request.header("Content-Type") != PATCH_TYPE:
            error = HubbubError(ErrorCode.BAD_REQUEST, f"Content-Type: must be {PATCH_TYPE}")
            await request.refuse(error, 415, [RESUMABLE])
            return
        offset = request.number("Upload-Offset")
        if offset is None:
            raise HubbubError(ErrorCode.BAD_REQUEST, "Upload-Offset: it is missing")
        try:
            received = await self._receive(request, row, offset)
        except ChecksumMismatch:
            error = HubbubError(ErrorCode.BAD_REQUEST, "Upload-Checksum: these are other bytes")
            await request.refuse(error, CHECKSUM_MISMATCH, [RESUMABLE])
            return
        await request.respond(204, self._progress(row, received, whole=False))

    async def _receive(self, request: PlainRequest, row: FileRow, offset: int) -> int:
        if offset != row.received:
            raise conflict(row.received)
        length = request.number("Content-Length")
        if length is not None and length > row.size - offset:
            raise HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE, f"the body is longer than what is left of {row.size} bytes"
            )
        given = request.header("Upload-Checksum")
        checksum = None if given is None else read_checksum(given)
        return await self._files.receive(row, offset, request.chunks(), checksum)

    def _progress(self, row: FileRow, received: int, *, whole: bool) -> list[Header]:
        headers = [RESUMABLE, (b"upload-offset", b"%d" % received), (b"cache-control", b"no-store")]
        if whole:
            headers.append((b"upload-length", b"%d" % row.size))
            if row.facts.metadata:
                headers.append((b"upload-metadata", row.facts.metadata.encode("latin-1")))
        if row.expires is not None and received < row.size:
            expires = formatdate(row.expires, usegmt=True).encode()
            headers.append((b"upload-expires", expires))
        return headers

    # --- in one request -----------------------------------------------------------------------------------

    async def _take(self, request: PlainRequest, actor: Actor) -> None:
        length = request.number("Content-Length")
        if length is not None and length > self._small + BUFFER:  # with the rest of a form
            raise self._too_large()
        async with _spooled() as (path, spool):
            name, size = await self._spool(request, spool)
            if not size:
                raise HubbubError(ErrorCode.VALIDATION_FAILED, "body: the file is empty", field="body")
            row = await self._files.take(actor, name, path, size)
        body = msgspec.json.encode(file_of(row))
        location = f"{request.mounted}/v1/files/{row.id}".encode()
        await request.respond(201, [(b"content-type", b"application/json"), (b"location", location)], body)

    async def _spool(self, request: PlainRequest, spool: Any) -> tuple[str, int]:
        """Write the file in the body to disk; its name and size."""
        kind = Message()
        kind["content-type"] = request.header("Content-Type") or ""
        buffer = bytearray()
        size = 0
        form = None
        if kind.get_content_type() == "multipart/form-data":
            form = _Form(str(kind.get_param("boundary", "")))
        async for chunk in request.chunks():
            for data in (chunk,) if form is None else form.feed(chunk):
                size += len(data)
                if size > self._small:
                    raise self._too_large()
                buffer += data
            if len(buffer) >= BUFFER:
                await asyncio.to_thread(spool.write, bytes(buffer))
                buffer.clear()
        await asyncio.to_thread(spool.write, bytes(buffer))
        name = UNNAMED if form is None else form.end()
        return request.query().get("name") or name, size

    def _too_large(self) -> HubbubError:
        return HubbubError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"body: more than attachments.small_bytes = {self._small}; use tus for larger files",
            field="body",
        )


_AT_START: Header = (b"upload-offset", b"0")


class _Form:
    """The first file in a form (RFC 7578); other fields are passed over."""

    def __init__(self, boundary: str) -> None:
        try:
            self._parser = PushMultipartParser(boundary, max_segment_count=20, strict=True)
        except (MultipartError, ValueError) as error:
            raise _not_a_form(error) from None
        self._name: str | None = None
        self._in_file = False

    def feed(self, chunk: bytes) -> list[bytes]:
        found: list[bytes] = []
        try:
            for event in self._parser.parse(chunk):
                if event is None:
                    self._in_file = False
                elif isinstance(event, (bytes, bytearray)):
                    if self._in_file:
                        found.append(bytes(event))
                elif self._name is None and event.filename is not None:
                    self._name = event.filename
                    self._in_file = True
        except (MultipartError, ValueError) as error:
            raise _not_a_form(error) from None
        return found

    def end(self) -> str:
        try:
            self._parser.close()
        except MultipartError as error:
            raise _not_a_form(error) from None
        if self._name is None:
            raise HubbubError(ErrorCode.VALIDATION_FAILED, "body: there is no file in the form", field="body")
        return self._name or UNNAMED


def _not_a_form(error: Exception) -> HubbubError:
    return HubbubError(ErrorCode.BAD_REQUEST, f"body: not a form: {error}", field="body")


def _method(request: PlainRequest) -> str:
    """tus lets clients that can only POST say what they mean."""
    override = request.header("X-HTTP-Method-Override")
    return override.upper() if override is not None and request.method == "POST" else request.method


@contextlib.asynccontextmanager
async def _spooled() -> AsyncIterator[tuple[Path, Any]]:
    """A file on this machine's disk (`TMPDIR`), and where to write to it."""
    handle, name = await asyncio.to_thread(tempfile.mkstemp, prefix="hubbub-")
    path = Path(name)
    spool = os.fdopen(handle, "wb", buffering=0)
    try:
        yield path, spool
    finally:
        await asyncio.to_thread(_remove, spool, path)


def _remove(spool: Any, path: Path) -> None:
    spool.close()
    path.unlink(missing_ok=True)
