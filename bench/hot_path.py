"""What the hot paths cost in Python alone: no sockets, no kernel, so that a change of a tenth can be seen.

Prints microseconds of processor time, the best of several runs, from the bytes that come in to the bytes that go out.
Native: one acknowledged publish without subscribers, and one recipient of a fan-out. Socket.IO: one event that a
handler acknowledges, one recipient of an emit, one connection; and of clients that poll one delivery (the GET's answer
and the next GET) and one event acknowledged (a POST, and the GET that brings the acknowledgement).

Usage: python -m bench.hot_path [part of a measure's name] [--profile]
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, cast

from pydantic import SecretStr

from hubbub.app import Hubbub
from hubbub.config import AuthConfig, ChatConfig, Config, LimitsConfig, NamespaceConfig
from hubbub.loadgen import Target
from hubbub.loadgen.adapters import Adapter, SocketIO
from hubbub.loadgen.adapters import Hubbub as Native
from hubbub.loadgen.frames import masked
from hubbub.socketio import Socket
from hubbub.transports.server import Listener, listen

RUNS = 7
EVENTS = 5_000
CLIENTS = 1_000
BURST = 100
"""Clients that are heard in one turn of the loop."""
DATA = b'{"t":"1234567890123456","p":"' + b"x" * 97 + b'"}'
ROOM = "bench:crowd"
HEAD = " HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: */*\r\n"


class Sink(asyncio.Transport):
    """A socket that takes everything. `last` is what it took last."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.last = b""
        self.protocol: asyncio.BaseProtocol

    def write(self, data: Any) -> None:
        self.writes += 1
        self.last = data

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 40_000) if name in ("peername", "sockname") else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        raise RuntimeError(f"the server hung up after {self.last!r}")

    abort = close

    def feed(self, data: bytes) -> None:
        cast(asyncio.Protocol, self.protocol).data_received(data)


Measure = Callable[["Rig"], Awaitable[Callable[[], Awaitable[int]]]]
"""Prepares, and gives what is to be timed, which says how many units of work it has done."""


class Rig:
    """A started Hubbub with the handlers of the benchmark, and connections to it without sockets."""

    def __init__(self, hubbub: Hubbub, listener: Listener, target: Target) -> None:
        self._listener = listener
        self._tokens = target.tokens()

    def mint(self, count: int) -> Iterator[str]:
        """So many tokens, made now."""
        return iter(list(islice(self._tokens, count)))

    def dial(self) -> Sink:
        config = self._listener.config
        protocol = cast(Any, config.http_protocol_class)(
            config=config, server_state=self._listener.server_state, app_state={}
        )
        sink = Sink()
        sink.protocol = protocol
        protocol.connection_made(sink)
        return sink

    async def websocket(self, adapter: Adapter, token: str | None = None) -> Sink:
        """A client that is connected, with a token of its own unless one is given."""
        sink = self.dial()
        subprotocol = f"Sec-WebSocket-Protocol: {adapter.subprotocol}\r\n" if adapter.subprotocol else ""
        sink.feed(
            f"GET {adapter.path}{HEAD}Upgrade: websocket\r\nConnection: Upgrade\r\n{subprotocol}"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        sink.feed(masked(adapter.connect(token or next(self._tokens)) or b""))
        await _turns()
        return sink

    async def poller(self) -> Poller:
        """A client that is connected and polls."""
        sink = self.dial()
        path = SocketIO.polling
        sink.feed(f"GET {path}{HEAD}\r\n".encode())
        await _turns()
        sid = sink.last.partition(b'"sid":"')[2].partition(b'"')[0].decode()
        poller = Poller(sink, self.dial(), f"{path}&sid={sid}{HEAD}")
        poller.post(b"40")
        poller.get()
        await _turns()
        poller.get()
        return poller


class Poller:
    """A client that polls on one connection and posts on the other."""

    def __init__(self, gets: Sink, posts: Sink, target: str) -> None:
        self.gets, self.posts = gets, posts
        self._get = f"GET {target}\r\n".encode()
        self._post = f"POST {target}Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ".encode()

    def get(self) -> None:
        self.gets.feed(self._get)

    def post(self, packet: bytes) -> None:
        self.posts.feed(b"%b%d\r\n\r\n%b" % (self._post, len(packet), packet))


async def _turns(count: int = 6) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _heard(sinks: list[Sink], before: list[int]) -> None:
    """Wait until each of `sinks` has been written to."""
    while any(sink.writes == writes for sink, writes in zip(sinks, before, strict=True)):  # noqa: ASYNC110
        await asyncio.sleep(0)


def publishing(adapter: Adapter) -> Measure:
    """Acknowledged publishes, one after the other."""

    async def prepare(rig: Rig) -> Callable[[], Awaitable[int]]:
        publisher = await rig.websocket(adapter)
        command = masked(adapter.echo(5, "bench:lonely", DATA))

        async def work() -> int:
            for _ in range(EVENTS):
                publisher.feed(command)
            await asyncio.sleep(0)
            return EVENTS

        return work

    return prepare


def acknowledging(adapter: Adapter) -> Measure:
    """Acknowledged events of many clients, some in each turn of the loop."""

    async def prepare(rig: Rig) -> Callable[[], Awaitable[int]]:
        sinks = [await rig.websocket(adapter) for _ in range(BURST)]
        command = masked(adapter.echo(5, "bench:lonely", DATA))

        async def work() -> int:
            for _ in range(EVENTS // BURST):
                before = [sink.writes for sink in sinks]
                for sink in sinks:
                    sink.feed(command)
                await _heard(sinks, before)
            return EVENTS

        return work

    return prepare


def fanning_out(adapter: Adapter) -> Measure:
    async def prepare(rig: Rig) -> Callable[[], Awaitable[int]]:
        publisher = await rig.websocket(adapter)
        crowd = [await rig.websocket(adapter) for _ in range(CLIENTS)]
        for sink in crowd:
            sink.feed(masked(adapter.subscribe(2, ROOM)))
        await _turns()
        command = masked(adapter.publish(5, ROOM, DATA))

        async def work() -> int:
            before = [crowd[-1].writes]
            publisher.feed(command)
            await _heard(crowd[-1:], before)
            return CLIENTS

        return work

    return prepare


def connecting(adapter: Adapter) -> Measure:
    async def prepare(rig: Rig) -> Callable[[], Awaitable[int]]:
        tokens = rig.mint(CLIENTS * (RUNS + 1))

        async def work() -> int:
            for token in islice(tokens, CLIENTS):
                await rig.websocket(adapter, token)
            return CLIENTS

        return work

    return prepare


async def polling(rig: Rig) -> Callable[[], Awaitable[int]]:
    crowd = [await rig.poller() for _ in range(CLIENTS // 5)]
    gets = [poller.gets for poller in crowd]
    adapter = SocketIO()
    for poller in crowd:
        poller.post(adapter.subscribe(2, ROOM))
    await _turns()
    for poller in crowd:
        poller.get()
    publisher = await rig.websocket(adapter)
    command = masked(adapter.publish(5, ROOM, DATA))

    async def work() -> int:
        for _ in range(CLIENTS // len(crowd)):
            before = [sink.writes for sink in gets]
            publisher.feed(command)
            await _heard(gets, before)
            for poller in crowd:
                poller.get()
        return CLIENTS

    return work


async def posting(rig: Rig) -> Callable[[], Awaitable[int]]:
    crowd = [await rig.poller() for _ in range(BURST)]
    gets = [poller.gets for poller in crowd]
    event = SocketIO().echo(5, ROOM, DATA)

    async def work() -> int:
        for _ in range(EVENTS // BURST):
            before = [sink.writes for sink in gets]
            for poller in crowd:
                poller.post(event)
            await _heard(gets, before)
            for poller in crowd:
                poller.get()
        return EVENTS

    return work


MEASURES: dict[str, Measure] = {
    "acknowledged publish": publishing(Native()),
    "recipient of a fan-out": fanning_out(Native()),
    "connection": connecting(Native()),
    "Socket.IO: acknowledged event": acknowledging(SocketIO()),
    "Socket.IO: recipient of an emit": fanning_out(SocketIO()),
    "Socket.IO: connection": connecting(SocketIO()),
    "Socket.IO: delivery to a poll": polling,
    "Socket.IO: posted and acknowledged": posting,
}


@asynccontextmanager
async def rig() -> AsyncIterator[Rig]:
    secret = secrets.token_hex(32)
    many = 100_000
    limits = LimitsConfig(
        connections=many,
        connections_per_ip=many,
        unauthenticated=many,
        command_rate=0,
        publish_rate=0,
        subscribe_rate=0,
    )
    config = Config(
        chat=ChatConfig(enabled=False),
        auth=AuthConfig(hmac_secret=SecretStr(secret), anonymous=True),
        limits=limits,
        namespaces={"bench": NamespaceConfig(subscribe="authenticated", publish="authenticated")},
    )
    hubbub = Hubbub(config)
    sio = hubbub.socketio

    @sio.event
    async def subscribe(socket: Socket, room: str) -> None:
        await sio.enter_room(socket, room)

    @sio.event
    async def publish(socket: Socket, room: str, data: Any) -> None:
        await sio.emit("message", data, to=room)

    @sio.event
    async def echo(socket: Socket, data: Any) -> None: ...

    await hubbub.start()
    hubbub.node.admission.capacity = many  # without descriptors there is no limit to them
    listener = Listener(hubbub.node, hubbub.asgi, sock=listen("127.0.0.1", 0, 1), tls=None)
    await listener.start()
    yield Rig(hubbub, listener, Target("", secret=secret))
    listener.stop_accepting()


async def measured(measure: Measure, profile: bool) -> float:
    """Least processor microseconds for each unit of work, flushes included."""
    async with rig() as made:
        work = await measure(made)
        found = []
        for _ in range(RUNS):
            began = time.process_time()
            units = await work()
            await asyncio.sleep(0)
            found.append((time.process_time() - began) / units * 1e6)
        if profile:
            profiler = cProfile.Profile()
            with profiler:
                await work()
            pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(30)
        return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.hot_path", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="only measures with this in their name")
    parser.add_argument("--profile", action="store_true", help="say which functions it goes to")
    chosen = parser.parse_args()
    if sys.platform == "win32":
        run = asyncio.run
    else:
        import uvloop

        run = uvloop.run
    for name, measure in MEASURES.items():
        if chosen.name.lower() in name.lower():
            print(f"{name:36} {run(measured(measure, chosen.profile)):7.3f} µs", flush=True)


if __name__ == "__main__":
    main()
