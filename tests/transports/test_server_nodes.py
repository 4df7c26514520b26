"""Where a server listens for other nodes, what it tells them of that, and a port that processes share."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from tests.waiting import until

from hubbub.app import Hubbub
from hubbub.config import Config, development
from hubbub.errors import ConfigError
from hubbub.testing.raw import RawClient
from hubbub.transports.server import Listener, listen, listen_for_nodes, node_address, split_address

pytestmark = pytest.mark.anyio
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


def config(**sections: Any) -> Config:
    return Config(**sections)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("10.0.0.5:9000", "10.0.0.5", 9000),
        ("node.example:0", "node.example", 0),
        ("node.example", "node.example", 0),
        ("[::1]:9000", "::1", 9000),
        ("[::1]", "::1", 0),
        ("", "", 0),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert split_address(text) == (host, port)


@pytest.mark.parametrize("text", ["a:b", "a:", "a:-1", "a:65536", "a:\u0661"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ConfigError, match="is not host:port"):
        split_address(text)


def test_processes_that_ask_for_it_share_a_port() -> None:
    with listen("127.0.0.1", 0, 8, shared=True) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port, 8, shared=True):
            pass
        with pytest.raises(OSError, match="in use"):
            listen("127.0.0.1", port, 8)


def test_nodes_have_a_socket_of_their_own_if_that_is_wanted() -> None:
    assert listen_for_nodes(config()) is None
    with listen("127.0.0.1", 0, 8) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"cluster.listen: cannot listen on 127.0.0.1:{port}"):
            listen_for_nodes(config(cluster={"listen": f"127.0.0.1:{port}"}))
    inner = listen_for_nodes(config(cluster={"listen": "127.0.0.1:0"}))
    assert inner is not None
    with inner:
        assert inner.getsockname()[1] > 0


def test_what_other_nodes_are_told() -> None:
    with listen("127.0.0.1", 0, 8) as sock, listen("127.0.0.1", 0, 8) as inner:
        outside, inside = sock.getsockname()[1], inner.getsockname()[1]
        assert node_address(config(), sock, None) == f"127.0.0.1:{outside}"
        assert node_address(config(), sock, inner) == f"127.0.0.1:{inside}"
        said = config(cluster={"address": "10.0.0.5:9000"})
        assert node_address(said, sock, inner) == "10.0.0.5:9000"
        assert node_address(config(cluster={"address": "10.0.0.5"}), sock, inner) == f"10.0.0.5:{inside}"
        assert node_address(config(cluster={"address": "[fd00::5]"}), sock, None) == f"[fd00::5]:{outside}"
        tls = {"tls_certificate": "a.pem", "tls_key": "b.pem"}
        assert node_address(config(server=tls), sock, None) == "", "nodes do not speak TLS to each other"
        assert node_address(config(server=tls), sock, inner) == f"127.0.0.1:{inside}"


def test_who_listens_everywhere_tells_an_address_that_is_somewhere() -> None:
    with listen("0.0.0.0", 0, 8) as sock:
        host, port = split_address(node_address(config(), sock, None))
        assert port == sock.getsockname()[1]
        assert host not in ("", "0.0.0.0")
        with socket.create_connection((host, port), 5):
            pass


async def test_other_nodes_come_in_until_the_end_though_no_client_does_any_more() -> None:
    app = Hubbub(development(Config(), "x" * 32))
    sock, inner = listen("127.0.0.1", 0, 8), listen("127.0.0.1", 0, 8)
    outside, inside = sock.getsockname()[1], inner.getsockname()[1]
    await app.start()
    listener = Listener(app.node, app.asgi, sock=sock, tls=None, inner=inner)
    await listener.start()
    try:
        for port in (outside, inside):
            async with await RawClient.open("127.0.0.1", port) as client:
                await client.send(LIVE)
                assert (await client.read_response()).status == 200
        listener.stop_accepting()
        with pytest.raises(OSError):
            await RawClient.open("127.0.0.1", outside)
        async with await RawClient.open("127.0.0.1", inside) as client:
            await client.send(LIVE)
            assert (await client.read_response()).status == 200
    finally:
        await app.asgi.close()
        await listener.close()
        await app.stop()
    with pytest.raises(OSError):
        await RawClient.open("127.0.0.1", inside)
    await until(lambda: app.node.admission.total == 0)
