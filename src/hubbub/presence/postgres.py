"""Presence of the nodes that share a PostgreSQL: the ledger of `presence.shared` in tables.

Entries know their node, so that a dead node's channels are found by an index, and need no list of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from hubbub.clock import Clock
from hubbub.engines.postgres import SCHEMA, Part, Postgres
from hubbub.model import Member, Presence
from hubbub.presence.ledger import Owner, Pulse, Standing, Verdict
from hubbub.presence.shared import LEASE, SharedPresence
from hubbub.telemetry.metrics import Metrics

STRIPES = 256
STRIPE_LOCKS = 0x48_75_62_06
"""First number of the advisory locks of channels; the second is of their names."""
LEASE_LOCK = 0x48_75_62_07
TOMBSTONE = 3600.0
"""Seconds for which it is remembered that a dead one's entries were taken out."""
MOST = 16
"""Dead ones that are given to one node at once."""
PAGE = 500
"""Channels of a dead one that are told at once."""

TABLES = f"""
CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.present (
    channel bytea NOT NULL,
    session bytea NOT NULL,
    node text NOT NULL,
    generation bigint NOT NULL,
    person bytea NOT NULL,
    member bytea NOT NULL,
    PRIMARY KEY (channel, session)
);
CREATE INDEX IF NOT EXISTS present_by_person ON {SCHEMA}.present (channel, person);
CREATE INDEX IF NOT EXISTS present_by_node ON {SCHEMA}.present (node, channel);

CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.leases
    (owner text PRIMARY KEY, kind text NOT NULL, at timestamptz NOT NULL);
COMMENT ON COLUMN {SCHEMA}.leases.kind IS 'L: lives until; D: dead, and given to somebody else from; S: its entries are
out, remembered until; of "@": up to when the time can be believed, for somebody has shown life';
"""

BEAT = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.presence_beat_1(
    me text, lease interval, claim interval, fresh boolean, owners text[], verdicts text[]
) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz;
    doubted timestamptz;
    stands text;
    answer text[];
    dead text[];
    lapsed text[] := ARRAY[]::text[];
BEGIN
    PERFORM pg_advisory_xact_lock({LEASE_LOCK});
    moment := clock_timestamp();
    FOR i IN 1 .. cardinality(owners) LOOP
        SELECT kind INTO stands FROM {SCHEMA}.leases WHERE owner = owners[i];
        IF verdicts[i] = 'S' THEN
            INSERT INTO {SCHEMA}.leases VALUES (owners[i], 'S', moment + make_interval(secs => {TOMBSTONE}))
                ON CONFLICT (owner) DO UPDATE SET kind = excluded.kind, at = excluded.at;
        ELSIF verdicts[i] = 'L' AND stands = 'L' THEN
            UPDATE {SCHEMA}.leases SET at = moment + lease WHERE owner = owners[i];
        ELSIF verdicts[i] = 'L' AND stands IS NOT NULL THEN
            lapsed := lapsed || ('!' || owners[i]);
        ELSIF verdicts[i] = 'D' AND coalesce(stands, 'L') = 'L' THEN
            INSERT INTO {SCHEMA}.leases VALUES (owners[i], 'D', moment)
                ON CONFLICT (owner) DO UPDATE SET kind = excluded.kind, at = excluded.at;
        END IF;
    END LOOP;
    SELECT at INTO doubted FROM {SCHEMA}.leases WHERE owner = '@';
    doubted := coalesce(doubted, moment);
    SELECT kind INTO stands FROM {SCHEMA}.leases WHERE owner = me;
    answer := ARRAY[CASE WHEN stands = 'L' THEN '1' WHEN stands IS NOT NULL THEN '-1' WHEN fresh THEN '1' ELSE '0' END];
    UPDATE {SCHEMA}.leases SET kind = 'D', at = moment
        WHERE owner NOT IN ('@', me) AND kind = 'L' AND at <= least(moment, doubted);
    IF moment > doubted THEN
        -- It was this server that was away, not all nodes at once: who lived then gets the time to show it.
        UPDATE {SCHEMA}.leases SET at = greatest(at, moment + lease) WHERE owner NOT IN ('@', me) AND kind = 'L';
    END IF;
    SELECT array_agg(owner) INTO dead FROM (SELECT owner FROM {SCHEMA}.leases
        WHERE owner NOT IN ('@', me) AND kind = 'D' AND at <= moment ORDER BY at, owner LIMIT {MOST}) AS d;
    IF dead IS NOT NULL THEN
        UPDATE {SCHEMA}.leases SET at = moment + claim WHERE owner = ANY (dead);
        answer := answer || dead;
    END IF;
    DELETE FROM {SCHEMA}.leases WHERE kind = 'S' AND at <= moment;
    INSERT INTO {SCHEMA}.leases VALUES ('@', '@', moment + lease * 0.75)
        ON CONFLICT (owner) DO UPDATE SET at = excluded.at;
    IF answer[1] = '1' THEN
        INSERT INTO {SCHEMA}.leases VALUES (me, 'L', moment + lease)
            ON CONFLICT (owner) DO UPDATE SET at = excluded.at;
    END IF;
    RETURN answer || lapsed;
END $$;
"""

ENTER = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.presence_enter_1(
    place bytea, me text, age bigint, sessions bytea[], persons bytea[], members bytea[], comings boolean[], stripe int
) RETURNS int[]
LANGUAGE plpgsql AS $$
DECLARE
    old {SCHEMA}.present;
    writes boolean;
    comes boolean;
    answers int[] := ARRAY[]::int[];
    there int;
BEGIN
    PERFORM pg_advisory_xact_lock({STRIPE_LOCKS}, stripe);
    FOR i IN 1 .. cardinality(sessions) LOOP
        SELECT * INTO old FROM {SCHEMA}.present p WHERE p.channel = place AND p.session = sessions[i];
        writes := true; comes := true;
        IF FOUND THEN
            IF old.node = me THEN
                writes := old.generation <= age;  -- else this was sent before what is there, and came late
            ELSE
                writes := comings[i];
            END IF;
            comes := writes AND old.person <> persons[i];
        END IF;
        IF writes THEN
            INSERT INTO {SCHEMA}.present VALUES (place, sessions[i], me, age, persons[i], members[i])
                ON CONFLICT (channel, session) DO UPDATE SET node = excluded.node, generation = excluded.generation,
                    person = excluded.person, member = excluded.member;
        END IF;
        SELECT count(*) INTO there FROM {SCHEMA}.present p WHERE p.channel = place AND p.person = persons[i];
        answers := answers
            || CASE WHEN NOT writes AND old.node <> me THEN 0 WHEN comes THEN there ELSE -there END;
    END LOOP;
    RETURN answers;
END $$;
"""

LEAVE = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.presence_leave_1(
    place bytea, me text, age bigint, gone bytea, of_person bytea, stripe int
) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
    old {SCHEMA}.present;
BEGIN
    PERFORM pg_advisory_xact_lock({STRIPE_LOCKS}, stripe);
    SELECT * INTO old FROM {SCHEMA}.present p WHERE p.channel = place AND p.session = gone;
    IF NOT FOUND THEN
        RETURN CASE WHEN EXISTS (SELECT FROM {SCHEMA}.present p WHERE p.channel = place AND p.person = of_person)
            THEN 0 ELSE -1 END;
    END IF;
    IF old.node <> me OR old.generation > age THEN
        RETURN 0;
    END IF;
    DELETE FROM {SCHEMA}.present p WHERE p.channel = place AND p.session = gone;
    RETURN CASE WHEN EXISTS (SELECT FROM {SCHEMA}.present p WHERE p.channel = place AND p.person = old.person)
        THEN 0 ELSE 1 END;
END $$;

CREATE OR REPLACE FUNCTION {SCHEMA}.presence_purge_1(place bytea, dead text, age bigint, stripe int)
RETURNS SETOF bytea
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock({STRIPE_LOCKS}, stripe);
    RETURN QUERY
        WITH gone AS (DELETE FROM {SCHEMA}.present p WHERE p.channel = place AND p.node = dead
            AND p.generation <= age RETURNING p.session, p.person, p.member)
        SELECT DISTINCT ON (person) member FROM gone
        WHERE NOT EXISTS (SELECT FROM {SCHEMA}.present p WHERE p.channel = place AND p.person = gone.person
            AND NOT (p.node = dead AND p.generation <= age))
        ORDER BY person, session DESC;
END $$;
"""

PART = Part("presence", 1, TABLES + BEAT + ENTER + LEAVE)

CALL_BEAT = (
    f"SELECT {SCHEMA}.presence_beat_1($1, make_interval(secs => $2), make_interval(secs => $3), $4, $5, $6)"
)
CALL_ENTER = f"SELECT {SCHEMA}.presence_enter_1($1, $2, $3, $4, $5, $6, $7, $8)"
CALL_LEAVE = f"SELECT {SCHEMA}.presence_leave_1($1, $2, $3, $4, $5, $6)"
CALL_PURGE = f"SELECT {SCHEMA}.presence_purge_1($1, $2, $3, $4)"
LISTED = f"""
SELECT DISTINCT channel FROM {SCHEMA}.present WHERE node = $1 AND channel > $2 AND generation <= $3
ORDER BY channel LIMIT {PAGE}
"""
COUNTS = f"SELECT count(*), count(DISTINCT person) FROM {SCHEMA}.present WHERE channel = $1"
MEMBERS = f"SELECT member, person FROM {SCHEMA}.present WHERE channel = $1 LIMIT $2"


class PostgresLedger:
    """A `hubbub.presence.ledger.Ledger`, by the clock of the PostgreSQL server. One connection writes, so that what is
    said of a channel is done in that order."""

    def __init__(self, engine: Postgres) -> None:
        self._engine = engine
        engine.need(PART)
        self._lane = engine.lane(_one)

    async def beat(
        self,
        owner: Owner,
        lease: float,
        claim: float,
        *,
        new: bool,
        verdicts: Sequence[tuple[Owner, Verdict]],
    ) -> Pulse:
        owners = [str(other) for other, _ in verdicts]
        judged = [verdict for _, verdict in verdicts]
        ((answer,),) = await self._do(CALL_BEAT, str(owner), lease, claim, new, owners, judged)
        standing: Standing = 1 if answer[0] == "1" else 0 if answer[0] == "0" else -1
        dead = [Owner.read(each) for each in answer[1:] if each[0] != "!"]
        return Pulse(standing, dead, [Owner.read(each[1:]) for each in answer[1:] if each[0] == "!"])

    async def put_down(self, owner: Owner, channels: Sequence[str]) -> None:
        """Nothing: entries are found by their node."""

    async def cross_out(self, owner: Owner, channels: Sequence[str]) -> None:
        """Nothing, too."""

    async def forget(self, owner: Owner) -> None:
        """Nothing, too."""

    async def listed(self, owner: Owner, cursor: str) -> tuple[str, list[str]]:
        after = b"" if cursor == "0" else bytes.fromhex(cursor)
        rows = await self._do(LISTED, owner.node, after, owner.generation)
        names = [row[0] for row in rows]
        return names[-1].hex() if len(names) == PAGE else "0", [name.decode() for name in names]

    async def enter(self, channel: str, owner: Owner, members: Sequence[tuple[Member, bool]]) -> list[int]:
        ((answers,),) = await self._do(
            CALL_ENTER,
            channel.encode(),
            owner.node,
            owner.generation,
            [member.session.encode() for member, _ in members],
            [_person(member) for member, _ in members],
            [msgspec.json.encode(member) for member, _ in members],
            [comes for _, comes in members],
            _stripe(channel),
        )
        return list(answers)

    async def leave(self, channel: str, owner: Owner, member: Member) -> int:
        ((answer,),) = await self._do(
            CALL_LEAVE,
            channel.encode(),
            owner.node,
            owner.generation,
            member.session.encode(),
            _person(member),
            _stripe(channel),
        )
        return int(answer)

    async def purge(self, channel: str, owner: Owner) -> list[Member]:
        rows = await self._do(CALL_PURGE, channel.encode(), owner.node, owner.generation, _stripe(channel))
        return [msgspec.json.decode(raw, type=Member) for (raw,) in rows]

    async def members(self, channel: str, limit: int) -> Presence:
        rows = await self._engine.fetch(MEMBERS, channel.encode(), limit + 1)
        if len(rows) <= limit:
            members = tuple([msgspec.json.decode(raw, type=Member) for raw, _ in rows])
            return Presence(len(rows), len({person for _, person in rows}), members)
        ((sessions, users),) = await self._engine.fetch(COUNTS, channel.encode())
        return Presence(sessions, users, None)

    async def _do(self, statement: str, *args: Any) -> list[Any]:
        rows: list[Any] = await self._lane.submit((statement, args))
        return rows


class PostgresPresence(SharedPresence):
    """A PresenceStore of the node `node` on PostgreSQL, whose engine somebody else starts."""

    def __init__(
        self, engine: Postgres, node: str, clock: Clock, metrics: Metrics, *, lease: float = LEASE
    ) -> None:
        super().__init__(PostgresLedger(engine), node, clock, metrics, lease=lease)
        engine.renewed.append(self.renew)


async def _one(connection: Any, jobs: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
    return [await connection.fetch(statement, *args) for statement, args in jobs]


def _person(member: Member) -> bytes:
    return f"={member.user}".encode() if member.user else f"~{member.session}".encode()


def _stripe(channel: str) -> int:
    return sum(channel.encode()) % STRIPES
