"""Many client connections on one epoll: open, ask, receive. No asyncio: a task per connection would be the bottleneck.

Times are of `time.perf_counter`, in seconds.
"""

from __future__ import annotations

import base64
import os
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from hubbub.loadgen.adapters import Adapter, Kind
from hubbub.loadgen.crowd import Crowd
from hubbub.loadgen.dial import hang_up, send
from hubbub.loadgen.errors import BenchError
from hubbub.loadgen.frames import CLOSE, PING, PONG, TEXT, FrameReader, masked

CONNECTING, UPGRADING, GREETING, READY, GONE = range(5)
READ_BYTES = 262_144


class Link:
    """One connection. `began` and `ready` are when it was opened and when the server called it connected."""

    __slots__ = ("began", "fd", "index", "reader", "ready", "sent", "sock", "stage", "token")

    def __init__(self, sock: socket.socket, index: int, token: str) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.index = index
        self.token = token
        self.reader = FrameReader()
        self.stage = CONNECTING
        self.began = time.perf_counter()
        self.ready = 0.0
        self.sent: list[float] = []  # when the commands were sent that are not yet answered, oldest first

    def send(self, data: bytes) -> None:
        """Send one or more whole frames, waiting for a server that is behind. Raises BenchError when it has stopped
        reading."""
        try:
            send(self.sock, data)
        except OSError as error:
            raise BenchError(f"connection {self.index}: cannot send ({error.strerror})") from error


class Pool(Crowd[Link]):
    """The connections to one server. `lost` holds the links that the server has ended."""

    def __init__(self, url: str, adapter: Adapter, tokens: Iterator[str]) -> None:
        super().__init__(url, adapter, adapter.path, tokens)
        self.links: dict[int, Link] = {}
        self.lost: list[Link] = []

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """The (descriptor, events) that are ready, after `timeout` seconds at the most."""
        return self._poll.poll(timeout)

    def ignore(self, link: Link) -> None:
        """Stop reading from a connection, and keep it."""
        self._poll.unregister(link.fd)

    def close(self, links: Iterable[Link]) -> None:
        """Close connections from this side, at once."""
        for link in links:
            if self.links.pop(link.fd, None) is not None:
                hang_up(link.sock)
                link.stage = GONE

    def _close_all(self) -> None:
        self.close(list(self.links.values()))

    # --- opening ----------------------------------------------------------------------------------------------

    def _get_on(self, timeout: float) -> int | None:
        events = self.poll(timeout)
        connected = 0
        for fd, _ in events:
            link = self.links[fd]
            if link.stage != READY:
                connected += self._advance(link)
            else:
                self.receive(link)
        self._refuse_losses()
        return connected if events else None

    def _begin(self, index: int, token: str) -> Link:
        link = Link(self._address.dial(), index, token)
        self.links[link.fd] = link
        self._poll.register(link.fd, select.EPOLLOUT)
        return link

    def _advance(self, link: Link) -> bool:
        """Take the next step of an opening connection; whether it was the last one."""
        if link.stage == CONNECTING:
            self._address.check(link.sock)
            link.send(self._request())
            link.stage = UPGRADING
            self._poll.modify(link.fd, select.EPOLLIN)
            return False
        if link.stage == UPGRADING:
            return self._upgraded(link)
        return self._greeted(link, self.receive(link))

    def _request(self) -> bytes:
        key = base64.b64encode(os.urandom(16)).decode()
        protocol = (
            f"Sec-WebSocket-Protocol: {self.adapter.subprotocol}\r\n" if self.adapter.subprotocol else ""
        )
        return (
            f"GET {self._path} HTTP/1.1\r\nHost: {self._address.authority}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{protocol}\r\n"
        ).encode()

    def _upgraded(self, link: Link) -> bool:
        head, end, rest = self._read(link).partition(b"\r\n\r\n")
        if not end or not head.startswith(b"HTTP/1.1 101"):
            status = head.split(b"\r\n", 1)[0].decode(errors="replace") or "the connection was closed"
            raise BenchError(f"the server refused connection {link.index}: {status}")
        hello = self.adapter.connect(link.token)
        if hello is None:
            link.stage, link.ready = READY, time.perf_counter()
            return True
        link.send(masked(hello))
        link.stage = GREETING
        return bool(rest) and self._greeted(link, self._payloads(link, rest))

    def _greeted(self, link: Link, payloads: Sequence[bytes]) -> bool:
        for payload in payloads:
            if self.adapter.kind(payload) is Kind.CONNECTED:
                link.stage, link.ready = READY, time.perf_counter()
                return True
        return False

    # --- talking ----------------------------------------------------------------------------------------------

    def ask(
        self,
        links: Sequence[Link],
        command: Callable[[Link], bytes],
        *,
        window: int = 256,
        timeout: float = 30.0,
    ) -> None:
        """Send each link its `command` and wait for all replies, `window` at a time."""
        asked = answered = 0
        while answered < len(links):
            while asked < len(links) and asked - answered < window:
                links[asked].send(masked(command(links[asked])))
                asked += 1
            events = self.poll(timeout)
            if not events:
                raise BenchError(
                    f"no reply for {timeout:g} s ({answered} of {len(links)} commands are answered)"
                )
            for fd, _ in events:
                for payload in self.receive(self.links[fd]):
                    answered += self.adapter.kind(payload) is Kind.REPLY
            self._refuse_losses()

    def receive(self, link: Link) -> list[bytes]:
        """The messages that have come; heartbeats are answered. Raises BenchError when the server says an error."""
        data = self._read(link)
        return self._payloads(link, data) if data else []

    def _payloads(self, link: Link, data: bytes) -> list[bytes]:
        payloads: list[bytes] = []
        for opcode, payload in link.reader.feed(data):
            if opcode == PING:
                link.send(masked(payload, PONG))
            elif opcode == CLOSE:
                self._lose(link)
            elif opcode == TEXT:
                for part in payload.split(b"\n"):
                    kind = self.adapter.kind(part)
                    if kind is Kind.ERROR:
                        raise BenchError(f"connection {link.index}: the server says {part[:300].decode()}")
                    if kind is Kind.PING:
                        link.send(self.adapter.alive)
                    else:
                        payloads.append(part)
        return payloads

    def _read(self, link: Link) -> bytes:
        try:
            data = link.sock.recv(READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._lose(link)
        return data

    def _lose(self, link: Link) -> None:
        if self.links.pop(link.fd, None) is not None:
            link.stage = GONE
            link.sock.close()
            self.lost.append(link)

    def _refuse_losses(self) -> None:
        if self.lost:
            raise BenchError(f"the server closed {len(self.lost)} connections while they were being set up")
