"""Deleting all messages whose time is over, from the beginning of a conversation on: many at once, with one event."""

from __future__ import annotations

import sqlalchemy as sa

from hubbub.chat import attaching, legal, search_index
from hubbub.chat.agenda import EXPIRE
from hubbub.chat.editing import forget
from hubbub.chat.events import MessagesExpunged, tombstone
from hubbub.chat.kinds.poll import CLOSE
from hubbub.chat.ledger import SERVER, Ledger
from hubbub.chat.model import Message
from hubbub.chat.rows import MESSAGE, ConversationRow, message_of
from hubbub.storage.tables import (
    agenda,
    conversations,
    members,
    mentions,
    messages,
    pins,
    reactions,
    versions,
    votes,
)


def expunge(ledger: Ledger, row: ConversationRow, before: float, most: int) -> int:
    """Delete the messages that were sent `before`, in the order of the log and up to the first that was not, at most
    `most`; how many were looked at. `row` must have been read with `lock`.

    What is left are tombstones, so that all that counts goes on counting; whoever has not read up to there has nothing
    to read there any more.
    """
    query = sa.select(messages.c.id, messages.c.deleted, *MESSAGE).where(
        messages.c.conversation == row.id, messages.c.seq > row.expunged
    )
    found = []
    for id, deleted, *columns in ledger.execute(query.order_by(messages.c.seq).limit(most)):
        message = message_of(columns)
        if message.created >= before:
            break
        found.append((id, deleted, message))
    if not found:
        return 0
    live = [(id, message) for id, deleted, message in found if deleted is None]
    row.expunged = found[-1][2].seq
    if live:
        _bury(ledger, row, live)
    _catch_up(ledger, row)
    changed = {"expunged": row.expunged, "changed": ledger.tx.stamp}
    ledger.execute(conversations.update().where(conversations.c.id == row.id).values(changed))
    ledger.append(row, MessagesExpunged, SERVER, through=row.expunged)
    return len(found)


def _bury(ledger: Ledger, row: ConversationRow, live: list[tuple[int, Message]]) -> None:
    left = {message.seq: tombstone(message, ledger.now) for _, message in live}
    seqs = sorted(left)
    kept = legal.preserve(ledger, row.id, seqs, "retention")
    here = sa.and_(messages.c.conversation == row.id, messages.c.seq.in_(seqs))
    ledger.execute(
        messages.update()
        .where(here)
        .values(
            parts="[]",
            mentions=None,
            reactions=None,
            annotations=None,
            digest=None,
            deleted=ledger.now,
        )
    )
    for table, column in (
        (versions, versions.c.seq),
        (reactions, reactions.c.message),
        (votes, votes.c.message),
        (pins, pins.c.message),
        (mentions, mentions.c.seq),
    ):
        ledger.execute(table.delete().where(table.c.conversation == row.id, column.in_(seqs)))
    # A reminder of a message stays, and says what has become of it.
    about = (agenda.c.conversation == row.id, agenda.c.message.in_(seqs))
    ledger.execute(agenda.delete().where(*about, agenda.c.kind.in_((EXPIRE, CLOSE))))
    for id, _ in live:
        search_index.remove(ledger.tx, id)
    attaching.release(ledger, row.id, [seq for seq in seqs if seq not in kept])
    forget(ledger, row.id, left)


def _catch_up(ledger: Ledger, row: ConversationRow) -> None:
    """Nobody has anything unread up to there: counting it would take longer with every message that is gone."""
    last = (
        sa.select(messages.c.number)
        .where(
            messages.c.conversation == row.id, messages.c.seq <= row.expunged, messages.c.number.is_not(None)
        )
        .order_by(messages.c.seq.desc())
        .limit(1)
    )
    number = ledger.execute(last).scalar()
    if number is None:
        return
    for cursor, count in (
        (members.c.read, members.c.read_number),
        (members.c.delivered, members.c.delivered_number),
    ):
        ledger.execute(
            members.update()
            .where(members.c.conversation == row.id, members.c.state == "joined", cursor < row.expunged)
            .values({cursor.name: row.expunged, count.name: number, "changed": ledger.tx.stamp})
        )
