"""Processes that work until they are killed, and say how far they are: a line for each step."""

from __future__ import annotations

import asyncio
import random
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from pathlib import Path

from tests.waiting import until

ROOT = Path(__file__).parents[1]
LONGEST = 0.02
"""Seconds after a step in which the kill comes, whatever is done then."""


class Victim:
    """`async with Victim("tests.x.killed_y", ...) as victim`: the process is gone at the end."""

    def __init__(self, module: str, *args: str) -> None:
        self._command = (sys.executable, "-m", module, *args)
        self.steps = 0
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Victim:
        process = await asyncio.create_subprocess_exec(*self._command, cwd=ROOT, stdin=DEVNULL, stdout=PIPE)
        self._process, self._reader = process, asyncio.create_task(self._read(process))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while await process.stdout.readline():
            self.steps += 1

    @property
    def ended(self) -> bool:
        assert self._process is not None
        return self._process.returncode is not None

    async def kill(self) -> int:
        """SIGKILL it in a moment, if it has not ended; its exit status."""
        assert self._process is not None
        await asyncio.sleep(random.uniform(0.0, LONGEST))
        if not self.ended:
            self._process.kill()
        return await self._process.wait()


async def kill(victims: Sequence[Victim], steps: int) -> list[int]:
    """SIGKILL one after the other, each when all of them have taken so many steps more, unless it has ended before;
    their exit statuses."""
    left, statuses = list(victims), []
    while left:
        taken = sum(each.steps for each in victims)
        await until(
            lambda: sum(each.steps for each in victims) >= taken + steps or all(each.ended for each in left)  # noqa: B023
        )
        statuses.append(await left.pop(0).kill())
    return statuses
