"""Bringing a device up to date that was away: in one call all that has changed since its token.

A token says up to where its device knows everything: rows that were written later have a greater `changed`
(`storage/base.py`: `Snapshot.horizon`). What is told may be told again by the next sync, so all of it replaces what the
device has. While there are more pages, the token says where the next one begins, and keeps the horizon of the first.
"""

from __future__ import annotations

import re
from typing import Annotated, NamedTuple, cast

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Raw, Struct

from hubbub.chat import bookmarks, drafts, reminders, restrictions, rules, scheduled, users
from hubbub.chat.blocks import Block
from hubbub.chat.catalogue import changed_since
from hubbub.chat.events import Receipts
from hubbub.chat.events_list import inbox_page, log_page
from hubbub.chat.holds import Hold
from hubbub.chat.ledger import Actor, View
from hubbub.chat.listing import my_conversations
from hubbub.chat.model import Bookmark, Draft, Message, MyConversation, MyThread, Reminder, Scheduled, Seq
from hubbub.chat.operations import NoParams
from hubbub.chat.paging import cursor, read_cursor
from hubbub.chat.restrictions import Restriction
from hubbub.chat.rows import CONVERSATION, ConversationRow
from hubbub.chat.sync_parts import changed_holds, changed_threads, newest, receipts_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.base import Snapshot
from hubbub.storage.epoch import read_meta
from hubbub.storage.tables import blocks, conversations, hidden, members
from hubbub.storage.tables import users as users_table

LAST = 2**63 - 1
_TOKEN = re.compile(r"([0-9a-zA-Z]{1,64})\.([0-9]{1,19})(?:\.([0-9]{1,19})\.([0-9a-zA-Z_-]{1,512}))?")


class Sync(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a device knows: the `token` of its last sync, and the seqs up to which it has the logs. Seqs count with a
    token only, for it says whose they are."""

    token: Annotated[str, Meta(max_length=1_024)] | None = None
    positions: Annotated[
        dict[str, Seq], Meta(description="The last seq that is known of each conversation.")
    ] = {}
    inbox: Annotated[Seq, Meta(description="The last seq that is known of the inbox.")] | None = None
    conversations: (
        Annotated[
            int, Meta(ge=1, description="Conversations in one answer, up to `chat.sync_conversations`.")
        ]
        | None
    ) = None
    messages: (
        Annotated[int, Meta(ge=0, description="Messages of each conversation, up to `chat.sync_messages`.")]
        | None
    ) = None
    live: Annotated[
        bool, Meta(description="Have the session follow from there on; by `call` on a session only.")
    ] = False


class SyncConversation(Struct, frozen=True, omit_defaults=True):
    """A conversation in which something has changed: what it is now, and what was missed.

    Either `events` are all events after the seq that the device knows (`seq` is the last one), or `messages` are the
    newest ones of the main timeline, the oldest first. With `too_far` there is a gap before these: what the device has
    is to be thrown away, or the gap paged. `more_before`: there are older messages. `hidden` are the messages in either
    that the user has deleted for itself.
    """

    conversation: MyConversation
    seq: int
    events: tuple[Raw, ...] = ()
    messages: tuple[Message, ...] = ()
    too_far: bool = False
    more_before: bool = False
    hidden: tuple[int, ...] = ()


class SyncPage(Struct, frozen=True, omit_defaults=True):
    """All that has changed, the most active conversations first. `token` is for the next sync: with `more` at once.

    What is not of single conversations is on the first page: `removed`, and all from `threads` to `inbox_events`.
    `reset`: the token is of no use any more (the database was restored), so that this is everything, and what is not in
    it or a further page is gone.
    """

    token: str
    conversations: tuple[SyncConversation, ...] = ()
    invitations: tuple[MyConversation, ...] = ()
    """Conversations that wait for an answer. What a device still has of them is to be thrown away."""
    removed: tuple[str, ...] = ()
    """Conversations that one is in no more."""
    receipts: tuple[Receipts, ...] = ()
    """How far the members of each of the `conversations` have got: by name, or in large ones how many have read the
    newest message."""
    threads: tuple[MyThread, ...] = ()
    """Threads that one follows in which something is unread, or that one follows no more, or has read in elsewhere; the
    first of them (`threads.list` has all)."""
    blocks: tuple[Block, ...] | None = None
    """All of one's own blocks, if they may have changed."""
    bookmarks: tuple[Bookmark, ...] | None = ()
    """One's own that have changed, those that were removed too; without a token all. null: they are too many, so that
    what the device has is to be thrown away, and `bookmarks.list` to be asked."""
    drafts: tuple[Draft, ...] | None = ()
    """In the same way (`drafts.list`). Those of conversations that one is in no more are gone."""
    scheduled: tuple[Scheduled, ...] | None = None
    """All messages that one has scheduled, if they may have changed."""
    reminders: tuple[Reminder, ...] | None = None
    """All of one's own reminders, past ones too, if they may have changed."""
    restrictions: tuple[Restriction, ...] | None = None
    """All mutes and bans of the user that are in force, if they may have changed."""
    holds: tuple[Hold, ...] = ()
    """One's own messages that wait for a moderator, or wait no more since; the newest of them (`holds.list` has
    all)."""
    catalogue: bool = False
    """Custom emoji or groups have changed: `emoji.list` and `groups.list` have them."""
    me: users.Me | None = None
    inbox: int = 0
    """The last seq of the user's inbox."""
    inbox_events: tuple[Raw, ...] | None = None
    """Its events after the seq that the device knows; absent if it names none or they are kept no more."""
    reset: bool = False
    more: bool = False


class Token(NamedTuple):
    """`since`: what has a `changed` of this or more is not known. While there are pages: the `horizon` that the next
    token will have as its `since`, and the last conversation that was told, by its last activity and id."""

    epoch: str
    since: int = 0
    horizon: int | None = None
    place: tuple[float, str] | None = None

    def __str__(self) -> str:
        known = f"{self.epoch}.{self.since}"
        return known if self.place is None else f"{known}.{self.horizon}.{cursor(*self.place)}"


def read_token(value: str) -> Token:
    """Raises VALIDATION_FAILED for what is none."""
    if (found := _TOKEN.fullmatch(value)) is not None:
        epoch, since, horizon, place = found.groups()
        token = Token(epoch, int(since))
        if place is not None:
            token = Token(epoch, int(since), int(horizon), read_cursor(place, tuple[float, str], "token"))
        if token.since <= LAST and (token.horizon or 0) <= LAST:
            return token
    raise HubbubError(ErrorCode.VALIDATION_FAILED, "token: not a token of a sync", field="token")


def synchronise(view: View, actor: Actor, params: Sync) -> SyncPage:
    """The answer to a sync, read from one snapshot (`chat/following.py` has the operation).

    Raises VALIDATION_FAILED for a `token` that is none.
    """
    user = users.myself(actor)
    snapshot = view.source
    assert isinstance(snapshot, Snapshot)
    epoch = read_meta(snapshot.connection, "epoch") or ""
    token = Token(epoch)
    reset = False
    if params.token is not None:
        token = read_token(params.token)
        if token.epoch != epoch or max(token.since, token.horizon or 0) > snapshot.horizon:
            token, reset = Token(epoch), True
    positions = params.positions if params.token is not None and not reset else {}
    horizon = snapshot.horizon if token.horizon is None else token.horizon
    size = _at_most(params.conversations, view.config.chat.sync_conversations)
    found = _changed(view, user, token, size + 1)
    more = len(found) > size
    found = found[:size]
    following = Token(epoch, horizon)
    if more:
        last = found[-1][0]
        following = Token(epoch, token.since, horizon, (last.last_activity, last.id))
    joined = [row for row, state in found if state == "joined"]
    mine = dict(
        zip(
            (row.id for row, _ in found), my_conversations(view, user, [row for row, _ in found]), strict=True
        )
    )
    count = _at_most(params.messages, view.config.chat.sync_messages)
    page = SyncPage(
        str(following),
        _missed(view, user, [(row, mine[row.id]) for row in joined], positions, count, fresh=not token.since),
        tuple(mine[row.id] for row, state in found if state == "invited"),
        receipts=tuple(receipts_of(view, joined)),
        inbox=view.execute(sa.select(users_table.c.head).where(users_table.c.id == user)).scalar() or 0,
        reset=reset,
        more=more,
    )
    return page if token.place is not None else _with_the_rest(view, actor, params, page, token)


def _at_most(asked: int | None, most: int) -> int:
    return most if asked is None else min(asked, most)


def _changed(view: View, user: str, token: Token, count: int) -> list[tuple[ConversationRow, str]]:
    """The user's conversations that have changed, and its state there; by last activity."""
    place = (conversations.c.last_activity, conversations.c.id)
    query = (
        sa.select(*CONVERSATION, members.c.state)
        .join(members, members.c.conversation == conversations.c.id)
        .where(members.c.user == user, members.c.state.in_(("joined", "invited")))
    )
    if token.since:
        query = query.where(sa.or_(members.c.changed >= token.since, conversations.c.changed >= token.since))
    if token.place is not None:
        query = query.where(sa.tuple_(*place) < sa.tuple_(*token.place))
    query = query.order_by(*(each.desc() for each in place)).limit(count)
    return [(ConversationRow(*row[:-1]), row[-1]) for row in view.execute(query)]


def _missed(
    view: View,
    user: str,
    found: list[tuple[ConversationRow, MyConversation]],
    positions: dict[str, int],
    count: int,
    *,
    fresh: bool,
) -> tuple[SyncConversation, ...]:
    """What was missed in each; `fresh` devices know nothing, so that nothing can be too far."""
    logs: dict[str, tuple[Raw, ...]] = {}
    paged: list[str] = []
    for row, mine in found:
        floor = mine.membership.visible
        if not rules.allowed(row.kind, "read", mine.membership.role, row.overrides):
            continue
        known = positions.get(row.id)
        if known is not None and floor <= known <= row.head:
            most = view.config.chat.sync_events
            log = log_page(view, row.id, known, most + 1, floor=floor) if known < row.head else []
            if len(log) <= most:
                logs[row.id] = tuple(Raw(each.data.encode()) for each in log)
                continue
        paged.append(row.id)
    recent = newest(view, user, paged, count)
    unseen = _hidden(view, user, [row.id for row, _ in found])
    made = []
    for row, mine in found:
        told, older = recent.get(row.id, ((), False))
        gone = unseen.get(row.id, ())
        shown = tuple(message for message in told if message.seq not in gone)
        made.append(
            SyncConversation(
                mine,
                row.head,
                logs.get(row.id, ()),
                shown,
                too_far=row.id in recent and older and not fresh,
                more_before=older,
                hidden=tuple(gone) if row.id in logs else (),
            )
        )
    return tuple(made)


def _hidden(view: View, user: str, ids: list[str]) -> dict[str, list[int]]:
    """The messages that the user has deleted for itself."""
    query = sa.select(hidden.c.conversation, hidden.c.seq).where(
        hidden.c.user == user, hidden.c.conversation.in_(ids)
    )
    found: dict[str, list[int]] = {}
    for conversation, seq in view.execute(query.order_by(hidden.c.seq)):
        found.setdefault(conversation, []).append(seq)
    return found


def _with_the_rest(view: View, actor: Actor, params: Sync, page: SyncPage, token: Token) -> SyncPage:
    """What is not of single conversations."""
    user = actor.user
    changed = view.execute(sa.select(users_table.c.changed).where(users_table.c.id == user)).scalar()
    removed: tuple[str, ...] = ()
    if token.since:
        left = sa.select(members.c.conversation).where(
            members.c.user == user, members.c.state == "left", members.c.changed >= token.since
        )
        removed = tuple(view.execute(left.order_by(members.c.conversation)).scalars())
    page = msgspec.structs.replace(
        page,
        removed=removed,
        catalogue=changed_since(view, token.since),
        threads=changed_threads(view, actor, token.since),
        bookmarks=bookmarks.changed(view, user, token.since),
        drafts=drafts.changed(view, user, token.since),
        holds=changed_holds(view, user, token.since),
        me=cast(users.Me, users.get_me.function(view, actor, NoParams())),
        inbox_events=None
        if page.reset or params.token is None
        else _inbox(view, user, params.inbox, page.inbox),
    )
    if changed is None or changed < token.since:
        return page
    # Whoever changes these tells the user's inbox, too, and with it changes the user's row.
    return msgspec.structs.replace(
        page,
        blocks=_blocks(view, user),
        scheduled=scheduled.mine(view, user),
        reminders=reminders.mine(view, user),
        restrictions=restrictions.mine.function(view, actor, NoParams()).restrictions,
    )


def _blocks(view: View, user: str) -> tuple[Block, ...]:
    query = sa.select(blocks.c.blocked, blocks.c.created).where(blocks.c.blocker == user)
    return tuple(Block(*row) for row in view.execute(query.order_by(blocks.c.created, blocks.c.blocked)))


def _inbox(view: View, user: str, known: int | None, head: int) -> tuple[Raw, ...] | None:
    if known is None or known > head:
        return None
    most = view.config.chat.sync_events
    found = inbox_page(view, user, known, most + 1) if known < head else []
    if len(found) != head - known or len(found) > most:
        return None
    return tuple(Raw(each.data.encode()) for each in found)
