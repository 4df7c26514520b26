"""The pool of long-polling clients: opening, posting, hearing, and what servers do to kept-alive connections."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.loadgen.fake_polling import Polling, polling

from hubbub.loadgen import BenchError
from hubbub.loadgen.adapters import ADAPTERS, Kind
from hubbub.loadgen.polling import Poller, PollPool

TOKENS = itertools.repeat("token")


def pool(url: str, protocol: str = "socketio", tokens: Iterator[str] = TOKENS) -> PollPool:
    return PollPool(url, ADAPTERS[protocol](), tokens)


def subscribe(client: Poller) -> bytes:
    return b'422["subscribe","c"]'


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("window", [1, 3, 100])
def test_all_clients_get_on_whatever_the_window(window: int, chunked: bool) -> None:
    fake = Polling(chunked=chunked)
    with polling(fake) as url, pool(url) as clients:
        assert [client.index for client in clients.open(7, window=window)] == list(range(7))
    assert len(fake.sessions) == 7


def test_every_client_presents_the_next_token() -> None:
    fake = Polling()
    with polling(fake) as url, pool(url, "socketio-token", map(str, itertools.count())) as clients:
        clients.open(3)
    assert sorted(fake.tokens) == [f'{{"token":"{n}"}}' for n in range(3)]


def test_ask_waits_for_every_reply_and_pushes_are_heard() -> None:
    fake = Polling()
    with polling(fake) as url, pool(url) as clients:
        members = clients.open(5)
        clients.ask(members, subscribe)
        clients.post(members[0], b'423["publish","c","hello"]')
        heard: list[tuple[int, bytes]] = []
        while len(heard) < 5:
            came = clients.hear(5)
            assert came is not None
            heard += [(client.index, packet) for client, packet in came if packet.startswith(b"42")]
        assert sorted(heard) == [(n, b'42["message","hello"]') for n in range(5)]


def test_pings_are_answered() -> None:
    fake = Polling()
    with polling(fake) as url, pool(url) as clients:
        clients.ask(clients.open(3), subscribe)
        assert all("3" in ",".join(session.posted) for session in fake.sessions.values())


def test_what_is_posted_meanwhile_goes_together_with_the_next_post() -> None:
    fake = Polling()
    with polling(fake) as url, pool(url) as clients:
        [client] = clients.open(1)
        for n in range(20):
            clients.post(client, b'42%d["echo",1]' % n)
        replies: list[bytes] = []
        while len(replies) < 20:
            came = clients.hear(5)
            assert came is not None
            replies += [packet for _, packet in came if clients.adapter.kind(packet) is Kind.REPLY]
    assert replies == [b"43%d[]" % n for n in range(20)]
    [session] = fake.sessions.values()
    assert "\x1e".join(session.posted[-18:]).count("echo") >= 18
    assert fake.posts < 20


def test_a_connection_that_the_server_has_closed_is_dialled_again() -> None:
    fake = Polling(hang_up=True)
    with polling(fake) as url, pool(url) as clients:
        members = clients.open(3)
        for _ in range(4):
            clients.ask(members, subscribe)
    assert fake.posts >= 15


def test_what_was_asked_of_a_connection_while_it_closed_is_asked_anew() -> None:
    fake = Polling(reset=True)
    with polling(fake) as url, pool(url) as clients:
        [client] = clients.open(1)
        for _ in range(4):
            clients.ask([client], subscribe)
    [session] = fake.sessions.values()
    assert ",".join(session.posted).count("subscribe") == 4


def test_a_refusal_is_told_by_its_status_and_body() -> None:
    with (
        polling(Polling(refuse=True)) as url,
        pool(url) as clients,
        pytest.raises(BenchError, match=r"400 .*Bad request"),
    ):
        clients.open(1)


def test_a_server_that_hangs_up_unanswered_is_not_asked_again() -> None:
    fake = Polling(drop_from=0)
    with (
        polling(fake) as url,
        pool(url) as clients,
        pytest.raises(BenchError, match="closed instead of an answer"),
    ):
        clients.open(1)
    assert fake.posts == 1


def test_a_server_that_hangs_up_twice_is_not_asked_a_third_time() -> None:
    fake = Polling(drop_from=2)
    with polling(fake) as url, pool(url) as clients:
        members = clients.open(1)
        with pytest.raises(BenchError, match="closed instead of an answer"):
            clients.ask(members, subscribe)
    assert fake.posts == 2 + 2


def test_what_the_server_says_against_it_ends_the_run() -> None:
    fake = Polling()
    with polling(fake) as url, pool(url) as clients:
        members = clients.open(1)
        [session] = fake.sessions.values()
        session.waiting.put('44{"message":"no"}')
        with pytest.raises(BenchError, match=r'client 0: the server says 44{"message":"no"}'):
            clients.ask(members, lambda client: b"3")


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        with pool(url) as clients, pytest.raises(BenchError, match=r"0 of 2 are open"):
            clients.open(2, timeout=0.05)


def test_no_reply_is_said() -> None:
    with polling(Polling()) as url, pool(url) as clients:
        members = clients.open(2)
        with pytest.raises(BenchError, match="0 of 2 commands"):
            clients.ask(members, lambda client: b"3", timeout=0.2)


def test_an_answer_to_nothing_is_refused() -> None:
    """Node closes a connection that is too slow with a 408 that nobody asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        with pool(url) as clients, pytest.raises(BenchError, match="the server answers 408"):
            clients.open(1)
        thread.join()


def test_no_server_is_said_plainly() -> None:
    with pool("ws://127.0.0.1:1") as clients, pytest.raises(BenchError, match="is the server running"):
        clients.open(1)


@pytest.mark.parametrize("protocol", ["hubbub", "plain"])
def test_only_socketio_polls(protocol: str) -> None:
    with pytest.raises(BenchError, match="--protocol socketio"):
        pool("ws://127.0.0.1:1", protocol)
