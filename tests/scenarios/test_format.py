"""The list is read, and what is wrong in a file is said."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.format import LIST, Elsewhere, FormatError, Together, all_steps, draw, names, parse, read

COVERED = {
    "drop_in_publish": "drop in the middle of a publish",
    "drop_in_subscribe": "drop in the middle of a subscribe",
    "drop_in_sync": "drop in the middle of a sync",
    "killed_server": "server kill -9 and restart",
    "token_expiry": "token expiry and refresh",
    "offline_thousand": "1,000 messages written offline and back",
    "missed_thousand": "1,000 messages missed offline",
    "two_devices": "two devices of a user",
    "slow_network": "slow network by proxy",
    "fallback": "WebSocket blocked, then SSE: polling",
    "fallback_unanswered": "WebSocket and SSE swallowed",
    "wrong_clock": "clock set wrong",
    "drained_server": "graceful drain",
    "resume_window_over": "resume window over",
    "revoked": "revoked token",
    "silent_network": "half-open connections",
    "changed_messages": "edits, deletions and reactions through drops",
    "changed_killed": "edits, deletions and reactions through a kill -9",
    "present": "presence through drops",
    "present_killed": "presence through a kill -9",
}
OPEN: dict[str, Any] = {"do": "open", "client": "ann"}


def scenario(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"about": "x", "clients": {"ann": {}}, "steps": [OPEN, *steps], **more}


def test_the_list_has_what_is_to_be_shown() -> None:
    assert set(names()) == set(COVERED)


@pytest.mark.parametrize("name", names())
def test_every_file_is_a_scenario_with_any_seed(name: str) -> None:
    drawn = [read(LIST / f"{name}.toml", seed) for seed in range(20)]
    assert drawn[0] == read(LIST / f"{name}.toml", 0)
    assert all(each.about.endswith(".") for each in drawn)


def test_a_thousand_are_a_thousand() -> None:
    for name in ("offline_thousand", "missed_thousand"):
        steps = all_steps(read(LIST / f"{name}.toml").steps)
        kind: Any = "send" if name == "offline_thousand" else "elsewhere"
        counts = [getattr(step, "count", 0) for step in steps if step.__struct_config__.tag == kind]
        assert sum(counts) >= 1_000


def test_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(
        'about = "x"\n[clients.ann]\n[[steps]]\ndo = "together"\nspread = 0.5\n'
        'steps = [{ do = "elsewhere", channel = "log:a", count = { any = [3, 3] } }]\n'
    )
    found = read(path)
    assert found.name == "small"
    assert found.steps == (Together(steps=(Elsewhere(channel="log:a", count=3),), spread=0.5),)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (scenario({"do": "dance"}), "Invalid value 'dance' - at `$.steps[1].do`"),
        (scenario({"do": "reset"}), "missing required field `client` - at `$.steps[1]`"),
        (scenario({"do": "reset", "client": "ann", "hard": True}), "unknown field `hard` - at `$.steps[1]`"),
        (scenario({"do": "pause", "seconds": 100}), "`float` <= 60.0 - at `$.steps[1].seconds`"),
        (scenario({"do": "reset", "client": "eve"}), "`reset`: there is no client 'eve' in [clients]"),
        (
            scenario({"do": "together", "steps": [{"do": "reset", "client": "eve"}]}),
            "`reset`: there is no client 'eve'",
        ),
        (
            scenario({"do": "watch", "client": "ann", "conversation": "hall"}),
            "`watch`: there is no conversation 'hall' in [conversations]",
        ),
        (scenario({"do": "revoke", "user": "eve"}), "`revoke`: nobody is called 'eve'"),
        (scenario({"do": "elsewhere"}), "`elsewhere`: name either a `channel` or a `conversation`"),
        (
            scenario(
                {"do": "elsewhere", "conversation": "hall"}, conversations={"hall": {"members": ["ann"]}}
            ),
            "`elsewhere`: name the `user` who writes",
        ),
        (
            scenario(
                {"do": "send", "client": "ann", "conversation": "hall"},
                conversations={"hall": {"members": ["ann"]}},
            ),
            "`send`: 'ann' has no `chat = true` in [clients]",
        ),
        (scenario({"do": "kill"}), "`kill`: only scenarios with `mortal = true` may end the server"),
        (scenario({"do": "clock", "client": "ann", "off": 1}), "`clock`: give 'ann' a `clock` in [clients]"),
        (scenario(mortal=True, settings={"limits.page": 1}), "leave out `mortal`"),
        (scenario(extra=1), "unknown field `extra`"),
        (
            scenario({"do": "pause", "seconds": {"any": [3, 1]}}),
            "`any` takes two numbers, the smaller one first",
        ),
        (scenario({"do": "pause", "seconds": {"one_of": []}}), "`one_of` takes a list"),
    ],
)
def test_what_is_wrong_is_said(data: dict[str, Any], said: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(data, "bad")
    assert str(caught.value).startswith("bad: ")
    assert said in str(caught.value)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("about = ")
    with pytest.raises(FormatError, match=r"broken\.toml: Invalid value"):
        read(path)
    with pytest.raises(FormatError, match=r"absent\.toml"):
        read(tmp_path / "absent.toml")


def test_what_is_left_to_chance_is_drawn() -> None:
    chance = random.Random(1)
    data = {
        "a": {"any": [1, 3]},
        "b": [{"one_of": ["x", "y"]}],
        "c": {"any": [0.0, 1.0]},
        "d": {"any": 1, "e": 2},
    }
    drawn = [draw(data, chance) for _ in range(50)]
    assert {each["a"] for each in drawn} == {1, 2, 3}
    assert {each["b"][0] for each in drawn} == {"x", "y"}
    assert all(0 <= each["c"] <= 1 for each in drawn)
    assert drawn[0]["d"] == {"any": 1, "e": 2}
