"""Plays scenarios with python-socketio's synchronous Client, as run.js does with the JavaScript one.

It is a program of its own as the client leaves sockets to the garbage collector. Usage: URL TRANSPORT.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import socketio  # type: ignore[import-untyped]

PATIENCE = 15.0
TRANSPORTS = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}
BYTES = bytes(range(256))
MANY = list(range(1, 1001))


class Heard:
    """What a handler of `event` has heard, one argument as itself, and a way to wait for it."""

    def __init__(self, client: Any, event: str, namespace: str = "/") -> None:
        self._values: list[Any] = []
        self._changed = threading.Condition()
        client.on(event, self._hear, namespace=namespace)

    def _hear(self, *values: Any) -> None:
        with self._changed:
            self._values.append(values[0] if len(values) == 1 else values)
            self._changed.notify_all()

    def wait(self, count: int = 1) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._values) >= count, PATIENCE), self._values
        return self._values


def control(ask: str) -> Any:
    print(json.dumps({"ask": ask, "value": None}), flush=True)
    return json.loads(sys.stdin.readline())


def opened(url: str, transport: str, **options: Any) -> Any:
    client = socketio.Client(handle_sigint=False, reconnection_delay=0.05, randomization_factor=0)
    client.connect(url, transports=TRANSPORTS[transport], wait_timeout=PATIENCE, **options)
    return client


def talks(url: str, transport: str) -> None:
    client = opened(url, transport, auth={"key": "kéy"}, namespaces=["/", "/chat"])
    assert client.transport() == ("polling" if transport == "polling" else "websocket")
    assert client.call("who", timeout=PATIENCE)["auth"] == {"key": "kéy"}
    assert client.call("who", namespace="/chat", timeout=PATIENCE)["namespace"] == "/chat"
    for value in (0, "ünï 🙂", None, {"a": [1, {"b": BYTES}]}, BYTES):
        assert client.call("echo", (value,), timeout=PATIENCE) == value
    client.disconnect()


def answers_the_server(url: str, transport: str) -> None:
    client = opened(url, transport)
    client.on("question", lambda value: {"got": value})
    answer = client.call("ask", (None, "question", BYTES, 10_000), timeout=PATIENCE)
    assert answer == {"answer": {"got": BYTES}}
    client.disconnect()


def hears_its_room(url: str, transport: str) -> None:
    client = opened(url, transport)
    client.call("join", "room", timeout=PATIENCE)
    word = Heard(client, "word")
    client.call("say", (["room"], [], "word", "hello", 2), timeout=PATIENCE)
    assert word.wait() == [("hello", 2)]
    client.disconnect()


def is_sent_away(url: str, transport: str) -> None:
    client = opened(url, transport)
    gone = Heard(client, "disconnect")
    client.emit("kick")
    assert gone.wait() == [client.reason.SERVER_DISCONNECT]


def is_refused(url: str, transport: str) -> None:
    client = socketio.Client(handle_sigint=False, reconnection=False)
    told = Heard(client, "connect_error")
    try:
        client.connect(url, transports=TRANSPORTS[transport], auth={"refuse": {"code": 17}})
    except socketio.exceptions.ConnectionError:
        assert told.wait() == [{"message": "refused", "data": {"code": 17}}]
    else:
        raise AssertionError("it was let in")


def takes_a_burst(url: str, transport: str) -> None:
    client = opened(url, transport)
    ticks = Heard(client, "tick")
    client.call("burst", (1, len(MANY)), timeout=PATIENCE)
    assert sorted(ticks.wait(len(MANY))) == MANY  # each handler has a thread of its own
    client.disconnect()


def sends_a_burst(url: str, transport: str) -> None:
    client = opened(url, transport)
    for number in MANY:
        client.emit("number", number)
    assert client.call("numbers", timeout=PATIENCE) == MANY
    client.disconnect()


def talks_on_after_the_network_broke(url: str, transport: str) -> None:
    """By another connection, or in "polling" by the next poll, if none was under way."""
    client = opened(url, transport)
    control("reset")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            assert client.call("echo", "back", timeout=1) == "back"
            break
        except socketio.exceptions.SocketIOError:  # not connected, or what was sent is lost
            assert time.monotonic() < deadline
            time.sleep(0.01)
    client.disconnect()


SCENARIOS: tuple[Callable[[str, str], None], ...] = (
    talks,
    answers_the_server,
    hears_its_room,
    is_sent_away,
    is_refused,
    takes_a_burst,
    sends_a_burst,
    talks_on_after_the_network_broke,
)


def main() -> None:
    url, transport, *skipped = sys.argv[1:]
    for scenario in SCENARIOS:
        if scenario.__name__ in skipped:
            continue
        began = time.perf_counter()
        done: dict[str, Any] = {"scenario": scenario.__name__}
        try:
            scenario(url, transport)
            done["result"] = None
        except Exception:
            done["error"] = traceback.format_exc()
        done["milliseconds"] = round((time.perf_counter() - began) * 1000)
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
