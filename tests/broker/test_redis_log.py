"""The script that keeps logs in Redis, beside the logs in memory whose promises it keeps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from hubbub.broker import stream
from hubbub.broker.envelopes import read_place
from hubbub.broker.stream import ConflatedLog
from hubbub.model import Position, Publication, Retention
from hubbub.testing.redis import RedisServer

SOURCE = resources.files("hubbub.broker").joinpath("lua", "log.lua").read_text(encoding="utf-8")
TIMED = SOURCE.replace("call('TIME')", "call('LRANGE', 'time', 0, 1)")
DIGEST = b"0123456789abcdef"
names = itertools.count()


class Script:
    """The script at a server, by a clock that tests set; of one channel."""

    def __init__(self, server: redis.Redis, run: str = "run-1") -> None:
        self.server = server
        self.run = run
        self.now = 1_800_000_000_000
        self.channel = f"c{next(names)}"
        self.meta, self.stream = f"log:{{{self.channel}}}:meta", f"log:{{{self.channel}}}"
        self.used = f"log:{{{self.channel}}}:used"
        self.life = 3_600_000
        self._script = server.register_script(TIMED)
        self._seeds = itertools.count()

    def _call(self, keys: list[str], retention: Retention, operation: str, *arguments: Any) -> Any:
        with self.server.pipeline(transaction=False) as pipeline:
            pipeline.delete("time")
            pipeline.rpush("time", self.now // 1000, self.now % 1000 * 1000)
            pipeline.execute()
        ttl, conflated = int(retention.ttl * 1000), int(retention.conflate)
        seed = f"seed-{next(self._seeds)}"
        shared = (operation, retention.size, ttl, conflated, self.life, seed)
        return self._script(keys, (*shared, *arguments, self.run, "PUBLISH"))

    def append(self, retention: Retention, body: bytes = b"", key: str = "") -> Position:
        offset, epoch, _, _ = self._call(
            [self.meta, self.stream], retention, "append", "name", "stamp", body, key
        )
        return Position(epoch.decode(), offset)

    def once(self, retention: Retention, id: str, digest: bytes = DIGEST, life: int = 60_000) -> Any:
        keys = [self.meta, self.stream, self.used]
        return self._call(keys, retention, "append", "name", "stamp", b"", "", digest, id, life)

    def read(
        self, retention: Retention, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> tuple[Position, list[tuple[int, bytes]], bool, bool]:
        place = ("", "") if since is None else (since.epoch, since.offset)
        epoch, head, complete, more, _, *found = self._call(
            [self.meta, self.stream], retention, "read", *place, limit, int(reverse)
        )
        entries = [(int(offset), body) for offset, body in zip(found[::2], found[1::2], strict=True)]
        return Position(epoch.decode(), head), entries, bool(complete), bool(more)


@pytest.fixture(scope="module")
def client(redis_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis(port=redis_server.port, db=1) as client:
        yield client


@pytest.fixture
def script(client: redis.Redis) -> Script:
    return Script(client)


KEPT = Retention(100, 60.0)
LATEST = Retention(100, 60.0, conflate=True)
RETENTIONS = st.builds(Retention, st.integers(1, 6), st.sampled_from([0.0, 1.0, 3.0]), st.booleans())
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from("abcdefgh")),
        st.tuples(
            st.just("read"),
            st.none() | st.integers(-1, 12),
            st.integers(0, 8),
            st.booleans(),
            st.booleans(),
        ),
        st.tuples(st.just("pass"), st.sampled_from([1, 400, 1000, 1001, 2500])),
        st.tuples(st.just("retain"), RETENTIONS),
    ),
    max_size=40,
)


@example(  # the very same time as before, in a log that began anew
    Retention(1, 0.0, conflate=True),
    [
        ("append", "a"),
        ("retain", Retention(1, 1.0)),
        ("append", "a"),
        ("pass", 1001),
        ("read", None, 1, False, False),
    ],
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(RETENTIONS, STEPS)
def test_it_does_what_logs_in_memory_do(
    client: redis.Redis, retention: Retention, steps: list[tuple[Any, ...]]
) -> None:
    script = Script(client)
    epochs: dict[str, str] = {}
    log = None
    for number, (what, *arguments) in enumerate(steps):
        if what == "pass":
            script.now += arguments[0]
            continue
        if what == "retain":
            retention = arguments[0]
            continue
        if log is None or isinstance(log, ConflatedLog) is not retention.conflate:
            log = stream.begin(f"epoch-{number}", retention)
        log.retention = Retention(
            retention.size, retention.ttl * 1000
        )  # as its time is: numbers without fractions
        if what == "append":
            body = str(number).encode()
            push = Publication("c", "message", Raw(body), conflation_key=arguments[0])
            said = log.append(push, script.now)
            found = script.append(retention, body, arguments[0])
            assert epochs.setdefault(log.epoch, found.epoch) == found.epoch
            assert found.offset == said.offset
            continue
        offset, limit, reverse, elsewhere = arguments
        epoch = "elsewhere" if elsewhere else log.epoch
        since = None if offset is None else Position(epoch, offset)
        history = log.read(script.now, since=since, limit=limit, reverse=reverse)
        if since is not None and epoch in epochs:
            since = Position(epochs[epoch], since.offset)
        elif since is not None and epoch == log.epoch:  # its name in Redis is not known yet
            epochs[epoch] = script.read(retention, limit=0)[0].epoch
            since = Position(epochs[epoch], since.offset)
        head, entries, complete, more = script.read(retention, since, limit, reverse)
        assert epochs.setdefault(log.epoch, head.epoch) == head.epoch
        assert head.offset == history.position.offset
        assert entries == [(each.offset, bytes(each.data)) for each in history.publications]
        assert (complete, more) == (history.complete, history.more)
    assert len(set(epochs.values())) == len(epochs)


def test_another_process_behind_it_begins_an_epoch_and_keeps_what_is_there(script: Script) -> None:
    """Replication is asynchronous: what has replaced the server may have less than was acknowledged."""
    for retention in (KEPT, LATEST):
        old = [script.append(retention, body, body.decode()) for body in (b"a", b"b")][-1]
        script.run += "+"
        head, entries, _, _ = script.read(retention)
        assert head.offset == 2
        assert head.epoch != old.epoch
        assert entries == [(1, b"a"), (2, b"b")]
        assert script.append(retention, b"c", "c") == Position(head.epoch, 3)
        assert not script.read(retention, old)[2]
        script.run += "+"
        new = script.append(retention, b"d", "d")
        assert new.offset == 4
        assert new.epoch not in (old.epoch, head.epoch)
        assert [offset for offset, _ in script.read(retention)[1]] == [1, 2, 3, 4]


def test_an_epoch_is_never_used_again(script: Script) -> None:
    """Not even where the clock stands, and one node begins the log again and again."""
    found = set()
    for _ in range(50):
        found.add(script.append(KEPT).epoch)
        script.server.delete(script.meta)
    assert len(found) == 50
    assert all(len(epoch) == 8 for epoch in found)


@pytest.mark.parametrize("retention", [KEPT, LATEST], ids=["log", "conflated"])
@pytest.mark.parametrize("lost", ["stream", "meta"])
def test_where_a_key_was_evicted_nothing_is_claimed(script: Script, retention: Retention, lost: str) -> None:
    for key in "abc":
        head = script.append(retention, b"", key)
    script.server.delete(script.stream if lost == "stream" else script.meta)
    for offset in (0, 1, 2):
        assert script.read(retention, Position(head.epoch, offset))[1:3] == ([], False)
    after = script.append(retention, b"new", "a")
    assert after == Position(script.read(retention)[0].epoch, 4 if lost == "stream" else 1)
    position, entries, complete, _ = script.read(retention, Position(after.epoch, after.offset - 1))
    assert (position, entries, complete) == (after, [(after.offset, b"new")], True)
    if lost == "stream":
        assert not script.read(retention, Position(after.epoch, 2))[2]


def test_a_conflated_log_that_expired_whole_forgets_its_keys(script: Script) -> None:
    for key in "abc":
        script.append(LATEST, b"", key)
    script.server.delete(script.stream)
    script.append(LATEST, b"", "a")
    fields: list[Any] = script.server.hkeys(script.meta)
    assert [name for name in fields if name.startswith(b"k:")] == [b"k:a"]
    assert script.server.ttl(script.meta) > 0


@pytest.mark.parametrize(
    "retention", [Retention(5, 0.0), Retention(5, 2.0, conflate=True), Retention(5, 1e6)]
)
def test_all_keys_live_for_a_while_after_their_last_use(script: Script, retention: Retention) -> None:
    """Longer than what is in them counts, whenever it was used last."""
    age = retention.ttl * 1000 or script.life
    for step in (0, 400, 700, 1_000, 30_000, script.life // 2 - 1, 7 * script.life):
        script.now += int(step)
        for use in (lambda: script.append(retention), lambda: script.read(retention)):
            use()
            passed = script.now - 1_800_000_000_000
            due = int(script.server.hget(script.meta, "due") or 0) - script.now
            assert due > 0, "the next use does it again, if it is late enough"
            assert due <= max(1000, min(age, script.life) / 2), passed
    script.append(retention)
    script.server.hset(script.meta, "due", 0)
    script.append(retention)
    pause = max(1000, min(age, script.life) / 2)
    assert script.server.pttl(script.stream) > age + pause
    assert script.server.pttl(script.meta) > max(age, script.life) + pause
    assert script.server.pttl(script.meta) > script.server.pttl(script.stream)


@pytest.mark.parametrize("retention", [KEPT, LATEST], ids=["log", "conflated"])
def test_a_stream_that_comes_later_has_its_time_too(script: Script, retention: Retention) -> None:
    """Its log was begun by a reader; or it expired, or was evicted, and the rest was not."""
    script.read(retention)
    for _ in range(3):
        script.append(retention, b"", "a")
        assert script.server.pttl(script.stream) > retention.ttl * 1000
        script.server.delete(script.stream)


def test_a_key_gives_what_it_gave_first(script: Script) -> None:
    offset, epoch, _, _ = script.once(KEPT, "id-1")
    blob = script.once(KEPT, "id-2")
    number, name, end = read_place(blob)
    assert (number, name.encode(), blob[end:]) == (offset, epoch, b"id-1")
    assert script.once(KEPT, "id-3", digest=DIGEST[::-1]) is None
    assert script.read(KEPT)[0].offset == 1
    assert 59_000 < script.server.pttl(script.used) <= 60_000


def test_a_frame_is_published_with_its_place(script: Script) -> None:
    listener: Any = script.server.pubsub()  # type: ignore[no-untyped-call]
    listener.subscribe("name")
    assert listener.get_message(timeout=10)["type"] == "subscribe"
    position = script.append(KEPT, b"body\x00\r\n")
    frame = listener.get_message(timeout=10)["data"]
    listener.close()
    assert frame.startswith(b"stamp")
    assert read_place(frame, 5) == (1, position.epoch, len(frame) - 7)
    assert frame.endswith(b"body\x00\r\n")


def test_offsets_stay_exact_far_beyond_what_lua_writes_in_full(script: Script) -> None:
    script.append(KEPT)
    script.server.hset(script.meta, "head", 2**53 - 3)
    script.server.delete(script.stream)
    for offset in (2**53 - 2, 2**53 - 1):
        position = script.append(KEPT, b"x")
        assert position.offset == offset
    head, entries, complete, _ = script.read(KEPT, Position(position.epoch, 2**53 - 2))
    assert (head.offset, entries, complete) == (2**53 - 1, [(2**53 - 1, b"x")], True)
