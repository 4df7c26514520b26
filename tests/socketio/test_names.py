from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hubbub.config import SocketIoConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.socketio.names import Names


def names(length: int = 64, **config: Any) -> Names:
    return Names(SocketIoConfig(**config), length)


def test_rooms_without_a_mapping_have_names_that_no_client_can_say() -> None:
    plain = names()
    assert plain.room("/", "lobby") == "socketio:#/,lobby"
    assert plain.room("/chat", "lobby") == "socketio:#/chat,lobby"
    assert plain.room("/chat", "any thing, at: all #\n") == "socketio:#/chat,any thing, at: all #\n"
    assert plain.everyone("/") == "socketio:#/"
    assert plain.everyone("/chat") == "socketio:#/chat"
    assert not plain.mapped("/")
    assert not plain.any_mapped


def test_mapped_rooms_are_the_channels_that_the_template_says() -> None:
    mapped = names(rooms={"/": "{room}", "/orders": "orders:{room}", "/a": "x:{namespace}:{room}.{room}"})
    assert mapped.room("/", "chat:1") == "chat:1"
    assert mapped.room("/orders", "eu") == "orders:eu"
    assert mapped.room("/a", "1") == "x:a:1.1"
    assert mapped.room("/other", "1") == "socketio:#/other,1"
    assert mapped.mapped("/orders")
    assert not mapped.mapped("/other")
    assert mapped.any_mapped


def test_a_whole_namespace_may_be_a_channel() -> None:
    mapped = names(everyone={"/news": "news", "/team-*": "team:{namespace}"})
    assert mapped.everyone("/news") == "news"
    assert mapped.everyone("/team-a") == "team:team-a"
    assert mapped.everyone("/") == "socketio:#/"
    assert mapped.mapped("/team-a")
    assert mapped.any_mapped
    assert mapped.room("/news", "a") == "socketio:#/news,a"


@pytest.mark.parametrize(
    ("namespace", "channel"),
    [
        ("/a", "own:r"),
        ("/ab", "short:r"),
        ("/abc", "long:r"),
        ("/abd", "short:r"),
        ("/x", "all:r"),
        ("/x/abc", "all:r"),
        ("/a.c", "short:r"),
    ],
)
def test_the_namespace_itself_comes_before_patterns_and_the_longest_of_these_wins(
    namespace: str, channel: str
) -> None:
    rooms = {"/a": "own:{room}", "/*": "all:{room}", "/a*": "short:{room}", "/a*c": "long:{room}"}
    if namespace == "/a.c":
        del rooms["/a*c"]
    assert names(rooms=rooms).room(namespace, "r") == channel


@pytest.mark.parametrize("room", ["{namespace}", "{room}", "{room}{room}"])
def test_a_room_is_a_name_and_no_template(room: str) -> None:
    for template in ("x:{room}", "{namespace}:{room}"):
        with pytest.raises(HubbubError) as refusal:  # braces are in no channel's name
            names(rooms={"/a": template}).room("/a", room)
        assert refusal.value.code is ErrorCode.INVALID_CHANNEL
    assert names().room("/a", room) == f"socketio:#/a,{room}"


@pytest.mark.parametrize("room", ["", "r" * 65])
@pytest.mark.parametrize("rooms", [{}, {"/": "a:{room}"}])
def test_a_room_has_a_name_of_bounded_length(room: str, rooms: dict[str, str]) -> None:
    with pytest.raises(HubbubError, match=r"1 to limits\.channel_length = 64") as refusal:
        names(rooms=rooms).room("/", room)
    assert (refusal.value.code, refusal.value.field) == (ErrorCode.BAD_REQUEST, "room")


def test_the_longest_name() -> None:
    assert names().room("/", "r" * 64) == "socketio:#/," + "r" * 64
    mapped = names(rooms={"/": "a:{room}"})
    assert mapped.room("/", "r" * 62) == "a:" + "r" * 62
    with pytest.raises(HubbubError) as refusal:
        mapped.room("/", "r" * 63)
    assert refusal.value.code is ErrorCode.INVALID_CHANNEL


@pytest.mark.parametrize(
    ("template", "room"),
    [
        ("{room}", "session:abc"),
        ("{room}", "socketio:#/,x"),
        ("{room}", "socketio:x"),
        ("s{room}", "ession:abc"),
        ("{room}:x", "session"),
        ("a:{room}", "with space"),
        ("a:{room}", "ü"),
        ("a:{room}", "*"),
        ("a/{room}/b", ".."),
        ("{room}", ":a"),
        ("a:{room}", "x\ny"),
    ],
)
def test_a_mapped_room_never_is_a_channel_that_no_client_might_have(template: str, room: str) -> None:
    with pytest.raises(HubbubError) as refusal:
        names(rooms={"/": template}).room("/", room)
    assert refusal.value.code is ErrorCode.INVALID_CHANNEL


@pytest.mark.parametrize("namespace", ["/session:abc", "/socketio:x", "/with space", "/a:"])
def test_nor_a_mapped_namespace(namespace: str) -> None:
    mapped = names(everyone={"/*": "{namespace}"})
    for _ in range(2):  # refusals are not remembered as names
        with pytest.raises(HubbubError) as refusal:
            mapped.everyone(namespace)
        assert refusal.value.code is ErrorCode.INVALID_CHANNEL
    assert mapped.everyone("/fine") == "fine"


# --- and back ---------------------------------------------------------------------------------------------------


def test_the_room_that_a_channel_is() -> None:
    mapped = names(
        rooms={"/": "{room}", "/o": "orders:{room}:{namespace}", "/{room}": "x:{namespace}:{room}"},
        everyone={"/o": "orders"},
    )
    assert mapped.room_of("/", "socketio:#/") is None
    assert mapped.room_of("/", "chat:1") == "chat:1"
    assert mapped.room_of("/o", "orders:eu:o") == "eu"
    assert mapped.room_of("/o", "orders") is None
    assert mapped.room_of("/o", "elsewhere") == "elsewhere"
    assert mapped.room_of("/o", "orders:o") == "orders:o"  # the two ends overlap in it
    assert names(rooms={"/": "a{room}b"}).room_of("/", "ab") == "ab"
    assert mapped.room_of("/p", "socketio:#/p,a") == "a"
    assert mapped.room_of("/p", "chat:1") == "chat:1"


rooms = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(
    rooms,
    st.sampled_from(["/", "/a", "/a/b", "/{room}"]),
    st.sampled_from([None, "{room}", "x:{room}", "x:{room}.y", "{namespace}/{room}"]),
)
def test_every_room_comes_back_from_its_channel(room: str, namespace: str, template: str | None) -> None:
    each = names(200, rooms={} if template is None else {namespace: template})
    try:
        channel = each.room(namespace, room)
    except HubbubError:
        return
    assert each.room_of(namespace, channel) == room


@given(
    st.lists(st.tuples(st.sampled_from(["/", "/a", "/a,", "/b"]), rooms), min_size=2, max_size=2, unique=True)
)
def test_two_private_rooms_are_never_the_same_channel(pair: list[tuple[str, str]]) -> None:
    each = names()
    (one, first), (other, second) = [(namespace.rstrip(","), room) for namespace, room in pair]
    if (one, first) != (other, second):
        assert each.room(one, first) != each.room(other, second)
    assert each.everyone(one) != each.room(other, second)
