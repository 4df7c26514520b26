"""Opening many clients of one server, some at a time: what those on WebSockets and those that poll have in common."""

from __future__ import annotations

import select
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from hubbub.loadgen.adapters import Adapter
from hubbub.loadgen.dial import Address
from hubbub.loadgen.errors import BenchError

Client = TypeVar("Client")


class Crowd(ABC, Generic[Client]):
    """The clients of one server, on one epoll. A context manager; leaving it closes them all.

    `path` is appended to that of `url`; `tokens` gives a fresh token per client. A subclass says how a client is begun,
    how those that are opening are taken further, and how all are closed.
    """

    def __init__(self, url: str, adapter: Adapter, path: str, tokens: Iterator[str]) -> None:
        self.adapter = adapter
        self._address = Address(url)
        self._path = self._address.path + path
        self._tokens = tokens
        self._poll = select.epoll()
        self._opened = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_all()
        self._poll.close()

    def open(
        self,
        count: int,
        *,
        window: int = 64,
        progress: Callable[[int], object] = lambda done: None,
        timeout: float = 30.0,
    ) -> list[Client]:
        """Open `count` clients, `window` at a time, up to the server's `connected`.

        Raises BenchError when one is refused or none gets on within `timeout` seconds.
        """
        clients: list[Client] = []
        done = 0
        while done < count:
            while len(clients) < count and len(clients) - done < window:
                clients.append(self._begin(self._opened, next(self._tokens)))
                self._opened += 1
            connected = self._get_on(timeout)
            if connected is None:
                raise BenchError(f"no client got on for {timeout:g} s ({done} of {count} are open)")
            done += connected
            progress(done)
        return clients

    @abstractmethod
    def _begin(self, index: int, token: str) -> Client:
        """Begin to connect, and do not wait for it."""

    @abstractmethod
    def _get_on(self, timeout: float) -> int | None:
        """How many have been connected by what came; None when nothing at all did within `timeout` seconds."""

    @abstractmethod
    def _close_all(self) -> None:
        """Close what was begun, connected or not."""
