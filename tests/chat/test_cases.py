from __future__ import annotations

from typing import Any

import pytest
from tests.chat.review import case_of, report
from tests.chat.talk import say
from tests.chat.world import World

from hubbub.chat.cases import CASES, REASONS, open_case, to_moderators
from hubbub.chat.ledger import Ledger
from hubbub.storage.base import Action, Logged, Transaction, each

pytestmark = pytest.mark.anyio


def opening(chat: World, **about: Any) -> Action[dict[str, Any], str]:
    """What rules do."""

    def flag(tx: Transaction, given: dict[str, Any]) -> str:
        ledger = Ledger(tx, chat.config)
        if "conversation" in about:
            ledger.find(about["conversation"], lock=True)
        return open_case(ledger, **about, **given)

    return each("flag", flag)


async def test_rules_open_cases_and_join_those_that_wait(chat: World) -> None:
    id = await chat.group("ada", "bob")
    seq = (await say(chat, id, "bob", "rude")).seq
    action = opening(chat, subject="message", conversation=id, message=seq, user="bob")
    one = await chat.store.write(action, {"reason": "words", "verdict": {"rule": "words"}, "priority": 5})
    assert await chat.store.write(action, {"reason": "links", "priority": 3}) == one
    assert await report(chat, "ada", conversation=id, message=seq) == one
    found = await case_of(chat, one)
    assert (found.priority, found.reports, found.reasons) == (6, 1, ("words", "links", "spam"))
    assert bytes(found.verdict or b"") == b'{"rule":"words"}'
    await chat.do("cases.decide", "", case=one, action="dismiss")
    assert await chat.store.write(action, {"reason": "words"}) != one


async def test_what_is_not_the_same_is_another_case(chat: World) -> None:
    id, other = await chat.group("ada", "bob"), await chat.group("ada", "bob")
    one, two = (await say(chat, id, "bob", "rude")).seq, (await say(chat, id, "bob", "ruder")).seq
    subjects: list[dict[str, Any]] = [
        {"subject": "message", "conversation": id, "message": one, "user": "bob"},
        {"subject": "message", "conversation": id, "message": two, "user": "bob"},
        {"subject": "message", "conversation": other, "message": one, "user": "bob"},
        {"subject": "user", "conversation": id, "user": "bob"},
        {"subject": "user", "user": "bob"},
        {"subject": "user", "user": "ada"},
    ]
    cases = [await chat.store.write(opening(chat, **about), {}) for about in subjects]
    assert len(set(cases)) == len(subjects)
    assert [await chat.store.write(opening(chat, **about), {}) for about in subjects] == cases


async def test_reasons_do_not_grow_without_end(chat: World) -> None:
    await chat.user("bob")
    action = opening(chat, subject="user", user="bob")
    for place in range(REASONS + 5):
        case = await chat.store.write(action, {"reason": str(place)})
    found = (await case_of(chat, case)).reasons
    assert found == tuple(str(place) for place in range(5, REASONS + 5))


def test_moderators_are_told_where_they_listen() -> None:
    def channels(conversation: str) -> list[str]:
        return [
            envelope.push.channel
            for envelope in to_moderators(Logged(CASES, 0, conversation, b"{}", None, 1.0))
        ]

    assert channels("c") == ["cases:all", "cases:c"]
    assert channels("") == ["cases:all"]
