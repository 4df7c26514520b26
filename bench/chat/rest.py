"""Hubbub's server API by its REST routes, over a few kept connections."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from hubbub.loadgen import BenchError

T = TypeVar("T")
R = TypeVar("R")
CONNECTIONS = 8


class RestError(BenchError):
    """The server has refused; the message is its answer."""


class Rest:
    """`port` of `host`, with an API key. Each thread has a connection of its own; an answer takes at most `timeout`
    seconds."""

    def __init__(self, port: int, key: str, *, host: str = "127.0.0.1", timeout: float = 30.0) -> None:
        self._port = port
        self._host = host
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._local = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer. Raises RestError, and OSError or HTTPException when there is no server."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
            self._local.connection = connection
            self._opened.append(connection)
        try:
            payload = None if body is None else msgspec.json.encode(body)
            connection.request(method, f"/v1{path}", payload, self._headers)
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self._local.connection = None
            connection.close()
            raise
        if answer.status >= 300:
            raise RestError(f"{method} {path}: {answer.status} {data[:300].decode(errors='replace')}")
        return msgspec.json.decode(data) if data else None

    def many(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """`function` of each of the items, some at a time, in their order."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return list(threads.map(function, items))

    def close(self) -> None:
        """Close all connections, when nobody is calling any more."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._local = threading.local()
