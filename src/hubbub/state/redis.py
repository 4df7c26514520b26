"""The state of the nodes that share a Redis. All its times are by the clock of the Redis server."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from hubbub.engines.base import Condition
from hubbub.engines.redis import Redis, Script
from hubbub.engines.resp import Part
from hubbub.state.base import NodeInfo, check, debit

FORGOTTEN = 86_400_000
"""Milliseconds after which the list of nodes is forgotten, if none lives."""

BEAT = Script.load("state", "beat")
CHARGE = Script.load("state", "charge")
NODES = Script.load("state", "nodes")
SPEND = Script.load("state", "spend")
SWAP = Script.load("state", "swap")


class RedisState:
    """Each value is a key of its own, the nodes are one hash.

    A node whose lease ends while *no* node shows life is not held dead: then it is Redis that was away.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._value = f"{redis.prefix}:st:{{"
        self._nodes = f"{redis.prefix}:nodes"
        self._beaten: set[str] = set()  # nodes of which a sign of life has arrived through here

    @property
    def condition(self) -> Condition:
        return self._redis.condition

    async def start(self) -> None:
        await self._redis.start()

    async def stop(self) -> None:
        await self._redis.stop()

    # --- nodes --------------------------------------------------------------------------------------------

    async def beat(self, node: NodeInfo, ttl: float) -> bool:
        first = int(node.id not in self._beaten)
        told = msgspec.json.encode(node)
        held = await self._redis.run(BEAT, [self._nodes], [node.id, told, _ms(ttl), first, FORGOTTEN])
        self._beaten.add(node.id)
        return bool(held)

    async def retire(self, node: str) -> None:
        self._beaten.discard(node)
        await self._redis.call("HDEL", self._nodes, node, key=self._nodes)

    async def nodes(self) -> list[NodeInfo]:
        told = await self._redis.run(NODES, [self._nodes])
        return sorted((msgspec.json.decode(each, type=NodeInfo) for each in told), key=lambda node: node.id)

    # --- values -------------------------------------------------------------------------------------------

    async def put(self, key: str, value: bytes, ttl: float, *, fresh: bool = False) -> bool:
        check(key, value)
        condition = ["NX"] if fresh else []
        return await self._call("SET", self._key(key), value, "PX", _ms(ttl), *condition) is not None

    async def get(self, key: str) -> bytes | None:
        check(key)
        value: bytes | None = await self._call("GET", self._key(key))
        return value

    async def take(self, key: str) -> bytes | None:
        check(key)
        value: bytes | None = await self._call("GETDEL", self._key(key))
        return value

    async def swap(self, key: str, old: bytes | None, new: bytes, ttl: float) -> bool:
        check(key, new)
        thought = b"" if old is None else old
        args: list[Part] = [int(old is not None), thought, new, _ms(ttl)]
        return bool(await self._redis.run(SWAP, [self._key(key)], args))

    async def delete(self, key: str) -> bool:
        check(key)
        return bool(await self._call("DEL", self._key(key)))

    async def spend(self, key: str, rate: float, burst: int) -> float:
        check(key)
        if rate <= 0:
            return 0.0
        return float(await self._redis.run(SPEND, [self._key(key) + ":rate"], [rate, burst]))

    async def charge(self, key: str, rate: float, burst: int, count: int) -> float:
        check(key)
        if rate <= 0:
            return 0.0
        return float(await self._redis.run(CHARGE, [self._key(key) + ":rate"], debit(rate, burst, count)))

    def _key(self, key: str) -> str:
        return f"{self._value}{key}}}"

    async def _call(self, command: str, key: str, *arguments: Part) -> Any:
        return await self._redis.call(command, key, *arguments, key=key)


def _ms(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
