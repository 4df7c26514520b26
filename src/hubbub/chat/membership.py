"""Coming into conversations and going: what it does to rows, logs and inboxes. Rows are locked by the callers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from hubbub.chat import drafts, keeping, rules
from hubbub.chat.events import ConversationAdded, ConversationRemoved, MemberChanged, MembershipUpdated
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import Actor, Ledger, Notice, View
from hubbub.chat.limits import exceeded
from hubbub.chat.listing import for_users, without_words
from hubbub.chat.model import MemberState, Role
from hubbub.chat.rows import MEMBER, ConversationRow, MemberRow
from hubbub.chat.system import Announced, announce
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import conversations, followers, members, mentions

COLUMNS = (*MemberRow.__struct_fields__, "changed")
KEY = ("conversation", "user")


class Newcomer(Struct, frozen=True):
    """Who is to be in a conversation, and as what."""

    user: str
    role: Role
    state: MemberState = "joined"
    invited_by: str | None = None


def members_of(view: View, conversation: str, users: Sequence[str]) -> dict[str, MemberRow]:
    """The rows of those of `users` who are, or have been, in the conversation or invited to it."""
    query = sa.select(*MEMBER).where(members.c.conversation == conversation, members.c.user.in_(users))
    return {row.user: MemberRow(*row) for row in view.execute(query)}


def newcomer_row(ledger: Ledger, row: ConversationRow, newcomer: Newcomer) -> MemberRow:
    """A membership that begins now: what was said before is not unread, and with `history` joined not to be seen."""
    return MemberRow(
        row.id,
        newcomer.user,
        newcomer.role,
        newcomer.state,
        newcomer.invited_by,
        ledger.now,
        row.head if row.history == "joined" else 0,
        row.head,
        row.messages,
        row.head,
        row.messages,
        None,
        False,
    )


def write_members(ledger: Ledger, rows: Sequence[MemberRow]) -> None:
    """Insert memberships, or put them in place of what they were."""
    columns = tuple(name for name in COLUMNS if name not in KEY)
    values = [
        (*(getattr(row, name) for name in MemberRow.__struct_fields__), ledger.tx.stamp) for row in rows
    ]
    bulk.insert(ledger.tx, members, COLUMNS, values, update=columns)


def enter(
    ledger: Ledger, row: ConversationRow, actor: Actor, newcomers: Sequence[Newcomer]
) -> list[MemberRow]:
    """Have users join, or invite them; none of them has joined yet. Raises LIMIT_EXCEEDED (`limits.members`)."""
    limit = ledger.config.limits.members
    if row.members + len(newcomers) > limit:
        raise exceeded("members", limit, "users")
    # With one head for all of them: what they miss and what they see does not hang on who is written first.
    entered = [newcomer_row(ledger, row, newcomer) for newcomer in newcomers]
    write_members(ledger, entered)
    joined = [member for member in entered if member.joined]
    if joined:
        _count(ledger, row, len(joined))
    for member in entered:
        ledger.append(row, MemberChanged, actor, member=member.public(), members=row.members)
    announce(ledger, row, actor, "member.joined", tuple(member.user for member in joined))
    invited = tuple(member.user for member in entered if not member.joined)
    announce(ledger, row, actor, "member.invited", invited)
    added = for_users(ledger, row, [member.user for member in entered])
    tell_all(
        ledger,
        [(user, ConversationAdded, {"conversation": without_words(mine)}) for user, mine in added.items()],
    )
    return entered


def go(ledger: Ledger, row: ConversationRow, actor: Actor, member: MemberRow, what: Announced | None) -> None:
    """End a membership or an invitation; what was theirs alone in the conversation goes with it."""
    was_joined = member.joined
    member.state, member.since = "left", ledger.now
    member.role, member.invited_by = rules.JOINS_AS[row.kind], None
    member.muted_until, member.archived = None, False
    write_members(ledger, [member])
    for table in (mentions, followers):
        ledger.execute(table.delete().where(table.c.conversation == row.id, table.c.user == member.user))
    keeping.forget_bookmarks(ledger, row.id, member.user)
    drafts.forget(ledger, row.id, member.user)
    if was_joined:
        _count(ledger, row, -1)
    ledger.append(row, MemberChanged, actor, member=member.public(), members=row.members)
    if what is not None:
        announce(ledger, row, actor, what, (member.user,))
    tell_all(ledger, [(member.user, ConversationRemoved, {"conversation": row.id})])


def give_role(ledger: Ledger, row: ConversationRow, actor: Actor, member: MemberRow, role: Role) -> None:
    """Make a member into another role."""
    member.role = role
    write_members(ledger, [member])
    ledger.append(row, MemberChanged, actor, member=member.public(), members=row.members)
    if member.joined:
        announce(ledger, row, actor, "member.role", (member.user,), role=role)
    mine = for_users(ledger, row, [member.user])[member.user].membership
    fields: dict[str, Any] = {"conversation": row.id, "membership": mine}
    notice: Notice = (member.user, MembershipUpdated, fields)
    tell_all(ledger, [notice])


def keep_an_owner(view: View, row: ConversationRow, member: MemberRow) -> None:
    """Raises CONFLICT if `member` is the last owner, and others have joined."""
    if member.role != "owner" or not member.joined or row.members <= 1:
        return
    query = sa.select(sa.func.count()).where(
        members.c.conversation == row.id, members.c.state == "joined", members.c.role == "owner"
    )
    if view.execute(query).scalar_one() <= 1:
        raise HubbubError(
            ErrorCode.CONFLICT, "the last owner: make another member an owner first", field="conversation"
        )


def _count(ledger: Ledger, row: ConversationRow, more: int) -> None:
    row.members += more
    ledger.execute(conversations.update().where(conversations.c.id == row.id).values(members=row.members))
