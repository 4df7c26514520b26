"""What must hold of pins, bookmarks and drafts."""

from __future__ import annotations

import sqlalchemy as sa

from hubbub.chat.events import DraftChanged, decode_inbox_event
from hubbub.chat.ledger import View
from hubbub.chat.rows import MESSAGE, ConversationRow, message_of
from hubbub.storage.tables import bookmarks, drafts, inbox, members, messages, pins


def check_pins(view: View, row: ConversationRow) -> None:
    """Raises AssertionError for a pin of which its message does not say the same."""
    listed = sa.select(pins.c.message, pins.c.time, pins.c.by).where(pins.c.conversation == row.id)
    standing = sa.select(*MESSAGE).where(
        messages.c.conversation == row.id, messages.c.annotations.is_not(None)
    )
    said = [
        (message.seq, message.annotations.pin.time, message.annotations.pin.by)
        for message in map(message_of, view.execute(standing))
        if message.annotations is not None and message.annotations.pin is not None
    ]
    assert sorted(map(tuple, view.execute(listed)), key=repr) == sorted(said, key=repr)


def check_kept(view: View) -> None:
    """Raises AssertionError for what somebody keeps who is not in the conversation any more, for words of what was
    removed, and for words of a draft that an inbox still says."""
    inside = {
        (user, conversation)
        for user, conversation in view.execute(
            sa.select(members.c.user, members.c.conversation).where(members.c.state == "joined")
        )
    }
    for row in view.execute(sa.select(bookmarks)):
        assert (row.note == "") if row.removed else (row.user, row.conversation) in inside
    newest: dict[tuple[str, str, int], int] = {}
    for row in view.execute(sa.select(drafts)):
        assert (row.content == "") if row.removed else (row.user, row.conversation) in inside
        if not row.removed:
            newest[row.user, row.conversation, row.thread] = row.told
    told = sa.select(inbox.c.user, inbox.c.seq, inbox.c.data).where(inbox.c.type == "draft.changed")
    for user, seq, data in view.execute(told):
        event = decode_inbox_event(data)
        assert isinstance(event, DraftChanged)
        draft = event.draft
        if draft.parts or draft.mentions is not None or draft.reply_to is not None:
            assert newest[user, draft.conversation, draft.thread or 0] == seq
