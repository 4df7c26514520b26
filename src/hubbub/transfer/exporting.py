"""A workspace as lines, page by page from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import UNSET, Raw

from hubbub.chat.ledger import View
from hubbub.chat.mentions import MentionWhom
from hubbub.chat.model import Message
from hubbub.chat.rows import CONVERSATION, MEMBER, MESSAGE, USER, ConversationRow, MemberRow, message_of
from hubbub.config import Config
from hubbub.storage.base import Snapshot, Store
from hubbub.storage.tables import conversations, members, messages, reactions, users
from hubbub.transfer.lines import (
    VERSION,
    ConversationLine,
    CursorLine,
    End,
    Line,
    MemberLine,
    MessageLine,
    ReactionLine,
    UserLine,
    Workspace,
    encode,
    tag_of,
)

PAGE = 1000
"""Rows of one read."""


class Exporter:
    """What is in a store, without what belongs to this server alone: files' bytes, votes, pins, drafts, keys.

    Each page is read by itself, so that a server that runs beside (on PostgreSQL) is not held up: what changes
    meanwhile may be in it or not.
    """

    def __init__(self, store: Store, config: Config, now: float) -> None:
        self.store = store
        self.config = config
        self.now = now
        self.counts: Counter[str] = Counter()

    async def lines(self) -> AsyncIterator[bytes]:
        """Lines with their ends, many at a time."""
        yield self._encoded([Workspace(VERSION, self.store.epoch, self.now)])
        async for rows in self._pages(sa.select(*USER), (users.c.id,)):
            yield self._encoded([_user(row) for row in rows])
        async for rows in self._pages(sa.select(*CONVERSATION), (conversations.c.id,)):
            for row in rows:
                async for each in self._conversation(ConversationRow(*list(row))):
                    yield each
        yield self._encoded([End(dict(self.counts))])

    async def total(self) -> int:
        """About how many messages there are."""
        query = sa.select(sa.func.sum(conversations.c.head))
        return await self.store.read(lambda snapshot: int(snapshot.execute(query).scalar() or 0))

    async def _conversation(self, row: ConversationRow) -> AsyncIterator[bytes]:
        yield self._encoded([_conversation(row)])
        inside = sa.select(*MEMBER).where(members.c.conversation == row.id)
        async for rows in self._pages(inside, (members.c.user,)):
            yield self._encoded([_member(MemberRow(*list(each))) for each in rows])
        after = 0
        while said := await self.store.read(self._messages(row.id, after)):
            after, found = said
            yield self._encoded(found)
        async for rows in self._pages(inside, (members.c.user,)):
            of = [MemberRow(*list(each)) for each in rows]
            unseen = await self.store.read(self._unseen(row.id, {each.visible for each in of}))
            yield self._encoded([_cursor(each, unseen[each.visible]) for each in of])

    def _messages(self, conversation: str, after: int) -> Callable[[Snapshot], tuple[int, list[Line]] | None]:
        def query(snapshot: Snapshot) -> tuple[int, list[Line]] | None:
            view = View(snapshot, self.config, self.now)
            wanted = sa.select(*MESSAGE).where(
                messages.c.conversation == conversation,
                messages.c.seq > after,
                messages.c.shadow.is_(None),
            )
            found = [
                message_of(row) for row in view.execute(wanted.order_by(messages.c.seq).limit(PAGE)).all()
            ]
            if not found:
                return None
            given = _reactions(view, conversation, [each.seq for each in found if each.reactions])
            return found[-1].seq, [_message(each, given.get(each.seq, ())) for each in found]

        return query

    def _unseen(self, conversation: str, visible: set[int]) -> Callable[[Snapshot], dict[int, int]]:
        """How many of the main timeline come up to each seq."""

        def query(snapshot: Snapshot) -> dict[int, int]:
            found = {0: 0}
            for seq in visible - {0}:
                before = sa.select(messages.c.number).where(
                    messages.c.conversation == conversation,
                    messages.c.thread.is_(None),
                    messages.c.number.is_not(None),
                    messages.c.seq <= seq,
                )
                last = snapshot.execute(before.order_by(messages.c.seq.desc()).limit(1)).scalar()
                found[seq] = last or 0
            return found

        return query

    async def _pages(
        self, query: sa.Select[Any], keys: tuple[sa.Column[Any], ...]
    ) -> AsyncIterator[Sequence[sa.Row[Any]]]:
        (key,) = keys
        page = query.order_by(key).limit(PAGE)
        last: Any = None
        while True:
            wanted = page if last is None else page.where(key > last)
            rows = await self.store.read(lambda snapshot, q=wanted: snapshot.execute(q).all())  # type: ignore[misc]
            if rows:
                yield rows
            if len(rows) < PAGE:
                return
            last = getattr(rows[-1], key.name)

    def _encoded(self, found: Sequence[Line]) -> bytes:
        self.counts.update(map(tag_of, found))
        return b"".join(encode(each) + b"\n" for each in found)


def _reactions(view: View, conversation: str, seqs: list[int]) -> dict[int, tuple[ReactionLine, ...]]:
    if not seqs:
        return {}
    query = sa.select(reactions.c.message, reactions.c.name, reactions.c.user).where(
        reactions.c.conversation == conversation, reactions.c.message.in_(seqs)
    )
    found: dict[int, dict[str, list[str]]] = {}
    for seq, name, user in view.execute(query.order_by(reactions.c.time, reactions.c.user)):
        found.setdefault(seq, {}).setdefault(name, []).append(user)
    return {
        seq: tuple(ReactionLine(name, tuple(who)) for name, who in names.items())
        for seq, names in found.items()
    }


def _user(row: Any) -> UserLine:
    id, kind, name, avatar, custom, created, _ = row
    return UserLine(id, kind, name, avatar, UNSET if custom is None else Raw(custom.encode()), created)


def _conversation(row: ConversationRow) -> ConversationLine:
    return ConversationLine(
        row.id,
        row.kind,
        row.created,
        () if row.pair is None else tuple(dict.fromkeys(row.pair.split("\n"))),
        row.name,
        row.topic,
        row.avatar,
        UNSET if row.custom is None else Raw(row.custom.encode()),
        row.history,
        row.overrides,
        bool(row.closed),
        row.created_by,
        row.slow_mode,
        row.retention,
    )


def _member(row: MemberRow) -> MemberLine:
    return MemberLine(row.conversation, row.user, row.role, row.state, row.since, row.visible > 0)


def _cursor(row: MemberRow, unseen: int) -> CursorLine:
    return CursorLine(row.conversation, row.user, row.read_number, row.delivered_number, unseen)


def _message(message: Message, given: tuple[ReactionLine, ...]) -> MessageLine:
    said = message.mentions
    return MessageLine(
        message.conversation,
        str(message.seq),
        message.sender,
        message.created,
        message.parts,
        message.kind,
        None if message.thread is None else str(message.thread),
        None if message.reply_to is None else str(message.reply_to),
        None if said is None else MentionWhom(said.users, said.everyone, said.groups),
        message.version,
        message.edited,
        message.deleted,
        given,
        message.options,
    )
