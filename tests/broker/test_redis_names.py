from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.broker.redis_names import channel_of, glob_of, naming, pattern_of
from hubbub.engines.redis_topology import slot

CHANNELS = st.text(min_size=1, max_size=12) | st.text("{}%7BDab:", min_size=1, max_size=12)


@given(CHANNELS)
def test_all_that_belongs_to_a_channel_lies_in_one_slot(channel: str) -> None:
    names = naming("hubbub")(channel)
    keys = (names.channel, names.meta, names.stream, names.used + "}{a}")
    assert len({slot(key.encode()) for key in keys}) == 1
    assert len(set(keys)) == 4


@given(CHANNELS, CHANNELS)
def test_each_channel_has_its_own_names(one: str, other: str) -> None:
    names = naming("hubbub")
    if one != other:
        assert names(one).channel != names(other).channel
        assert names(one).stream != names(other).stream
        assert names(one).meta not in (names(other).stream, names(other).meta)


@given(CHANNELS)
def test_a_name_tells_its_channel(channel: str) -> None:
    assert channel_of("hubbub:x", naming("hubbub:x")(channel).channel) == channel


@given(st.text(max_size=8), st.text(max_size=8))
def test_a_pattern_matches_what_begins_so(beginning: str, rest: str) -> None:
    plain = glob_of(beginning)
    for character in "\\*?[]^-":
        assert plain[:-1].count(character) <= beginning.count(character) * 2 + plain.count("\\")
    if not set("\\*?[]^-") & set(beginning + rest):
        assert fnmatchcase(beginning + rest, plain)
        assert fnmatchcase(naming("h")(beginning + rest).channel, pattern_of("h", beginning))


@pytest.mark.parametrize("channel", ["a{b", "a%7Bb", "a}b", "a%b", "{", "}"])
def test_braces_are_escaped(channel: str) -> None:
    name = naming("hubbub")(channel).channel
    assert name.count("{") == name.count("}") == 1
