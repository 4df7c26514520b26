from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import resource
import socket
import struct
import termios
from collections.abc import AsyncIterator

import pytest
from tests.waiting import until

from hubbub.transports.kernel import UNSENT, plain_descriptor, reset, sent, tune, use_all_descriptors

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the kernel does not tell"),
]


@contextlib.asynccontextmanager
async def pair() -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    """A transport, and a socket at its other end that reads when told to."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(listener.getsockname())
        accepted, _ = listener.accept()
    transport, _ = await loop.create_connection(asyncio.Protocol, sock=accepted)
    try:
        yield transport, peer
    finally:
        transport.abort()
        peer.close()
        await asyncio.sleep(0)


def unread(peer: socket.socket) -> int:
    """How many bytes lie in the kernel for `peer` to read."""
    size: int = struct.unpack("i", fcntl.ioctl(peer, termios.FIONREAD, bytes(4)))[0]
    return size


async def test_tunes_a_tcp_socket() -> None:
    async with pair() as (transport, _):
        tune(transport, 2.5)
        raw = transport.get_extra_info("socket")
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 2500
        assert raw.getsockopt(socket.IPPROTO_TCP, 25) == UNSENT  # TCP_NOTSENT_LOWAT


async def test_tells_what_the_peer_has_and_what_is_on_its_way() -> None:
    async with pair() as (transport, peer):
        transport.write(b"x" * 1000)
        await until(lambda: sent(transport)[1] == 0)
        start = sent(transport)[0]
        transport.write(b"x" * 500_000)
        acknowledged, waiting = sent(transport)
        assert 0 < waiting <= 500_000
        assert acknowledged - start + waiting == 500_000
        await until(lambda: 1000 < unread(peer) == 1000 + sent(transport)[0] - start)
        assert unread(peer) < 500_000  # the peer reads nothing, so most of it cannot leave
        received = 0
        peer.setblocking(False)
        while received < 501_000:
            received += len(await asyncio.get_running_loop().sock_recv(peer, 65_536))
        await until(lambda: sent(transport) == (start + 500_000, 0))


async def test_sockets_other_than_tcp_are_left_alone() -> None:
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    tune(transport, 1.0)
    assert sent(transport) == (0, 0)
    transport.abort()
    theirs.close()
    await asyncio.sleep(0)


async def test_a_reset_leaves_nothing_to_the_kernel() -> None:
    async with pair() as (transport, peer):
        transport.write(b"x" * 500_000)
        reset(transport)
        await asyncio.sleep(0)
        with pytest.raises(ConnectionResetError):
            b"".join(iter(lambda: peer.recv(65_536), b""))


async def test_a_plain_socket_may_be_written_to_directly() -> None:
    async with pair() as (transport, peer):
        os.write(plain_descriptor(transport), b"hello")
        assert await asyncio.to_thread(peer.recv, 5) == b"hello"


def test_a_socket_under_tls_may_not() -> None:
    class Encrypted(asyncio.BaseTransport):
        def get_extra_info(self, name: str, default: object = None) -> object:
            return object() if name == "sslcontext" else socket.socket

    assert plain_descriptor(Encrypted()) == -1


def test_all_descriptors_are_used() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1] - 1, limits[1]))
    use_all_descriptors()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (limits[1], limits[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
