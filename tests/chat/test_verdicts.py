"""That what rules do is counted, by what they did."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from tests.chat.ruling import RUDE, publish, rule, text
from tests.chat.world import World

from hubbub.chat import verdicts
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Action, Transaction

pytestmark = pytest.mark.anyio


def counted(chat: World) -> dict[str, int]:
    return {action: count for action, count in chat.metrics.verdicts.items() if count}


@pytest.mark.parametrize("action", ["flag", "mask", "hold", "reject", "shadow"])
async def test_each_action_is_counted(chat: World, action: str) -> None:
    id = await chat.group("ada", "bob")
    await rule(chat, action)
    for words in ("a badword", "good words"):
        if action == "reject" and "bad" in words:
            await chat.refused(ErrorCode.REJECTED, "messages.send", "bob", conversation=id, parts=text(words))
        else:
            await chat.do("messages.send", "bob", conversation=id, parts=text(words), idempotency_key=words)
            await chat.do("messages.send", "bob", conversation=id, parts=text(words), idempotency_key=words)
    assert counted(chat) == {action: 1}, "what is sent again is not judged again"
    exposed = chat.metrics.exposition().decode()
    assert f'hubbub_verdicts_total{{action="{action}"}} 1.0' in exposed
    assert exposed.count("hubbub_verdicts_total{") == 5


async def test_what_adds_up_is_counted_each(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await publish(chat, *({"when": RUDE, "action": action} for action in ("flag", "flag", "mask", "shadow")))
    await chat.do("messages.send", "bob", conversation=id, parts=text("badword"))
    assert counted(chat) == {"flag": 1, "mask": 1, "shadow": 1}


async def test_an_edit_that_would_be_held_is_refused(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await rule(chat, "hold")
    sent = await chat.do("messages.send", "bob", conversation=id, parts=text("good"))
    await chat.refused(
        ErrorCode.REJECTED,
        "messages.edit",
        "bob",
        conversation=id,
        message=sent.message.seq,
        parts=text("badword"),
    )
    assert counted(chat) == {"reject": 1}


async def test_moderators_are_not_counted(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await rule(chat, "hold")
    await chat.do("messages.send", "ada", conversation=id, parts=text("badword"))
    assert counted(chat) == {}


async def test_what_is_refused_counts_once_however_often_it_is_tried(chat: World) -> None:
    id = await chat.group("ada", "bob")
    await rule(chat, "reject")
    for key, counts in (("one", 1), ("one", 1), ("two", 2), ("one", 2)):
        params: dict[str, Any] = {"conversation": id, "parts": text("a badword"), "idempotency_key": key}
        await chat.refused(ErrorCode.REJECTED, "messages.send", "bob", **params)
        assert counted(chat) == {"reject": counts}
    assert len(chat.chat.moderation.refused) == 2


async def test_few_attempts_are_remembered(chat: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "REMEMBERED", 2)
    id = await chat.group("ada", "bob")
    await rule(chat, "reject")
    for key in ("one", "two", "three", "one"):
        params: dict[str, Any] = {"conversation": id, "parts": text("a badword"), "idempotency_key": key}
        await chat.refused(ErrorCode.REJECTED, "messages.send", "bob", **params)
    assert counted(chat) == {"reject": 4}
    assert len(chat.chat.moderation.refused) == 2


@pytest.mark.parametrize("action", ["flag", "reject"])
async def test_a_transaction_that_is_run_again_counts_once(chat: World, action: str) -> None:
    """What stands beside it in the transaction fails, so that each is tried again alone."""
    id = await chat.group("ada", "bob")
    await rule(chat, action)

    def fail(tx: Transaction, items: Sequence[None]) -> list[None]:
        raise ZeroDivisionError

    sending = chat.do("messages.send", "bob", conversation=id, parts=text("a badword"))
    failing = chat.store.write(Action("fail", fail), None)
    answers = await asyncio.gather(sending, failing, return_exceptions=True)
    assert isinstance(answers[1], HubbubError)
    assert isinstance(answers[0], HubbubError) is (action == "reject")
    assert counted(chat) == {action: 1}
