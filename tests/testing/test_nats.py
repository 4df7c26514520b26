from __future__ import annotations

import socket

import pytest

from hubbub.testing.nats import NatsServer


def greeting(server: NatsServer) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        return connection.recv(5)


def test_a_server_goes_and_comes_back_where_it_was() -> None:
    with NatsServer() as server:
        port, folder = server.port, server.folder
        assert greeting(server) == b"INFO "
        server.kill()
        with pytest.raises(OSError):
            greeting(server)
        server.start()
        server.pause()
        server.resume()
        server.forget()
        assert (server.port, greeting(server)) == (port, b"INFO ")
        assert "Server is ready" in server.log()
    assert not folder.exists()


def test_a_setting_that_is_none_is_told() -> None:
    with pytest.raises(RuntimeError, match="Parse error"), NatsServer("nonsense: ["):
        pass
