"""What has been revoked, in State: for nodes that start when nobody is there whom they could ask.

State keeps small values, and lists nothing. So the revocations stand on numbered pages, and one value says which pages
there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from hubbub.auth.revocation import Revocations, Revoked
from hubbub.state.base import VALUE_BYTES, State

HEAD = "revoked"
FULL = VALUE_BYTES // 2
"""Bytes at which a page takes no more."""
AT_ONCE = 4
"""Revocations that are written at once: with names of 8 KiB, too, they fit on a page that is not full."""


class _Head(Struct, frozen=True, array_like=True):
    """The pages that there are, and until when any of what is on them is to be remembered (Unix seconds)."""

    first: int = 0
    last: int = 0
    until: float = 0.0


class RevocationLog:
    """`revocations` in `state`. Both methods raise HubbubError BROKER_UNAVAILABLE when it does not answer; what `save`
    could not write, the next `load` writes."""

    def __init__(self, state: State, revocations: Revocations) -> None:
        self._state = state
        self._revocations = revocations
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Learn what is there, and write what is known here and is not there: it may have been emptied."""
        head = _read_head(await self._state.get(HEAD))
        numbers = range(head.first, head.last + 1)
        pages = await asyncio.gather(*(self._state.get(_page(number)) for number in numbers))
        there: dict[tuple[str | None, str | None], Revoked] = {}
        for page in pages:
            for each in _read(page):
                key = each.user, each.token_id
                there[key] = _later(each, there[key]) if key in there else each
        now = self._revocations.clock.now()
        for each in there.values():
            if each.until > now:
                self._revocations.learn(each)
        missing = [each for each in self._revocations.known() if not _covers(there, each)]
        if missing:
            await self.save(missing)
        elif gone := next((number for number, page in zip(numbers, pages, strict=True) if page), None):
            await self._turn(_Head(gone, head.last, head.until), head)

    async def save(self, revoked: Iterable[Revoked]) -> None:
        """Write down what has just been revoked."""
        async with self._writing:
            await self._save(list(revoked))

    async def _save(self, pending: list[Revoked]) -> None:
        while pending:
            head = _read_head(await self._state.get(HEAD))
            key, now = _page(head.last), self._revocations.clock.now()
            old = await self._state.get(key)
            if old is not None and len(old) > FULL:
                await self._turn(_Head(head.first, head.last + 1, head.until), head)
                continue
            batch = pending[:AT_ONCE]
            kept = [each for each in (*_read(old), *batch) if each.until > now]
            until = max((each.until for each in kept), default=now)
            # The head first: a page that it does not name is read by nobody.
            if until > head.until and not await self._turn(_Head(head.first, head.last, until), head):
                continue
            if until <= now or await self._state.swap(key, old, msgspec.msgpack.encode(kept), until - now):
                del pending[:AT_ONCE]

    async def _turn(self, new: _Head, old: _Head) -> bool:
        """Say that there are other pages now. False if somebody else has."""
        ttl = max(new.until - self._revocations.clock.now(), 1.0)
        before = None if old == _Head() else msgspec.msgpack.encode(old)
        return await self._state.swap(HEAD, before, msgspec.msgpack.encode(new), ttl)


def _page(number: int) -> str:
    return f"{HEAD}:{number}"


def _read_head(kept: bytes | None) -> _Head:
    return _Head() if kept is None else msgspec.msgpack.decode(kept, type=_Head)


def _read(page: bytes | None) -> list[Revoked]:
    return [] if page is None else msgspec.msgpack.decode(page, type=list[Revoked])


def _later(one: Revoked, other: Revoked) -> Revoked:
    return Revoked(one.user, one.token_id, max(one.at, other.at), max(one.until, other.until))


def _covers(there: dict[tuple[str | None, str | None], Revoked], wanted: Revoked) -> bool:
    found = there.get((wanted.user, wanted.token_id))
    if found is None or found.until < wanted.until:
        return False
    return wanted.token_id is not None or found.at >= wanted.at
