"""Dialling: which addresses are taken, and how a server that is not there, or behind, is met."""

from __future__ import annotations

import select
import socket

import pytest

from hubbub.loadgen import BenchError, dial
from hubbub.loadgen.dial import Address, hang_up, send


@pytest.mark.parametrize("url", ["wss://127.0.0.1:1", "http://127.0.0.1", "127.0.0.1:8000"])
def test_only_plain_websockets_are_measured(url: str) -> None:
    with pytest.raises(BenchError, match="not a ws://"):
        Address(url)


def test_an_address_keeps_its_path_for_what_is_appended() -> None:
    address = Address("ws://127.0.0.1:8000/below/")
    assert (address.authority, address.path) == ("127.0.0.1:8000", "/below")


def test_a_server_that_is_not_there_is_said_when_the_socket_is_ready() -> None:
    address = Address("ws://127.0.0.1:1")
    sock = address.dial()
    with sock:
        assert select.select([], [sock], [], 5)[1]
        with pytest.raises(BenchError, match="is the server running"):
            address.check(sock)


def test_many_connections_use_more_than_one_source_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "PORTS_PER_ADDRESS", 2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(f"ws://127.0.0.1:{listener.getsockname()[1]}")
        sources = []
        for _ in range(5):
            with address.dial() as sock:
                sources.append(sock.getsockname()[0])
    assert sources == ["127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.3"]


def test_all_is_sent_to_a_server_that_is_behind() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        data = bytes(range(256)) * 400
        got = bytearray()

        class Impatient:
            """A poll object that reads what is stuck, as a server would in the end."""

            def register(self, sock: socket.socket, mask: int) -> None:
                assert (sock, mask) == (ours, select.POLLOUT)

            def poll(self, milliseconds: float) -> list[int]:
                got.extend(theirs.recv(1 << 20))
                return [1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(select, "poll", Impatient)
            send(ours, data)
        theirs.setblocking(False)
        while len(got) < len(data):
            got += theirs.recv(1 << 20)
        assert got == data


def test_a_server_that_has_stopped_reading_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial, "PATIENCE", 0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        with pytest.raises(TimeoutError, match="stopped reading"):
            send(ours, bytes(1 << 22))


def test_hanging_up_resets_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            hang_up(sock)
            hang_up(sock)  # a closed socket may be hung up again
            with pytest.raises(ConnectionResetError):
                accepted.recv(1)
