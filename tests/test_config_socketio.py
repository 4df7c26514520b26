"""Rules that `[socketio]` keeps beyond the types of its settings."""

from __future__ import annotations

from typing import Any

import pytest

from hubbub import config as settings
from hubbub.config import Config
from hubbub.errors import ConfigError


def faults(**socketio: Any) -> list[str]:
    """What `validate` says of these settings of `[socketio]`, one line for each fault."""
    try:
        settings.validate(Config(auth={"hmac_secret": "s" * 32}, socketio=socketio))
    except ConfigError as error:
        return str(error).splitlines()
    return []


def test_the_defaults_are_right() -> None:
    assert faults() == []


@pytest.mark.parametrize("window", [0, 0.1, 45])
def test_recovery_may_be_shorter_than_a_dead_link_goes_unnoticed(window: float) -> None:
    # The window begins when it is noticed, and the journal outlasts it by that time.
    assert faults(recovery_window=window, ping_interval=25, ping_timeout=20) == []


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ({"path": "/socket.io/"}, {"path": "socket.io/"}, "must begin and end with a slash"),
        ({"path": "/a/b/"}, {"path": "/a/b"}, "must begin and end with a slash"),
        ({"path": "/x/"}, {"path": "/"}, "must begin and end with a slash"),
        ({"path": "/x/"}, {"path": ""}, "must begin and end with a slash"),
        ({"path": "/v2/"}, {"path": "/v1/"}, "/v1/ is the server's own API"),
        ({"path": "/v1x/"}, {"path": "/v1/socket.io/"}, "/v1/ is the server's own API"),
        ({"transports": ["websocket"]}, {"transports": []}, "socketio.enabled = false"),
        ({"transports": ["polling"]}, {"transports": []}, "socketio.transports is empty"),
        # Which rooms are channels
        ({"rooms": {"/*": "{room}"}}, {"rooms": {"orders": "{room}"}}, "'orders' is not a namespace"),
        ({"rooms": {"/": "{room}"}}, {"rooms": {"": "{room}"}}, "'' is not a namespace"),
        ({"rooms": {"/": "{room}"}}, {"rooms": {"*": "{room}"}}, "'*' is not a namespace"),
        ({"rooms": {"/": "o:{room}"}}, {"rooms": {"/": "orders"}}, "no template for a channel's name"),
        ({"rooms": {"/": "o:{room}"}}, {"rooms": {"/": ""}}, "no template for a channel's name"),
        ({"rooms": {"/": "{room}:o"}}, {"rooms": {"/": "{room}:{o}"}}, "no template for a channel's name"),
        ({"rooms": {"/": "{room}"}}, {"rooms": {"/": "{room}{"}}, "no template for a channel's name"),
        ({"rooms": {"/": "{room}"}}, {"rooms": {"/": "{room}}"}}, "no template for a channel's name"),
        ({"rooms": {"/": "{room}"}}, {"rooms": {"/": "{room}:{room}"}}, "no template for a channel's name"),
        ({"rooms": {"/": "{namespace}:{room}"}}, {"rooms": {"/": "{namespace}"}}, "no template"),
        ({"rooms": {"/": "s:{room}"}}, {"rooms": {"/": "session:{room}"}}, "a namespace of the server's own"),
        (
            {"rooms": {"/": "i:{room}"}},
            {"rooms": {"/": "socketio:{room}"}},
            "a namespace of the server's own",
        ),
        # Which namespaces are
        ({"everyone": {"/": "news"}}, {"everyone": {"news": "news"}}, "'news' is not a namespace"),
        ({"everyone": {"/*": "{namespace}"}}, {"everyone": {"/": ""}}, "no template for a channel's name"),
        ({"everyone": {"/": "all"}}, {"everyone": {"/": "{room}"}}, "no template for a channel's name"),
        ({"everyone": {"/": "all"}}, {"everyone": {"/": "{all}"}}, "no template for a channel's name"),
        ({"everyone": {"/": "s:all"}}, {"everyone": {"/": "session:all"}}, "a namespace of the server's own"),
        ({"everyone": {"/": "i:all"}}, {"everyone": {"/": "socketio:{namespace}"}}, "the server's own"),
    ],
)
def test_a_fault_is_named_and_what_is_right_is_not(
    good: dict[str, Any], bad: dict[str, Any], says: str
) -> None:
    assert faults(**good) == []
    (line,) = faults(**bad)
    assert says in line
    assert line.startswith("socketio.")


def test_all_faults_are_named_at_once() -> None:
    lines = faults(
        path="x",
        transports=[],
        rooms={"a": "b", "/": "session:{room}"},
        everyone={"/": ""},
    )
    assert len(lines) == 6


@pytest.mark.parametrize(
    "bad",
    [
        {"transports": ["webtransport"]},
        {"parser": "bson"},
        {"ping_interval": 0},
        {"ping_timeout": 0},
        {"recovery": "sometimes"},
        {"recovery_window": -1},
        {"arguments": "many"},
        {"cors": "*"},
    ],
)
def test_what_is_no_setting_or_no_value_of_one_is_refused_on_loading(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"socketio\.{next(iter(bad))}"):
        settings.load(socketio=bad)
