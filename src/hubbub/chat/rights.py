"""What a person may ask for: all that is kept of it, and to be taken out."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct

from hubbub.chat import erasing, legal
from hubbub.chat.erasing import Erasing
from hubbub.chat.ledger import Actor, Ledger
from hubbub.chat.model import UserId
from hubbub.chat.operations import Caller, run, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.users import no_such_user
from hubbub.config import Config
from hubbub.errors import REVOKED, ErrorCode, HubbubError
from hubbub.hub import operations as hub_operations
from hubbub.storage import bulk
from hubbub.storage.base import Action, Transaction, each
from hubbub.storage.tables import (
    agenda,
    blocks,
    bookmarks,
    drafts,
    files,
    followers,
    group_members,
    holds,
    members,
    messages,
    reactions,
    reports,
    restrictions,
    users,
    versions,
    votes,
)

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

ALIAS = "erased-"
"""How the id begins that stands for somebody who was erased."""


class ExportUser(Struct, frozen=True, forbid_unknown_fields=True):
    """Of whom."""

    user: UserId
    limit: PageLimit | None = None
    cursor: After | None = None


class Exported(Struct, frozen=True):
    """One thing that is kept of the person; `data` is a row as the database has it."""

    kind: str
    data: Raw


class ExportPage(Struct, frozen=True, omit_defaults=True):
    """What is kept of a person, kind after kind. `next` is absent on the last page."""

    entries: tuple[Exported, ...]
    next: str | None = None


class EraseUser(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom. `messages`: whether what the person wrote is kept, as that of nobody, or deleted."""

    user: UserId
    messages: Literal["keep", "delete"] = "keep"


class Erasure(Struct, frozen=True):
    """The erasure that has begun: whose, and the `alias` that stands in its place when it is done."""

    user: str
    alias: str


class _Section(Struct, frozen=True):
    """Rows of one table, by `keys`. `user` is the column that says whose they are; with `inside` they lie in the
    conversations that the person is or was in."""

    kind: str
    table: sa.Table
    user: str
    keys: tuple[str, ...]
    inside: bool = False


SECTIONS: tuple[_Section, ...] = (
    _Section("user", users, "id", ("id",)),
    _Section("membership", members, "user", ("conversation",)),
    _Section("message", messages, "sender", ("conversation", "seq"), True),
    _Section("version", versions, "editor", ("conversation", "seq", "version"), True),
    _Section("reaction", reactions, "user", ("conversation", "message", "name"), True),
    _Section("vote", votes, "user", ("conversation", "message", "option"), True),
    _Section("thread", followers, "user", ("conversation", "thread")),
    _Section("bookmark", bookmarks, "user", ("conversation", "message")),
    _Section("draft", drafts, "user", ("conversation", "thread")),
    _Section("planned", agenda, "user", ("id",)),
    _Section("block", blocks, "blocker", ("blocked",)),
    _Section("group", group_members, "user", ("group",)),
    _Section("file", files, "owner", ("id",)),
    _Section("restriction", restrictions, "user", ("conversation", "kind")),
    _Section("hold", holds, "sender", ("id",)),
    _Section("report", reports, "reporter", ("case",)),
)
"""All that is of one person. What is written about it by others (cases, the audit log) is not among it."""
UNSAID = frozenset(("changed", "head", "key", "digest", "shadow", "next", "attempts", "by"))
"""Columns that are the server's own business."""


@write("rights.export", "GET", "/users/{user}/export")
def export(ledger: Ledger, actor: Actor, params: ExportUser) -> ExportPage:
    """All that is kept of one person, page by page.

    For the person itself, the server API and admins. `hubbub rights export` writes it to a file. Raises NOT_FOUND,
    PERMISSION_DENIED, VALIDATION_FAILED and LIMIT_EXCEEDED.
    """
    if not actor.server and actor.user != params.user and ledger.office(actor.user) != "admin":
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "a person's data are its own", field="user")
    if ledger.missing_users([params.user]):
        raise no_such_user()
    size = page_size(ledger.config, params.limit)
    place, after = 0, None
    if params.cursor is not None:
        place, after = read_cursor(params.cursor, tuple[int, list[int | str] | None])
        if not 0 <= place < len(SECTIONS) or (after is not None and len(after) != len(SECTIONS[place].keys)):
            raise HubbubError(ErrorCode.VALIDATION_FAILED, "cursor: not one of this list", field="cursor")
    else:
        ledger.audit(actor, "rights.export", user=params.user)
    found: list[Exported] = []
    while place < len(SECTIONS):
        section = SECTIONS[place]
        rows = _rows(ledger, section, params.user, after, size - len(found))
        found += [Exported(section.kind, _data(section, row)) for row in rows]
        if len(found) == size:
            last = [getattr(rows[-1], key) for key in section.keys]
            return ExportPage(tuple(found), cursor(place, last))
        place, after = place + 1, None
    return ExportPage(tuple(found))


def _rows(
    ledger: Ledger, section: _Section, user: str, after: Sequence[int | str] | None, count: int
) -> Sequence[sa.Row[Any]]:
    table = section.table
    keys = [table.c[name] for name in section.keys]
    query = sa.select(table).where(table.c[section.user] == user)
    if section.inside:
        query = query.join(
            members, sa.and_(members.c.conversation == table.c.conversation, members.c.user == user)
        )
    if after is not None:
        query = query.where(sa.tuple_(*keys) > sa.tuple_(*after))
    return ledger.execute(query.order_by(*keys).limit(count)).all()


def _data(section: _Section, row: sa.Row[Any]) -> Raw:
    """The row as JSON; what is JSON in it as such."""
    said = {}
    for column in section.table.columns:
        value = getattr(row, column.name)
        if value is None or column.name in UNSAID:
            continue
        json = column.name in JSON_COLUMNS and value != ""
        said[column.name] = Raw(value.encode()) if json else value
    return Raw(msgspec.json.encode(said))


JSON_COLUMNS = frozenset(
    ("custom", "parts", "mentions", "reactions", "options", "annotations", "content", "data", "verdict")
)


@run("rights.erase", "POST", "/users/{user}/erasure", server=False, status=202)
async def erase(chat: Chat, caller: Caller, params: EraseUser) -> Erasure:
    """Take a person out.

    For the server API and admins. At once its profile, drafts, bookmarks, plans and sessions are gone, and it can write
    nothing more; in the minutes after it leaves all conversations, its files are deleted, and wherever its id stood
    there is an alias, so that others' threads stay readable. What it wrote is kept as the alias's, or deleted. The
    audit log says that it was done (`rights.erased`), and has the alias for the id in all that was done before. Give it
    no tokens from then on: who comes with one is a new user. To erase twice is to erase once. Raises NOT_FOUND,
    PERMISSION_DENIED, and LEGAL_HOLD while there is one on the user.
    """
    erasure = await chat.store.write(ERASE, _Erase(chat.config, caller.actor, params))
    await hub_operations.disconnect(chat.hub, user=params.user, reason=REVOKED)
    return erasure


class _Erase(Struct, frozen=True):
    config: Config
    actor: Actor
    params: EraseUser


def _erase(tx: Transaction, item: _Erase) -> Erasure:
    ledger, actor, user = Ledger(tx, item.config), item.actor, item.params.user
    if not actor.server and ledger.office(actor.user) != "admin":
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "for the server API and admins")
    query = sa.select(users.c.erased).where(users.c.id == user).with_for_update()
    row = ledger.execute(query).first()
    if row is None or user.startswith(ALIAS):
        raise no_such_user()
    if legal.held_user(ledger, user):
        raise HubbubError(ErrorCode.LEGAL_HOLD, field="user")
    if row.erased is not None:
        under_way = sa.select(agenda.c.data).where(agenda.c.kind == erasing.KIND)
        for data in ledger.execute(under_way).scalars():
            begun = msgspec.json.decode(data, type=Erasing)
            if begun.user == user:
                return Erasure(user, begun.alias)
    alias = ALIAS + secrets.token_hex(8)
    columns = ("user", "conversation", "kind", "until", "reason", "by", "created", "changed")
    ban = (user, "", "ban", None, "", None, ledger.now, tx.stamp)
    bulk.insert(tx, restrictions, columns, [ban], ignore=True)
    delete = item.params.messages == "delete"
    ledger.audit(actor, "rights.erase", user=alias, messages=item.params.messages)
    erasing.begin(ledger, Erasing(user, alias, delete, actor.user))
    return Erasure(user, alias)


ERASE: Action[_Erase, Erasure] = each("rights.erase", _erase)
OPERATIONS = (export, erase)
