"""What must hold of files: who has used how much, and which messages show what."""

from __future__ import annotations

from collections import defaultdict

import msgspec
import sqlalchemy as sa
from msgspec import Raw

from hubbub.chat import parts
from hubbub.chat.attaching import ROW as FILE
from hubbub.chat.attaching import FileRow, used
from hubbub.chat.ledger import View
from hubbub.chat.rows import MESSAGE, message_of
from hubbub.storage.tables import agenda, file_usage, file_uses, messages, versions

_parts = msgspec.json.Decoder(tuple[Raw, ...]).decode
CHARGED = ("uploading", "checking", "ready")


def check_files(view: View) -> None:
    """Raises AssertionError."""
    rows = [FileRow(*row) for row in view.execute(sa.select(*FILE))]
    sums: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for row in rows:
        if row.owner and row.state in CHARGED:
            count, size = sums[row.owner]
            sums[row.owner] = (count + 1, size + row.size)
    said = {user: (count, size) for user, count, size in view.execute(sa.select(file_usage))}
    assert {user: usage for user, usage in said.items() if usage != (0, 0)} == dict(sums)
    looked_at = sa.select(agenda.c.data).where(agenda.c.kind == "file.look")
    planned = {data.strip('"') for data in view.execute(looked_at).scalars()}
    for row in rows:
        if row.expires is None:
            assert used(view, row.id), "what nothing shows must go at some time"
            assert row.state == "ready"
        else:
            assert row.id in planned, "somebody must look at it"
    _check_uses(view, {row.id: row for row in rows})


def _check_uses(view: View, rows: dict[str, FileRow]) -> None:
    uses = {tuple(row) for row in view.execute(sa.select(file_uses))}
    shown: set[tuple[str, str, int]] = set()
    for each in view.execute(sa.select(*MESSAGE)).all():
        message = message_of(each)
        if message.deleted is None:
            shown |= {(id, message.conversation, message.seq) for id in parts.files_of(message.parts)}
    before = view.execute(sa.select(versions.c.conversation, versions.c.seq, versions.c.parts)).all()
    said = {
        (id, conversation, seq) for conversation, seq, json in before for id in parts.files_of(_parts(json))
    }
    there = {id for id, row in rows.items() if row.state != "gone"}
    assert {use for use in shown | said if use[0] in there} == uses
    assert all(rows[file].state == "ready" for file, *_ in uses)
    deleted = sa.select(messages.c.conversation, messages.c.seq).where(messages.c.deleted.is_not(None))
    assert not {tuple(row) for row in view.execute(deleted)} & {use[1:] for use in uses}
