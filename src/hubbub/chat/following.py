"""Syncing, and staying up to date from there on: what is read and what is pushed after it meet without a gap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.chat.channels import Heads, heads
from hubbub.chat.ledger import View
from hubbub.chat.operations import Caller, Operation, run
from hubbub.chat.sync import Sync, SyncPage, synchronise
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.entering import follow_all
from hubbub.hub.session import Session
from hubbub.model import Position

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat


@run("sync", "POST", "/sync")
async def sync(chat: Chat, caller: Caller, params: Sync) -> SyncPage:
    """Bring a device up to date: all that has changed since its last sync.

    Without a token it is everything: the most active conversations, with their newest messages. While the answer says
    `more`, sync again with its token. Sync again with the last token whenever the device has been away. Nothing is
    missed; some of it may come again.

    With `live` the session follows from there on: it is in the channel of its user's inbox and in those of the user's
    conversations (the `chat.live_conversations` most active ones), enters what the user is added to, and is taken out
    where it is removed. What is pushed begins right behind what the answer shows; drop what has a `seq` that is known.
    By REST there is no session, so that `live` is refused with NOT_AVAILABLE.

    Raises VALIDATION_FAILED for a `token` that is none.
    """
    if not params.live:
        return await chat.read(lambda view: synchronise(view, caller.actor, params))
    if caller.session is None:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "only a session can follow: use `call`", field="live")
    return await _follow(chat, caller.session, caller, params)


async def _follow(chat: Chat, session: Session, caller: Caller, params: Sync) -> SyncPage:
    actor, epoch = caller.actor, chat.store.epoch
    page: SyncPage | None = None

    def look(view: View) -> tuple[SyncPage, Heads]:
        return synchronise(view, actor, params), heads(view, actor.user)

    async def answer() -> dict[str, Position]:
        nonlocal page
        page, found = await chat.read(look)
        if caller.answer is not None:
            caller.answer(page)
        chat.channels.shut(actor.user, found.shut)
        return {name: Position(epoch, head) for name, head in found.positions.items()}

    chat.channels.follow(session)  # first, so that what is added meanwhile is entered
    names = await chat.read(lambda view: list(heads(view, actor.user).positions))
    await follow_all(session, names, answer)
    assert page is not None
    return page


OPERATIONS: tuple[Operation[Any, Any], ...] = (sync,)
