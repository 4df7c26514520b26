from __future__ import annotations

import gzip
import tracemalloc

import pytest

from hubbub.egress.response import HEADERS, Response
from hubbub.errors import ErrorCode, HubbubError

TYPES = ("text/html",)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; a=b; charset='Utf-8'\r\n"
PACKED = gzip.compress(b"hello")
ANSWERS = {
    "with a length": HEAD + b"Content-Length: 5\r\n\r\nhello",
    "in chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: x\r\n\r\n",
    "to the end": HEAD + b"\r\nhello",
    "packed": HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED) + PACKED,
    "after another": b"HTTP/1.1 103 Early Hints\r\nContent-Type: x\r\n\r\n"
    + HEAD
    + b"Content-Length: 5\r\n\r\nhello",
    "of HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + b"\r\nhello",
}


def fed(data: bytes, size: int = 1, most: int = 100) -> Response:
    response = Response(TYPES, most)
    for begin in range(0, len(data), size):
        if not response.done:
            response.feed(data[begin : begin + size])
    if not response.done:
        response.end()
    return response


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_in_pieces_of_any_size(name: str) -> None:
    data = ANSWERS[name]
    for size in range(1, len(data) + 1):
        response = fed(data, size)
        assert (response.status, bytes(response.body), response.cut) == (200, b"hello", False)
        assert response.type == ("text/html", "utf-8")


def test_cut_at_the_limit_in_pieces_of_any_size() -> None:
    for data in ANSWERS.values():
        for size in range(1, len(data) + 1):
            response = fed(data, size, most=3)
            assert (bytes(response.body), response.cut) == (b"hel", True)


@pytest.mark.parametrize(("count", "refused"), [(HEADERS - 1, False), (HEADERS, True)])
def test_how_many_headers(count: int, refused: bool) -> None:
    data = HEAD + b"a: b\r\n" * count + b"\r\n"
    if not refused:
        assert fed(data, 64).status == 200
        return
    with pytest.raises(HubbubError) as failure:
        fed(data, 64)
    assert failure.value.code == ErrorCode.EGRESS_REFUSED


def test_a_bomb_takes_no_room() -> None:
    bomb = gzip.compress(bytes(50_000_000), 9)
    tracemalloc.start()
    response = fed(HEAD + b"Content-Encoding: gzip\r\n\r\n" + bomb, 65_536, most=1_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(response.body), response.cut) == (1_000, True)
    assert peak < 2_000_000


def test_nothing_is_read_behind_a_redirect() -> None:
    response = Response(TYPES, 100)
    response.feed(b"HTTP/1.1 302 Found\r\nLocation: /a\r\nlocation: /b\r\nContent-Length: 5\r\n\r\nhello")
    assert response.done
    assert (response.status, response.header("location"), response.body) == (302, "/a", bytearray())
