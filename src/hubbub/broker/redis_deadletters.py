"""Dead letters of all nodes, in one stream of Redis."""

from __future__ import annotations

from typing import Any

import msgspec

from hubbub.broker import unawaited
from hubbub.broker.deadletters import KEPT, DeadLetter, Gate, letter
from hubbub.clock import Clock
from hubbub.engines.redis import Redis, RedisRefused
from hubbub.errors import ErrorCode, HubbubError
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.broker")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DeadLetter).decode

TTL = 30 * 86_400
"""Seconds after which all are thrown away, if there was no new one."""


class RedisDeadLetters:
    """The stream `<prefix>:dead`: the newest 1,000, each as MessagePack. Ids are the stream's; `node` is who adds."""

    def __init__(self, redis: Redis, clock: Clock, metrics: Metrics, node: str) -> None:
        self._redis = redis
        self._clock = clock
        self._gate = Gate(clock, metrics)
        self._node = node
        self._key = f"{redis.prefix}:dead"

    def add(self, channel: str, reason: str, detail: str, frame: bytes) -> None:
        if not self._gate.passes(reason):
            return
        log.error("what was heard cannot be handled", channel=channel, reason=reason)
        raw = _encode(letter("", self._clock.now(), channel, reason, detail, self._node, frame))
        unawaited.run(
            self._redis.call("XADD", self._key, "MAXLEN", "~", KEPT, "*", "letter", raw, key=self._key)
        )
        unawaited.run(self._redis.call("EXPIRE", self._key, TTL, key=self._key))

    async def page(self, before: str | None = None, limit: int = 100) -> list[DeadLetter]:
        newest = "+" if before is None else f"({before}"
        return [_letter(*each) for each in await self._ask("XREVRANGE", newest, "-", "COUNT", limit)]

    async def get(self, id: str) -> DeadLetter | None:
        found = await self._ask("XRANGE", id, id)
        return _letter(*found[0]) if found else None

    async def drop(self, id: str | None = None) -> int:
        dropped: int
        if id is not None:
            dropped = await self._ask("XDEL", id)
        else:
            dropped = await self._ask("XTRIM", "MAXLEN", 0)
        return dropped

    async def _ask(self, command: str, *arguments: str | int) -> Any:
        try:
            return await self._redis.call(command, self._key, *arguments, key=self._key)
        except RedisRefused as refused:
            raise HubbubError(ErrorCode.BROKER_UNAVAILABLE, f"Redis refuses it ({refused.code})") from None


def _letter(id: bytes, fields: list[bytes]) -> DeadLetter:
    return msgspec.structs.replace(_decode(fields[1]), id=id.decode())
