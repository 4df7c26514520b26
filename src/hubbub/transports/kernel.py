"""What is asked of the kernel about an accepted TCP socket, and set there."""

from __future__ import annotations

import array
import asyncio
import contextlib
import fcntl
import os
import resource
import socket
import struct
import sys
import termios

UNSENT = 131_072
"""Bytes that the kernel may hold unsent for one socket. What a slow reader has waiting beyond that is ours to count,
and a ping does not queue behind megabytes."""

_NOTSENT_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if sys.platform == "linux" else None)
_USER_TIMEOUT = getattr(socket, "TCP_USER_TIMEOUT", None)
_TCP_INFO = getattr(socket, "TCP_INFO", None) if sys.platform == "linux" else None
_BYTES_ACKED = struct.Struct("=120xQ")  # tcpi_bytes_acked in linux/tcp.h, since Linux 4.1


def tune(transport: asyncio.BaseTransport, user_timeout: float) -> None:
    """Options of an accepted socket: no delay, little held unsent, and the kernel's own limit in seconds for data
    that is not acknowledged (RFC 5482). Sockets other than TCP are left as they are."""
    raw = transport.get_extra_info("socket")
    if raw is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
        return
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if _NOTSENT_LOWAT is not None:
        raw.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, UNSENT)
    if _USER_TIMEOUT is not None:
        raw.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, int(user_timeout * 1000))


def sent(transport: asyncio.WriteTransport) -> tuple[int, int]:
    """How many bytes the peer's kernel has acknowledged since the connection began, and how many are on their way:
    in the transport's buffer, in the kernel's and in the network. (0, 0) where the system does not tell."""
    raw = transport.get_extra_info("socket")
    if _TCP_INFO is None or raw is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
        return 0, 0
    try:
        info = raw.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _BYTES_ACKED.size)
        waiting = array.array("i", [0])
        fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, waiting)
    except OSError:
        return 0, 0
    if len(info) < _BYTES_ACKED.size:
        return 0, 0
    return int(_BYTES_ACKED.unpack(info)[0]), waiting[0] + transport.get_write_buffer_size()


def plain_descriptor(transport: asyncio.BaseTransport) -> int:
    """The descriptor on which the transport writes what it is given, byte for byte; -1 if TLS stands between."""
    raw = transport.get_extra_info("socket")
    if raw is None or os.name != "posix" or transport.get_extra_info("sslcontext") is not None:
        return -1
    return int(raw.fileno())


def reset(transport: asyncio.Transport) -> None:
    """Abort the connection with a RST, so that the kernel keeps none of what the peer does not read."""
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def use_all_descriptors() -> None:
    """Raise the soft limit of open files to the hard one: every connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # macOS reports a hard limit that it does not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
