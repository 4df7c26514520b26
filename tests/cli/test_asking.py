"""How commands ask for operations, whichever they are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.cli.stub import Answer, stub

AT = ("--api-key", "hubbub_k")


def answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def accounts(*ids: str) -> list[dict[str, Any]]:
    return [{"user": {"id": id, "name": id.title()}} for id in ids]


def test_pages_follow_each_other_up_to_the_limit(hubbub: Command) -> None:
    pages = [{"users": accounts("ada", "bob"), "next": "x="}, {"users": accounts("eve"), "next": "y"}]
    with stub(*map(answer, pages)) as (url, asked):
        outcome = hubbub("users", "list", "--limit", "3", "--json", "--url", url, *AT)
    assert [json.loads(line)["user"]["id"] for line in outcome.out.splitlines()] == ["ada", "bob", "eve"]
    assert [each.path for each in asked] == [
        "/v1/administration/users?limit=3",
        "/v1/administration/users?limit=1&cursor=x%3D",
    ]


def test_the_last_page_ends_it(hubbub: Command) -> None:
    with stub(answer({"users": accounts("ada")})) as (url, asked):
        outcome = hubbub("users", "list", "--url", url, *AT)
    assert outcome.status == 0
    assert outcome.out.splitlines()[1:] == ["ada   Ada   person"]
    assert len(asked) == 1


def test_it_is_done_for_a_user(hubbub: Command) -> None:
    with stub(answer({"muted_until": None, "archived": True})) as (url, asked):
        outcome = hubbub("conversations", "archive", "c1", "--as", "Zoë", "--url", url, *AT)
    assert (outcome.status, outcome.out) == (0, "c1 is archived\n")
    (request,) = asked
    assert request.headers["Hubbub-User"] == "Zo%C3%AB"
    assert (request.method, request.path) == ("PATCH", "/v1/conversations/c1/me")
    assert json.loads(request.body) == {"archived": True}


def test_a_refusal_says_which_field(hubbub: Command) -> None:
    refusal = {"code": 109, "name": "validation_failed", "message": "no such kind", "field": "kind"}
    with stub(answer(refusal, 422)) as (url, _):
        outcome = hubbub("users", "create", "ada", "--kind", "ghost", "--url", url, *AT)
    assert outcome.status == 2
    assert "kind: no such kind (validation_failed, 109)" in outcome.err


@pytest.mark.parametrize("group", ["users", "conversations", "moderation", "retention"])
def test_groups_say_what_they_have(hubbub: Command, group: str) -> None:
    outcome = hubbub(group, "nothing")
    assert outcome.status == 2
    assert f"see `hubbub {group} --help`" in outcome.err
