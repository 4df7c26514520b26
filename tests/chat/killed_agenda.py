"""A server that has things done later until it is killed. Prints what was acknowledged, a line each: the kind, and its
name. It is told the database, its own name, and who writes where: `user@conversation`."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from itertools import count
from typing import Any

from tests.chat.wire import chat_server, do, text

from hubbub.chat.agenda import Handler, Item
from hubbub.chat.chat import Chat
from hubbub.chat.ledger import SERVER, Ledger
from hubbub.errors import HubbubError
from hubbub.storage.base import Action, each
from hubbub.testing.server import RunningServer

SETTINGS: dict[str, Any] = {
    "limits": {"scheduled": 10**6, "reminders": 10**6},
    "chat": {"inbox_size": 10**6},
    "attachments": {"url": "memory://"},
}
PAUSE = 0.2
"""At most so many seconds between two things that one of the writers has done later."""


async def _prepare(chat: Chat, item: Item) -> None:
    """Takes a moment, to be killed in."""
    await asyncio.sleep(random.uniform(0.0, 0.05))


def _write_down(ledger: Ledger, item: Item, prepared: None) -> None:
    ledger.audit(SERVER, OWN.kind, name=item.read(str))


OWN = Handler("test.prepared", _write_down, _prepare, lease=1.0)
"""The tests' own kind, which is prepared; it leaves a mark in the audit log."""


def soon() -> float:
    return time.time() + random.uniform(0.5, 2.5)


class Writer:
    """One user, who has all that can be done later done, in a conversation of its own: what two nodes do for one user
    waits for one another, and this is not about that."""

    def __init__(self, server: RunningServer, user: str, conversation: str, run: str) -> None:
        self._server = server
        self._user = user
        self._conversation = conversation
        self._run = run
        chat = server.app.chat
        self._own: Action[str, int] = each(
            "own", lambda tx, name: Ledger(tx, chat.config).schedule(OWN.kind, soon(), data=name)
        )

    async def scheduled(self, name: str) -> str:
        params = {"conversation": self._conversation, "parts": text(name), "at": soon()}
        await do(self._server, "scheduled.create", self._user, **params)
        return name

    async def reminder(self, name: str) -> str:
        await do(self._server, "reminders.create", self._user, note=name, at=soon())
        return name

    async def expiring(self, name: str) -> str:
        params = {"conversation": self._conversation, "parts": text(name), "expires_in": 1}
        sent = await do(self._server, "messages.send", self._user, **params)
        return f"{self._conversation}/{sent.message.seq}"

    async def own(self, name: str) -> str:
        await self._server.app.chat.store.write(self._own, name)
        return name

    async def write(self) -> None:
        kinds = (self.scheduled, self.reminder, self.expiring, self.own)
        for number in count():
            kind = kinds[number % len(kinds)]
            try:
                name = await kind(f"{self._user}.{self._run}.{number}")
            except HubbubError as error:
                if error.field != "at" and not error.info.temporary:  # the machine may be busy
                    raise
            else:
                os.write(1, f"{kind.__name__} {name}\n".encode())
            await asyncio.sleep(random.uniform(0.0, PAUSE))


async def main(url: str, run: str, *places: str) -> None:
    async with chat_server(url, **SETTINGS) as server:
        server.app.chat.agenda.handlers[OWN.kind] = OWN
        split = [place.partition("@") for place in places]
        writers = [Writer(server, user, conversation, run) for user, _, conversation in split]
        await asyncio.gather(*(writer.write() for writer in writers))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
