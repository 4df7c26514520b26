from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.cluster.rendezvous import owner, ranked

NODES = dict.fromkeys(("aaaaaa", "bbbbbb", "cccccc"), 1.0)
KEYS = [f"orders:{number}" for number in range(3000)]


def test_all_have_their_share() -> None:
    shares = Counter(owner(key, NODES) for key in KEYS)
    assert set(shares) == set(NODES)
    assert all(abs(share - 1000) < 150 for share in shares.values()), shares


def test_twice_the_weight_is_twice_the_share() -> None:
    shares = Counter(owner(key, {**NODES, "aaaaaa": 2.0}) for key in KEYS)
    assert abs(shares["aaaaaa"] - 1500) < 150, shares


def test_a_node_without_weight_has_nothing_and_of_none_there_is_none() -> None:
    assert owner("a", {"aaaaaa": 0.0, "bbbbbb": 1.0}) == "bbbbbb"
    assert owner("a", {"aaaaaa": 0.0}) is None
    assert owner("a", {}) is None


@given(st.text(min_size=1), st.sets(st.text(min_size=1, max_size=64), min_size=2, max_size=9))
def test_only_what_a_node_had_moves_when_it_goes_and_to_the_next(key: str, names: set[str]) -> None:
    nodes = dict.fromkeys(names, 1.0)
    order = ranked(key, nodes, len(nodes))
    assert sorted(order) == sorted(nodes)
    first, second = order[:2]
    assert owner(key, nodes) == first
    del nodes[first]
    assert owner(key, nodes) == second
    last = order[-1]
    if last in nodes and last != second:
        del nodes[last]
        assert owner(key, nodes) == second


@pytest.mark.parametrize(("key", "node"), [("orders:1", "bbbbbb"), ("orders:2", "aaaaaa")])
def test_the_answer_is_the_same_in_every_process_and_version(key: str, node: str) -> None:
    assert owner(key, NODES) == node
