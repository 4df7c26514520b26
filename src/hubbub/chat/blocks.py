"""Blocks between users: who has blocked somebody hears nothing of it in direct conversations any more, nor can be put
into a group by it. Nobody is told that it was blocked."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from hubbub.chat.events import BlocksChanged
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.users import ByUser, known_self, myself, no_such_user
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import blocks


class ListBlocks(Struct, frozen=True, forbid_unknown_fields=True):
    """A page of one's own blocks."""

    limit: PageLimit | None = None
    cursor: After | None = None


class Block(Struct, frozen=True):
    """Somebody whom one has blocked, since `created`."""

    user: str
    created: float


class BlockPage(Struct, frozen=True, omit_defaults=True):
    """Blocks, the newest first. `next` is absent on the last page."""

    blocks: tuple[Block, ...]
    next: str | None = None


@write("blocks.add", "PUT", "/me/blocks/{user}")
def add(ledger: Ledger, actor: Actor, params: ByUser) -> Nothing:
    """Block a user.

    Neither of the two can then send in their direct conversation or open it, put the other into a conversation, or see
    whether the other is there; the blocked one is not told. To block twice is to block once. Raises NOT_FOUND.
    """
    user = known_self(ledger, actor)
    if params.user == user:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "nobody can block itself", field="user")
    if ledger.missing_users([params.user]):
        raise no_such_user()
    row = (user, params.user, ledger.now)
    if bulk.insert(ledger.tx, blocks, ("blocker", "blocked", "created"), [row], ignore=True):
        ledger.tell(user, BlocksChanged, user=params.user, blocked=True)
    return Nothing()


@write("blocks.remove", "DELETE", "/me/blocks/{user}")
def remove(ledger: Ledger, actor: Actor, params: ByUser) -> Nothing:
    """Block a user no more. It is no error if it was not blocked."""
    user = myself(actor)
    gone = ledger.execute(blocks.delete().where(blocks.c.blocker == user, blocks.c.blocked == params.user))
    if gone.rowcount:
        ledger.tell(user, BlocksChanged, user=params.user, blocked=False)
    return Nothing()


@read("blocks.list", "GET", "/me/blocks")
def page(view: View, actor: Actor, params: ListBlocks) -> BlockPage:
    """Whom one has blocked, the newest first."""
    size = page_size(view.config, params.limit)
    query = sa.select(blocks.c.blocked, blocks.c.created).where(blocks.c.blocker == myself(actor))
    if params.cursor is not None:
        created, user = read_cursor(params.cursor, tuple[float, str])
        query = query.where(sa.tuple_(blocks.c.created, blocks.c.blocked) < sa.tuple_(created, user))
    query = query.order_by(blocks.c.created.desc(), blocks.c.blocked.desc()).limit(size + 1)
    found = [Block(row.blocked, row.created) for row in view.execute(query)]
    more = len(found) > size
    found = found[:size]
    return BlockPage(tuple(found), cursor(found[-1].created, found[-1].user) if more else None)


OPERATIONS = (add, remove, page)
