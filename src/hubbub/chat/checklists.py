"""Ticking the items of checklists. A message carries which are done, and by whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta, Raw, Struct
from msgspec.structs import replace

from hubbub.chat.kinds.checklist import checklist_in
from hubbub.chat.ledger import Actor, Ledger
from hubbub.chat.messages import find, in_shadow, writable
from hubbub.chat.model import Annotations, ChecklistItem, ConversationId, Message, Seq
from hubbub.chat.operations import write
from hubbub.chat.restraint import shadowed
from hubbub.chat.rows import ConversationRow
from hubbub.errors import ErrorCode, HubbubError

ItemId = Annotated[
    str,
    Meta(
        min_length=1, max_length=20, pattern=r"^[0-9-]+$(?!\n)", description="Id of the item.", examples=["2"]
    ),
]


class OneItem(Struct, frozen=True, forbid_unknown_fields=True):
    """One item of a checklist."""

    conversation: ConversationId
    message: Seq
    item: ItemId


class Done(Struct, frozen=True):
    """All items that are done now, in the order in which they were."""

    done: tuple[ChecklistItem, ...]


@write("checklists.check", "PUT", "/conversations/{conversation}/messages/{message}/checklist/{item}")
def check(ledger: Ledger, actor: Actor, params: OneItem) -> Done:
    """Tick an item of a checklist.

    It is for who has sent the message and, where the list says `anyone`, for whoever may react. To tick twice is to
    tick once. Raises NOT_FOUND, PERMISSION_DENIED, CONVERSATION_CLOSED and MESSAGE_DELETED.
    """
    row, message = _message(ledger, actor, params)
    done = (message.annotations or Annotations()).done
    if any(each.id == params.item for each in done):
        return Done(done)
    return _stand(
        ledger, actor, row, message, (*done, ChecklistItem(params.item, ledger.now, actor.user or None))
    )


@write("checklists.uncheck", "DELETE", "/conversations/{conversation}/messages/{message}/checklist/{item}")
def uncheck(ledger: Ledger, actor: Actor, params: OneItem) -> Done:
    """Take the tick from an item. It is no error if there was none. Raises as `checklists.check`."""
    row, message = _message(ledger, actor, params)
    done = (message.annotations or Annotations()).done
    left = tuple(each for each in done if each.id != params.item)
    return Done(done) if left == done else _stand(ledger, actor, row, message, left)


def _message(ledger: Ledger, actor: Actor, params: OneItem) -> tuple[ConversationRow, Message]:
    row, member = ledger.access(actor, params.conversation, "react", lock=True)
    writable(ledger, actor, row)
    _, message = find(ledger, actor, row, member, params.message)
    if message.deleted is not None:
        raise HubbubError(ErrorCode.MESSAGE_DELETED, field="message")
    found = checklist_in(message.parts)
    if found is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "message: it has no checklist", field="message")
    if not (found.anyone or actor.server or message.sender == actor.user):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, "permission denied: it is another's checklist", field="message"
        )
    if all(item.id != params.item for item in found.items):
        raise HubbubError(ErrorCode.NOT_FOUND, "item: there is no such item", field="item")
    return row, message


def _stand(
    ledger: Ledger, actor: Actor, row: ConversationRow, message: Message, done: tuple[ChecklistItem, ...]
) -> Done:
    if actor.user and not in_shadow(message) and shadowed(ledger.restraints(actor.user), row.id):
        return Done(done)  # as if it were
    annotations = replace(message.annotations or Annotations(), done=done)
    ledger.annotate(row, message.seq, "checklist", actor, annotations)
    return Done(done)


def revised(message: Message, parts: Sequence[Raw]) -> tuple[ChecklistItem, ...]:
    """What is done of the checklist of `parts`, which come in place of the message's."""
    found = checklist_in(parts)
    if found is None or checklist_in(message.parts) is None:
        return ()
    ids = {item.id for item in found.items}
    return tuple(each for each in (message.annotations or Annotations()).done if each.id in ids)


OPERATIONS = (check, uncheck)
