"""The State port: what nodes share beside channels. Small values, each with an end; who the nodes are."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from hubbub.engines.base import Condition

KEY_CHARACTERS = 512
VALUE_BYTES = 64 * 1024
OWED = 8
"""How often a token bucket may have been spent beyond what was in it."""


def check(key: str, value: bytes = b"") -> None:
    """Raises ValueError for what no State keeps."""
    key.encode()  # there are texts that have no UTF-8
    if not 0 < len(key) <= KEY_CHARACTERS:
        raise ValueError(f"keys have 1 to {KEY_CHARACTERS} characters, not {len(key)}")
    if len(value) > VALUE_BYTES:
        raise ValueError(f"values have at most {VALUE_BYTES} bytes, not {len(value)}")


def debit(rate: float, burst: int, count: int) -> tuple[float, float]:
    """By how many seconds `count` put off the moment at which a token bucket is full again, and how far off it can be
    at the most."""
    return count / rate, (1 + OWED) * max(burst, 1) / rate


class NodeInfo(Struct, frozen=True, omit_defaults=True):
    """A node as it tells of itself with each sign of life. `address` is the `host:port` at which other nodes reach it
    (empty: not at all); `started` is Unix seconds; `level` is its load; `weight` its share of new connections."""

    id: str
    name: str = ""
    address: str = ""
    version: str = ""
    started: float = 0.0
    sessions: int = 0
    connections: int = 0
    level: str = "normal"
    load: float = 0.0
    weight: float = 1.0
    draining: bool = False


class State(Protocol):
    """See `hubbub.testing.contracts.StateContract` for the promises in executable form.

    Whatever talks to others raises HubbubError BROKER_UNAVAILABLE when they do not answer, and ValueError for a key of
    none or more than 512 characters or a value of more than 64 KiB: mind keys that clients choose. Ttls are seconds,
    and positive.
    """

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def beat(self, node: NodeInfo, ttl: float) -> bool:
        """This node lives, for `ttl` seconds more. False if its lease had run out since the last time: the others may
        have held it dead, and what stood on the lease is gone."""

    async def retire(self, node: str) -> None:
        """The node ends now; so does what stands on its lease."""

    async def nodes(self) -> list[NodeInfo]:
        """Those alive, in the order of their ids."""

    async def put(self, key: str, value: bytes, ttl: float, *, fresh: bool = False) -> bool:
        """Keep `value`; with `fresh` only if there is none. Whether it was kept."""

    async def get(self, key: str) -> bytes | None: ...

    async def take(self, key: str) -> bytes | None:
        """The value, which is gone then: of many who ask at once one gets it."""

    async def swap(self, key: str, old: bytes | None, new: bytes, ttl: float) -> bool:
        """Keep `new` if the value is `old` (None: if there is none). Whether it was."""

    async def delete(self, key: str) -> bool: ...

    async def spend(self, key: str, rate: float, burst: int) -> float:
        """Take one from the token bucket `key`, shared by all nodes (`hub.limits.Rate`, by the store's clock). 0.0 if
        it was there, else the seconds to wait, and nothing is taken."""

    async def charge(self, key: str, rate: float, burst: int, count: int) -> float:
        """Take `count`, which have been spent already, from the token bucket `key`, whether they are there or not: it
        may owe as many as `OWED` bursts. The seconds until it is full again; 0.0 without a rate."""

    @property
    def condition(self) -> Condition: ...
