"""The tables and functions of the PostgreSQL broker: see `engines.postgres` for how they get there.

`publish` does a node's waiting publications in one call and `read` its waiting questions: a transaction and a round
trip are paid once for all of them. Publications come sorted by channel, in the order of each. Whoever appends to a
log or uses a key of a channel holds the lock of its stripe, taken in the order of stripes; so offsets have no gaps,
keys are used once, notices leave in the order of offsets, and nobody waits for each other in a ring.

What is notified is a frame of `broker.envelopes` as base64. NOTIFY takes 8,000 bytes, so a larger one goes in several
parts. They are of one transaction, whose notices nobody hears mixed with another's, nor in part; and nothing has to be
fetched, in which time others would overtake it. The serial number before each is there because PostgreSQL drops a
notice that equals an earlier one of its transaction.
"""

from __future__ import annotations

from hubbub.engines.postgres import SCHEMA, Part

STRIPES = 256
STRIPE_LOCKS = 0x48_75_62_02
"""First number of the advisory locks of stripes; the second is the stripe's."""
SWEEP_LOCK = 0x48_75_62_03
CHUNK = 5_700
"""Bytes of a message in one notice: 7,700 as base64 with its line ends, and up to 200 for what stands before."""

TABLES = f"""
CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.logs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name bytea NOT NULL UNIQUE,
    epoch text NOT NULL,
    head bigint NOT NULL DEFAULT 0,
    forgotten bigint NOT NULL DEFAULT 0,
    conflate boolean NOT NULL,
    ttl float8 NOT NULL DEFAULT 0,
    touched timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON COLUMN {SCHEMA}.logs.forgotten IS 'highest place of what was dropped for size or age';

CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.entries (
    log bigint NOT NULL,
    place bigint NOT NULL,
    at timestamptz NOT NULL,
    label bytea,
    body bytea NOT NULL,
    PRIMARY KEY (log, place)
);
CREATE INDEX IF NOT EXISTS entries_by_label ON {SCHEMA}.entries (log, label) WHERE label IS NOT NULL;

CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.keys (
    key bytea PRIMARY KEY,
    digest bytea NOT NULL,
    epoch text,
    place bigint,
    id text NOT NULL,
    until timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS keys_by_time ON {SCHEMA}.keys (until);

CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.subscribers (
    name bytea NOT NULL,
    node int NOT NULL,
    PRIMARY KEY (name, node)
);
"""

PUBLISH = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.publish_1(
    stripes int[], names bytea[], lanes text[], serials text[], starts bytea[], bodies bytea[], sizes int[],
    ttls float8[], conflates boolean[], labels bytea[], keys bytea[], digests bytea[], ids text[], remember float8
) RETURNS TABLE (taken_for_other boolean, duplicate boolean, epoch text, place bigint, id text)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    log {SCHEMA}.logs;
    earlier {SCHEMA}.keys;
    moment timestamptz;
    frame bytea;
    parts int;
    last int := 0;  -- item that was appended last, to a log that is not settled yet
BEGIN
    PERFORM pg_advisory_xact_lock({STRIPE_LOCKS}, stripe) FROM unnest(stripes) AS stripe;
    moment := clock_timestamp();
    FOR i IN 1 .. cardinality(names) LOOP
        taken_for_other := false; duplicate := false; epoch := NULL; place := NULL; id := ids[i];
        IF log.name IS DISTINCT FROM names[i] THEN
            IF last > 0 THEN
                PERFORM {SCHEMA}.settle_1(log.id, log.head, sizes[last], ttls[last], moment);
            END IF;
            log := NULL; last := 0;
        END IF;
        IF keys[i] IS NOT NULL THEN
            SELECT * INTO earlier FROM {SCHEMA}.keys k WHERE k.key = keys[i] AND k.until > moment;
            IF FOUND THEN
                taken_for_other := earlier.digest <> digests[i]; duplicate := true;
                epoch := earlier.epoch; place := earlier.place; id := earlier.id;
                RETURN NEXT;
                CONTINUE;
            END IF;
        END IF;
        IF sizes[i] > 0 THEN
            IF log.id IS NULL OR log.conflate <> conflates[i] THEN
                last := 0;
                log := {SCHEMA}.begin_1(names[i], conflates[i]);
            END IF;
            log.head := log.head + 1;
            epoch := log.epoch; place := log.head;
            IF conflates[i] THEN
                DELETE FROM {SCHEMA}.entries e WHERE e.log = log.id AND e.label = labels[i];
            END IF;
            INSERT INTO {SCHEMA}.entries VALUES (log.id, log.head, moment, labels[i], bodies[i]);
            last := i;
        END IF;
        IF keys[i] IS NOT NULL THEN
            INSERT INTO {SCHEMA}.keys AS k
                VALUES (keys[i], digests[i], epoch, place, id, moment + make_interval(secs => remember))
                ON CONFLICT ON CONSTRAINT keys_pkey DO UPDATE SET digest = excluded.digest, epoch = excluded.epoch,
                    place = excluded.place, id = excluded.id, until = excluded.until;
        END IF;
        frame := starts[i];
        IF place IS NOT NULL THEN
            frame := frame || int8send(place) || set_byte('\\x00', 0, octet_length(epoch)) || convert_to(epoch, 'UTF8');
        END IF;
        frame := frame || bodies[i];
        parts := greatest(1, (octet_length(frame) + {CHUNK} - 1) / {CHUNK});
        FOR part IN 0 .. parts - 1 LOOP
            PERFORM pg_notify(lanes[i], concat(serials[i], ';', part, ';', parts, ';',
                encode(substr(frame, part * {CHUNK} + 1, {CHUNK}), 'base64')));
        END LOOP;
        RETURN NEXT;
    END LOOP;
    IF last > 0 THEN
        PERFORM {SCHEMA}.settle_1(log.id, log.head, sizes[last], ttls[last], moment);
    END IF;
END $$;
"""

SETTLE = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.settle_1(
    appended bigint, top bigint, size int, lifetime float8, moment timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    edge bigint;
    first bigint;
BEGIN
    -- Forget what is too much or too old: the rest is a run up to the head, or the latest of each label.
    SELECT e.place INTO edge FROM {SCHEMA}.entries e
        WHERE e.log = appended ORDER BY e.place DESC OFFSET size LIMIT 1;
    IF lifetime > 0 THEN
        SELECT e.place INTO first FROM {SCHEMA}.entries e WHERE e.log = appended
            AND e.at >= moment - make_interval(secs => lifetime) ORDER BY e.place LIMIT 1;
        edge := greatest(edge, (SELECT e.place FROM {SCHEMA}.entries e
            WHERE e.log = appended AND e.place < first ORDER BY e.place DESC LIMIT 1));
    END IF;
    DELETE FROM {SCHEMA}.entries e WHERE e.log = appended AND e.place <= edge;
    UPDATE {SCHEMA}.logs l SET head = top, ttl = lifetime, touched = moment, forgotten = greatest(l.forgotten, edge)
        WHERE l.id = appended;
END $$;
"""

BEGIN = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.begin_1(channel bytea, conflated boolean) RETURNS {SCHEMA}.logs
LANGUAGE plpgsql AS $$
DECLARE
    log {SCHEMA}.logs;
    fresh text := left(gen_random_uuid()::text, 8);
BEGIN
    LOOP
        SELECT * INTO log FROM {SCHEMA}.logs l WHERE l.name = channel FOR UPDATE;
        EXIT WHEN FOUND;
        INSERT INTO {SCHEMA}.logs (name, epoch, conflate, touched)
            VALUES (channel, fresh, conflated, clock_timestamp()) ON CONFLICT (name) DO NOTHING;
    END LOOP;
    IF log.conflate <> conflated THEN
        DELETE FROM {SCHEMA}.entries e WHERE e.log = log.id;
        UPDATE {SCHEMA}.logs l SET epoch = fresh, head = 0, forgotten = 0, conflate = conflated,
            touched = clock_timestamp() WHERE l.id = log.id RETURNING l.* INTO log;
    END IF;
    RETURN log;
END $$;
"""

READ = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.read_1(
    names bytea[], conflates boolean[], sizes int[], ttls float8[], epochs text[], places bigint[], limits int[],
    reverses boolean[]
) RETURNS TABLE (item int, epoch text, head bigint, complete boolean, more boolean, place bigint, body bytea)
LANGUAGE plpgsql STABLE AS $$  -- of one snapshot, therefore: head and entries agree
#variable_conflict use_variable
DECLARE
    log {SCHEMA}.logs;
    cutoff timestamptz;
    edge bigint;
    first bigint;
    here bigint;
    entry record;
    count int;
BEGIN
    FOR i IN 1 .. cardinality(names) LOOP
        item := i - 1; epoch := NULL; head := NULL; complete := NULL; more := NULL; place := NULL; body := NULL;
        SELECT * INTO log FROM {SCHEMA}.logs l WHERE l.name = names[i];
        IF NOT FOUND OR log.conflate <> conflates[i] THEN
            RETURN NEXT;
            CONTINUE;
        END IF;
        -- `edge`: the highest place that is forgotten, or would be if somebody appended now.
        SELECT e.place INTO edge FROM {SCHEMA}.entries e
            WHERE e.log = log.id ORDER BY e.place DESC OFFSET sizes[i] LIMIT 1;
        edge := greatest(log.forgotten, edge);
        IF ttls[i] > 0 THEN
            cutoff := clock_timestamp() - make_interval(secs => ttls[i]);
            SELECT e.place INTO first FROM {SCHEMA}.entries e
                WHERE e.log = log.id AND e.place > edge AND e.at >= cutoff ORDER BY e.place LIMIT 1;
            edge := greatest(edge, (SELECT e.place FROM {SCHEMA}.entries e
                WHERE e.log = log.id AND e.place < coalesce(first, log.head + 1) ORDER BY e.place DESC LIMIT 1));
        END IF;
        here := CASE WHEN epochs[i] = log.epoch AND places[i] <= log.head THEN places[i] END;
        complete := epochs[i] IS NULL OR coalesce(here >= edge, false);
        more := false; count := 0;
        IF reverses[i] THEN
            FOR entry IN SELECT e.place, e.body FROM {SCHEMA}.entries e WHERE e.log = log.id AND e.place > edge
                AND e.place < coalesce(here, log.head + 1) ORDER BY e.place DESC LIMIT limits[i] + 1
            LOOP
                count := count + 1;
                more := count > limits[i];
                EXIT WHEN more;
                place := entry.place; body := entry.body;
                RETURN NEXT;
            END LOOP;
        ELSE
            FOR entry IN SELECT e.place, e.body FROM {SCHEMA}.entries e WHERE e.log = log.id
                AND e.place > greatest(edge, here) ORDER BY e.place LIMIT limits[i] + 1
            LOOP
                count := count + 1;
                more := count > limits[i];
                EXIT WHEN more;
                place := entry.place; body := entry.body;
                RETURN NEXT;
            END LOOP;
        END IF;
        epoch := log.epoch; head := log.head; place := NULL; body := NULL;
        RETURN NEXT;
    END LOOP;
END $$;
"""

SWEEP = f"""
CREATE OR REPLACE FUNCTION {SCHEMA}.sweep_1(idle float8) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    log {SCHEMA}.logs;
BEGIN
    IF NOT pg_try_advisory_xact_lock({SWEEP_LOCK}) THEN
        RETURN;
    END IF;
    DELETE FROM {SCHEMA}.keys k WHERE k.key IN
        (SELECT key FROM {SCHEMA}.keys WHERE until < clock_timestamp() LIMIT 10000 FOR UPDATE SKIP LOCKED);
    FOR log IN SELECT * FROM {SCHEMA}.logs l WHERE l.touched < clock_timestamp() - make_interval(secs => idle)
        OR (l.ttl > 0 AND l.touched < clock_timestamp() - make_interval(secs => l.ttl)
            AND EXISTS (SELECT FROM {SCHEMA}.entries e WHERE e.log = l.id))
        LIMIT 1000 FOR UPDATE SKIP LOCKED
    LOOP
        DELETE FROM {SCHEMA}.entries e WHERE e.log = log.id;
        IF log.touched < clock_timestamp() - make_interval(secs => idle) THEN
            DELETE FROM {SCHEMA}.logs l WHERE l.id = log.id;
        ELSE
            UPDATE {SCHEMA}.logs l SET forgotten = l.head WHERE l.id = log.id;
        END IF;
    END LOOP;
    DELETE FROM {SCHEMA}.subscribers s WHERE s.node IN (SELECT node FROM {SCHEMA}.subscribers GROUP BY node)
        AND NOT {SCHEMA}.alive_1(s.node);
END $$;
"""

PART = Part("broker", 1, TABLES + BEGIN + SETTLE + PUBLISH + READ + SWEEP)

CALL_PUBLISH = (
    f"SELECT * FROM {SCHEMA}.publish_1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
)
CALL_READ = f"SELECT * FROM {SCHEMA}.read_1($1, $2, $3, $4, $5, $6, $7, $8)"
CALL_BEGIN = f"SELECT epoch, head FROM {SCHEMA}.begin_1($1, $2)"
CALL_SWEEP = f"SELECT {SCHEMA}.sweep_1($1)"
TOUCH = f"UPDATE {SCHEMA}.logs SET touched = clock_timestamp() WHERE name = ANY($1)"
SUBSCRIBED = f"INSERT INTO {SCHEMA}.subscribers SELECT unnest($1::bytea[]), $2 ON CONFLICT DO NOTHING"
UNSUBSCRIBED = f"DELETE FROM {SCHEMA}.subscribers WHERE name = ANY($1) AND node = $2"
CHANNELS = f"""
SELECT name FROM {SCHEMA}.logs WHERE name >= $1 AND ($2::bytea IS NULL OR name < $2)
UNION
SELECT s.name FROM {SCHEMA}.subscribers s
    JOIN (SELECT node FROM {SCHEMA}.subscribers GROUP BY node) AS n ON n.node = s.node AND {SCHEMA}.alive_1(n.node)
    WHERE s.name >= $1 AND ($2::bytea IS NULL OR s.name < $2)
ORDER BY name LIMIT $3
"""
