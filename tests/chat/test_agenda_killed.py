"""What is to be done later is done exactly once, though its servers are killed, on each database."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
from collections import Counter, defaultdict
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.chat import checks
from tests.chat.killed_agenda import OWN, SETTINGS
from tests.chat.wire import chat_server, group
from tests.waiting import until

from hubbub.chat import reminders, scheduled
from hubbub.chat.ledger import View, channel_of, inbox_of
from hubbub.storage.base import Logged
from hubbub.storage.tables import agenda, audit, events, inbox, messages
from hubbub.testing.server import RunningServer

ROOT = Path(__file__).parents[2]
DEEDS = 60
"""Acknowledged things between two kills."""
WRITERS = 12
KINDS = ("scheduled", "reminder", "expiring", "own")
pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


class Victims:
    """Servers that are to be killed, and what they have acknowledged."""

    def __init__(self, url: str, places: list[str]) -> None:
        self._url = url
        self._places = places
        self._running: list[Process] = []
        self._readers: list[asyncio.Task[None]] = []
        self._lines: list[list[tuple[str, str]]] = []
        """By server: kinds and names."""

    async def begin(self) -> None:
        run = f"r{len(self._lines)}"
        command = (sys.executable, "-m", "tests.chat.killed_agenda", self._url, run, *self._places)
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
        )
        lines: list[tuple[str, str]] = []
        self._lines.append(lines)
        self._readers.append(asyncio.create_task(self._read(process, lines)))
        self._running.append(process)

    async def _read(self, process: Process, lines: list[tuple[str, str]]) -> None:
        assert process.stdout is not None
        while (line := (await process.stdout.readline()).decode()).endswith(
            "\n"
        ):  # or the kill has cut it off
            kind, name = line.split()
            lines.append((kind, name))

    async def until_done(self, count: int) -> None:
        """Return when the youngest has acknowledged so much."""
        youngest = self._running[-1]
        await until(lambda: len(self._lines[-1]) >= count or youngest.returncode is not None, within=200)

    async def kill(self) -> None:
        """SIGKILL the eldest."""
        process = self._running.pop(0)
        assert process.returncode is None, "it has ended by itself"
        process.kill()
        await process.wait()

    async def acknowledged(self) -> dict[str, Counter[str]]:
        await asyncio.gather(*self._readers)
        found: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        for kind, name in chain.from_iterable(self._lines):
            found[kind][name] += 1
        return found

    async def __aenter__(self) -> Victims:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._running:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await asyncio.gather(*self._readers)


def look(view: View) -> dict[str, Any]:
    """All that has come of it."""
    told = sa.select(inbox.c.data).where(inbox.c.type == "reminder.due")
    said = [msgspec.json.decode(row) for row in view.execute(sa.select(messages.c.parts)).scalars()]
    written = sa.select(audit.c.data).where(audit.c.act == OWN.kind)
    ended = sa.select(events.c.conversation, events.c.message).where(events.c.type == "message.deleted")
    expiring = sa.select(messages.c.seq, messages.c.deleted).where(messages.c.options.is_not(None))
    return {
        "scheduled": Counter(parts[0]["text"] for parts in said if parts and "text" in parts[0]),
        "reminder": Counter(
            msgspec.json.decode(data)["reminder"]["note"] for data in view.execute(told).scalars()
        ),
        "own": Counter(msgspec.json.decode(data)["name"] for data in view.execute(written).scalars()),
        "expiring": Counter(f"{id}/{seq}" for id, seq in view.execute(ended)),
        "not deleted": [seq for seq, deleted in view.execute(expiring) if deleted is None],
    }


def consistent(view: View) -> None:
    """The logs say what the tables do."""
    heard: dict[str, list[Logged]] = defaultdict(list)
    for row in view.execute(sa.select(events).order_by(events.c.conversation, events.c.seq)):
        heard[channel_of(row.conversation)].append(Logged("", row.seq, row.type, b"", None, row.time))
    for row in view.execute(sa.select(inbox).order_by(inbox.c.user, inbox.c.seq)):
        heard[inbox_of(row.user)].append(Logged("", row.seq, row.type, b"", None, row.time))
    checks.check(view, heard)


async def all_is_done(server: RunningServer) -> None:
    kept = (scheduled.FAILED, reminders.PAST)
    count = sa.select(sa.func.count()).select_from(agenda).where(agenda.c.kind.not_in(kept))
    while await server.app.chat.read(lambda view: view.execute(count).scalar_one()):
        done = server.app.metrics.agenda.total()
        await until(lambda: server.app.metrics.agenda.total() > done)  # noqa: B023 (it waits here)


async def judge(url: str, victims: Victims) -> None:
    async with chat_server(url, **SETTINGS) as server:
        server.app.chat.agenda.handlers[OWN.kind] = OWN
        await all_is_done(server)
        found = await server.app.chat.read(look)
        await server.app.chat.read(consistent)
    acknowledged = await victims.acknowledged()
    for kind in KINDS:
        assert max(acknowledged[kind].values()) == 1
        lost = acknowledged[kind].keys() - found[kind].keys()
        assert (kind, lost) == (kind, set())
        twice = {name for name, times in found[kind].items() if times != 1}
        assert (kind, twice) == (kind, set())
    assert found["not deleted"] == []


async def begun(url: str) -> list[str]:
    """Make users and a conversation of each."""
    async with chat_server(url, **SETTINGS) as server:
        users = [f"u{number}" for number in range(WRITERS)]
        return [f"{user}@{await group(server, user, 'bob')}" for user in users]


async def test_on_sqlite_through_kills(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hubbub.db'}"
    async with Victims(url, await begun(url)) as victims:
        for run in range(2):
            await victims.begin()
            await victims.until_done(DEEDS + 7 * run)
            await victims.kill()
        await judge(url, victims)


async def test_on_postgresql_through_kills_of_two_nodes(postgres_url: str) -> None:
    async with Victims(postgres_url, await begun(postgres_url)) as victims:
        await victims.begin()
        for run in range(2):
            await victims.begin()
            await victims.until_done(DEEDS + 7 * run)
            await victims.kill()
        await victims.kill()
        await judge(postgres_url, victims)
