"""Mentions: whom a message names. What is kept of them is a row for each user that is meant, and one for everybody."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import sqlalchemy as sa
from msgspec import Struct

from hubbub.chat import limits
from hubbub.chat.listing import EVERYBODY
from hubbub.chat.model import Everyone, GroupId, Mentions, UserId
from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Transaction
from hubbub.storage.tables import group_members, members, mentions
from hubbub.storage.tables import groups as group_table

Here = Callable[[Collection[str]], Collection[str]]
"""Those of some users who are online now. It is called in the thread of the store's writer."""
Row = tuple[str, str, int, int | None]
"""Of `mentions`: conversation, user, seq, number."""
COLUMNS = ("conversation", "user", "seq", "number")
FIELD = "mentions.users"


class MentionWhom(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom a message is to mention: members, everybody (`all`) or those of them who are online (`here`), and groups of
    users, of whom it means those who are members when it is sent."""

    users: tuple[UserId, ...] = ()
    everyone: Everyone | None = None
    groups: tuple[GroupId, ...] = ()


def check(given: MentionWhom | None, allowed: LimitsConfig) -> Mentions | None:
    """The mentions that a client gives, without repetition; None if nobody is mentioned. Raises LIMIT_EXCEEDED."""
    if given is None or not (given.users or given.everyone or given.groups):
        return None
    limits.check(allowed, "mentions", len(given.users) + len(given.groups), FIELD)
    return Mentions(tuple(dict.fromkeys(given.users)), given.everyone, tuple(dict.fromkeys(given.groups)))


def not_a_member(given: Sequence[str], user: str) -> HubbubError:
    """The refusal to mention `user`, in the same words whether there is such a user or not."""
    field = f"{FIELD}[{given.index(user)}]"
    return HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: not a member of the conversation", field=field)


def refuse_unknown(tx: Transaction, given: Sequence[str]) -> None:
    """Raises VALIDATION_FAILED for a group that is none."""
    known = set(tx.execute(sa.select(group_table.c.id).where(group_table.c.id.in_(given))).scalars())
    for place, id in enumerate(given):
        if id not in known:
            field = f"mentions.groups[{place}]"
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: there is no such group", field=field)


def in_groups(tx: Transaction, conversation: str, given: Sequence[str], but: str | None) -> list[str]:
    """The members of a conversation who are in one of the groups, without one."""
    query = (
        sa.select(members.c.user)
        .join(group_members, group_members.c.user == members.c.user)
        .where(
            members.c.conversation == conversation,
            members.c.state == "joined",
            group_members.c.group.in_(given),
        )
    )
    return sorted(set(tx.execute(query).scalars()) - {but})


def rows(
    conversation: str, seq: int, number: int | None, given: Mentions, here: Collection[str] = ()
) -> list[Row]:
    """The rows of one message; `here` are those who were online or in a group, for a message that mentions them."""
    users = dict.fromkeys((*given.users, *here))
    if given.everyone == "all":
        users[EVERYBODY] = None
    return [(conversation, user, seq, number) for user in users]


def insert(tx: Transaction, found: Sequence[Row], *, ignore: bool = False) -> None:
    """Write rows; with `ignore` those that are there already are left as they are."""
    bulk.insert(tx, mentions, COLUMNS, found, ignore=ignore)


def delete(tx: Transaction, conversation: str, seq: int, users: Collection[str]) -> None:
    """Take rows of one message away, as far as they are there."""
    rows = [(conversation, user, seq) for user in sorted(users)]
    bulk.delete(tx, mentions, ("conversation", "user", "seq"), rows)
