"""Who may know of whom: users who share a direct or a group conversation, and have not blocked each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from hubbub.chat.ledger import Actor, View
from hubbub.chat.model import LastSeenFor
from hubbub.storage.tables import blocks, conversations, members, users

PRIVATE_KINDS = ("direct", "group")


def blocked_with(view: View, user: str, among: Sequence[str] | None = None) -> set[str]:
    """Those whom `user` has blocked and those who have blocked it; only of `among`, if given."""
    one = sa.select(blocks.c.blocked).where(blocks.c.blocker == user)
    other = sa.select(blocks.c.blocker).where(blocks.c.blocked == user)
    if among is not None:
        one = one.where(blocks.c.blocked.in_(among))
        other = other.where(blocks.c.blocker.in_(among))
    return set(view.execute(sa.union(one, other)).scalars())


def contacts_among(view: View, actor: Actor, ids: Iterable[str]) -> set[str]:
    """Those of `ids` who are contacts of the actor's, itself included; all of them for the server."""
    wanted = set(ids)
    if actor.server or not wanted:
        return wanted
    mine, theirs = members.alias("mine"), members.alias("theirs")
    query = (
        sa.select(theirs.c.user)
        .distinct()
        .select_from(
            mine.join(theirs, mine.c.conversation == theirs.c.conversation).join(
                conversations, conversations.c.id == mine.c.conversation
            )
        )
        .where(
            mine.c.user == actor.user,
            mine.c.state == "joined",
            theirs.c.state == "joined",
            theirs.c.user.in_(wanted),
            conversations.c.kind.in_(PRIVATE_KINDS),
        )
    )
    found = set(view.execute(query).scalars())
    found -= blocked_with(view, actor.user, sorted(found)) if found else set()
    return found | ({actor.user} & wanted)


def last_seen_of(view: View, actor: Actor, ids: Iterable[str], contacts: set[str]) -> dict[str, float]:
    """When those of `ids` were last seen, as far as their settings let the actor know; `contacts` are the actor's."""
    wanted = list(ids)
    if not wanted:
        return {}
    query = sa.select(users.c.id, users.c.last_seen, users.c.show_last_seen).where(users.c.id.in_(wanted))
    hidden = set() if actor.server else blocked_with(view, actor.user, wanted)
    return {
        id: seen
        for id, seen, shown in view.execute(query)
        if seen is not None
        and (actor.server or id == actor.user or (_shows(shown, id in contacts) and id not in hidden))
    }


def _shows(setting: LastSeenFor, contact: bool) -> bool:
    return setting == "everyone" or (setting == "contacts" and contact)
