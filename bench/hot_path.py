"""What the hot path costs in Python alone: no sockets, no kernel, so that a change of a tenth can be seen.

Prints microseconds of processor time, the best of several runs: for one acknowledged publish without subscribers,
from frame bytes in to reply bytes out; and for one recipient of a fan-out. Usage: python -m bench.hot_path
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice

from pydantic import SecretStr

from hubbub.app import Hubbub
from hubbub.auth.base import ConnectionInfo
from hubbub.config import AuthConfig, Config, LimitsConfig, NamespaceConfig
from hubbub.loadgen import Target
from hubbub.loadgen.adapters import Hubbub as Native
from hubbub.loadgen.frames import masked
from hubbub.transports import framing
from hubbub.transports.frames import FrameParser
from hubbub.transports.websocket import WebSocketConnection

RUNS = 7
PUBLISHES = 5_000
RECIPIENTS = 1_000
DATA = b'{"t":"1234567890123456","p":"' + b"x" * 97 + b'"}'


class Sink(asyncio.Transport):
    """A socket that takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, data: object) -> None:
        self.writes += 1

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def connected(hubbub: Hubbub, tokens: Iterator[str]) -> WebSocketConnection:
    """A connection that has said `connect`, as the transport would have made it."""
    limits, entry = hubbub.config.limits, hubbub.node.by_subprotocol["hubbub.v1.json"]
    connection = WebSocketConnection(
        hubbub.node,
        Sink(),
        entry.codec(),
        framing.websocket,
        FrameParser(limits.message_bytes, limits.fragments, None),
        ConnectionInfo("127.0.0.1", "websocket", entry.name),
        address="127.0.0.1",
        binary=False,
        deadline=hubbub.clock.monotonic() + 3600,
    )
    connection.data_received(masked(Native().connect(next(tokens)) or b""))
    return connection


async def best(work: Callable[[], int]) -> float:
    """Least processor microseconds for each unit that `work` says it did, flushes included."""
    found = []
    for _ in range(RUNS):
        began = time.process_time()
        units = work()
        await asyncio.sleep(0)
        found.append((time.process_time() - began) / units * 1e6)
    return min(found)


async def measure() -> dict[str, float]:
    secret = secrets.token_hex(32)
    config = Config(
        auth=AuthConfig(hmac_secret=SecretStr(secret)),
        limits=LimitsConfig(command_rate=0, publish_rate=0, subscribe_rate=0),
        namespaces={"bench": NamespaceConfig(subscribe="authenticated", publish="authenticated")},
    )
    hubbub, native = Hubbub(config), Native()
    await hubbub.start()
    tokens = Target("", secret=secret).tokens()
    publisher = connected(hubbub, tokens)
    lonely = masked(native.publish(5, "bench:lonely", DATA))
    crowded = masked(native.publish(5, "bench:crowd", DATA))

    def publishes() -> int:
        for _ in range(PUBLISHES):
            publisher.data_received(lonely)
        return PUBLISHES

    def fan_out() -> int:
        publisher.data_received(crowded)
        return RECIPIENTS

    figures = {"acknowledged publish": await best(publishes)}
    subscribers = list(islice(iter(lambda: connected(hubbub, tokens), None), RECIPIENTS))
    for connection in subscribers:
        connection.data_received(masked(native.subscribe(2, "bench:crowd")))
    await asyncio.sleep(0)
    figures["recipient of a fan-out"] = await best(fan_out)
    await hubbub.stop()
    return figures


def main() -> None:
    if sys.platform == "win32":
        run = asyncio.run
    else:
        import uvloop

        run = uvloop.run
    for name, microseconds in run(measure()).items():
        print(f"{name:24} {microseconds:7.3f} µs")


if __name__ == "__main__":
    main()
