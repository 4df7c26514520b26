from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from hubbub.broker.stream import ConflatedLog, Log, begin
from hubbub.model import History, Position, Publication, Retention

EPOCH = "epoch001"


def publication(data: int = 0, key: str | None = None, event: str = "message") -> Publication:
    return Publication(
        "a", event, Raw(str(data).encode()), f"id{data}", "ann", float(data), conflation_key=key
    )


def offsets(history: History) -> list[int]:
    return [p.offset or 0 for p in history.publications]


# --- the same as a model that is too simple to be wrong ---------------------------------------------------------


@dataclass
class Model:
    """Keeps everything for ever, and works every answer out anew."""

    retention: Retention
    entries: list[tuple[float, Publication]] = field(default_factory=list)
    forgotten: set[int] = field(default_factory=set)

    def kept(self, now: float) -> list[Publication]:
        alive = [(t, p) for t, p in self.entries if p.offset not in self.forgotten]
        if self.retention.conflate:
            latest = {p.event if p.conflation_key is None else p.conflation_key: p for _, p in self.entries}
            alive = [(t, p) for t, p in alive if p in latest.values()]
        excess = len(alive) - self.retention.size
        stale = [
            p
            for i, (t, p) in enumerate(alive)
            if i < excess or (self.retention.ttl and now - t > self.retention.ttl)
        ]
        self.forgotten.update(p.offset or 0 for p in stale)
        return [p for _, p in alive if p not in stale]

    def read(self, now: float, since: Position | None, limit: int, reverse: bool) -> History:
        kept, head = self.kept(now), len(self.entries)
        known = since is not None and since.epoch == EPOCH and since.offset <= head
        complete = since is None or known
        chosen = kept
        if since is not None and known:
            complete = not any(offset > since.offset for offset in self.forgotten)
            chosen = [
                p
                for p in kept
                if (p.offset or 0) != since.offset and ((p.offset or 0) > since.offset) != reverse
            ]
        if reverse:
            chosen = chosen[::-1]
        return History(Position(EPOCH, head), tuple(chosen[:limit]), complete, len(chosen) > limit)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("append"), st.sampled_from([None, "x", "y", "z"]), st.sampled_from(["e", "x", "f"])
        ),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 1.0, 2.5, 11.0])),
        st.tuples(
            st.just("read"),
            st.one_of(
                st.none(),
                st.builds(Position, st.sampled_from([EPOCH, EPOCH, EPOCH, "another1"]), st.integers(0, 14)),
            ),
            st.integers(0, 5),
            st.booleans(),
        ),
        st.tuples(st.just("retain"), st.integers(1, 6), st.sampled_from([0.0, 2.0, 10.0])),
    ),
    max_size=60,
)


@pytest.mark.parametrize("conflate", [False, True])
@given(steps=STEPS)
def test_agrees_with_the_model(conflate: bool, steps: list[tuple[object, ...]]) -> None:
    retention = Retention(4, 10.0, conflate)
    log, model, now = begin(EPOCH, retention), Model(retention), 100.0
    for step in steps:
        match step:
            case ("append", str() | None as key, str(event)):
                sent = publication(len(model.entries) + 1, key, event)
                stored = log.append(sent, now)
                assert stored.offset == len(model.entries) + 1
                model.entries.append((now, stored))
                model.kept(now)
            case ("wait", float(seconds)):
                now += seconds
            case ("retain", int(size), float(ttl)):
                log.retention = model.retention = Retention(size, ttl, conflate)
            case ("read", Position() | None as since, int(limit), bool(reverse)):
                answer = log.read(now, since=since, limit=limit, reverse=reverse)
                assert answer == model.read(now, since, limit, reverse)
    log.trim(now)
    assert len(log) == len(model.kept(now))
    assert log.position == Position(EPOCH, len(model.entries))


@given(size=st.integers(1, 8), count=st.integers(0, 20), since=st.integers(0, 25), limit=st.integers(1, 5))
def test_a_complete_read_followed_to_its_end_misses_nothing(
    size: int, count: int, since: int, limit: int
) -> None:
    log = Log(EPOCH, Retention(size))
    for number in range(1, count + 1):
        log.append(publication(number), 0.0)
    position, read = Position(EPOCH, since), list[int]()
    page = log.read(0.0, since=position, limit=limit)
    complete = page.complete
    while True:
        read += offsets(page)
        if not page.more:
            break
        page = log.read(0.0, since=Position(EPOCH, read[-1]), limit=limit)
        assert page.complete
    if complete:
        assert read == list(range(since + 1, count + 1))
    else:
        assert since > count or since < count - size


# --- what the model cannot say ----------------------------------------------------------------------------------


@pytest.mark.parametrize("conflate", [False, True])
def test_a_stored_publication_is_the_sent_one_with_a_place(conflate: bool) -> None:
    log = begin(EPOCH, Retention(3, 0.0, conflate))
    sent = publication(7, "key", "event")
    stored = log.append(sent, 5.0)
    assert stored == Publication(
        "a", "event", Raw(b"7"), "id7", "ann", 7.0, epoch=EPOCH, offset=1, conflation_key="key"
    )
    assert log.read(5.0).publications == (stored,)


def test_begin_gives_the_kind_that_retention_asks_for() -> None:
    assert isinstance(begin(EPOCH, Retention(1)), Log)
    assert isinstance(begin(EPOCH, Retention(1, conflate=True)), ConflatedLog)


@pytest.mark.parametrize("conflate", [False, True])
def test_without_ttl_age_does_not_matter(conflate: bool) -> None:
    log = begin(EPOCH, Retention(3, 0.0, conflate))
    log.append(publication(1), 0.0)
    assert offsets(log.read(1e12)) == [1]


@pytest.mark.parametrize("conflate", [False, True])
def test_as_old_as_the_ttl_is_not_too_old(conflate: bool) -> None:
    log = begin(EPOCH, Retention(3, 10.0, conflate))
    log.append(publication(1), 0.0)
    assert offsets(log.read(10.0)) == [1]
    assert offsets(log.read(10.5)) == []


def test_an_empty_key_is_a_key() -> None:
    log = ConflatedLog(EPOCH, Retention(9))
    for number, key in enumerate(["", None, "message", ""], 1):
        log.append(publication(number, key), 0.0)
    assert offsets(log.read(0.0)) == [3, 4]


def test_a_superseded_value_is_no_loss_but_an_expired_latest_one_is() -> None:
    log = ConflatedLog(EPOCH, Retention(9, 10.0))
    log.append(publication(1, "x"), 0.0)
    log.append(publication(2, "y"), 0.0)
    log.append(publication(3, "x"), 8.0)
    assert log.read(9.0, since=Position(EPOCH, 0)).complete
    assert not log.read(11.0, since=Position(EPOCH, 1)).complete
    assert log.read(11.0, since=Position(EPOCH, 2)).complete


def test_cost_grows_with_the_result_and_not_with_the_log() -> None:
    """Counted in held objects touched, not in seconds: a read near the tail of a long log looks nothing else up."""
    log = Log(EPOCH, Retention(50_000))
    for number in range(60_000):
        log.append(publication(number), 0.0)
    looked_up: list[int] = []

    class Watched(dict[int, tuple[float, Publication]]):
        def __getitem__(self, offset: int) -> tuple[float, Publication]:
            looked_up.append(offset)
            return super().__getitem__(offset)

        def __iter__(self):  # type: ignore[no-untyped-def]
            raise AssertionError("the log was walked")

    log._entries = Watched(log._entries)
    log.read(0.0, since=Position(EPOCH, 59_997), limit=100)
    log.read(0.0, since=Position(EPOCH, 30_000), limit=2, reverse=True)
    log.append(publication(1), 0.0)
    assert looked_up == [59_998, 59_999, 60_000, 29_999, 29_998]
