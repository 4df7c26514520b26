from __future__ import annotations

import json
import time
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.cli.stub import stub
from tests.cli.test_asking import AT, answer

GROUP: dict[str, Any] = {
    "id": "c1",
    "kind": "group",
    "name": "Engineers",
    "members": 3,
    "messages": 1_500,
    "created": 1.7e9,
    "last_activity": 1.7e9,
}


def test_conversations_are_a_table(hubbub: Command) -> None:
    found = [
        {"conversation": {**GROUP, "last_activity": time.time() - 600}},
        {"conversation": {**GROUP, "id": "c2", "kind": "direct", "name": None}, "between": ["ada", "bob"]},
        {"conversation": {**GROUP, "id": "c3", "closed": True}},
    ]
    with stub(answer({"conversations": found})) as (url, asked):
        outcome = hubbub("conversations", "list", "eng", "--user", "ada", "--open", "--url", url, *AT)
    assert outcome.out.splitlines() == [
        "CONVERSATION  KIND    NAME                MEMBERS  MESSAGES  ACTIVE",
        "c1            group   Engineers                 3     1,500  10 min ago",
        "c2            direct  ada and bob               3     1,500  2023-11-14",
        "c3            group   Engineers (closed)        3     1,500  2023-11-14",
    ]
    wanted = "/v1/administration/conversations?limit=100&query=eng&user=ada&closed=false"
    assert asked[0].path == wanted


def test_one_is_shown(hubbub: Command) -> None:
    about = {**GROUP, "permissions": {"send": "admin"}, "retention": 7776000.0, "slow_mode": 30.0}
    with stub(answer({"conversation": about})) as (url, _):
        outcome = hubbub("conversations", "show", "c1", "--url", url, *AT)
    lines = outcome.out.splitlines()
    assert [line.split()[-1] for line in lines[:2]] == ["c1", "group"]
    assert "permissions    send: admin" in lines
    assert "slow mode      30 s" in lines
    assert "messages kept  90 d" in lines


@pytest.mark.parametrize(
    ("arguments", "way", "body", "said"),
    [
        (
            ("create", "group", "bob", "--name", "x", "--owner", "ada"),
            "POST /v1/conversations",
            {"kind": "group", "name": "x", "owner": "ada", "members": [{"user": "bob"}]},
            "c1",
        ),
        (("rename", "c1", "y"), "PATCH /v1/conversations/c1", {"name": "y"}, "Engineers"),
        (("close", "c1"), "PATCH /v1/conversations/c1", {"closed": True}, "Engineers"),
        (("reopen", "c1"), "PATCH /v1/conversations/c1", {"closed": False}, "Engineers"),
        (
            ("add", "c1", "bob", "eve", "--role", "reader"),
            "POST /v1/conversations/c1/members",
            {"users": ["bob", "eve"], "role": "reader"},
            "bob: joined as reader",
        ),
        (
            ("role", "c1", "bob", "admin"),
            "PATCH /v1/conversations/c1/members/bob",
            {"role": "admin"},
            "bob: reader",
        ),
        (("remove", "c1", "bob"), "DELETE /v1/conversations/c1/members/bob", None, "bob is removed"),
    ],
)
def test_what_is_done_with_them(
    hubbub: Command, arguments: tuple[str, ...], way: str, body: Any, said: str
) -> None:
    member = {"user": "bob", "role": "reader"}
    with stub(answer({**GROUP, "conversation": GROUP, "members": [member], **member})) as (url, asked):
        outcome = hubbub("conversations", *arguments, "--url", url, *AT)
    assert (outcome.status, outcome.err) == (0, "")
    assert said in outcome.out
    (request,) = asked
    assert f"{request.method} {request.path}" == way
    assert (json.loads(request.body) if request.body else None) == body


def test_members_are_a_table(hubbub: Command) -> None:
    found = [{"user": "ada", "role": "owner", "since": 1.7e9, "read": 12}, {"user": "bob", "state": "left"}]
    with stub(answer({"members": found})) as (url, asked):
        outcome = hubbub("conversations", "members", "c1", "--state", "left", "--url", url, *AT)
    assert outcome.out.splitlines() == [
        "USER  ROLE    STATE   SINCE       READ",
        "ada   owner   joined  2023-11-14    12",
        "bob   member  left                   0",
    ]
    assert asked[0].path == "/v1/conversations/c1/members?limit=100&state=left"


def test_an_archive_is_somebodys(hubbub: Command) -> None:
    outcome = hubbub("conversations", "archive", "c1", *AT)
    assert outcome.status == 2
    assert "say whose with --as" in outcome.err
