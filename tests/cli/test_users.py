from __future__ import annotations

import json

from tests.cli.conftest import Command
from tests.cli.stub import stub
from tests.cli.test_asking import AT, answer

ADA = {"id": "ada", "name": "Ada Lovelace", "created": 1.7e9, "updated": 1.7e9}


def test_users_are_a_table(hubbub: Command) -> None:
    found = [
        {"user": ADA, "online": True, "office": "admin"},
        {"user": {"id": "bob", "kind": "agent", "name": "x\n\x1b[2J"}, "erased": 1.7e9},
    ]
    with stub(answer({"users": found})) as (url, asked):
        outcome = hubbub("users", "list", "lov", "--kind", "person", "--url", url, *AT)
    assert outcome.out.splitlines() == [
        "USER  NAME          KIND    OFFICE  LAST SEEN",
        "ada   Ada Lovelace  person  admin   now",
        "bob   x �[2J        agent           erased",
    ]
    assert asked[0].path == "/v1/administration/users?limit=100&prefix=lov&kind=person"


def test_one_is_shown(hubbub: Command) -> None:
    restriction = {"user": "ada", "kind": "mute", "until": 1.8e9, "conversation": "c1", "reason": "loud"}
    found = {
        "account": {"user": ADA},
        "conversations": 1_200,
        "invitations": 0,
        "files": 2,
        "file_bytes": 2_048,
        "restrictions": [restriction, {"user": "ada", "kind": "shadow"}],
        "show_last_seen": "nobody",
        "legal_hold": True,
    }
    with stub(answer(found)) as (url, asked):
        outcome = hubbub("users", "show", "a/da", "--url", url, *AT)
        as_json = hubbub("users", "show", "a/da", "--json", "--url", url, *AT)
    lines = [line.split(None, 1) for line in outcome.out.splitlines()]
    assert ["user", "ada"] in lines
    assert ["conversations", "1,200"] in lines
    assert ["files", "2 (2.0 KiB)"] in lines
    assert ["legal", "hold     yes"] in lines
    assert lines[-2][1].startswith("mute in c1 until 2027-01-1")
    assert lines[-1] == ["restricted", "shadow everywhere"]
    assert json.loads(as_json.out) == found
    assert asked[0].path == "/v1/administration/users/a%2Fda"


def test_one_is_made(hubbub: Command) -> None:
    with stub(answer(ADA)) as (url, asked):
        outcome = hubbub("users", "create", "ada", "--name", "Ada Lovelace", "--url", url, *AT)
    assert outcome.out == "ada: person Ada Lovelace\n"
    assert (asked[0].method, asked[0].path) == ("PUT", "/v1/users/ada")
    assert json.loads(asked[0].body) == {"name": "Ada Lovelace"}, "what is not given stays"


def test_rights_are_here_too(hubbub: Command) -> None:
    with stub(answer({"entries": []}), answer({"user": "ada", "alias": "erased-1"}, 202)) as (url, asked):
        assert hubbub("users", "export", "ada", "ada.jsonl", "--url", url, *AT).status == 0
        assert hubbub("users", "erase", "ada", "--yes", "--url", url, *AT).out == "ada will be erased-1\n"
    assert [each.path for each in asked] == ["/v1/users/ada/export?limit=200", "/v1/users/ada/erasure"]
