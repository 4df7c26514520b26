from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.cli.conftest import Command
from tests.cli.stub import stub
from tests.cli.test_asking import AT, answer

LATELY = {"day": 1, "week": 20, "month": 3_000}
FIGURES: dict[str, Any] = {
    "time": 1.7e9,
    "users": {
        "total": 5_000,
        "kinds": {"person": 4_990, "agent": 10},
        "new": LATELY,
        "active": LATELY,
        "online": 7,
        "erased": 0,
    },
    "conversations": {
        "total": 3,
        "kinds": {"group": 3},
        "new": LATELY,
        "active": LATELY,
        "closed": 1,
        "members": 9,
    },
    "messages": {
        "total": 1_000_000,
        "days": [
            {"day": "2026-11-21", "messages": 0},
            {"day": "2026-11-22", "messages": 1_500, "more": True},
        ],
    },
    "files": {"total": 2, "bytes": 2_048, "states": {"ready": 2}},
    "moderation": {"open": 4, "appealed": 1, "held": 2, "restrictions": {}, "oldest": 1.7e9},
    "agenda": {"waiting": 3, "kinds": {"reminder": 3}, "due": 1, "oldest": 1.7e9},
    "storage": {"database": "sqlite", "bytes": 1_048_576},
    "legal_holds": 0,
}


@pytest.mark.parametrize(
    ("duration", "retention", "said"),
    [
        ("90d", 7776000.0, "for 90 d"),
        ("forever", 0.0, "for ever"),
        ("default", None, "as the settings say"),
    ],
)
def test_messages_are_kept_so_long(
    hubbub: Command, duration: str, retention: float | None, said: str
) -> None:
    about = {"id": "c1"} if retention is None else {"id": "c1", "retention": retention}
    with stub(answer(about)) as (url, asked):
        outcome = hubbub("retention", "set", "c1", duration, "--url", url, *AT)
    assert outcome.out == f"c1: messages are kept {said}\n"
    assert json.loads(asked[0].body) == {"retention": retention}


def test_what_is_no_duration(hubbub: Command) -> None:
    outcome = hubbub("retention", "set", "c1", "soon", *AT)
    assert (outcome.status, "forever or default" in outcome.err) == (2, True)
    outcome = hubbub("audit", "--since", "soon", *AT)
    assert (outcome.status, "write 90m" in outcome.err) == (2, True)


def test_legal_holds(hubbub: Command) -> None:
    found = [{"subject": "user", "id": "bob", "created": 1.7e9, "reason": "Case 1"}]
    with stub(answer({"holds": found})) as (url, asked):
        at = ("--url", url, *AT)
        listed = hubbub("retention", "holds", *at)
        assert hubbub("retention", "hold", "user", "bob", "--reason", "Case 1", *at).out == "user bob: held\n"
        assert hubbub("retention", "release", "user", "bob", *at).out == "user bob: not held any more\n"
    assert listed.out.splitlines()[1] == "user  bob  2023-11-14  the server  Case 1"
    assert [f"{each.method} {each.path}" for each in asked[1:]] == [
        "PUT /v1/legal-holds/user/bob",
        "DELETE /v1/legal-holds/user/bob",
    ]


def test_what_is_kept_is_a_table(hubbub: Command) -> None:
    kept = {
        "message": 7,
        "version": 1,
        "sender": None,
        "parts": [{"type": "text", "text": "secret"}],
        "created": 1.7e9,
        "archived": 1.7e9,
        "why": "deleted",
    }
    with stub(answer({"archived": [kept]})) as (url, asked):
        outcome = hubbub("retention", "archive", "c1", "--message", "7", "--url", url, *AT)
    assert outcome.out.splitlines()[1].split() == [
        *("7", "1", "the", "server", "2023-11-14", "2023-11-14", "deleted", "secret")
    ]
    assert asked[0].path == "/v1/conversations/c1/archive?limit=100&message=7"


def test_figures_are_shown(hubbub: Command) -> None:
    with stub(answer(FIGURES)) as (url, asked):
        outcome = hubbub("statistics", "--days", "2", "--url", url, *AT)
        as_json = hubbub("statistics", "--json", "--url", url, *AT)
    lines = outcome.out.splitlines()
    assert lines[0].split() == ["TOTAL", "24", "HOURS", "7", "DAYS", "30", "DAYS"]
    assert lines[1].split() == ["users", "active", "5,000", "1", "20", "3,000"]
    assert "users          4,990 person, 10 agent" in lines
    assert "files          2 (2.0 KiB)" in lines
    assert any(line.startswith("late           1 since 2023-11-1") for line in lines)
    assert lines[-2] == "2026-11-21      0"
    assert lines[-1] == "2026-11-22  1,500 and more  " + "▇" * 30
    assert json.loads(as_json.out) == FIGURES
    assert asked[0].path == "/v1/statistics?days=2"


def test_acts_are_a_table(hubbub: Command) -> None:
    acts = [
        {
            "id": 2,
            "time": 1.7e9,
            "act": "restrictions.mute",
            "user": "bob",
            "actor": "mo",
            "data": {"until": 9e15},
        },
        {
            "id": 1,
            "time": 1.7e9,
            "act": "retention.update",
            "conversation": "c1",
            "data": {"now": 60.0, "a": None},
        },
    ]
    with stub(answer({"acts": acts})) as (url, asked):
        outcome = hubbub("audit", "restrictions.", "--actor", "", "--since", "1h", "--url", url, *AT)
    first, second = [line.split(None, 2)[2] for line in outcome.out.splitlines()[1:]]
    assert first.split() == ["mo", "restrictions.mute", "bob", "until=for", "good"]
    assert second.split() == ["the", "server", "retention.update", "conversation=c1", "now=60"]
    query = parse_qs(urlsplit(asked[0].path).query, keep_blank_values=True)
    assert (query["act"], query["actor"]) == (["restrictions."], [""])
    assert abs(float(query["since"][0]) - time.time() + 3_600) < 600
