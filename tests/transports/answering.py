"""A direct endpoint that does as the request's query says, and remembers what it was told."""

from __future__ import annotations

from hubbub.transports.direct import Answer, Lines, Request

PATH = "/direct/"
LIMIT = 1000
PLAIN = Answer(200, (b"Content-Type", b"text/plain"))
LARGE = Answer(413)


class Answering:
    """`?at=once` is answered at once, `later` by `answer`, `aborted` by nothing, `fault` by a fault of ours; any other
    request is answered with its body when that is whole."""

    body_bytes = LIMIT

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.waiting: list[Request] = []
        self.lost_requests: list[Request] = []
        self.size = 0

    def begin(self, request: Request) -> None:
        query = request.query.decode()
        self.begun.append(f"{request.method} {query}".strip())
        request.extra = Lines((b"X-Extra", b"1"))
        if query.startswith("at=once"):
            request.respond(PLAIN, query.encode())
        elif query == "at=aborted":
            request.abort()
        elif query == "at=fault":
            raise ValueError("a fault of ours")
        elif query.startswith("size="):
            request.respond(PLAIN, b"x" * int(query[5:]))
        else:
            request.reader = self
            self.waiting.append(request)

    def answer(self, body: bytes) -> None:
        """Answer the first request that waits."""
        self.waiting.pop(0).respond(PLAIN, body)

    def read(self, request: Request, body: bytes) -> None:
        if request.query == b"at=later":
            return
        if request.query == b"at=reading":
            raise ValueError("a fault of ours")
        self.waiting.remove(request)
        request.respond(PLAIN, body)

    def oversized(self, request: Request) -> None:
        self.waiting.remove(request)
        request.respond(LARGE)

    def lost(self, request: Request) -> None:
        self.waiting.remove(request)
        self.lost_requests.append(request)

    async def stop(self) -> None:
        for request in self.waiting:
            request.respond(PLAIN, b"stopped")
        self.waiting.clear()


def http(method: str, query: str, body: bytes | None = None, version: str = "1.1", **headers: str) -> bytes:
    lines = [f"{method} {PATH}?{query} HTTP/{version}", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


def chunked(method: str, query: str, *chunks: bytes) -> bytes:
    head = http(method, query, Transfer_Encoding="chunked")
    return head + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
