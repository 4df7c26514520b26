"""All operations of the chat, by name, and all that the agenda has done later."""

from __future__ import annotations

from typing import Any

from hubbub.chat import (
    blocks,
    conversations,
    editing,
    events_list,
    expiry,
    following,
    lists,
    members,
    messages,
    presence,
    queue,
    reactions,
    receipts,
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
    threads.OPERATIONS,
    receipts.OPERATIONS,
    queue.OPERATIONS,
    presence.OPERATIONS,
    signals.OPERATIONS,
)

OPERATIONS: dict[str, Operation[Any, Any]] = {
    operation.name: operation for operations in MODULES for operation in operations
}
assert len(OPERATIONS) == sum(map(len, MODULES)), "two operations have one name"

HANDLERS: tuple[Handler, ...] = (*expiry.HANDLERS,)
"""What is done when it is due: each module's `HANDLERS` (`chat/agenda.py`)."""
