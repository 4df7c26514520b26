"""Dead letters of all nodes, in a stream of JetStream's on disk."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from hubbub.broker import unawaited
from hubbub.broker.deadletters import KEPT, DeadLetter, Gate, check_id, letter
from hubbub.clock import Clock
from hubbub.config.cluster import NatsConfig
from hubbub.engines.nats import Nats, NatsRefused, unavailable
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.broker")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DeadLetter).decode

TTL = 30 * 86_400
NO_MESSAGE = 10037
NANOSECONDS = 1_000_000_000


class NatsDeadLetters:
    """The newest 1,000, each as MessagePack. Ids are the time and the number in the stream; `node` is who adds."""

    def __init__(self, engine: Nats, config: NatsConfig, clock: Clock, metrics: Metrics, node: str) -> None:
        self._engine = engine
        self._clock = clock
        self._gate = Gate(clock, metrics)
        self._node = node
        self._stream = f"{config.prefix}_dead"
        self._subject = f"{config.prefix}.dead"
        engine.need(
            {
                "name": self._stream,
                "subjects": [self._subject],
                "retention": "limits",
                "discard": "old",
                "storage": "file",
                "num_replicas": config.replicas,
                "max_age": TTL * NANOSECONDS,
                "max_consumers": -1,
                "max_msgs": KEPT,
                "max_bytes": -1,
                "max_msg_size": -1,
                "max_msgs_per_subject": -1,
            }
        )

    def add(self, channel: str, reason: str, detail: str, frame: bytes) -> None:
        if not self._gate.passes(reason):
            return
        log.error("what was heard cannot be handled", channel=channel, reason=reason)
        now = self._clock.now()
        raw = _encode(letter(f"{int(now * 1000)}", now, channel, reason, detail, self._node, frame))
        unawaited.run(self._engine.request(self._subject, raw))

    async def page(self, before: str | None = None, limit: int = 100) -> list[DeadLetter]:
        state = (await self._ask("INFO"))["state"]
        number = min(state["last_seq"], _number(before) - 1) if before is not None else state["last_seq"]
        found: list[DeadLetter] = []
        while number >= max(1, state["first_seq"]) and len(found) < limit:
            if (each := await self._at(number)) is not None:
                found.append(each)
            number -= 1
        return found

    async def get(self, id: str) -> DeadLetter | None:
        found = await self._at(_number(id))
        return found if found is not None and found.id == id else None

    async def drop(self, id: str | None = None) -> int:
        if id is None:
            dropped: int = (await self._ask("PURGE"))["purged"]
            return dropped
        if await self.get(id) is None:
            return 0
        await self._ask("MSG.DELETE", seq=_number(id))
        return 1

    async def _at(self, number: int) -> DeadLetter | None:
        try:
            answer = await self._engine.api(f"STREAM.MSG.GET.{self._stream}", seq=number)
        except NatsRefused as refused:
            if refused.code != NO_MESSAGE:
                raise unavailable() from None
            return None
        found = _decode(base64.b64decode(answer["message"]["data"]))
        return msgspec.structs.replace(found, id=f"{found.id}-{number}")

    async def _ask(self, what: str, **asked: Any) -> dict[str, Any]:
        try:
            return await self._engine.api(f"STREAM.{what}.{self._stream}", **asked)
        except NatsRefused:
            raise unavailable() from None


def _number(id: str) -> int:
    return min(int(check_id(id).partition("-")[2]), 2**63 - 1)
