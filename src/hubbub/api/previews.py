"""The images of previews, fetched by the server for those who read the messages."""

from __future__ import annotations

from hubbub.api.plain import PlainRequest, Receive, Scope, Send
from hubbub.attachments import serving
from hubbub.chat.chat import Chat
from hubbub.chat.preview_images import PATH, TYPES
from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.api")
CACHING = b"private, max-age=86400"


class PreviewImages:
    """An ASGI application for the paths that it `takes`."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    def takes(self, path: str) -> bool:
        return self._chat.previews is not None and path.startswith(PATH)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = PlainRequest(scope, receive, send)
        try:
            await self._answer(request)
        except HubbubError as error:
            self._chat.metrics.errors[int(error.code)] += 1
            # What is wrong with the image is nobody's business but the server's.
            gone = error.code in (ErrorCode.EGRESS_REFUSED, ErrorCode.TIMEOUT)
            await request.refuse(
                HubbubError(ErrorCode.NOT_FOUND, "there is no such image") if gone else error
            )
        except Exception as error:
            id = scope["state"]["request_id"]
            log.error("request failed", request_id=id, path=PATH, exc_info=error)
            if not request.started:
                await request.refuse(HubbubError(ErrorCode.INTERNAL, f"internal error (request {id})"))

    async def _answer(self, request: PlainRequest) -> None:
        if request.method not in ("GET", "HEAD"):
            error = HubbubError(ErrorCode.METHOD_NOT_ALLOWED, "method not allowed here; use GET, HEAD")
            await request.refuse(error, headers=[(b"allow", b"GET, HEAD")])
            return
        assert self._chat.previews is not None
        image = await self._chat.previews.images.fetch(request.path)
        headers = serving.headers(image.type, "preview", TYPES)
        await request.respond(200, [*headers, (b"cache-control", CACHING)], image.content)
