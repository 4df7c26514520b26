from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hubbub.hub.journal import OVERHEAD, Journal
from hubbub.model import Envelope, Publication, Raw
from hubbub.testing import FakeClock


def envelope(text: str = "1") -> Envelope:
    return Envelope(Publication("a", "e", Raw(text.encode())))


def test_numbers_go_up_by_one_over_all_keys_and_each_key_has_its_own() -> None:
    journal = Journal(FakeClock(), 60.0, 1_000_000)
    assert [journal.record(key, envelope()) for key in ("a", "b", "a", "c", "a")] == [1, 2, 3, 4, 5]
    assert [entry.sequence for entry in journal.after("a", 0)] == [1, 3, 5]
    assert [entry.sequence for entry in journal.after("a", 1)] == [3, 5]
    assert [entry.sequence for entry in journal.after("a", 1, until=3)] == [3]
    assert journal.after("nobody", 0) == []
    assert journal.head == 5


def test_entries_are_let_go_when_they_are_older_than_the_window_and_not_before() -> None:
    clock = FakeClock()
    journal = Journal(clock, 10.0, 1_000_000)
    journal.record("a", envelope())
    clock.advance(10.0)
    journal.trim()
    assert len(journal) == 1
    assert journal.floor == 0
    clock.advance(0.5)
    journal.record("b", envelope())
    assert [entry.sequence for entry in journal] == [2]
    assert (journal.floor, journal.after("a", 0)) == (1, [])


def test_the_oldest_go_above_the_limit_of_bytes_and_none_at_it() -> None:
    size = OVERHEAD + 1
    journal = Journal(FakeClock(), 60.0, 3 * size)
    for key in ("a", "b", "a"):
        journal.record(key, envelope())
    assert (journal.bytes, len(journal), journal.floor) == (3 * size, 3, 0)
    journal.record("b", envelope())
    assert (journal.bytes, len(journal), journal.floor) == (3 * size, 3, 1)
    assert [entry.sequence for entry in journal.after("a", 0)] == [3]


def test_attachments_count() -> None:
    journal = Journal(FakeClock(), 60.0, 1_000_000)
    journal.record("a", Envelope(Publication("a", "e", Raw(b"[]"), attachments=(b"123", b"4"))))
    assert journal.bytes == OVERHEAD + 2 + 4


def test_two_journals_are_of_different_epochs() -> None:
    assert Journal(FakeClock(), 1.0, 1).epoch != Journal(FakeClock(), 1.0, 1).epoch


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 4), st.integers(0, 300)), max_size=60))
def test_what_is_kept_is_the_newest_and_counted_right(steps: list[tuple[str, float, int]]) -> None:
    clock = FakeClock()
    journal = Journal(clock, 10.0, 5_000)
    for key, seconds, size in steps:
        clock.advance(seconds)
        journal.record(key, envelope("1" * size))
        kept = list(journal)
        assert [entry.sequence for entry in kept] == list(range(journal.floor + 1, journal.head + 1))
        assert journal.bytes == sum(entry.size for entry in kept) <= 5_000
        for each in "abc":
            assert journal.after(each, 0) == [entry for entry in kept if entry.key == each]
