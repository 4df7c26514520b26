"""Dead letters of all nodes, in a table that outlives a crash of PostgreSQL."""

from __future__ import annotations

from typing import Any

import msgspec

from hubbub.broker import unawaited
from hubbub.broker.deadletters import KEPT, DeadLetter, Gate, check_id, letter
from hubbub.clock import Clock
from hubbub.engines.postgres import SCHEMA, Part, Postgres
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

log = get_logger("hubbub.broker")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DeadLetter).decode

PART = Part(
    "deadletters",
    1,
    f"""
CREATE TABLE IF NOT EXISTS {SCHEMA}.dead (
    time bigint NOT NULL DEFAULT extract(epoch FROM clock_timestamp()) * 1000,
    number bigint GENERATED ALWAYS AS IDENTITY,
    letter bytea NOT NULL,
    PRIMARY KEY (time, number)
);
""",
)
ADD = f"""
WITH added AS (INSERT INTO {SCHEMA}.dead (letter) VALUES ($1))
DELETE FROM {SCHEMA}.dead WHERE (time, number) IN
    (SELECT time, number FROM {SCHEMA}.dead ORDER BY time DESC, number DESC OFFSET {KEPT - 1})
"""
PAGE = f"""
SELECT time, number, letter FROM {SCHEMA}.dead WHERE $1::bigint IS NULL OR (time, number) < ($1, $2)
ORDER BY time DESC, number DESC LIMIT $3
"""
GET = f"SELECT time, number, letter FROM {SCHEMA}.dead WHERE time = $1 AND number = $2"
DROP = f"DELETE FROM {SCHEMA}.dead WHERE $1::bigint IS NULL OR (time = $1 AND number = $2) RETURNING true"


class PostgresDeadLetters:
    """The newest 1,000, each as MessagePack. `node` is who adds."""

    def __init__(self, engine: Postgres, clock: Clock, metrics: Metrics, node: str) -> None:
        self._engine = engine
        self._clock = clock
        self._gate = Gate(clock, metrics)
        self._node = node
        engine.need(PART)

    def add(self, channel: str, reason: str, detail: str, frame: bytes) -> None:
        if not self._gate.passes(reason):
            return
        log.error("what was heard cannot be handled", channel=channel, reason=reason)
        raw = _encode(letter("", self._clock.now(), channel, reason, detail, self._node, frame))
        unawaited.run(self._engine.fetch(ADD, raw))

    async def page(self, before: str | None = None, limit: int = 100) -> list[DeadLetter]:
        time, number = (None, None) if before is None else _numbers(before)
        return [_letter(row) for row in await self._engine.fetch(PAGE, time, number, limit)]

    async def get(self, id: str) -> DeadLetter | None:
        rows = await self._engine.fetch(GET, *_numbers(id))
        return _letter(rows[0]) if rows else None

    async def drop(self, id: str | None = None) -> int:
        return len(await self._engine.fetch(DROP, *((None, None) if id is None else _numbers(id))))


def _numbers(id: str) -> tuple[int, int]:
    time, _, number = check_id(id).partition("-")
    return min(int(time), 2**63 - 1), min(int(number), 2**63 - 1)


def _letter(row: Any) -> DeadLetter:
    time, number, raw = row
    return msgspec.structs.replace(_decode(raw), id=f"{time}-{number}")
