"""Sockets to one server: where it is, and how to get there without waiting."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
from urllib.parse import urlsplit

from hubbub.loadgen.errors import BenchError

PATIENCE = 5.0  # seconds for which a server may leave its input unread
PORTS_PER_ADDRESS = 10_000
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # thousands of TIME_WAIT sockets would spoil the next round


class Address:
    """The server at `url` (ws://host:port/path), and sockets to it. Raises BenchError for any other scheme."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "ws" or not parts.hostname:
            raise BenchError(f"{url!r} is not a ws:// address; measure TLS through a proxy, or without it")
        self.authority = parts.netloc
        self.path = parts.path.rstrip("/")
        self._found = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)[0]
        self._loopback = self._found[4][0] == "127.0.0.1"
        self._dialled = 0

    def dial(self) -> socket.socket:
        """A non-blocking socket that is about to be connected: `check` it when it is writable."""
        family, kind, protocol, _, address = self._found
        try:
            sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        except OSError as full:
            raise BenchError(f"cannot open more connections: {full.strerror} (see `ulimit -n`)") from full
        if self._loopback and self._dialled >= PORTS_PER_ADDRESS:
            # One source address has some 28,000 ports; on loopback there are plenty of addresses.
            sock.bind((f"127.0.0.{1 + self._dialled // PORTS_PER_ADDRESS}", 0))
        self._dialled += 1
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        refused = sock.connect_ex(address)
        if refused not in (0, errno.EINPROGRESS):
            sock.close()
            raise self._unreachable(refused)
        return sock

    def check(self, sock: socket.socket) -> None:
        """Raises BenchError when the connection did not come about."""
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise self._unreachable(error)

    def _unreachable(self, error: int) -> BenchError:
        return BenchError(f"cannot connect to {self.authority}: {os.strerror(error)}; is the server running?")


def send(sock: socket.socket, data: bytes) -> None:
    """Send all of `data`, waiting for a server that is behind. Raises OSError when the connection is gone, and
    TimeoutError when the server has stopped reading."""
    left: bytes | memoryview = data
    while True:
        try:
            sent = sock.send(left)
            if sent == len(left):
                return
            left = memoryview(left)[sent:]
        except BlockingIOError:
            room = select.poll()
            room.register(sock, select.POLLOUT)
            if not room.poll(PATIENCE * 1000):
                raise TimeoutError(errno.ETIMEDOUT, "the server has stopped reading") from None


def hang_up(sock: socket.socket) -> None:
    """Close from this side, at once."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.close()
