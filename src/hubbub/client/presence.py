"""Who is in a channel, kept true by joins and leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

from hubbub.client.events import ClientError
from hubbub.client.reading import Reading
from hubbub.client.state import State, Watched
from hubbub.errors import HubbubError
from hubbub.model import Join, Leave, Member, ServerUnsubscribed

if TYPE_CHECKING:
    from hubbub.client.client import Client


class PresenceSet:
    """Who is in a channel. Within `async with`, `users` is true; `changes` gives it again whenever it is another.

    In a channel with more sessions than the namespace's `presence_limit` there are no names: `users` is empty, and
    `count` is how many there were when it was asked last.
    """

    def __init__(self, client: Client, name: str, reading: Reading) -> None:
        self._client = client
        self._name = name
        self._reading = reading
        self._users: Watched[Mapping[str, Member]] = Watched(MappingProxyType({}))
        self._count = 0
        self._named = True
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def users(self) -> Mapping[str, Member]:
        """A member (the first session that was seen) for each user who is there."""
        return self._users.value

    @property
    def count(self) -> int:
        """How many users are there."""
        return len(self.users) if self._named else self._count

    def __contains__(self, user: object) -> bool:
        return user in self.users

    def changes(self) -> AsyncIterator[Mapping[str, Member]]:
        """Who is there now, and then whenever somebody has come or gone."""
        return self._users.changes()

    async def until(self, *users: str) -> None:
        """Wait until all of these are there."""
        await self._users.until(lambda there: set(users) <= there.keys())

    async def __aenter__(self) -> Self:
        """Enter the channel and ask who is there. Raises HubbubError if the server refuses."""
        try:
            await self._reading.enter()
            await self._ask()
        except BaseException:
            self._reading.close()
            raise
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._ask_again())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self) -> None:
        there = await self._client.presence(self._name)
        self._named = there.members is not None
        self._count = there.users
        found: dict[str, Member] = {}
        for member in there.members or ():
            found.setdefault(member.user, member)
        self._users.set(MappingProxyType(found))

    async def _follow(self) -> None:
        with contextlib.suppress(ClientError, HubbubError):
            async for event in self._reading:
                if isinstance(event, Join):
                    self._users.set(MappingProxyType({**self.users, event.member.user: event.member}))
                elif isinstance(event, Leave):
                    left = {user: each for user, each in self.users.items() if user != event.member.user}
                    self._users.set(MappingProxyType(left))
                elif isinstance(event, ServerUnsubscribed):
                    self._users.set(MappingProxyType({}))
                    return

    async def _ask_again(self) -> None:
        """After each reconnection: who came and went meanwhile was not told."""
        state = self._client.session.state
        known = state.value
        while not known.ended:
            known = await state.until(lambda now: now is not known and _news(now))  # noqa: B023
            if known.status == "connected":
                with contextlib.suppress(ClientError, HubbubError):
                    await self._ask()


def _news(state: State) -> bool:
    return state.ended or state.status == "connected"
