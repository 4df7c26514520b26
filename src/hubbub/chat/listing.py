"""What conversations are to users: memberships, counters and newest messages of many at once, in a query each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from msgspec.structs import replace

from hubbub.chat import limits, rules, text
from hubbub.chat.ledger import View
from hubbub.chat.model import Message, MyConversation, MyMembership
from hubbub.chat.rows import MEMBER, MESSAGE, ConversationRow, MemberRow, message_of
from hubbub.storage import bulk
from hubbub.storage.tables import hidden, members, mentions, messages

S = TypeVar("S")
EVERYBODY = "*"
Pair = tuple[str, str]
"""Conversation and user."""
AT_ONCE = 1_000
"""Pairs of one statement."""
_PAIR = ("conversation", "user")
_MESSAGE = tuple(column.name for column in MESSAGE)

tombstones = (
    sa.select(sa.func.count())
    .select_from(messages)
    .where(
        messages.c.conversation == members.c.conversation,
        messages.c.number > members.c.read_number,
        messages.c.number.is_not(None),
        messages.c.deleted.is_not(None),
    )
    .correlate(members)
    .scalar_subquery()
)
"""Messages after a member's read cursor that nobody can read any more."""

_mentions = (
    sa.select(sa.func.count(mentions.c.seq.distinct()))
    .where(
        mentions.c.conversation == members.c.conversation,
        mentions.c.user.in_((members.c.user, EVERYBODY)),
        mentions.c.seq > members.c.read,
        mentions.c.number.is_not(None),
    )
    .correlate(members)
    .scalar_subquery()
)


def my_conversations(view: View, user: str, rows: Sequence[ConversationRow]) -> list[MyConversation]:
    """`rows` as they are to `user`, in the same order."""
    ids = [row.id for row in rows]
    found = _memberships(view, sa.and_(members.c.user == user, members.c.conversation.in_(ids)))
    newest = _newest(view, rows)
    unseen = _unseen(view, {user}, newest)
    return [_mine(row, user, found.get((row.id, user)), newest.get(row.id), unseen) for row in rows]


def for_users(view: View, row: ConversationRow, users: Iterable[str]) -> dict[str, MyConversation]:
    """One conversation as it is to each of `users`."""
    wanted = list(dict.fromkeys(users))
    found = _memberships(view, sa.and_(members.c.conversation == row.id, members.c.user.in_(wanted)))
    newest = _newest(view, [row])
    unseen = _unseen(view, wanted, newest)
    return {user: _mine(row, user, found.get((row.id, user)), newest.get(row.id), unseen) for user in wanted}


def my_membership(view: View, user: str, row: ConversationRow) -> MyMembership:
    """What one conversation is to one user."""
    return my_memberships(view, user, [row])[row.id]


def my_memberships(view: View, user: str, rows: Sequence[ConversationRow]) -> dict[str, MyMembership]:
    """What conversations are to one user, by their ids."""
    ids = [row.id for row in rows]
    found = _memberships(view, sa.and_(members.c.user == user, members.c.conversation.in_(ids)))
    return {row.id: _membership(row.messages, found.get((row.id, user))) for row in rows}


def memberships_of(view: View, newest: Mapping[str, int], pairs: Iterable[Pair]) -> dict[Pair, MyMembership]:
    """Of many users in many conversations. `newest` has the number of each conversation's newest message."""
    wanted = list(pairs)
    found: dict[Pair, Counted] = {}
    for begin in range(0, len(wanted), AT_ONCE):
        found |= _memberships(view, _among(view, wanted[begin : begin + AT_ONCE]))
    return {pair: _membership(newest[pair[0]], found.get(pair)) for pair in wanted}


def _among(view: View, pairs: Sequence[Pair]) -> sa.ColumnElement[bool]:
    place = sa.tuple_(members.c.conversation, members.c.user)
    if view.dialect == "postgresql":
        return place.in_(pairs)
    # Of `IN (VALUES ...)` by itself SQLite makes a scan of all members.
    given = sa.text("SELECT * FROM :pairs").bindparams(sa.bindparam("pairs", pairs, expanding=True))
    return place.in_(given.columns(members.c.conversation, members.c.user))


Counted = tuple[MemberRow, int, int]
"""A membership, the tombstones after its read cursor, and the mentions."""


def _memberships(view: View, which: sa.ColumnElement[bool]) -> dict[Pair, Counted]:
    counted = {}
    for row in view.execute(sa.select(*MEMBER, tombstones, _mentions).where(which)):
        *columns, gone, mentioned = tuple(row)
        member = MemberRow(*columns)
        counted[member.conversation, member.user] = (member, gone, mentioned)
    return counted


def _newest(view: View, rows: Sequence[ConversationRow]) -> dict[str, Message]:
    pairs = [(row.id, row.last_message) for row in rows if row.last_message is not None]
    found = map(message_of, bulk.select(view.source, messages, _MESSAGE, ("conversation", "seq"), pairs))
    return {message.conversation: message for message in found}


def _unseen(view: View, users: Iterable[str], newest: Mapping[str, Message]) -> frozenset[Pair]:
    """Conversation and user, where the user has deleted the newest message for itself."""
    wanted = [(message.conversation, user, message.seq) for message in newest.values() for user in users]
    return frozenset(bulk.select(view.source, hidden, _PAIR, (*_PAIR, "seq"), wanted))


def _mine(
    row: ConversationRow,
    user: str,
    counted: Counted | None,
    newest: Message | None,
    unseen: frozenset[Pair],
) -> MyConversation:
    membership = _membership(row.messages, counted)
    role = membership.role if membership.state == "joined" else None
    # Who has not joined where one reads from then on has nothing to read yet.
    floor = membership.visible if role is not None or row.history == "all" else row.head
    if newest is not None and (
        newest.seq <= floor
        or (row.id, user) in unseen
        or not rules.allowed(row.kind, "read", role, row.overrides)
    ):
        newest = None
    return MyConversation(row.public(), membership, row.peer_of(user) if user else None, newest)


def _membership(newest: int, counted: Counted | None) -> MyMembership:
    """`newest` is the number of the conversation's newest message."""
    if counted is None:
        return MyMembership()
    member, gone, mentioned = counted
    if member.state == "left":
        return MyMembership(state="left")
    if member.state == "invited":
        return MyMembership(member.role, "invited", member.invited_by)
    return MyMembership(
        member.role,
        member.state,
        member.invited_by,
        member.read,
        member.delivered,
        max(newest - member.read_number - gone, 0),
        mentioned,
        member.muted_until,
        bool(member.archived),
        member.visible,
    )


def word_begins(view: View, column: sa.ColumnElement[str], prefix: str, field: str) -> sa.ColumnElement[bool]:
    """Whether a word of the name in `column` begins with `prefix`: compared without regard to case as far as the
    database knows it, and in the forms that a word has at the beginning of a name. Raises VALIDATION_FAILED, and
    LIMIT_EXCEEDED (`limits.query_length`)."""
    wanted = text.name(prefix, field)
    limits.check(view.config.limits, "query_length", len(wanted), field)
    forms = [wanted.lower()]
    if not wanted.isascii():  # of what else there is a database may know nothing
        forms = list(dict.fromkeys((*forms, wanted, wanted.capitalize(), wanted.title(), wanted.upper())))
    lowered = sa.func.lower(column)
    first = [lowered.startswith(form, autoescape=True) for form in forms]
    later = [lowered.contains(f" {form}", autoescape=True) for form in forms]
    return sa.or_(*first, *later)


def without_words(value: S) -> S:
    """An answer as it may be kept: without anybody's messages, which may be deleted later."""
    kept: Any = value
    if isinstance(value, MyConversation):
        kept = replace(value, last_message=None)
    elif isinstance(mine := getattr(value, "conversation", None), MyConversation):
        kept = replace(kept, conversation=without_words(mine))
    found: S = kept
    return found
