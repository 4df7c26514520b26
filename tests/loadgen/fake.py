"""The least server that speaks each of the load generator's protocols, in a thread of its own."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve


class Fake:
    """`refuse` answers every command with an error; `drop` closes a connection on its first command.

    `mute` says nothing at all; `lose_every` withholds every so manyth publication from one of its subscribers.
    """

    def __init__(
        self,
        protocol: str,
        *,
        refuse: bool = False,
        drop: bool = False,
        mute: bool = False,
        lose_every: int = 0,
    ) -> None:
        self.mute = mute
        self.refuse = refuse
        self.drop = drop
        self.lose_every = lose_every
        self.withheld = 0
        self.tokens: list[str] = []
        self.published = 0
        self._members: dict[str, set[ServerConnection]] = {}
        self._lock = threading.Lock()
        self._answer: Callable[[ServerConnection, str], None] = {
            "hubbub": self._hubbub,
            "socketio": self._socketio,
            "socketio-token": self._socketio,
            "plain": self._plain,
        }[protocol]

    def handle(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            for text in connection:
                assert isinstance(text, str)
                if not self.mute:
                    self._answer(connection, text)

    def _enter(self, connection: ServerConnection, channel: str) -> None:
        with self._lock:
            self._members.setdefault(channel, set()).add(connection)

    def _publish(self, channel: str, push: str) -> None:
        with self._lock:
            self.published += 1
            members = list(self._members.get(channel, ()))
            if self.lose_every and self.published % self.lose_every == 0:
                members.pop()
                self.withheld += 1
        for member in members:
            with contextlib.suppress(ConnectionClosed):
                member.send(push)

    def _hubbub(self, connection: ServerConnection, text: str) -> None:
        command: dict[str, Any] = json.loads(text)
        kind, id = command["type"], command["id"]
        if kind == "connect":
            self.tokens.append(command["token"])
            connection.send(json.dumps({"type": "connected", "id": id}, separators=(",", ":")))
            return
        if self.drop:
            connection.close()
            return
        if self.refuse:
            connection.send('{"type":"error","id":1,"code":116,"message":"too many commands"}')
            return
        if kind == "subscribe":
            self._enter(connection, command["channel"])
        elif kind == "publish":
            push = {"type": "publication", "channel": command["channel"], "data": command["data"]}
            self._publish(command["channel"], json.dumps(push, separators=(",", ":")))
        reply = {"subscribe": "subscribed", "publish": "published"}[kind]
        connection.send(json.dumps({"type": reply, "id": id}, separators=(",", ":")))

    def _socketio(self, connection: ServerConnection, text: str) -> None:
        if text.startswith("40"):
            self.tokens.append(text[2:])
            connection.send("2")  # a ping at once: to be answered, and not to be counted
            connection.send('40{"sid":"x"}')
            return
        if text == "3":
            return
        id, _, rest = text.removeprefix("42").partition("[")
        event, *arguments = json.loads("[" + rest)
        if event == "subscribe":
            self._enter(connection, arguments[0])
        elif event == "publish":
            push = json.dumps(["message", arguments[1]], separators=(",", ":"))
            self._publish(arguments[0], f"42{push}")
        connection.send(f"43{id}[]")

    def _plain(self, connection: ServerConnection, text: str) -> None:
        command: dict[str, Any] = json.loads(text)
        if command["type"] == "subscribe":
            self._enter(connection, command["channel"])
        elif command["type"] == "publish":
            push = {"type": "publication", "data": command["data"]}
            self._publish(command["channel"], json.dumps(push, separators=(",", ":")))
        connection.send(f'{{"type":"ok","id":{command["id"]}}}')


@contextlib.contextmanager
def running(fake: Fake) -> Iterator[str]:
    """The address of `fake`, which serves for as long as the block lasts."""
    with serve(
        fake.handle,
        "127.0.0.1",
        0,
        compression=None,
        select_subprotocol=lambda connection, offered: offered[0] if offered else None,
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()
