"""What users keep for themselves in the conversations that they are in: bookmarks and drafts. Nobody else knows of it,
and it goes when they leave.

What was removed stays as a row without words, so that a sync can tell of it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from hubbub.chat import limits
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.rows import ConversationRow, MemberRow
from hubbub.chat.users import known_self
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import bookmarks, members, users

Rows = list[sa.Row[Any]]


def joined(ledger: Ledger, actor: Actor, conversation: str) -> tuple[ConversationRow, MemberRow]:
    """The conversation and the actor's membership, which does not end before the transaction does. Raises as
    `View.access`, and PERMISSION_DENIED for guests."""
    user = known_self(ledger, actor)
    mine = (members.c.conversation == conversation, members.c.user == user)
    ledger.execute(sa.select(members.c.user).where(*mine).with_for_update())
    row, member = ledger.access(actor, conversation)
    if member is None:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "permission denied: join first", field="conversation")
    return row, member


def check_room(ledger: Ledger, user: str, table: sa.Table, field: str) -> None:
    """Raises LIMIT_EXCEEDED for a user who has as many rows of `table` as `limits.<its name>` says. One user's calls
    wait for one another from here on."""
    ledger.execute(sa.select(users.c.id).where(users.c.id == user).with_for_update())
    count = sa.select(sa.func.count()).where(table.c.user == user, table.c.removed.is_(False))
    limits.check(ledger.config.limits, table.name, ledger.execute(count).scalar_one() + 1, field)


def changed(view: View, user: str, query: sa.Select[Any], table: sa.Table, since: int) -> Rows | None:
    """Rows of `query` that a device is to be told of: those that have changed since, the removed ones too, or all that
    there are. None if they are more than a page, so that the device is to list them."""
    of_it = table.c.changed >= since if since else table.c.removed.is_(False)
    most = view.config.limits.page
    query = query.where(table.c.user == user, of_it).order_by(table.c.changed, *table.primary_key)
    rows = list(view.execute(query.limit(most + 1)))
    return rows if len(rows) <= most else None


def forget_bookmarks(ledger: Ledger, conversation: str, user: str) -> None:
    """The user has left the conversation."""
    mine = (
        bookmarks.c.user == user,
        bookmarks.c.conversation == conversation,
        bookmarks.c.removed.is_(False),
    )
    ledger.execute(bookmarks.update().where(*mine).values(note="", removed=True, changed=ledger.tx.stamp))
