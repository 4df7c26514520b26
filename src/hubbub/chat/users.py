"""Users: what the application says of them, what they say of themselves, and what others see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hubbub.chat import limits, profile
from hubbub.chat.contacts import contacts_among, last_seen_of
from hubbub.chat.events import UserUpdated
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.listing import tombstones, word_begins
from hubbub.chat.model import LastSeenFor, Office, User, UserId
from hubbub.chat.operations import NoParams, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.rows import USER, user_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Kind
from hubbub.storage import bulk
from hubbub.storage.tables import conversations, members, users

COLUMNS = (
    "id",
    "kind",
    "name",
    "avatar",
    "custom",
    "show_last_seen",
    "head",
    "created",
    "updated",
    "changed",
)


class UpsertUser(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not given stays as it is. null takes an avatar or custom JSON away."""

    user: Annotated[UserId, Meta(examples=["ada"])]
    kind: Kind | UnsetType = UNSET
    name: Annotated[str, Meta(examples=["Ada Lovelace"])] | UnsetType = UNSET
    avatar: profile.Avatar | UnsetType | None = UNSET
    custom: Raw | UnsetType = UNSET
    show_last_seen: LastSeenFor | UnsetType = UNSET
    office: (
        Annotated[Office, Meta(description="What the user may do everywhere: review and restrict, or all.")]
        | UnsetType
    ) = UNSET


class UpdateMe(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not given stays as it is. null takes an avatar or custom JSON away."""

    name: Annotated[str, Meta(examples=["Ada"])] | UnsetType = UNSET
    avatar: profile.Avatar | UnsetType | None = UNSET
    custom: Raw | UnsetType = UNSET
    show_last_seen: LastSeenFor | UnsetType = UNSET


class ByUser(Struct, frozen=True, forbid_unknown_fields=True):
    """Of one user."""

    user: Annotated[UserId, Meta(examples=["ada"])]


class QueryUsers(Struct, frozen=True, forbid_unknown_fields=True):
    """Either `ids`, or a `prefix` of the id or of a word of the name."""

    ids: tuple[UserId, ...] | None = None
    prefix: Annotated[str, Meta(examples=["lov"])] | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class UserPage(Struct, frozen=True, omit_defaults=True):
    """Users, in the order of their ids. `next` is absent on the last page."""

    users: tuple[User, ...]
    next: str | None = None


class Me(Struct, frozen=True):
    """The user that asks, its settings and office, and its counters over all conversations that are neither muted nor
    archived: messages unread, and conversations with such."""

    user: User
    show_last_seen: LastSeenFor
    unread: int
    unread_conversations: int
    invitations: int
    office: Office = "none"


@write("users.upsert", "PUT", "/users/{user}", server=True)
def upsert(ledger: Ledger, actor: Actor, params: UpsertUser) -> User:
    """Make a user, or change it.

    Users who come with a token are there by then; this is to name them beforehand, or to keep their profiles in step
    with the application's. Raises VALIDATION_FAILED, LIMIT_EXCEEDED (`limits.name_length`) and MESSAGE_TOO_LARGE
    (`limits.custom_bytes`).
    """
    profile.check_id(params.user)
    made = make(ledger, params.user, kind=params.kind or "person")
    before = ledger.office(params.user)
    user = _change(ledger, params.user, params, kind=params.kind, told=not made)
    if params.office is not UNSET and params.office != before:
        ledger.audit(actor, "users.office", user=params.user, office=params.office, before=before)
    elif not made and user.updated == ledger.now:
        ledger.audit(actor, "users.upsert", user=params.user)
    return user


@write("me.update", "PATCH", "/me")
def update_me(ledger: Ledger, actor: Actor, params: UpdateMe) -> Me:
    """Change one's own profile and settings.

    `show_last_seen` says who sees when one was last there: `everyone`, `contacts` (who shares a direct conversation
    or a group) or `nobody`. Other devices learn of it by `user.updated`. Raises as `users.upsert`.
    """
    user = known_self(ledger, actor)
    _change(ledger, user, params)
    return _me(ledger, user)


@read("me.get", "GET", "/me")
def get_me(view: View, actor: Actor, params: NoParams) -> Me:
    """The user that asks, with its settings and its total of unread messages."""
    return _me(view, myself(actor))


@read("users.get", "GET", "/users/{user}")
def get(view: View, actor: Actor, params: ByUser) -> User:
    """A user's profile.

    `last_seen` is absent where the user does not show it to who asks, or one has blocked the other. Raises NOT_FOUND.
    """
    found = find_users(view, actor, [params.user])
    if not found:
        raise no_such_user()
    return found[0]


@read("users.query", "POST", "/users/query")
def query(view: View, actor: Actor, params: QueryUsers) -> UserPage:
    """Users by their ids, or by what an id or a word of a name begins with.

    Ids that are nobody's are left out. Raises VALIDATION_FAILED, and LIMIT_EXCEEDED (`limits.page`,
    `limits.query_length`).
    """
    size = page_size(view.config, params.limit)
    if (params.ids is None) == (params.prefix is None):
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "give either ids or prefix", field="ids")
    if params.prefix is None:
        assert params.ids is not None
        limits.check(view.config.limits, "page", len(params.ids), "ids")
        return UserPage(tuple(find_users(view, actor, params.ids)))
    by_name = word_begins(view, users.c.name, params.prefix, "prefix")
    by_id = sa.func.lower(users.c.id).startswith(params.prefix.lower(), autoescape=True)
    wanted = sa.select(users.c.id).where(sa.or_(by_id, by_name)).order_by(users.c.id)
    if params.cursor is not None:
        wanted = wanted.where(users.c.id > read_cursor(params.cursor, tuple[str])[0])
    ids = list(view.execute(wanted.limit(size + 1)).scalars())
    page = find_users(view, actor, ids[:size])
    return UserPage(tuple(page), cursor(ids[size - 1]) if len(ids) > size else None)


OPERATIONS = (upsert, get, query, get_me, update_me)


def myself(actor: Actor) -> str:
    """Who acts, where only a user can. Raises BAD_REQUEST for the server itself."""
    if actor.server:
        raise HubbubError(ErrorCode.BAD_REQUEST, "this is of one user: say for whom the server acts")
    return actor.user


def known_self(view: View, actor: Actor) -> str:
    """As `myself`, of one who is there for certain: the application's code may act for whomever it names. Raises
    NOT_FOUND too."""
    user = myself(actor)
    if view.missing_users([user]):
        raise no_such_user(None)
    return user


def no_such_user(field: str | None = "user") -> HubbubError:
    return HubbubError(ErrorCode.NOT_FOUND, "there is no such user", field=field)


def make(
    ledger: Ledger, id: str, *, kind: Kind = "person", name: str = "", avatar: str | None = None
) -> bool:
    """Make a user unless it is there; whether it was made. Name and avatar have been checked."""
    row = (id, kind, name, avatar, None, "contacts", 0, ledger.now, ledger.now, ledger.tx.stamp)
    return bulk.insert(ledger.tx, users, COLUMNS, [row], ignore=True) == 1


def find_users(view: View, actor: Actor, ids: Iterable[str]) -> list[User]:
    """Those of `ids` that there are, as `actor` may see them, in the order of their ids."""
    rows = view.execute(sa.select(*USER).where(users.c.id.in_(set(ids))).order_by(users.c.id)).all()
    found = [row.id for row in rows]
    seen = last_seen_of(view, actor, found, contacts_among(view, actor, found))
    return [user_of(row, seen.get(row.id)) for row in rows]


def _change(
    ledger: Ledger,
    id: str,
    params: UpsertUser | UpdateMe,
    *,
    kind: Kind | UnsetType = UNSET,
    told: bool = True,
) -> User:
    changes: dict[str, Any] = {}
    if kind is not UNSET:
        changes["kind"] = kind
    if params.name is not UNSET:
        changes["name"] = profile.name(ledger.config, params.name) if params.name else ""
    if params.avatar is not UNSET:
        changes["avatar"] = None if params.avatar is None else profile.avatar(params.avatar)
    if params.custom is not UNSET:
        changes["custom"] = profile.custom(ledger.config, params.custom)
    if params.show_last_seen is not UNSET:
        changes["show_last_seen"] = params.show_last_seen
    if isinstance(params, UpsertUser) and params.office is not UNSET:
        changes["office"] = params.office
    row = ledger.execute(sa.select(users).where(users.c.id == id).with_for_update()).one()
    if any(getattr(row, column) != value for column, value in changes.items()):
        changes |= {"updated": ledger.now, "changed": ledger.tx.stamp}
        ledger.execute(users.update().where(users.c.id == id).values(changes))
        if told:
            ledger.tell(id, UserUpdated)
    changed = ledger.execute(sa.select(*USER, users.c.last_seen).where(users.c.id == id)).one()
    *columns, last_seen = tuple(changed)
    return user_of(columns, last_seen)


def _me(view: View, user: str) -> Me:
    found = view.execute(
        sa.select(*USER, users.c.last_seen, users.c.show_last_seen, users.c.office).where(users.c.id == user)
    ).first()
    if found is None:
        raise no_such_user()
    *columns, last_seen, show_last_seen, office = tuple(found)
    unread = conversations.c.messages - members.c.read_number - tombstones
    counted = (
        sa.select(unread.label("unread"))
        .join(conversations, conversations.c.id == members.c.conversation)
        .where(
            members.c.user == user,
            members.c.state == "joined",
            members.c.archived.is_(False),
            sa.or_(members.c.muted_until.is_(None), members.c.muted_until <= view.now),
            conversations.c.messages > members.c.read_number,
        )
        .subquery()
    )
    totals = sa.select(sa.func.coalesce(sa.func.sum(counted.c.unread), 0), sa.func.count()).where(
        counted.c.unread > 0
    )
    total, several = tuple(view.execute(totals).one())
    invitations = sa.select(sa.func.count()).where(members.c.user == user, members.c.state == "invited")
    return Me(
        user_of(columns, last_seen),
        show_last_seen,
        int(total),
        several,
        view.execute(invitations).scalar_one(),
        office,
    )
