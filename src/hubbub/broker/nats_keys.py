"""Idempotency keys in JetStream: a stream with a message for each, which the server forgets in time."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from msgspec import Struct

from hubbub.config.cluster import NatsConfig
from hubbub.engines.nats import Nats, NatsRefused, answered, unavailable
from hubbub.engines.nats_wire import header
from hubbub.model import Position

WRONG_SEQUENCE = 10071
NO_MESSAGE = 10037
NANOSECONDS = 1_000_000_000


class Used(Struct, frozen=True, gc=False):
    """What a key was used for, and what that gave."""

    digest: str
    id: str
    position: Position | None


class NatsKeys:
    """Keys count for `window` seconds, by the clock of the server."""

    def __init__(self, engine: Nats, config: NatsConfig, window: float) -> None:
        self._engine = engine
        self._stream = f"{config.prefix}_keys"
        self._subjects = f"{config.prefix}.key."
        nanoseconds = int(max(0.1, window) * NANOSECONDS)
        engine.need(
            {
                "name": self._stream,
                "subjects": [f"{self._subjects}*"],
                "retention": "limits",
                "discard": "old",
                "storage": config.storage,
                "num_replicas": config.replicas,
                "max_age": nanoseconds,
                "duplicate_window": nanoseconds,
                "max_consumers": -1,
                "max_msgs": -1,
                "max_bytes": -1,
                "max_msg_size": -1,
                "max_msgs_per_subject": 1,
            }
        )

    async def claim(self, key: str, used: Used) -> Used | None:
        """Use the key, or tell what it was used for. Raises HubbubError BROKER_UNAVAILABLE."""
        while True:
            try:
                await self._put(key, used, header("Nats-Expected-Last-Subject-Sequence", 0))
            except NatsRefused as refused:
                if refused.code != WRONG_SEQUENCE:
                    raise unavailable() from None
                if (first := await self.find(key)) is not None:
                    return first
            else:
                return None

    async def keep(self, key: str, used: Used) -> None:
        """Raises HubbubError BROKER_UNAVAILABLE."""
        try:
            await self._put(key, used, b"")
        except NatsRefused:
            raise unavailable() from None

    async def find(self, key: str) -> Used | None:
        """Raises HubbubError BROKER_UNAVAILABLE."""
        try:
            answer = await self._engine.api(
                f"STREAM.MSG.GET.{self._stream}", last_by_subj=self._subjects + key
            )
        except NatsRefused as refused:
            if refused.code != NO_MESSAGE:
                raise unavailable() from None
            return None
        return msgspec.json.decode(base64.b64decode(answer["message"]["data"]), type=Used)

    async def _put(self, key: str, used: Used, lines: bytes) -> dict[str, Any]:
        _, raw = await self._engine.request(self._subjects + key, msgspec.json.encode(used), lines)
        return answered(raw)
