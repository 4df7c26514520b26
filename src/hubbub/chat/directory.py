"""All operations of the chat, by name, and all that the agenda has done later."""

from __future__ import annotations

from typing import Any

from hubbub.chat import (
    auditing,
    blocks,
    bookmarks,
    cards,
    caseload,
    checklists,
    commands,
    conversations,
    deciding,
    drafts,
    editing,
    emoji,
    erasing,
    events_list,
    expiry,
    files,
    filing,
    following,
    forwarding,
    groups,
    holds,
    legal,
    lists,
    members,
    messages,
    moderation,
    pins,
    policy_tests,
    polls,
    presence,
    queue,
    reactions,
    receipts,
    reminders,
    reports,
    restrictions,
    retention,
    rights,
    scheduled,
    search,
    sending,
    signals,
    threads,
    users,
)
from hubbub.chat.agenda import Handler
from hubbub.chat.operations import Operation

MODULES: tuple[tuple[Operation[Any, Any], ...], ...] = (
    users.OPERATIONS,
    blocks.OPERATIONS,
    conversations.OPERATIONS,
    lists.OPERATIONS,
    members.OPERATIONS,
    sending.OPERATIONS,
    search.OPERATIONS,
    events_list.OPERATIONS,
    following.OPERATIONS,
    messages.OPERATIONS,
    editing.OPERATIONS,
    reactions.OPERATIONS,
    forwarding.OPERATIONS,
    pins.OPERATIONS,
    bookmarks.OPERATIONS,
    drafts.OPERATIONS,
    polls.OPERATIONS,
    checklists.OPERATIONS,
    cards.OPERATIONS,
    commands.OPERATIONS,
    emoji.OPERATIONS,
    groups.OPERATIONS,
    threads.OPERATIONS,
    receipts.OPERATIONS,
    queue.OPERATIONS,
    presence.OPERATIONS,
    signals.OPERATIONS,
    files.OPERATIONS,
    scheduled.OPERATIONS,
    reminders.OPERATIONS,
    restrictions.OPERATIONS,
    reports.OPERATIONS,
    holds.OPERATIONS,
    caseload.OPERATIONS,
    deciding.OPERATIONS,
    auditing.OPERATIONS,
    moderation.OPERATIONS,
    policy_tests.OPERATIONS,
    retention.OPERATIONS,
    legal.OPERATIONS,
    rights.OPERATIONS,
)

OPERATIONS: dict[str, Operation[Any, Any]] = {
    operation.name: operation for operations in MODULES for operation in operations
}
assert len(OPERATIONS) == sum(map(len, MODULES)), "two operations have one name"

HANDLERS: tuple[Handler, ...] = (
    *expiry.HANDLERS,
    *polls.HANDLERS,
    *cards.HANDLERS,
    *commands.HANDLERS,
    *scheduled.HANDLERS,
    *reminders.HANDLERS,
    *filing.HANDLERS,
    *holds.HANDLERS,
    *retention.HANDLERS,
    *erasing.HANDLERS,
)
"""What is done when it is due: each module's `HANDLERS` (`chat/agenda.py`)."""
assert len({handler.kind for handler in HANDLERS}) == len(HANDLERS), "two handlers have one kind"
