"""The client's side of HTTP/1.1 (RFC 9112), as much as long-polling needs and as fast as Python allows. Pure."""

from __future__ import annotations

import re

from hubbub.loadgen.errors import BenchError

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class AnswerReader:
    """Turns bytes, split anywhere, into the answers of one connection, which asks one thing at a time."""

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = b""  # of the answer that is not whole yet

    def feed(self, data: bytes) -> tuple[int, bytes] | None:
        """The (status, body) of the answer that `data` completes. Raises BenchError when it cannot be delimited."""
        if self.rest:
            data = self.rest + data
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self.rest = data
            return None
        start = end + 4
        if found := _LENGTH.search(data, 0, end):
            stop = start + int(found[1])
            body = data[start:stop]
        elif _CHUNKED.search(data, 0, end):
            body, stop = _chunks(data, start)
        else:
            raise BenchError("an answer has neither Content-Length nor chunks")
        if stop > len(data):
            self.rest = data
            return None
        self.rest = data[stop:]
        return int(data[9:12]), body


def _chunks(data: bytes, at: int) -> tuple[bytes, int]:
    """The chunked body that begins `at` (section 7.1), and where it ends: beyond `data` when there is more to come."""
    parts: list[bytes] = []
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].partition(b";")[0], 16)
        start = line + 2
        at = start + size + 2
        if not size:
            return b"".join(parts), at
        parts.append(data[start : start + size])
    return b"", len(data) + 1
