"""What is below `/v1/uploads`, and the bytes of files, going out: with a token, or by a signed URL."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request

from hubbub.api.chat_callers import Callers
from hubbub.api.context import ApiContext
from hubbub.api.plain import PlainRequest, Receive, Scope, Send, StalledError
from hubbub.api.uploads import COLLECTION, RESUMABLE, Uploads
from hubbub.attachments import serving
from hubbub.attachments.signing import CONTENT
from hubbub.attachments.uploads import Cut
from hubbub.chat.attaching import FileRow, no_such_file, readable, row_of
from hubbub.chat.filing import Files
from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.api")

STALLED = 408
PRIVATE = b"private, no-cache"
TRANSPORT = "hubbub.transport"
"""The ASGI extension by which our own server shows the socket's transport."""
_CONTENT = re.compile(r"/v1/files/([0-9a-f]{32})/(content|thumbnails/[0-9]{1,3})")


class FileServer:
    """An ASGI application for the paths that it `takes`; errors are those of the rest of the API."""

    def __init__(self, context: ApiContext, callers: Callers) -> None:
        self._context = context
        self._callers = callers
        self._chat = callers.chat

    def takes(self, path: str) -> bool:
        return self._chat.files is not None and (
            path == COLLECTION or path.startswith(COLLECTION + "/") or _CONTENT.fullmatch(path) is not None
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = PlainRequest(scope, receive, send)
        tus = [RESUMABLE] if request.path.startswith(COLLECTION) else []
        try:
            await self._answer(request)
        except StalledError:
            slow = HubbubError(ErrorCode.TIMEOUT, "the body does not come, or too slowly")
            await self._refuse(request, slow, STALLED, tus)
        except Cut:
            return  # there is nobody to be answered
        except HubbubError as error:
            await self._refuse(request, error, None, tus)
        except Exception as error:
            id = scope["state"]["request_id"]
            log.error(
                "request failed", request_id=id, method=request.method, path=request.path, exc_info=error
            )
            internal = HubbubError(ErrorCode.INTERNAL, f"internal error (request {id})")
            await self._refuse(request, internal, None, tus)

    async def _refuse(
        self, request: PlainRequest, error: HubbubError, status: int | None, headers: list[serving.Header]
    ) -> None:
        self._context.hub.metrics.errors[int(error.code)] += 1
        if not request.started:
            await request.refuse(error, status, headers)

    async def _answer(self, request: PlainRequest) -> None:
        files = self._chat.files
        if files is None:
            raise no_such_file(None)
        if request.path.startswith(COLLECTION):
            config = self._chat.config.attachments
            uploads = Uploads(files, config.small_bytes, config.file_bytes)
            if request.method == "OPTIONS":
                await uploads.describe(request)
            else:
                actor = await self._callers.actor(_litestar(request))
                await uploads.answer(request, actor)
        elif request.method in ("GET", "HEAD"):
            await self._serve(files, request)
        else:
            error = HubbubError(ErrorCode.METHOD_NOT_ALLOWED, "method not allowed here; use GET, HEAD")
            await request.refuse(error, headers=[(b"allow", b"GET, HEAD")])

    # --- going out ----------------------------------------------------------------------------------------

    async def _serve(self, files: Files, request: PlainRequest) -> None:
        found = _CONTENT.fullmatch(request.path)
        assert found is not None
        id, variant = found.groups()
        query = request.query()
        download = "download" in query
        if "signature" in query:
            row, caching = await self._signed(files, id, variant, query, download=download)
        else:
            actor = await self._callers.actor(_litestar(request))
            row, caching = await self._chat.read(lambda view: readable(view, actor, id)), PRIVATE
        if row.state != "ready":
            raise no_such_file(None)
        type, size = _described(row, variant)
        etag = f'"{id}-{variant.replace("/", "-")}"'
        config = self._chat.config
        allowed = config.attachments.inline_types
        headers = [
            *serving.headers(type, row.name, allowed, download=download),
            (b"etag", etag.encode()),
            (b"accept-ranges", b"bytes"),
            (b"cache-control", caching),
        ]
        if serving.unchanged(request.header("If-None-Match"), etag):
            await request.bare(304, [each for each in headers if each[0] in (b"etag", b"cache-control")])
            return
        status, start, end = 200, 0, size
        try:
            condition = request.header("If-Range")
            asked = request.header("Range") if condition in (None, etag) else None
            span = serving.span(asked, size) if request.method == "GET" else None
        except serving.Unsatisfiable:
            refused = HubbubError(ErrorCode.BAD_REQUEST, f"Range: there are {size} bytes")
            await request.refuse(refused, 416, [(b"content-range", b"bytes */%d" % size)])
            return
        if span is not None:
            status, start, end = 206, span.start, span.end
            headers.append((b"content-range", b"bytes %d-%d/%d" % (start, end - 1, size)))
        headers.append((b"content-length", b"%d" % (end - start)))
        if request.method == "HEAD":
            await request.bare(status, headers)
            return
        content = await files.open(id, variant, start, end)
        transport: Any = (request.scope.get("extensions") or {}).get(TRANSPORT)

        def close() -> None:
            self._context.hub.metrics.rejected["write_timeout"] += 1
            transport.abort()

        within = config.limits.write_timeout
        await request.stream(status, headers, content, within, close if transport is not None else None)

    async def _signed(
        self, files: Files, id: str, variant: str, query: dict[str, str], *, download: bool
    ) -> tuple[FileRow, bytes]:
        now, expires = self._chat.clock.now(), query.get("expires", "")
        if not files.signer.allows(id, variant, expires, query["signature"], download=download, now=now):
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "the URL is not valid, or not any more")
        row = await self._chat.read(lambda view: row_of(view, id))
        if row is None:
            raise no_such_file(None)
        return row, b"private, max-age=%d, immutable" % max(0, int(expires) - int(now) - 1)


def _described(row: FileRow, variant: str) -> tuple[str, int]:
    """Type and size of a file, or of its thumbnail. Raises NOT_FOUND."""
    if variant == CONTENT:
        return row.type, row.size
    pictures, place = row.facts.thumbnails, int(variant.rpartition("/")[2])
    if place >= len(pictures):
        raise no_such_file(None)
    return pictures[place].type, pictures[place].size


def _litestar(request: PlainRequest) -> Request[Any, Any, Any]:
    scope: Any = request.scope
    return Request(scope)
