"""Telling many users at once, each in its own inbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from hubbub.chat.events import InboxHead
from hubbub.chat.ledger import Ledger, inbox_of
from hubbub.storage import bulk
from hubbub.storage.base import Logged
from hubbub.storage.tables import inbox, users

Notice = tuple[str, type[InboxHead], dict[str, Any]]
"""Whom to tell, what, and its fields."""
SLACK = 16
"""Events of an inbox above its size that may be there before they are deleted."""


def tell_all(ledger: Ledger, notices: Sequence[Notice]) -> None:
    """As `Ledger.tell` for each, in a few statements. Users are locked in the order of their ids; those who are no
    users are left out."""
    if not notices:
        return
    counts = Counter(user for user, _, _ in notices)
    told = sorted(counts)
    wanted = sa.select(users.c.id, users.c.head).where(users.c.id.in_(told)).order_by(users.c.id)
    heads = {row.id: row.head for row in ledger.execute(wanted.with_for_update())}
    rows, outgoing = [], []
    for user, event, fields in notices:
        if user not in heads:
            continue
        seq = heads[user] = heads[user] + 1
        made = event(seq=seq, time=ledger.now, **fields)
        tag = str(event.__struct_config__.tag)
        data = msgspec.json.encode(made)
        rows.append((user, seq, tag, ledger.now, data.decode()))
        outgoing.append(Logged(inbox_of(user), seq, tag, data, None, ledger.now))
    tx = ledger.tx
    bulk.update(tx, users, ("id",), ("head", "changed"), [(u, head, tx.stamp) for u, head in heads.items()])
    bulk.insert(tx, inbox, ("user", "seq", "type", "time", "data"), rows)
    size = ledger.config.chat.inbox_size
    for user, head in heads.items():
        if head // SLACK != (head - counts[user]) // SLACK:
            ledger.execute(inbox.delete().where(inbox.c.user == user, inbox.c.seq <= head - size))
    tx.outbox.extend(outgoing)
