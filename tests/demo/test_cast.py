from __future__ import annotations

import pytest

from hubbub.demo.cast import ASIDES, EVERYBODY, NAMES, PLACES, Place


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.id)
def test_only_who_is_there_speaks_and_what_is_answered_was_said(place: Place) -> None:
    assert set(place.people) <= NAMES.keys()
    assert dict(place.behind).keys() <= set(place.people)
    for day in place.days:
        said: set[str] = set()
        for each in day:
            assert each.by in place.people
            assert {each.re, each.under} - {""} <= said
            assert set(each.to) <= set(place.people)
            assert {user for _, users in each.liked for user in users.split()} <= set(place.people)
            said.add(each.label)


def test_no_two_are_called_alike() -> None:
    labels = [each.label for place in PLACES for day in place.days for each in day if each.label]
    for names in (labels, [place.id for place in PLACES], ASIDES, EVERYBODY):
        assert len(set(names)) == len(names)
