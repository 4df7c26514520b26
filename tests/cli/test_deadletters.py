from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.cli.stub import Answer, stub

LETTERS = [
    {
        "id": f"170000000000{number}-0",
        "time": 1.7e9,
        "channel": "lobby",
        "reason": "listener",
        "detail": "it failed",
        "node": "",
        "size": 12,
    }
    for number in range(3, 0, -1)
]


def answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


REFUSED = answer({"code": 118, "name": "not_available", "message": "it cannot be read"}, 409)


def ways(asked: list[Any]) -> list[str]:
    return [f"{each.method} {each.path}" for each in asked]


def test_they_are_listed_a_line_each(hubbub: Command) -> None:
    with stub(answer({"letters": LETTERS[:2], "next": "2-0"}), answer({"letters": LETTERS[2:]})) as (
        url,
        asked,
    ):
        outcome = hubbub("deadletters", "list", "--url", url, "--api-key", "hubbub_k")
    assert outcome == (0, "".join(json.dumps(each) + "\n" for each in LETTERS), "")
    assert ways(asked) == ["GET /v1/dead-letters?limit=100", "GET /v1/dead-letters?limit=98&before=2-0"]
    assert asked[0].headers["Authorization"] == "Bearer hubbub_k"


def test_as_many_as_are_wanted_are_listed(hubbub: Command) -> None:
    with stub(answer({"letters": LETTERS[:2], "next": "2-0"})) as (url, asked):
        outcome = hubbub("deadletters", "list", "--limit", "2", "--url", url, "--api-key", "k")
    assert outcome.out.count("\n") == 2
    assert ways(asked) == ["GET /v1/dead-letters?limit=2"]


def test_one_is_shown(hubbub: Command) -> None:
    with stub(answer(LETTERS[0])) as (url, asked):
        outcome = hubbub("deadletters", "show", "1-0", "--url", url, "--api-key", "k")
    assert json.loads(outcome.out) == LETTERS[0]
    assert ways(asked) == ["GET /v1/dead-letters/1-0"]


def test_one_is_replayed(hubbub: Command) -> None:
    with stub(answer(LETTERS[0])) as (url, asked):
        outcome = hubbub("deadletters", "replay", "1-0", "--url", url, "--api-key", "k")
    assert outcome == (0, "replayed 1-0\n", "")
    assert ways(asked) == ["POST /v1/dead-letters/1-0/replay"]


def test_all_are_replayed_oldest_first_and_those_that_fail_are_named(hubbub: Command) -> None:
    with stub(answer({"letters": LETTERS}), answer({}), REFUSED, answer({})) as (url, asked):
        outcome = hubbub("deadletters", "replay", "--all", "--url", url, "--api-key", "k")
    assert ways(asked)[1:] == [f"POST /v1/dead-letters/{each['id']}/replay" for each in reversed(LETTERS)]
    assert outcome.status == 2
    assert outcome.out == f"replayed {LETTERS[2]['id']}\nreplayed {LETTERS[0]['id']}\n"
    assert outcome.err.startswith(f"{LETTERS[1]['id']}: the server refused: it cannot be read")
    assert "1 of 3 could not be replayed" in outcome.err


def test_one_that_is_refused_says_why(hubbub: Command) -> None:
    with stub(REFUSED) as (url, _):
        outcome = hubbub("deadletters", "replay", "1-0", "--url", url, "--api-key", "k")
    assert outcome.status == 2
    assert "it cannot be read" in outcome.err


@pytest.mark.parametrize(
    ("argument", "path"), [("1-0", "/v1/dead-letters/1-0"), ("--all", "/v1/dead-letters")]
)
def test_they_are_thrown_away(hubbub: Command, argument: str, path: str) -> None:
    with stub(answer({"letters": 7})) as (url, asked):
        outcome = hubbub("deadletters", "drop", argument, "--url", url, "--api-key", "k")
    assert outcome == (0, "dropped 7\n", "")
    assert ways(asked) == [f"DELETE {path}"]


@pytest.mark.parametrize("command", ["replay", "drop"])
@pytest.mark.parametrize("arguments", [[], ["1-0", "--all"]])
def test_which_is_meant_is_said(hubbub: Command, command: str, arguments: list[str]) -> None:
    with stub(answer({})) as (url, asked):
        outcome = hubbub("deadletters", command, *arguments, "--url", url, "--api-key", "k")
    assert (outcome.status, asked) == (2, [])
    assert "--all" in outcome.err


@pytest.mark.parametrize("id", ["../channels", "1-0/x", "1 0", "é"])
def test_an_id_is_no_path(hubbub: Command, id: str) -> None:
    with stub(answer({})) as (url, asked):
        outcome = hubbub("deadletters", "drop", id, "--url", url, "--api-key", "k")
    assert (outcome.status, asked) == (2, [])
    assert "no id of a dead letter" in outcome.err
