"""All users and all conversations, for administrators: found without being in them, and what is to be known of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import sqlalchemy as sa
from msgspec import Meta, Struct
from msgspec.structs import replace

from hubbub.chat import legal
from hubbub.chat.ledger import SERVER, Actor, View
from hubbub.chat.listing import word_begins
from hubbub.chat.model import Conversation, ConversationKind, LastSeenFor, Office, User, UserId
from hubbub.chat.operations import Caller, read, run
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.restrictions import ListRestrictions, Restriction
from hubbub.chat.restrictions import page as list_restrictions
from hubbub.chat.rows import CONVERSATION, USER, ConversationRow, user_of
from hubbub.chat.standing import require_office
from hubbub.chat.users import no_such_user
from hubbub.model import Kind as UserKind
from hubbub.storage.tables import conversations, file_usage, members, users

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat


class ListUsers(Struct, frozen=True, forbid_unknown_fields=True):
    """Which users: of a kind, with an office, with a `prefix` of the id or of a word of the name; without these,
    all."""

    kind: UserKind | None = None
    office: Office | None = None
    prefix: Annotated[str, Meta(examples=["lov"])] | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Account(Struct, frozen=True, omit_defaults=True):
    """A user as administrators see it: `last_seen` whatever its settings, its office, whether it is there now, and
    since when it is `erased`."""

    user: User
    office: Office = "none"
    online: bool = False
    erased: float | None = None


class AccountPage(Struct, frozen=True, omit_defaults=True):
    """Users, in the order of their ids. `next` is absent on the last page."""

    users: tuple[Account, ...]
    next: str | None = None


class ShowUser(Struct, frozen=True, forbid_unknown_fields=True):
    """Which user."""

    user: Annotated[UserId, Meta(examples=["ada"])]


class AccountDetails(Struct, frozen=True):
    """What there is to be known of one user: in how many conversations it is, what it has uploaded, how it is
    restricted, who sees when it was there, and whether a legal hold is on it."""

    account: Account
    conversations: int
    invitations: int
    files: int
    file_bytes: int
    restrictions: tuple[Restriction, ...]
    show_last_seen: LastSeenFor
    legal_hold: bool


class ListAll(Struct, frozen=True, forbid_unknown_fields=True):
    """Which conversations: of a kind, with a `user` in it, closed or not; `query` is what a word of the name begins
    with."""

    kind: ConversationKind | None = None
    user: UserId | None = None
    closed: bool | None = None
    query: Annotated[str, Meta(examples=["engin"])] | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class Listed(Struct, frozen=True, omit_defaults=True):
    """A conversation; of a direct one, `between` whom it is."""

    conversation: Conversation
    between: tuple[str, ...] = ()


class ListedPage(Struct, frozen=True, omit_defaults=True):
    """Conversations, that with the newest message first. `next` is absent on the last page."""

    conversations: tuple[Listed, ...]
    next: str | None = None


COLUMNS = (*USER, users.c.last_seen, users.c.office, users.c.erased)


@run("administration.users", "GET", "/administration/users")
async def list_users(chat: Chat, caller: Caller, params: ListUsers) -> AccountPage:
    """All users, page by page.

    For the server API and admins. Raises PERMISSION_DENIED, VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`,
    `limits.query_length`).
    """
    present = chat.presence
    found = await chat.read(lambda view: _users(view, caller.actor, params))
    shown = tuple(replace(each, online=present.of(each.user.id) != "offline") for each in found.users)
    return AccountPage(shown, found.next)


@run("administration.user", "GET", "/administration/users/{user}")
async def show_user(chat: Chat, caller: Caller, params: ShowUser) -> AccountDetails:
    """What there is to be known of a user.

    For the server API and admins. Raises PERMISSION_DENIED and NOT_FOUND.
    """
    found = await chat.read(lambda view: _user(view, caller.actor, params.user))
    online = chat.presence.of(params.user) != "offline"
    return replace(found, account=replace(found.account, online=online))


@read("administration.conversations", "GET", "/administration/conversations")
def list_conversations(view: View, actor: Actor, params: ListAll) -> ListedPage:
    """All conversations, by last activity; of which kind and who is in them, and nothing of what is said.

    For the server API and admins. A page of a `query` takes a look at all of them. Raises PERMISSION_DENIED,
    VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`, `limits.query_length`).
    """
    require_office(view, actor, "admin")
    size = page_size(view.config, params.limit)
    query = sa.select(*CONVERSATION, conversations.c.pair)
    if params.user is not None:
        query = query.join(members, members.c.conversation == conversations.c.id)
        query = query.where(members.c.user == params.user, members.c.state == "joined")
    if params.kind is not None:
        query = query.where(conversations.c.kind == params.kind)
    if params.closed is not None:
        query = query.where(conversations.c.closed.is_(params.closed))
    if params.query is not None:
        query = query.where(word_begins(view, conversations.c.name, params.query, "query"))
    if params.cursor is not None:
        place = sa.tuple_(conversations.c.last_activity, conversations.c.id)
        query = query.where(place < sa.tuple_(*read_cursor(params.cursor, tuple[float, str])))
    query = query.order_by(conversations.c.last_activity.desc(), conversations.c.id.desc()).limit(size + 1)
    rows = [(ConversationRow(*row[:-1]), row[-1]) for row in view.execute(query)]
    found = tuple(
        Listed(row.public(), () if pair is None else tuple(dict.fromkeys(pair.split("\n"))))
        for row, pair in rows[:size]
    )
    last = rows[size - 1][0] if len(rows) > size else None
    return ListedPage(found, None if last is None else cursor(last.last_activity, last.id))


OPERATIONS = (list_users, show_user, list_conversations)


def _users(view: View, actor: Actor, params: ListUsers) -> AccountPage:
    require_office(view, actor, "admin")
    size = page_size(view.config, params.limit)
    query = sa.select(*COLUMNS)
    if params.kind is not None:
        query = query.where(users.c.kind == params.kind)
    if params.office is not None:
        query = query.where(users.c.office == params.office)
    if params.prefix is not None:
        by_name = word_begins(view, users.c.name, params.prefix, "prefix")
        by_id = sa.func.lower(users.c.id).startswith(params.prefix.lower(), autoescape=True)
        query = query.where(sa.or_(by_id, by_name))
    if params.cursor is not None:
        query = query.where(users.c.id > read_cursor(params.cursor, tuple[str])[0])
    rows = view.execute(query.order_by(users.c.id).limit(size + 1)).all()
    found = tuple(_account(row) for row in rows[:size])
    return AccountPage(found, cursor(found[-1].user.id) if len(rows) > size else None)


def _user(view: View, actor: Actor, user: str) -> AccountDetails:
    require_office(view, actor, "admin")
    found = view.execute(sa.select(*COLUMNS, users.c.show_last_seen).where(users.c.id == user)).first()
    if found is None:
        raise no_such_user()
    states = sa.select(members.c.state, sa.func.count()).where(members.c.user == user)
    inside = {row[0]: row[1] for row in view.execute(states.group_by(members.c.state))}
    usage = sa.select(file_usage.c.files, file_usage.c.bytes).where(file_usage.c.user == user)
    files, size = view.execute(usage).first() or (0, 0)
    return AccountDetails(
        _account(found[:-1]),
        inside.get("joined", 0),
        inside.get("invited", 0),
        files,
        size,
        list_restrictions.function(view, SERVER, ListRestrictions(user=user)).restrictions,
        found[-1],
        legal.held_user(view, user),
    )


def _account(row: Sequence[Any]) -> Account:
    *columns, last_seen, office, erased = row
    return Account(user_of(columns, last_seen), office, False, erased)
