"""Asking the application's hooks, and whatever else judges as they do, before a message is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from hubbub.errors import ErrorCode, HubbubError
from hubbub.moderation.base import Draft, Finding, Judge, Judgement
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.moderation")
Replace = Callable[[Draft, Judgement], Draft]
"""Gives the draft with the parts that a hook has left of it. Raises HubbubError for parts that cannot be sent."""


class Failed(Exception):
    """A hook has not judged: it took too long, raised, or gave what is no judgement."""


class Hooks:
    """Asked one after the other, `timeout` seconds in all. `failed` is called for each message that was not judged;
    with `failure` "open" it passes, with "closed" it is refused."""

    def __init__(
        self, timeout: float, failure: Literal["open", "closed"], failed: Callable[[], object]
    ) -> None:
        self.timeout = timeout
        self.failure = failure
        self.failed = failed
        self.judges: list[Judge] = []

    def __bool__(self) -> bool:
        return bool(self.judges)

    async def ask(self, draft: Draft, replace: Replace) -> tuple[Draft, tuple[Finding, ...]]:
        """The draft as the hooks leave it, and what they have found. The first that says more than `flag` and `mask`
        ends the round. Raises what a hook refuses with, and MODERATION_UNAVAILABLE."""
        judges: Sequence[Judge] = tuple(self.judges)
        found: list[Finding] = []
        name = ""
        try:
            async with asyncio.timeout(self.timeout):
                for judge in judges:
                    name = getattr(judge, "__name__", type(judge).__name__)
                    judgement = await judge(draft)
                    if judgement is None:
                        continue
                    draft, finding = _taken(judgement, draft, replace, name)
                    if finding is not None:
                        found.append(finding)
                        if finding.action != "flag":
                            break
        except HubbubError:
            raise
        except Exception as error:
            self.failed()
            if isinstance(error, TimeoutError):
                log.error("before_message: too slow", hook=name, seconds=self.timeout)
            else:
                log.error("before_message: failed", hook=name, exc_info=error)
            if self.failure == "closed":
                raise HubbubError(
                    ErrorCode.MODERATION_UNAVAILABLE, field="parts", retry_after=self.timeout
                ) from None
        return draft, tuple(found)


def _taken(judgement: Judgement, draft: Draft, replace: Replace, name: str) -> tuple[Draft, Finding | None]:
    if not isinstance(judgement, Judgement):
        raise Failed(f"a hook gives None or a Judgement, and no {type(judgement).__name__}")
    match judgement.action:
        case "allow":
            return draft, None
        case "mask":
            if judgement.parts is None:
                raise Failed("a judgement that masks has the `parts` that are left")
            try:
                return replace(draft, judgement), None
            except HubbubError as error:
                raise Failed(f"the parts that are left cannot be sent: {error}") from None
        case "flag" | "hold" | "reject" | "shadow":
            rule = judgement.rule or name
            return draft, Finding(rule, judgement.action, judgement.reason, judgement.priority, hook=True)
    raise Failed(f"there is no action {judgement.action!r}")
