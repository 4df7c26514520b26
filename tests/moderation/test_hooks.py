from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import Draft, Judge, Judgement
from hubbub.moderation.hooks import Hooks

DRAFT = Draft("send", "ada", "c", (), "hello")
pytestmark = pytest.mark.anyio


class World:
    """Hooks, and how often they have failed."""

    def __init__(self, *judges: Judge, timeout: float = 5.0, failure: Any = "closed") -> None:
        self.failed = 0
        self.hooks = Hooks(timeout, failure, self._fail)
        self.hooks.judges.extend(judges)

    def _fail(self) -> None:
        self.failed += 1

    async def ask(self) -> tuple[Draft, list[tuple[str, str]]]:
        draft, found = await self.hooks.ask(DRAFT, _replace)
        assert all(finding.hook for finding in found)
        return draft, [(finding.rule, finding.action) for finding in found]


def _replace(draft: Draft, judgement: Judgement) -> Draft:
    text = "".join(judgement.parts or ())
    if not text:
        raise HubbubError(ErrorCode.VALIDATION_FAILED)
    return replace(draft, text=text)


def says(action: Any, **fields: Any) -> Judge:
    async def hook(draft: Draft) -> Judgement:
        return Judgement(action, **fields)

    return hook


async def passes(draft: Draft) -> None:
    return None


async def test_none_and_allow_let_pass() -> None:
    world = World(passes, says("allow"))
    assert await world.ask() == (DRAFT, [])


async def test_flags_add_up_and_the_first_of_the_others_ends_the_round() -> None:
    world = World(says("flag", rule="one"), says("hold", rule="two"), says("reject", rule="three"))
    assert await world.ask() == (DRAFT, [("one", "flag"), ("two", "hold")])


async def test_each_sees_what_the_one_before_has_left() -> None:
    seen = []

    async def look(draft: Draft) -> None:
        seen.append(draft.text)

    draft, found = await World(look, says("mask", parts=("h***o",)), look).ask()
    assert (draft.text, found, seen) == ("h***o", [], ["hello", "h***o"])


async def test_a_hook_may_refuse_by_itself() -> None:
    async def refuse(draft: Draft) -> None:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "not today")

    world = World(refuse)
    with pytest.raises(HubbubError, match="not today"):
        await world.ask()
    assert world.failed == 0


async def broken(draft: Draft) -> None:
    raise ZeroDivisionError


async def slow(draft: Draft) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "hook", [broken, slow, says("mask"), says("mask", parts=()), says("nonsense"), lambda draft: None]
)
async def test_what_cannot_be_judged_is_refused_or_passes(hook: Any) -> None:
    closed = World(hook, timeout=0.01)
    with pytest.raises(HubbubError) as failure:
        await closed.ask()
    assert failure.value.code == ErrorCode.MODERATION_UNAVAILABLE
    assert failure.value.info.temporary
    opened = World(says("flag", rule="before"), hook, timeout=0.01, failure="open")
    assert await opened.ask() == (DRAFT, [("before", "flag")])
    assert closed.failed == opened.failed == 1


async def test_what_is_no_judgement_is_a_failure() -> None:
    async def yes(draft: Draft) -> Any:
        return True

    with pytest.raises(HubbubError):
        await World(yes).ask()


async def test_an_object_may_judge() -> None:
    class Model:
        async def __call__(self, draft: Draft) -> Judgement | None:
            return Judgement("shadow")

    assert await World(Model()).ask() == (DRAFT, [("Model", "shadow")])


async def test_to_be_cancelled_is_no_failure() -> None:
    world = World(slow)
    task = asyncio.create_task(world.ask())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.failed == 0
