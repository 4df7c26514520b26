from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hubbub.hub.gathering import SLICE, Gathering
from hubbub.testing import FakeClock


class Teller:
    """What listeners believe, as they were told, beside how it is."""

    def __init__(self, delay: float = 0.0) -> None:
        self.clock = FakeClock()
        self.delay = delay
        self.real: dict[str, bool] = {}
        self.believed: dict[str, bool] = {}
        self.told = self.left_out = 0
        self.gathering: Gathering[str, bool] = Gathering(
            self.clock, lambda: self.delay, self._tell, self._leave_out
        )

    def _tell(self, key: str, before: bool, after: bool) -> None:
        assert self.believed.get(key, False) is before, "it goes on from what was told last"
        self.believed[key] = after
        self.told += 1

    def _leave_out(self, count: int) -> None:
        self.left_out += count

    def toggle(self, key: str) -> None:
        before = self.real.get(key, False)
        self.real[key] = not before
        self.gathering.change(key, before, not before)


def test_without_load_each_change_is_told_at_once() -> None:
    teller = Teller()
    for _ in range(3):
        teller.toggle("ada")
    assert (teller.told, teller.left_out, len(teller.gathering)) == (3, 0, 0)


def test_with_load_it_is_what_has_changed_in_the_end() -> None:
    teller = Teller(5.0)
    for name in ("ada", "bob", "bob", "cleo", "cleo", "cleo"):
        teller.toggle(name)
    teller.clock.advance(4.99)
    assert teller.told == 0
    teller.clock.advance(0.01)
    assert teller.believed == {"ada": True, "cleo": True}
    assert (teller.told, teller.left_out) == (2, 4)


def test_the_first_change_sets_the_time() -> None:
    teller = Teller(5.0)
    teller.toggle("ada")
    teller.clock.advance(4)
    teller.toggle("bob")
    teller.clock.advance(1)
    assert teller.told == 2
    teller.toggle("ada")
    teller.clock.advance(4.9)
    assert teller.told == 2


def test_what_changes_after_the_load_waits_behind_what_waits_already() -> None:
    teller = Teller(5.0)
    teller.toggle("ada")
    teller.delay = 0.0
    teller.toggle("ada")
    teller.toggle("bob")
    assert teller.told == 0
    teller.clock.advance(5)
    assert teller.believed == {"bob": True}
    teller.toggle("ada")
    assert teller.believed == {"bob": True, "ada": True}


def test_many_are_told_a_slice_a_turn() -> None:
    teller = Teller(1.0)
    for number in range(SLICE * 2 + 1):
        teller.toggle(str(number))
    turns: list[int] = []
    teller.clock.call_later(1.0, lambda: turns.append(teller.told))
    teller.clock.advance(1)
    assert turns == [SLICE]
    assert teller.told == SLICE * 2 + 1


def test_after_the_end_nothing_is_told() -> None:
    teller = Teller(1.0)
    teller.toggle("ada")
    teller.gathering.stop()
    teller.clock.advance(5)
    assert teller.told == 0


@given(
    st.lists(
        st.one_of(
            st.sampled_from("abc").map(lambda name: ("toggle", name)),
            st.floats(0, 3).map(lambda seconds: ("advance", seconds)),
            st.sampled_from((0.0, 1.0, 5.0)).map(lambda delay: ("delay", delay)),
        ),
        max_size=60,
    )
)
def test_whatever_happens_all_believe_what_is_true_in_the_end(steps: list[tuple[str, object]]) -> None:
    teller = Teller()
    toggles = 0
    for kind, value in steps:
        if kind == "toggle":
            teller.toggle(str(value))
            toggles += 1
        elif kind == "advance":
            teller.clock.advance(float(str(value)))
        else:
            teller.delay = float(str(value))
    teller.clock.advance(10)
    assert {key for key, value in teller.real.items() if value} == {
        key for key, value in teller.believed.items() if value
    }
    assert teller.told + teller.left_out == toggles
