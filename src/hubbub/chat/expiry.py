"""Messages that were sent to be there for a time only: when it is over the server deletes them for everybody."""

from __future__ import annotations

from hubbub.chat.agenda import EXPIRE, Handler, Item
from hubbub.chat.editing import bury
from hubbub.chat.ledger import SERVER, Ledger
from hubbub.chat.messages import find
from hubbub.errors import HubbubError


def _expire(ledger: Ledger, item: Item, prepared: None) -> None:
    assert item.conversation is not None
    assert item.message is not None
    row = ledger.find(item.conversation, lock=True)
    if row is None:
        return
    try:
        id, message = find(ledger, SERVER, row, None, item.message)
    except HubbubError:
        return  # it is not there any more
    if message.deleted is None:
        bury(ledger, SERVER, row, id, message, "expired")


HANDLERS = (Handler(EXPIRE, _expire),)
