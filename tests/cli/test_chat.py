from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.cli.stub import Answer, stub

from hubbub.chat.directory import OPERATIONS


def answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())


def test_an_operation_is_asked_for_as_rest_has_it(hubbub: Command) -> None:
    with stub(answer({"message": {"seq": 3}})) as (url, asked):
        said = ("conversation=a/b", 'parts=[{"type": "text", "text": "hello"}]', "silent=true")
        at = ("--url", url, "--api-key", "hubbub_k", "--as", "ada")
        outcome = hubbub("chat", "messages.send", *said, *at)
        assert (outcome.status, json.loads(outcome.out)) == (0, {"message": {"seq": 3}})
        listed = hubbub("chat", "messages.list", "conversation=12", "limit=5", *at)
        assert listed.status == 0
    assert [f"{each.method} {each.path}" for each in asked] == [
        "POST /v1/conversations/a%2Fb/messages",
        "GET /v1/conversations/12/messages?limit=5",
    ]
    parts = [{"type": "text", "text": "hello"}]
    assert json.loads(asked[0].body) == {"parts": parts, "silent": True}
    assert {each.headers["Hubbub-User"] for each in asked} == {"ada"}


def test_the_same_key_is_done_once(hubbub: Command) -> None:
    with stub(answer({"message": {"seq": 3}})) as (url, asked):
        at = ("--url", url, "--api-key", "hubbub_k")
        said = ("messages.send", "conversation=c1", "parts=[]")
        assert hubbub("chat", *said, "--key", "order 17", *at).status == 0
        assert hubbub("chat", *said, *at).status == 0
        for wrong in ("", "schlüssel", "a\nb"):
            assert "--key is not" in hubbub("chat", *said, "--key", wrong, *at).err
        assert "takes no idempotency key" in hubbub("chat", "me.get", "--key", "k", *at).err
    assert [each.headers.get("Idempotency-Key") for each in asked] == ["order 17", None]


def test_all_operations_are_listed(hubbub: Command) -> None:
    lines = hubbub("chat", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == list(OPERATIONS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("messages.shout",), "no operation messages.shout"),
        (("messages.send", "loud=yes"), "has no field loud"),
        (("messages.send", "conversation"), "write NAME=VALUE"),
        (("messages.send", "parts=[]"), "needs conversation"),
    ],
)
def test_what_cannot_be_asked_for(hubbub: Command, arguments: tuple[str, ...], said: str) -> None:
    outcome = hubbub("chat", *arguments, "--api-key", "hubbub_k")
    assert outcome.status == 2
    assert said in outcome.err


def test_all_of_a_person_goes_into_a_file(hubbub: Command) -> None:
    pages = [{"entries": [{"kind": "user", "data": {"id": "ä"}}] * 2, "next": "x="}, {"entries": []}]
    with stub(*map(answer, pages)) as (url, asked):
        outcome = hubbub("rights", "export", "a b", "ada.jsonl", "--url", url, "--api-key", "hubbub_k")
        assert (outcome.status, outcome.out) == (0, "ada.jsonl: 2 entries\n")
        again = hubbub("rights", "export", "a b", "ada.jsonl", "--url", url, "--api-key", "hubbub_k")
        assert again.status == 2
    assert [each.path for each in asked] == [
        "/v1/users/a%20b/export?limit=200",
        "/v1/users/a%20b/export?limit=200&cursor=x%3D",
    ]
    lines = Path("ada.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["data"]["id"] for line in lines] == ["ä", "ä"]
    assert Path("ada.jsonl").stat().st_mode & 0o077 == 0


def test_a_refused_export_leaves_no_file(hubbub: Command) -> None:
    refusal = answer({"code": 103, "name": "permission_denied", "message": "no"}, 403)
    with stub(refusal) as (url, _):
        assert (
            hubbub("rights", "export", "ada", "ada.jsonl", "--url", url, "--api-key", "hubbub_k").status == 2
        )
    assert list(Path().iterdir()) == []


def test_a_person_is_erased_if_that_is_meant(hubbub: Command) -> None:
    with stub(answer({"user": "ada", "alias": "erased-1"}, 202)) as (url, asked):
        at = ("--url", url, "--api-key", "hubbub_k")
        assert hubbub("rights", "erase", "ada", *at).status == 2
        assert asked == []
        outcome = hubbub("rights", "erase", "ada", "--delete-messages", "--yes", *at)
        assert (outcome.status, outcome.out) == (0, "ada will be erased-1\n")
    assert (asked[0].path, json.loads(asked[0].body)) == ("/v1/users/ada/erasure", {"messages": "delete"})
