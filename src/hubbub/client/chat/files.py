"""Files up and down: in one request, or in pieces by tus 1.0.0 that are taken up again where they broke off."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

import msgspec

from hubbub.client.backoff import delay
from hubbub.client.chat.operations.files import File
from hubbub.client.events import ClientError
from hubbub.client.failures import LostError, UnreachableError, refusal, refused, refused_with
from hubbub.client.http import Answer
from hubbub.errors import ErrorCode, HubbubError

if TYPE_CHECKING:
    from hubbub.client.client import Client

Progress = Callable[[int, int], object]
"""Called with the bytes that were transferred, and all of them."""
SMALL = 1_048_576
"""Bytes of a file that is sent in one request, and begun anew if that breaks off."""
CHUNK = 262_144
ATTEMPTS = 8
"""How often in a row a transfer may break off without having got any further."""
_TUS = {"Tus-Resumable": "1.0.0"}
_decode_file = msgspec.json.Decoder(File).decode


class Transfers:
    """Plain requests of a Client that carry files."""

    def __init__(self, client: Client) -> None:
        self._client = client

    # --- up -----------------------------------------------------------------------------------------------

    async def upload(
        self,
        content: bytes | str | Path | AsyncIterable[bytes],
        *,
        name: str | None,
        size: int | None,
        progress: Progress | None,
    ) -> str:
        """The id of the file. Raises HubbubError if it is refused, ClientError if it cannot be sent."""
        if isinstance(content, bytes):
            return await self._upload(_Bytes(content), name or "file", len(content), progress)
        if isinstance(content, str | Path):
            path = Path(content)
            async with _opened(path, "rb") as file:
                whole = (await asyncio.to_thread(path.stat)).st_size
                return await self._upload(_OnDisk(file), name or path.name, whole, progress)
        if size is None:
            raise ClientError("a file that is iterated needs its size")
        return await self._upload(_Iterated(content), name or "file", size, progress)

    async def _upload(
        self, source: _Bytes | _OnDisk | _Iterated, name: str, size: int, progress: Progress | None
    ) -> str:
        if 0 < size <= SMALL and isinstance(source, _Bytes | _OnDisk):
            return await self._whole(source, name, size, progress)
        metadata = f"filename {b64encode(name.encode()).decode()}"
        headers = {"Upload-Length": str(size), "Upload-Metadata": metadata, **_TUS}
        answer = await self._ask("POST", "/v1/uploads", headers)
        location = answer.headers.get("location", "")
        path = "/v1/uploads/" + location.rpartition("/")[2]
        sent, stuck = 0, 0
        while sent < size:
            before = sent
            try:
                sent = await self._piece(path, source, sent, size, progress)
            except (LostError, UnreachableError) as error:
                if isinstance(source, _Iterated):
                    raise
                sent = await self._offset(path, error)
            except HubbubError as error:
                if error.code != ErrorCode.UPLOAD_CONFLICT and not error.info.temporary:
                    raise
                sent = await self._offset(path, error)
            stuck = stuck + 1 if sent <= before else 0
            if stuck:
                if stuck >= ATTEMPTS:
                    raise LostError("the upload breaks off again and again")
                await asyncio.sleep(delay(stuck))
        return path.rpartition("/")[2]

    async def _whole(self, source: _Bytes | _OnDisk, name: str, size: int, progress: Progress | None) -> str:
        body = b"".join([chunk async for chunk in source.chunks(0)])
        answer = await self._ask(
            "POST",
            f"/v1/uploads?name={quote(name, safe='')}",
            {"Content-Type": "application/octet-stream"},
            body,
        )
        if progress is not None:
            progress(size, size)
        return _decode_file(answer.body).id

    async def _piece(
        self, path: str, source: _Bytes | _OnDisk | _Iterated, sent: int, size: int, progress: Progress | None
    ) -> int:
        """All that is left, in one request."""

        async def chunks() -> AsyncIterator[bytes]:
            so_far = sent
            async for chunk in source.chunks(sent):
                yield chunk
                so_far += len(chunk)
                if progress is not None:
                    progress(so_far, size)

        headers = {
            **_TUS,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(sent),
            **await self._client.bearer(),
        }
        answer = await self._client.http.request(
            "PATCH", path, headers=headers, body=chunks(), length=size - sent, within=None
        )
        _check(answer)
        return int(answer.headers.get("upload-offset", "0"))

    async def _offset(self, path: str, problem: Exception) -> int:
        """How far an upload has come. Raises `problem` if that cannot be found out."""
        for attempt in range(1, ATTEMPTS + 1):
            with contextlib.suppress(LostError, UnreachableError):
                headers = {**_TUS, **await self._client.bearer()}
                answer = await self._client.http.request("HEAD", path, headers=headers)
                if answer.status == 200 and (offset := answer.headers.get("upload-offset", "")).isdigit():
                    return int(offset)
                if answer.status in (404, 410):
                    raise problem
            await asyncio.sleep(delay(attempt))
        raise problem

    # --- down ---------------------------------------------------------------------------------------------

    async def read(self, file: str) -> bytes:
        """Raises HubbubError (NOT_FOUND)."""
        return b"".join([chunk async for chunk, _, _ in self._content(file)])

    async def download(self, file: str, to: str | Path, *, progress: Progress | None) -> int:
        """Raises HubbubError (NOT_FOUND), OSError if it cannot be written."""
        got = 0
        async with _opened(Path(to), "wb") as target:
            async for chunk, at, size in self._content(file):
                await asyncio.to_thread(target.write, chunk)
                got = at
                if progress is not None:
                    progress(at, size)
        return got

    async def _content(self, file: str) -> AsyncIterator[tuple[bytes, int, int]]:
        """Chunks, where each ends, and the size of the whole."""
        at, size, stuck = 0, -1, 0
        path = f"/v1/files/{quote(file, safe='')}/content"
        while at != size:
            before = at
            headers = await self._client.bearer()
            if at:
                headers["Range"] = f"bytes={at}-"
            try:
                async with self._client.http.open("GET", path, headers=headers) as stream:
                    if stream.status not in (200, 206):
                        _check(Answer(stream.status, stream.headers, await stream.body()))
                    size = at + int(stream.headers.get("content-length", "0"))
                    async for chunk in stream.chunks():
                        at += len(chunk)
                        yield chunk, at, size
            except (LostError, UnreachableError):
                stuck = stuck + 1 if at <= before else 1
                if stuck >= ATTEMPTS:
                    raise
                await asyncio.sleep(delay(stuck))

    # --- requests -----------------------------------------------------------------------------------------

    async def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Answer:
        """Again, if it was lost: of two files that were begun one is given up by the server."""
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = await self._client.http.request(
                    method, path, headers={**headers, **await self._client.bearer()}, body=body
                )
                _check(answer)
                return answer
            except (LostError, UnreachableError):
                if attempt >= ATTEMPTS:
                    raise
                await asyncio.sleep(delay(attempt))
            except HubbubError as error:
                if not error.info.temporary or attempt >= ATTEMPTS:
                    raise
                await asyncio.sleep(max(error.retry_after or 0.0, delay(attempt)))


def _check(answer: Answer) -> None:
    """Raises HubbubError for a refusal, ClientError for what is not the server's."""
    if answer.status < 300:
        return
    known = refused_with(answer.body)
    if known is None:
        raise ClientError(refused(answer.status, answer.body))
    raise refusal(known)


class _Bytes:
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def chunks(self, start: int) -> AsyncIterator[bytes]:
        for at in range(start, len(self._content), CHUNK):
            yield self._content[at : at + CHUNK]


class _OnDisk:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    async def chunks(self, start: int) -> AsyncIterator[bytes]:
        await asyncio.to_thread(self._file.seek, start)
        while chunk := await asyncio.to_thread(self._file.read, CHUNK):
            yield chunk


class _Iterated:
    def __init__(self, content: AsyncIterable[bytes]) -> None:
        self._content = content

    async def chunks(self, start: int) -> AsyncIterator[bytes]:
        async for chunk in self._content:
            yield chunk


@contextlib.asynccontextmanager
async def _opened(path: Path, mode: str) -> AsyncIterator[BinaryIO]:
    file: BinaryIO = await asyncio.to_thread(path.open, mode)  # type: ignore[arg-type]
    try:
        yield file
    finally:
        await asyncio.to_thread(file.close)
