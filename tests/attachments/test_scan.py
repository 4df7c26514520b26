from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hubbub.attachments.scan import NOT_JUDGED, REASON_LENGTH, ScannedFile, scan
from hubbub.config import AttachmentsConfig

pytestmark = pytest.mark.anyio
FILE = ScannedFile(Path("x"), "1", "x.txt", "text/plain", 5, "ada")


@pytest.mark.parametrize("verdict", [None, "it is a virus"])
@pytest.mark.parametrize("failure", ["refuse", "accept"])
async def test_a_verdict_holds(verdict: str | None, failure: Any) -> None:
    async def hook(file: ScannedFile) -> str | None:
        assert file is FILE
        return verdict

    assert await scan(hook, FILE, AttachmentsConfig(scan_failure=failure)) == verdict


async def test_reasons_are_short() -> None:
    async def hook(file: ScannedFile) -> str | None:
        return "x" * 10_000

    assert await scan(hook, FILE, AttachmentsConfig()) == "x" * REASON_LENGTH


async def hangs(file: ScannedFile) -> str | None:
    await asyncio.Event().wait()
    return None


async def fails(file: ScannedFile) -> str | None:
    raise ConnectionError("secret of the scanner")


async def times_out(file: ScannedFile) -> str | None:
    raise TimeoutError


async def says_yes(file: ScannedFile) -> Any:
    return True


async def says_nothing(file: ScannedFile) -> Any:
    return ""


@pytest.mark.parametrize("hook", [hangs, fails, times_out, says_yes, says_nothing])
@pytest.mark.parametrize(("failure", "refused"), [("refuse", NOT_JUDGED), ("accept", None)])
async def test_what_was_not_judged_is_refused_or_taken(hook: Any, failure: Any, refused: str | None) -> None:
    config = AttachmentsConfig(scan_timeout=0.01, scan_failure=failure)
    assert await scan(hook, FILE, config) == refused


async def test_who_gives_up_is_no_failure() -> None:
    async def cancelled(file: ScannedFile) -> str | None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await scan(cancelled, FILE, AttachmentsConfig(scan_failure="accept"))
