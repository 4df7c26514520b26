"""Answers: the same whatever the server's way to delimit them, and however the bytes were split."""

from __future__ import annotations

import pytest

from hubbub.loadgen import BenchError
from hubbub.loadgen.answers import AnswerReader

BODY = b"42[1]\r\n\r\n\x1e42[2]"
NODE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 15\r\nDate: today\r\n\r\n" + BODY
TERSE = b"HTTP/1.1 400 Bad Request\r\ncontent-length:0\r\n\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\n42[1]\r\nC;why=not\r\n\r\n\r\n\x1e42[2]xy\r\n0\r\n\r\n"
)
ANSWERS = [(NODE, (200, BODY)), (TERSE, (400, b"")), (CHUNKED, (200, BODY + b"xy"))]


@pytest.mark.parametrize(("data", "answer"), ANSWERS)
def test_an_answer_is_given_once_it_is_whole(data: bytes, answer: tuple[int, bytes]) -> None:
    for cut in range(1, len(data)):
        reader = AnswerReader()
        assert reader.feed(data[:cut]) is None
        assert reader.feed(data[cut:]) == answer
        assert reader.rest == b""


@pytest.mark.parametrize(("data", "answer"), ANSWERS)
def test_an_answer_may_come_byte_by_byte(data: bytes, answer: tuple[int, bytes]) -> None:
    reader = AnswerReader()
    *parts, last = [reader.feed(data[at : at + 1]) for at in range(len(data))]
    assert set(parts) == {None}
    assert last == answer


def test_what_follows_an_answer_is_of_the_next() -> None:
    reader = AnswerReader()
    assert reader.feed(NODE + TERSE[:20]) == (200, BODY)
    assert reader.feed(TERSE[20:]) == (400, b"")


def test_an_answer_without_an_end_is_refused() -> None:
    with pytest.raises(BenchError, match="neither"):
        AnswerReader().feed(b"HTTP/1.1 200 OK\r\n\r\n42[1]")


def test_only_headers_say_how_long_the_body_is() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n\r\ncontent-length: 5\r\n"
    assert AnswerReader().feed(data[:-1]) is None
    assert AnswerReader().feed(data) == (200, data[-21:])
