"""The state of the nodes that share a PostgreSQL. All its times are by the clock of that server.

Its tables are UNLOGGED, like all of `engines.postgres`: a crash of the server empties them, which each node learns from
its next sign of life, as from a lease that had run out.
"""

from __future__ import annotations

import msgspec

from hubbub.engines.base import Condition
from hubbub.engines.postgres import SCHEMA, Part, Postgres
from hubbub.state.base import NodeInfo, check, debit

BEAT_LOCK = 0x48_75_62_05
SWEPT = 500
"""Values that have ended and are taken out with each sign of life."""
EPSILON = 0.000001
"""Seconds of waiting that are none: what is left of sums of fractions."""

PART = Part(
    "state",
    1,
    f"""
CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.kept
    (key bytea PRIMARY KEY, value bytea NOT NULL, until timestamptz NOT NULL);
CREATE INDEX IF NOT EXISTS kept_by_time ON {SCHEMA}.kept (until);
CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.buckets (key bytea PRIMARY KEY, arrival float8 NOT NULL);
CREATE INDEX IF NOT EXISTS buckets_by_time ON {SCHEMA}.buckets (arrival);
COMMENT ON COLUMN {SCHEMA}.buckets.arrival IS 'when the bucket is full again (GCRA), in seconds of the epoch';
CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.nodes
    (id text PRIMARY KEY, until timestamptz NOT NULL, told bytea NOT NULL);
COMMENT ON TABLE {SCHEMA}.nodes IS 'of "@", until: up to when the time can be believed, for somebody has shown life';

CREATE OR REPLACE FUNCTION {SCHEMA}.beat_1(me text, about bytea, lease interval, first boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    doubted timestamptz;
    held boolean;
BEGIN
    PERFORM pg_advisory_xact_lock({BEAT_LOCK});
    moment := clock_timestamp();
    SELECT until INTO doubted FROM {SCHEMA}.nodes WHERE id = '@';
    doubted := coalesce(doubted, moment);
    DELETE FROM {SCHEMA}.nodes WHERE id <> '@' AND until <= least(moment, doubted);
    held := first OR EXISTS (SELECT FROM {SCHEMA}.nodes WHERE id = me);
    IF moment > doubted THEN
        -- It was this server that was away, not all nodes at once: who lived then gets the time to show it.
        UPDATE {SCHEMA}.nodes SET until = greatest(until, moment + lease) WHERE id NOT IN ('@', me);
    END IF;
    INSERT INTO {SCHEMA}.nodes VALUES (me, moment + lease, about), ('@', moment + lease * 0.75, '')
        ON CONFLICT (id) DO UPDATE SET until = excluded.until, told = excluded.told;
    DELETE FROM {SCHEMA}.kept WHERE key IN
        (SELECT key FROM {SCHEMA}.kept WHERE until < moment LIMIT {SWEPT} FOR UPDATE SKIP LOCKED);
    DELETE FROM {SCHEMA}.buckets WHERE key IN
        (SELECT key FROM {SCHEMA}.buckets WHERE arrival < extract(epoch FROM moment) LIMIT {SWEPT}
        FOR UPDATE SKIP LOCKED);
    RETURN held;
END $$;

CREATE OR REPLACE FUNCTION {SCHEMA}.spend_1(bucket bytea, interval_ float8, tolerance float8) RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE
    moment float8 := extract(epoch FROM clock_timestamp());
    full_at float8;
BEGIN
    INSERT INTO {SCHEMA}.buckets VALUES (bucket, moment) ON CONFLICT (key) DO NOTHING;
    SELECT arrival INTO full_at FROM {SCHEMA}.buckets WHERE key = bucket FOR UPDATE;
    moment := extract(epoch FROM clock_timestamp());
    -- Later than that only if the server's clock was put back.
    full_at := least(greatest(coalesce(full_at, moment), moment), moment + tolerance + interval_);
    IF full_at - tolerance - moment > {EPSILON} THEN
        RETURN full_at - tolerance - moment;
    END IF;
    INSERT INTO {SCHEMA}.buckets VALUES (bucket, full_at + interval_)
        ON CONFLICT (key) DO UPDATE SET arrival = excluded.arrival;
    RETURN 0;
END $$;
""",
)

ENDS = "clock_timestamp() + make_interval(secs => $3)"
BEAT = f"SELECT {SCHEMA}.beat_1($1, $2, make_interval(secs => $3), $4)"
RETIRE = f"DELETE FROM {SCHEMA}.nodes WHERE id = $1"
NODES = f"""
SELECT told FROM {SCHEMA}.nodes WHERE id <> '@' AND until > least(clock_timestamp(),
    (SELECT until FROM {SCHEMA}.nodes WHERE id = '@')) ORDER BY id COLLATE "C"
"""
PUT = f"""
INSERT INTO {SCHEMA}.kept AS k VALUES ($1, $2, {ENDS})
ON CONFLICT (key) DO UPDATE SET value = excluded.value, until = excluded.until
    WHERE NOT $4 OR k.until <= clock_timestamp() RETURNING true
"""
GET = f"SELECT value FROM {SCHEMA}.kept WHERE key = $1 AND until > clock_timestamp()"
TAKE = f"DELETE FROM {SCHEMA}.kept WHERE key = $1 RETURNING value, until > clock_timestamp()"
SWAP = f"""
UPDATE {SCHEMA}.kept SET value = $2, until = {ENDS}
WHERE key = $1 AND value = $4 AND until > clock_timestamp() RETURNING true
"""
SPEND = f"SELECT {SCHEMA}.spend_1($1, $2, $3)"
NOW = "extract(epoch FROM clock_timestamp())::float8"
CHARGE = f"""
INSERT INTO {SCHEMA}.buckets AS b VALUES ($1, {NOW} + least($2::float8, $3::float8)) ON CONFLICT (key) DO UPDATE
SET arrival = least(greatest(b.arrival, {NOW}) + $2::float8, {NOW} + $3::float8) RETURNING b.arrival - {NOW}
"""


class PostgresState:
    """Keeps the State port in tables.

    A node whose lease ends while *no* node shows life is not held dead: then it is PostgreSQL that was away.
    """

    def __init__(self, engine: Postgres) -> None:
        self._engine = engine
        self._beaten: set[str] = set()  # nodes of which a sign of life has arrived through here
        engine.need(PART)

    @property
    def condition(self) -> Condition:
        return self._engine.condition

    async def start(self) -> None:
        """Raises ConfigError for what will never work."""
        await self._engine.start()

    async def stop(self) -> None:
        await self._engine.stop()

    # --- nodes --------------------------------------------------------------------------------------------

    async def beat(self, node: NodeInfo, ttl: float) -> bool:
        first = node.id not in self._beaten
        ((held,),) = await self._engine.fetch(BEAT, node.id, msgspec.json.encode(node), ttl, first)
        self._beaten.add(node.id)
        return bool(held)

    async def retire(self, node: str) -> None:
        self._beaten.discard(node)
        await self._engine.fetch(RETIRE, node)

    async def nodes(self) -> list[NodeInfo]:
        return [msgspec.json.decode(told, type=NodeInfo) for (told,) in await self._engine.fetch(NODES)]

    # --- values -------------------------------------------------------------------------------------------

    async def put(self, key: str, value: bytes, ttl: float, *, fresh: bool = False) -> bool:
        check(key, value)
        return bool(await self._engine.fetch(PUT, key.encode(), value, ttl, fresh))

    async def get(self, key: str) -> bytes | None:
        check(key)
        rows = await self._engine.fetch(GET, key.encode())
        return rows[0][0] if rows else None

    async def take(self, key: str) -> bytes | None:
        check(key)
        rows = await self._engine.fetch(TAKE, key.encode())
        return rows[0][0] if rows and rows[0][1] else None

    async def swap(self, key: str, old: bytes | None, new: bytes, ttl: float) -> bool:
        check(key, new)
        if old is None:
            return await self.put(key, new, ttl, fresh=True)
        return bool(await self._engine.fetch(SWAP, key.encode(), new, ttl, old))

    async def delete(self, key: str) -> bool:
        return await self.take(key) is not None

    async def spend(self, key: str, rate: float, burst: int) -> float:
        check(key)
        if rate <= 0:
            return 0.0
        ((wait,),) = await self._engine.fetch(SPEND, key.encode(), 1 / rate, max(burst - 1, 0) / rate)
        return float(wait)

    async def charge(self, key: str, rate: float, burst: int, count: int) -> float:
        check(key)
        if rate <= 0:
            return 0.0
        ((left,),) = await self._engine.fetch(CHARGE, key.encode(), *debit(rate, burst, count))
        return max(0.0, float(left))
