from __future__ import annotations

import asyncio

import pytest
from tests.chat.talk import say, text
from tests.chat.world import TICK, World

from hubbub.errors import ErrorCode, HubbubError

pytestmark = pytest.mark.anyio


async def slow(chat: World, *others: str, seconds: float = 30.0) -> str:
    id = await chat.group("ada", *others)
    updated = await chat.do("conversations.update", "ada", conversation=id, slow_mode=seconds)
    assert updated.slow_mode == seconds
    return id


async def refused(chat: World, id: str, user: str) -> float:
    """For how long."""
    error = await chat.refused(
        ErrorCode.SLOW_MODE, "messages.send", user, at="conversation", conversation=id, parts=text("x")
    )
    assert error.retry_after is not None
    return error.retry_after


async def test_one_waits_between_two_messages(chat: World) -> None:
    id = await slow(chat, "bob", "eve")
    root = await say(chat, id, "bob", "one")
    await say(chat, id, "eve", "another's time is another's")
    left = await refused(chat, id, "bob")
    assert left == pytest.approx(30 - 2 * TICK, abs=0.002)
    chat.clock.advance(left - 0.1)
    assert await refused(chat, id, "bob") < 0.1
    chat.clock.advance(0.1)
    await say(chat, id, "bob", "two")
    await chat.refused(
        ErrorCode.SLOW_MODE, "messages.send", "bob", conversation=id, parts=text("x"), thread=root.seq
    )
    await chat.do("messages.edit", "bob", conversation=id, message=root.seq, parts=text("better"))


async def test_moderators_and_the_server_do_not_wait(chat: World) -> None:
    id = await slow(chat, "mod")
    await chat.do("members.update", "ada", conversation=id, user="mod", role="moderator")
    for user in ("ada", "mod", ""):
        for _ in range(2):
            await say(chat, id, user, "quick")


async def test_what_comes_at_once_is_one_message(chat: World) -> None:
    id, other = await slow(chat, "bob"), await slow(chat, "bob")
    outcomes = await asyncio.gather(
        *(say(chat, place, "bob", "x") for place in (id, other) for _ in range(4)), return_exceptions=True
    )
    codes = [each.code if isinstance(each, HubbubError) else None for each in outcomes]
    assert codes == [None, *[ErrorCode.SLOW_MODE] * 3] * 2


async def test_the_same_message_again_is_no_other(chat: World) -> None:
    id = await slow(chat, "bob")
    for duplicate in (False, True):
        sent = await chat.do("messages.send", "bob", idempotency_key="k", conversation=id, parts=text("x"))
        assert sent.duplicate is duplicate


async def test_it_ends(chat: World) -> None:
    id = await slow(chat, "bob")
    await say(chat, id, "bob", "x")
    for end in (0, None):
        updated = await chat.do("conversations.update", "ada", conversation=id, slow_mode=end)
        assert updated.slow_mode is None
        await say(chat, id, "bob", "x")
        await chat.do("conversations.update", "ada", conversation=id, slow_mode=9)


async def test_what_is_refused_for_another_reason_costs_nothing(chat: World) -> None:
    id = await slow(chat, "bob")
    await chat.refused(
        ErrorCode.NOT_FOUND, "messages.send", "bob", conversation=id, parts=text("x"), reply_to=999
    )
    await say(chat, id, "bob", "x")


async def test_it_is_for_moderators_to_set(chat: World) -> None:
    id = await chat.group("ada", "mod", "bob")
    await chat.do("members.update", "ada", conversation=id, user="mod", role="moderator")
    await chat.refused(
        ErrorCode.PERMISSION_DENIED, "conversations.update", "bob", conversation=id, slow_mode=5
    )
    await chat.refused(
        ErrorCode.PERMISSION_DENIED, "conversations.update", "mod", conversation=id, slow_mode=5, name="Mine"
    )
    await chat.do("conversations.update", "mod", conversation=id, slow_mode=86_400)
    for wrong in (-1, 86_401, "1"):
        await chat.refused(
            ErrorCode.VALIDATION_FAILED, "conversations.update", "mod", conversation=id, slow_mode=wrong
        )
