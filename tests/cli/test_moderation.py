from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Command
from tests.cli.stub import stub
from tests.cli.test_asking import AT, answer

CASE: dict[str, Any] = {
    "id": "k1",
    "subject": "message",
    "state": "open",
    "created": 1.7e9,
    "updated": 1.7e9,
    "priority": 3,
    "reports": 2,
    "conversation": "c1",
    "message": 7,
    "user": "bob",
    "reasons": ["spam", "rude words"],
    "parts": [{"type": "text", "text": "Buy\nthings"}],
}


def test_the_queue_is_a_table(hubbub: Command) -> None:
    found = [CASE, {**CASE, "id": "k2", "state": "appealed", "reports": 0, "claimed_by": "mo"}]
    with stub(answer({"cases": found})) as (url, asked):
        outcome = hubbub("moderation", "queue", "--user", "bob", "--url", url, *AT)
    assert outcome.out.splitlines() == [
        "CASE  URGENT  ABOUT              USER  SINCE       CLAIMED  WHY",
        "k1         3  message            bob   2023-11-14           spam, rude words (2 reports)",
        "k2         3  message, appealed  bob   2023-11-14  mo       spam, rude words",
    ]
    assert asked[0].path == "/v1/cases?limit=100&user=bob"


def test_a_case_is_shown_with_all_that_was_said_of_it(hubbub: Command) -> None:
    decision = {"action": "mute", "time": 1.7e9, "by": "mo", "until": 9e15, "text": "No."}
    report = {"reason": "spam", "note": "Every day.", "created": 1.7e9, "reporter": "eve"}
    note = {"kind": "appeal", "text": "A joke.", "time": 1.7e9, "author": "bob"}
    case = {**CASE, "decision": decision, "claimed_by": "zoe", "claimed_until": 1.7e9, "granted": False}
    with stub(answer({"case": case, "notes": [note], "reports": [report]})) as (url, _):
        outcome = hubbub("moderation", "show", "k1", "--url", url, *AT)
    shown = outcome.out
    assert "said          Buy things\n" in shown
    assert "mute until for good by mo at 2023-11-1" in shown
    assert " spam by eve: Every day.\n" in shown
    assert " appeal by bob: A joke.\n" in shown
    assert "granted       no\n" in shown


@pytest.mark.parametrize(
    ("arguments", "way", "body", "said"),
    [
        (("claim", "k1"), "PUT /v1/cases/k1/claim", None, "k1: claimed until 2023-11-1"),
        (("release", "k1"), "DELETE /v1/cases/k1/claim", None, "k1: released"),
        (
            ("decide", "k1", "warn", "--delete", "--text", "No.", "--note", "n"),
            "POST /v1/cases/k1/decision",
            {"action": "warn", "delete": True, "text": "No.", "note": "n"},
            "k1: warn; it is open",
        ),
        (("answer", "k1", "--refuse"), "POST /v1/cases/k1/answer", {"granted": False}, "k1: refused"),
        (
            ("restrict", "ban", "bob", "--in", "c1", "--reason", "r"),
            "PUT /v1/restrictions/ban/bob",
            {"conversation": "c1", "reason": "r"},
            "bob: ban in c1, until it is lifted",
        ),
        (("lift", "ban", "bob"), "DELETE /v1/restrictions/ban/bob", None, "no ban everywhere"),
        (
            ("rules", "publish", "--version", "2"),
            "POST /v1/moderation/rules/publish",
            {"version": 2},
            "version 4 is live",
        ),
        (("rules", "rollback", "2"), "POST /v1/moderation/rules/rollback", {"version": 2}, "the same as 2"),
        (
            ("rules", "try", "x", "--draft"),
            "POST /v1/moderation/try",
            {"text": "x", "rules": "draft"},
            "hold",
        ),
    ],
)
def test_what_is_done(hubbub: Command, arguments: tuple[str, ...], way: str, body: Any, said: str) -> None:
    with stub(answer({**CASE, "claimed_until": 1.7e9, "version": 4, "action": "hold"})) as (url, asked):
        outcome = hubbub("moderation", *arguments, "--url", url, *AT)
    assert (outcome.status, outcome.err) == (0, "")
    assert said in outcome.out
    (request,) = asked
    assert f"{request.method} {request.path}" == way
    assert (json.loads(request.body) if request.body else None) == body


def test_for_a_while(hubbub: Command) -> None:
    with stub(answer({"user": "bob", "kind": "mute", "until": 1.8e9})) as (url, asked):
        outcome = hubbub("moderation", "restrict", "mute", "bob", "--for", "2h", "--url", url, *AT)
        wrong = hubbub("moderation", "restrict", "mute", "bob", "--for", "soon", "--url", url, *AT)
    assert outcome.out.startswith("bob: mute everywhere, 2027-01-1")
    (request,) = asked
    assert abs(json.loads(request.body)["until"] - time.time() - 7_200) < 600
    assert (wrong.status, "write 90m, 1d or 7d" in wrong.err) == (2, True)


def test_restrictions_are_a_table(hubbub: Command) -> None:
    found = [
        {"user": "bob", "kind": "mute", "conversation": "c1", "by": "mo"},
        {"user": "eve", "kind": "ban"},
    ]
    with stub(answer({"restrictions": found})) as (url, asked):
        outcome = hubbub("moderation", "restrictions", "--in", "c1", "--kind", "mute", "--url", url, *AT)
    assert outcome.out.splitlines() == [
        "USER  KIND  WHERE       UNTIL     BY          REASON",
        "bob   mute  c1          for good  mo",
        "eve   ban   everywhere  for good  the server",
    ]
    assert asked[0].path == "/v1/restrictions?limit=100&conversation=c1&kind=mute"


def test_rules_are_a_table(hubbub: Command) -> None:
    conditions = [{"type": "blocklist", "lists": ["rude", "worse"]}, {"type": "new_member", "joined": 600.0}]
    rules = [
        {"name": "words", "when": conditions, "action": "mask"},
        {"name": "links", "when": [{"type": "link"}], "action": "hold", "enabled": False},
    ]
    live = {"version": 3, "state": "live", "note": "More", "rules": rules}
    with stub(answer(live)) as (url, asked):
        outcome = hubbub("moderation", "rules", "show", "--url", url, *AT)
        hubbub("moderation", "rules", "show", "--draft", "--url", url, *AT)
    assert outcome.out.splitlines() == [
        "version 3, live: More",
        "#  RULE         ACTION  WHEN",
        "1  words        mask    blocklist (lists rude worse) and new_member (joined 600.0)",
        "2  links (off)  hold    link",
    ]
    assert [each.path for each in asked] == ["/v1/moderation/rules", "/v1/moderation/rules?state=draft"]


def test_versions_are_a_table(hubbub: Command) -> None:
    found = [{"version": 3, "state": "live", "rules": [1, 2], "by": "ada", "note": "More", "created": 1.7e9}]
    with stub(answer({"versions": found})) as (url, _):
        outcome = hubbub("moderation", "rules", "versions", "--url", url, *AT)
    assert outcome.out.splitlines()[1] == "      3  live       2  2023-11-14  ada  More"


@pytest.mark.parametrize("content", ['[{"name": "x"}]', '{"rules": [{"name": "x"}]}'])
def test_a_draft_comes_from_a_file_or_standard_input(hubbub: Command, content: str) -> None:
    Path("rules.json").write_text(content, encoding="utf-8")
    with stub(answer({"version": 4, "rules": [1]})) as (url, asked):
        at = ("--note", "n", "--url", url, *AT)
        assert hubbub("moderation", "rules", "draft", "rules.json", *at).out == "version 4: 1 rule, a draft\n"
        assert hubbub("moderation", "rules", "draft", "-", *at, stdin=content).status == 0
    assert [json.loads(each.body) for each in asked] == [{"rules": [{"name": "x"}], "note": "n"}] * 2


@pytest.mark.parametrize(
    ("content", "said"), [("{", "is not JSON"), ('{"a": 1}', "no array of rules"), (None, "cannot read")]
)
def test_what_is_no_file_of_rules(hubbub: Command, content: str | None, said: str) -> None:
    if content is not None:
        Path("rules.json").write_text(content, encoding="utf-8")
    outcome = hubbub("moderation", "rules", "draft", "rules.json", *AT)
    assert (outcome.status, said in outcome.err) == (2, True)
