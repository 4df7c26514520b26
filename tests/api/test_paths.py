from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hubbub.api.paths import COLLECTIONS, decoded, encoded, route_path
from hubbub.chat.directory import OPERATIONS
from hubbub.errors import ErrorCode, HubbubError


@pytest.mark.parametrize(
    ("raw", "routed"),
    [
        ("/", "/"),
        ("/v1/publish", "/v1/publish"),
        ("/v1/channels", "/v1/channels"),
        ("/v1/channels/", "/v1/channels/"),
        ("/v1/channels/orders:eu", "/v1/channels/orders:eu"),
        ("/v1/channels/a/b", "/v1/channels/a%2Fb"),
        ("/v1/channels/a%2Fb", "/v1/channels/a%2Fb"),
        ("/v1/channels/a//b/history", "/v1/channels/a%2F%2Fb/history"),
        ("/v1/channels/history", "/v1/channels/history"),
        ("/v1/channels/a/history/history", "/v1/channels/a%2Fhistory/history"),
        ("/v1/channels/a%2Fhistory", "/v1/channels/a%2Fhistory"),
        ("/v1/channels/a/publish", "/v1/channels/a%2Fpublish"),
        ("/v1/channels//history", "/v1/channels/%2Fhistory"),
        ("/v1/users/a/b/publish", "/v1/users/a%2Fb/publish"),
        ("/v1/users/a/history", "/v1/users/a%2Fhistory"),
        ("/v1/connections/x/disconnect", "/v1/connections/x/disconnect"),
        ("/v1/channelsx/a/b", "/v1/channelsx/a/b"),
    ],
)
def test_names_become_one_segment(raw: str, routed: str) -> None:
    assert route_path(raw) == routed


@given(
    st.text(min_size=1),
    st.sampled_from([(p, a) for p, actions in COLLECTIONS.items() for a in sorted(actions)]),
)
@example("a/history", ("/v1/channels/", "history"))
@example("%2F", ("/v1/users/", "publish"))
def test_every_name_comes_through_encoded(name: str, place: tuple[str, str]) -> None:
    prefix, action = place
    head, _, tail = route_path(f"{prefix}{encoded(name)}/{action}").removeprefix(prefix).rpartition("/")
    assert (decoded(head, "name"), tail) == (name, action)
    assert decoded(route_path(prefix + encoded(name)).removeprefix(prefix), "name") == name


@pytest.mark.parametrize("segment", ["%FF", "a%C3", "%ED%A0%80"])
def test_a_name_is_utf8(segment: str) -> None:
    with pytest.raises(HubbubError) as refused:
        decoded(segment, "channel")
    assert (refused.value.code, refused.value.field) == (ErrorCode.BAD_REQUEST, "channel")


def test_all_that_follows_a_user_is_an_action() -> None:
    below = [
        each.path.rpartition("/") for each in OPERATIONS.values() if each.path.startswith("/users/{user}/")
    ]
    assert {action for _, _, action in below} <= COLLECTIONS["/v1/users/"]
    assert {name for name, _, _ in below} == {"/users/{user}"}
