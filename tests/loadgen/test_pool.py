"""The pool: opening, asking, receiving, and every way in which a server can fail to be one."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.loadgen.fake import Fake, running

from hubbub.loadgen import BenchError
from hubbub.loadgen.adapters import ADAPTERS
from hubbub.loadgen.pool import GONE, READY, Pool

TOKENS = itertools.repeat("token")


def pool(url: str, protocol: str = "hubbub", tokens: Iterator[str] = TOKENS) -> Pool:
    return Pool(url, ADAPTERS[protocol](), tokens)


@pytest.mark.parametrize("protocol", ADAPTERS)
@pytest.mark.parametrize("window", [1, 3, 100])
def test_all_connections_get_on_whatever_the_window(protocol: str, window: int) -> None:
    with running(Fake(protocol)) as url, pool(url, protocol) as connections:
        links = connections.open(7, window=window)
        assert [link.index for link in links] == list(range(7))
        assert all(link.stage == READY and link.began < link.ready for link in links)
        assert set(connections.links.values()) == set(links)


def test_every_connection_presents_the_next_token() -> None:
    fake = Fake("hubbub")
    with running(fake) as url, pool(url, tokens=map(str, itertools.count())) as connections:
        connections.open(5)
    assert sorted(fake.tokens) == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("protocol", ADAPTERS)
def test_ask_waits_for_every_reply(protocol: str) -> None:
    fake = Fake(protocol)
    with running(fake) as url, pool(url, protocol) as connections:
        links = connections.open(9)
        connections.ask(links, lambda link: connections.adapter.publish(5, "c", b"1"), window=2)
        assert fake.published == 9


def test_a_closed_connection_is_forgotten_and_not_lost() -> None:
    with running(Fake("plain")) as url, pool(url, "plain") as connections:
        first, second = connections.open(2)
        connections.close([first, first])
        assert list(connections.links.values()) == [second]
        assert first.stage == GONE
        assert connections.lost == []


def test_an_ignored_connection_is_kept_unread() -> None:
    with running(Fake("plain")) as url, pool(url, "plain") as connections:
        [link] = connections.open(1)
        connections.ignore(link)
        link.send(b"\x81\x80\x00\x00\x00\x00")
        assert connections.poll(0.0) == []
        assert link.fd in connections.links


def test_a_refusal_is_told_in_the_servers_words() -> None:
    with (
        running(Fake("hubbub", refuse=True)) as url,
        pool(url) as connections,
        pytest.raises(BenchError, match="too many commands"),
    ):
        connections.ask(connections.open(1), lambda link: connections.adapter.subscribe(2, "c"))


def test_a_connection_that_the_server_closes_ends_the_set_up() -> None:
    with (
        running(Fake("hubbub", drop=True)) as url,
        pool(url) as connections,
        pytest.raises(BenchError, match="closed 1 connections"),
    ):
        connections.ask(connections.open(1), lambda link: connections.adapter.subscribe(2, "c"))


def test_a_server_that_never_answers_is_given_up() -> None:
    with (
        running(Fake("hubbub", mute=True)) as url,
        pool(url) as connections,
        pytest.raises(BenchError, match=r"0 of 1 are open"),
    ):
        connections.open(1, timeout=0.05)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 503 Service Unavailable\r\n\r\n", b""])
def test_a_refused_upgrade_is_told_by_its_status(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=refuse)
        thread.start()
        expected = "503 Service Unavailable" if answer else "the connection was closed"
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        with pool(url) as connections, pytest.raises(BenchError, match=expected):
            connections.open(1)
        thread.join()


def test_no_server_is_said_plainly() -> None:
    with pool("ws://127.0.0.1:1") as connections, pytest.raises(BenchError, match="is the server running"):
        connections.open(1)
