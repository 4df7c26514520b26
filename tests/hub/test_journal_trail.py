"""What a session that resumes by the journal has missed: neither more nor less, in order, or an honest no."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.hub.journal import OVERHEAD, Entry, Journal, Trail
from hubbub.model import Envelope, Publication, Raw
from hubbub.testing import FakeClock

ME = "me"


def journal(limit: int = 1_000_000) -> Journal:
    return Journal(FakeClock(), 60.0, limit)


def envelope(exclude: str | None = None, unless: tuple[str, ...] = ()) -> Envelope:
    return Envelope(Publication("a", "e", Raw(b"1")), exclude, unless=unless)


def numbers(entries: list[Entry] | None) -> list[int] | None:
    return None if entries is None else [entry.sequence for entry in entries]


def test_what_came_in_its_channels_and_to_itself_is_given_in_order() -> None:
    log = journal()
    log.record("a", envelope())
    trail = Trail(log)
    for key in ("a", "b", f"session:{ME}", "c", "session:other", "b"):
        log.record(key, envelope())
    assert numbers(trail.missed(ME, ("a", "b"), 0)) == [2, 3, 4, 7]
    assert numbers(trail.missed(ME, ("a", "b"), 3)) == [4, 7]
    assert numbers(trail.missed(ME, (), 7)) == []


def test_nobody_has_seen_what_is_not_numbered_yet() -> None:
    log = journal()
    trail = Trail(log)
    log.record("a", envelope())
    assert numbers(trail.missed(ME, ("a",), 1)) == []
    assert trail.missed(ME, ("a",), 2) is None


def test_a_channel_counts_from_when_it_was_entered_until_it_was_left() -> None:
    log = journal()
    trail = Trail(log)
    log.record("a", envelope())
    trail.has_joined("a")
    log.record("a", envelope())
    trail.has_left("a")
    log.record("a", envelope())
    trail.has_joined("a")
    log.record("a", envelope())
    assert numbers(trail.missed(ME, ("a",), 0)) == [2, 4]
    assert numbers(trail.missed(ME, ("a",), 2)) == [4]
    trail.has_left("a")
    log.record("a", envelope())
    assert numbers(trail.missed(ME, (), 0)) == [2, 4]


def test_what_has_arrived_for_certain_needs_no_record() -> None:
    log = journal()
    trail = Trail(log)
    log.record("a", envelope())
    trail.has_joined("a")
    log.record("a", envelope())
    trail.has_left("a")
    log.record("b", envelope())
    trail.arrived(3)
    trail.arrived(1)  # an old piece of news
    assert trail.confirmed == 3
    log.record("a", envelope())
    assert numbers(trail.missed(ME, ("b",), 0)) == []
    assert numbers(trail.missed(ME, ("a",), 0)) == [4]  # of the first stay nothing is left


def test_a_ping_that_was_sent_before_a_link_was_taken_tells_nothing_of_what_was_written_to_it() -> None:
    log = journal()
    trail = Trail(log)
    mark = log.record("a", envelope())
    trail.begin()
    trail.heard(mark)
    assert numbers(trail.missed(ME, ("a",), 0)) == [1]
    mark = log.record("a", envelope())
    trail.heard(mark)
    assert numbers(trail.missed(ME, ("a",), 0)) == []


def test_whoever_was_left_out_has_missed_nothing() -> None:
    log = journal()
    trail = Trail(log)
    log.record("a", envelope(exclude=ME))
    log.record("a", envelope(exclude="other"))
    log.record("a", envelope(unless=(f"session:{ME}",)))
    log.record("a", envelope(unless=("session:other",)))
    log.record("a", envelope(unless=("b",)))
    log.record("a", envelope(unless=("c",)))
    assert numbers(trail.missed(ME, ("a", "b"), 0)) == [2, 4, 6]


def test_who_was_in_the_other_room_is_asked_for_the_time_of_the_event() -> None:
    log = journal()
    trail = Trail(log)
    log.record("a", envelope(unless=("b",)))  # 1: not in b yet
    trail.has_joined("b")
    log.record("a", envelope(unless=("b",)))  # 2: in b, which has nothing of its own
    trail.has_left("b")
    log.record("a", envelope(unless=("b",)))  # 3: in b no more
    assert numbers(trail.missed(ME, ("a",), 0)) == [1, 3]


@pytest.mark.parametrize(("seen", "expected"), [(0, None), (1, None), (2, [3, 4]), (3, [4])])
def test_it_is_not_known_what_was_in_entries_that_are_gone(seen: int, expected: list[int] | None) -> None:
    log = journal(2 * (OVERHEAD + 1))
    trail = Trail(log)
    for _ in range(4):
        log.record("a", envelope())
    assert log.floor == 2
    assert numbers(trail.missed(ME, ("a",), seen)) == expected


def test_after_a_loss_there_is_no_recovery() -> None:
    trail = Trail(journal())
    trail.lose()
    assert trail.missed(ME, (), 0) is None


# --- against the plainest model ---------------------------------------------------------------------------------

ROOMS = "abc"
Step = tuple[str, Any]

publishing = st.tuples(
    st.sampled_from(ROOMS),
    st.sampled_from([None, None, ME, "other"]),
    st.lists(st.sampled_from([*ROOMS, f"session:{ME}", "session:other"]), max_size=3),
)
common = (
    st.tuples(st.just("publish"), publishing),
    st.tuples(st.just("publish"), publishing),
    st.tuples(st.just("join"), st.sampled_from(ROOMS)),
    st.tuples(st.just("leave"), st.sampled_from(ROOMS)),
    st.tuples(st.just("direct"), st.sampled_from([ME, "other"])),
)
connected = st.one_of(
    *common,
    st.tuples(st.just("ping"), st.none()),
    st.tuples(st.just("pong"), st.none()),
    st.tuples(st.just("ack"), st.integers(0, 5)),
)


class Model:
    """A client, and a server that writes down for it what it has to get."""

    def __init__(self, limit: int) -> None:
        self.journal = journal(limit)
        self.journal.record("before", envelope())
        self.trail: Trail = Trail(self.journal)
        self.rooms: set[str] = set()
        self.due: list[int] = []
        self.certain = 0  # how many of them have arrived, as the server was told
        self.mark: int | None = None

    def do(self, step: Step) -> None:
        action: Callable[[Any], None] = getattr(self, step[0])
        action(step[1])

    def publish(self, what: tuple[str, str | None, list[str]]) -> None:
        room, exclude, unless = what
        number = self.journal.record(room, envelope(exclude, tuple(unless)))
        last = len(unless) - 1 - unless[::-1].index(room) if room in unless else len(unless)
        if room in self.rooms and exclude != ME and not {*unless[:last]} & {*self.rooms, f"session:{ME}"}:
            self.due.append(number)

    def direct(self, session: str) -> None:
        number = self.journal.record(f"session:{session}", envelope())
        if session == ME:
            self.due.append(number)

    def join(self, room: str) -> None:
        if room not in self.rooms:
            self.rooms.add(room)
            self.trail.has_joined(room)

    def leave(self, room: str) -> None:
        if room in self.rooms:
            self.rooms.remove(room)
            self.trail.has_left(room)

    def ping(self, _: None) -> None:
        self.mark = self.journal.head

    def pong(self, _: None) -> None:
        if self.mark is not None:
            self.trail.heard(self.mark)
            self.arrived(self.mark)

    def ack(self, back: int) -> None:
        """The client answers one of the last events."""
        if self.due:
            number = self.due[-1 - min(back, len(self.due) - 1)]
            self.trail.arrived(number)
            self.arrived(number)

    def arrived(self, number: int) -> None:
        self.certain = max(self.certain, sum(each <= number for each in self.due))


@settings(max_examples=600)
@given(st.lists(connected, max_size=40), st.lists(st.one_of(*common), max_size=20), st.data(), st.booleans())
def test_a_client_gets_exactly_what_it_has_not_got(
    before: list[Step], after: list[Step], data: st.DataObject, roomy: bool
) -> None:
    """It is cut off after any number of events that the server does not know to have arrived."""
    model = Model(1_000_000 if roomy else 12 * (OVERHEAD + 1))
    for step in before:
        model.do(step)
    got = data.draw(st.integers(model.certain, len(model.due)), label="got")
    offset = model.due[got - 1] if got else 0
    for step in after:
        model.do(step)
    missed = numbers(model.trail.missed(ME, tuple(model.rooms), offset))
    seen = max(offset, model.trail.confirmed)
    gone = set(range(seen + 1, model.journal.head + 1)) - {entry.sequence for entry in model.journal}
    if gone:
        assert missed is None
    else:
        assert missed == model.due[got:]
