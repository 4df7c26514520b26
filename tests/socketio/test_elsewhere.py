from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.socketio.elsewhere import Values, Whom

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(text.filter(lambda key: key != "_placeholder"), inner),
    max_leaves=8,
)


@given(st.lists(values))
def test_every_value_that_an_event_may_have_survives_the_way_between_nodes(arguments: list[Any]) -> None:
    sent = msgspec.msgpack.encode(Values.of(arguments))
    assert msgspec.msgpack.decode(sent, type=Values).read() == arguments


def test_what_has_no_json_form_does_not() -> None:
    with pytest.raises(TypeError):
        Values.of([object()])


def test_other_nodes_are_asked_only_for_what_they_may_have() -> None:
    assert not Whom("/").others
    assert not Whom("/", skipped=("a",)).others
    assert Whom("/", ("a",)).others
    assert Whom("/", channels=("a",)).others
