"""Users who come with a token before the server API has told of them: the first operation makes them known."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from hubbub.chat import profile
from hubbub.errors import HubbubError
from hubbub.model import Principal
from hubbub.storage.base import Transaction, each
from hubbub.storage.tables import users

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

REMEMBERED = 100_000
"""Users known to be in the database that this node remembers."""


class _Info(Struct):
    """What of a token's `info` makes a profile."""

    name: str = ""
    avatar: str | None = None


class _Arrival(Struct, frozen=True):
    id: str
    kind: str
    name: str
    avatar: str | None


def _arrive(tx: Transaction, arrival: _Arrival) -> None:
    """Make the user, unless there is one: a profile that the server API has written stands."""
    if tx.execute(sa.select(users.c.id).where(users.c.id == arrival.id)).first() is not None:
        return
    values = {
        "id": arrival.id,
        "kind": arrival.kind,
        "name": arrival.name,
        "avatar": arrival.avatar,
        "custom": None,
        "show_last_seen": "contacts",
        "last_seen": None,
        "head": 0,
        "created": tx.now,
        "updated": tx.now,
        "changed": tx.stamp,
    }
    if tx.dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert

        tx.execute(insert(users).values(values).on_conflict_do_nothing())
    else:
        tx.execute(users.insert(), values)


ARRIVE = each("arrival", _arrive)


class Arrivals:
    """Asks the database once for each user."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._known: OrderedDict[str, None] = OrderedDict()

    async def welcome(self, principal: Principal) -> None:
        """When it returns, the principal's user is in the database."""
        user = principal.user
        if user in self._known:
            self._known.move_to_end(user)
            return
        known = await self._chat.read(
            lambda view: view.execute(sa.select(users.c.id).where(users.c.id == user)).first() is not None
        )
        if not known:
            try:
                info = msgspec.json.decode(principal.info or b"{}", type=_Info)
            except msgspec.ValidationError:
                info = _Info()
            await self._chat.store.write(ARRIVE, self._arrival(principal, info), user)
        self._known[user] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def _arrival(self, principal: Principal, info: _Info) -> _Arrival:
        """What of a token's `info` cannot be a profile's is left out: the application may have meant it otherwise."""
        config = self._chat.config
        name, avatar = "", None
        with suppress(HubbubError):
            name = profile.name(config, info.name[: config.limits.name_length]) if info.name else ""
        with suppress(HubbubError):
            avatar = None if info.avatar is None else profile.avatar(info.avatar)
        return _Arrival(principal.user, principal.kind, name, avatar)
