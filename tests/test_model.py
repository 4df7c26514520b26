from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from hubbub import model
from hubbub.hub.commands import TABLE
from hubbub.hub.session import NAMES

STRUCTS = [
    each
    for each in vars(model).values()
    if isinstance(each, type) and issubclass(each, msgspec.Struct) and each is not msgspec.Struct
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_value_is_frozen_and_says_what_it_is(struct: Any) -> None:
    assert struct.__struct_config__.frozen
    if struct not in (model.Retention, model.Refreshed):
        assert struct.__doc__


def test_every_command_can_be_told_by_its_tag_and_is_handled() -> None:
    commands = get_args(model.Command)
    tags = [each.__struct_config__.tag for each in commands]
    assert len(set(tags)) == len(tags)
    assert set(TABLE) == set(commands)
    assert set(NAMES) == {*commands, model.Event}
    assert [NAMES[each] for each in commands] == tags


@pytest.mark.parametrize("union", [model.Reply, model.Push, model.SessionPush])
def test_what_the_server_says_can_be_told_by_its_tag(union: Any) -> None:
    tags = [each.__struct_config__.tag for each in get_args(union)]
    assert all(tags)
    assert len(set(tags)) == len(tags)


def test_positions_of_an_epoch_are_in_order() -> None:
    assert model.Position("e", 9) < model.Position("e", 10)


def test_what_the_nodes_need_never_reaches_a_client() -> None:
    assert not {"exclude", "accepted"} & set(model.Publication.__struct_fields__)


def test_a_principal_without_a_user_is_anonymous() -> None:
    assert model.Principal("").anonymous
    assert not model.Principal("alice").anonymous
