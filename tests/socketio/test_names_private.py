"""Names of rooms that are nobody else's: hostile ones, and namespaces that could be taken for each other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hubbub.auth.channels import check_channel
from hubbub.config import SocketIoConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.socketio.names import PRIVATE, Names

LENGTH = 40


def names(**settings: Any) -> Names:
    return Names(SocketIoConfig(**settings), LENGTH)


@pytest.mark.parametrize(
    "channel",
    [
        names().room("/", "lobby"),
        names().room("/orders", "42"),
        names().everyone("/"),
        names().everyone("/orders"),
        PRIVATE,
    ],
)
def test_no_client_may_say_the_name_of_what_is_not_mapped(channel: str) -> None:
    with pytest.raises(HubbubError) as failure:
        check_channel(channel, LENGTH)
    assert failure.value.code == ErrorCode.INVALID_CHANNEL


@pytest.mark.parametrize(
    "room",
    ["a,b", ",", "{room}", "{namespace}", "*", "#", "..", " ", "ü\N{SNOWMAN}", "\0", "session:1", "/orders"],
)
def test_a_private_room_may_be_called_whatever_one_likes(room: str) -> None:
    it = names()
    assert it.room_of("/orders", it.room("/orders", room)) == room
    assert it.room_of("/", it.room("/orders", room)) != room


def test_namespaces_that_meet_in_one_channel_share_it_each_with_its_own_name_for_it() -> None:
    it = names(rooms={"/*": "{namespace}:{room}"})
    assert it.room("/a:b", "c") == it.room("/a", "b:c") == "a:b:c"
    assert it.room_of("/a:b", "a:b:c") == "c"
    assert it.room_of("/a", "a:b:c") == "b:c"


def test_a_namespace_whose_name_makes_no_channel_has_no_mapped_rooms() -> None:
    it = names(rooms={"/*": "{namespace}:{room}"}, everyone={"/*": "{namespace}"})
    for namespace in ("/", "/{room}", "/a b", "/../a", "/" + "x" * LENGTH):
        with pytest.raises(HubbubError) as failure:
            it.room(namespace, "a")
        assert failure.value.code == ErrorCode.INVALID_CHANNEL
    with pytest.raises(HubbubError):
        it.everyone("/")  # nothing is left of its name


NAMESPACES = st.text("ab/:{}*.#", max_size=6).map(lambda name: f"/{name}")
TEMPLATES = st.sampled_from(["{room}{namespace}", "{room}:o", "aa{room}aa", "{namespace}{room}{namespace}"])


@given(NAMESPACES, st.text("ao:{}./", min_size=1, max_size=12), TEMPLATES)
def test_a_mapped_room_is_found_again_between_ends_that_look_like_it(
    namespace: str, room: str, template: str
) -> None:
    it = names(rooms={"/*": template})
    try:
        channel = it.room(namespace, room)
    except HubbubError:
        return
    assert it.room_of(namespace, channel) == room


@given(NAMESPACES, NAMESPACES, st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=9))
def test_private_rooms_never_meet(one: str, other: str, room: str, another: str) -> None:
    assume((one, room) != (other, another))
    it = names()
    assert it.room(one, room) != it.room(other, another)
    assert it.room(one, room) != it.everyone(other)
