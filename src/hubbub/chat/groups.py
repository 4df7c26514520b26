"""Groups of users that can be mentioned: named by the server, or by who has an office. They are no conversations."""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType

from hubbub.chat import catalogue, limits, text
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.model import GroupId, UserId
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.program_events import GroupChanged
from hubbub.chat.users import no_such_user
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import group_members, groups


class UpsertGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not given stays as it is."""

    group: GroupId
    name: Annotated[str, Meta(examples=["Support team"])] | UnsetType = UNSET
    description: str | UnsetType = UNSET


class ByGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """One group."""

    group: GroupId


class ListGroups(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of all groups."""

    limit: PageLimit | None = None
    cursor: After | None = None


class ListGroupMembers(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A page of the users in a group."""

    group: GroupId
    limit: PageLimit | None = None
    cursor: After | None = None


class AddToGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """Users who are to be in a group."""

    group: GroupId
    users: Annotated[tuple[UserId, ...], Meta(min_length=1)]


class RemoveFromGroup(Struct, frozen=True, forbid_unknown_fields=True):
    """A user who is to be in a group no more."""

    group: GroupId
    user: UserId


class Group(Struct, frozen=True, omit_defaults=True):
    """A group; `members` is how many are in it."""

    id: str
    name: str
    created: float
    description: str = ""
    members: int = 0


class GroupPage(Struct, frozen=True, omit_defaults=True):
    """Groups by id. `next` is absent on the last page."""

    groups: tuple[Group, ...]
    next: str | None = None


class GroupMemberPage(Struct, frozen=True, omit_defaults=True):
    """Users by id. `next` is absent on the last page."""

    users: tuple[str, ...]
    next: str | None = None


_GROUP = tuple(groups.c[name] for name in Group.__struct_fields__)


@write("groups.upsert", "PUT", "/groups/{group}")
def upsert(ledger: Ledger, actor: Actor, params: UpsertGroup) -> Group:
    """Make a group, or change it.

    It is for the server and for who has an office. Raises PERMISSION_DENIED, VALIDATION_FAILED, and LIMIT_EXCEEDED
    (`limits.groups`, `limits.name_length`, `limits.topic_length`).
    """
    catalogue.refuse_others(ledger, actor)
    old = _find(ledger, params.group, lock=True)
    name, description = (old.name, old.description) if old is not None else (params.group, "")
    most = ledger.config.limits
    if params.name is not UNSET:
        name = text.name(params.name, "name")
        limits.check(most, "name_length", len(name), "name")
    if params.description is not UNSET:
        description = text.text(params.description, "description") if params.description else ""
        limits.check(most, "topic_length", len(description), "description")
    if old is None:
        columns = ("id", "name", "description", "members", "created", "changed")
        row = (params.group, name, description, 0, ledger.now, ledger.tx.stamp)
        bulk.insert(ledger.tx, groups, columns, [row], ignore=True)
        total = ledger.execute(sa.select(sa.func.count()).select_from(groups)).scalar() or 0
        limits.check(most, "groups", total, "group")
    elif (name, description) != (old.name, old.description):
        _update(ledger, old.id, name=name, description=description)
    else:
        return old
    return _changed(ledger, actor, "groups.upsert", params.group)


@write("groups.delete", "DELETE", "/groups/{group}")
def delete(ledger: Ledger, actor: Actor, params: ByGroup) -> Nothing:
    """Delete a group. Who was mentioned by it stays so. Raises PERMISSION_DENIED and NOT_FOUND."""
    catalogue.refuse_others(ledger, actor)
    found = _the(ledger, params.group, lock=True)
    ledger.execute(group_members.delete().where(group_members.c.group == found.id))
    ledger.execute(groups.delete().where(groups.c.id == found.id))
    ledger.audit(actor, "groups.delete", group=found.id, name=found.name)
    catalogue.changed(ledger, GroupChanged(found.id, removed=True))
    return Nothing()


@write("groups.add", "POST", "/groups/{group}/members")
def add(ledger: Ledger, actor: Actor, params: AddToGroup) -> Group:
    """Put users into a group; those who are in it already stay.

    Raises PERMISSION_DENIED, NOT_FOUND (of users, too) and LIMIT_EXCEEDED (`limits.group_members`).
    """
    catalogue.refuse_others(ledger, actor)
    found = _the(ledger, params.group, lock=True)
    limits.check(ledger.config.limits, "group_members", len(params.users), "users")
    users = list(dict.fromkeys(params.users))
    if missing := ledger.missing_users(users):
        raise no_such_user(f"users[{params.users.index(missing[0])}]")
    rows = [(found.id, user) for user in users]
    added = bulk.insert(ledger.tx, group_members, ("group", "user"), rows, ignore=True)
    if not added:
        return found
    limits.check(ledger.config.limits, "group_members", _count(ledger, found.id), "users")
    return _changed(ledger, actor, "groups.add", found.id, users=users)


@write("groups.remove", "DELETE", "/groups/{group}/members/{user}")
def remove(ledger: Ledger, actor: Actor, params: RemoveFromGroup) -> Group:
    """Take a user out of a group. It is no error if it was not in it. Raises PERMISSION_DENIED and NOT_FOUND."""
    catalogue.refuse_others(ledger, actor)
    found = _the(ledger, params.group, lock=True)
    gone = ledger.execute(
        group_members.delete().where(group_members.c.group == found.id, group_members.c.user == params.user)
    )
    if not gone.rowcount:
        return found
    return _changed(ledger, actor, "groups.remove", found.id, users=[params.user])


@read("groups.list", "GET", "/groups")
def page(view: View, actor: Actor, params: ListGroups) -> GroupPage:
    """All groups, by id."""
    size = page_size(view.config, params.limit)
    query = sa.select(*_GROUP).order_by(groups.c.id).limit(size + 1)
    if params.cursor is not None:
        query = query.where(groups.c.id > read_cursor(params.cursor, tuple[str])[0])
    found = [Group(*row) for row in view.execute(query)]
    more = len(found) > size
    found = found[:size]
    return GroupPage(tuple(found), cursor(found[-1].id) if more else None)


@read("groups.get", "GET", "/groups/{group}")
def get(view: View, actor: Actor, params: ByGroup) -> Group:
    """A group. Raises NOT_FOUND."""
    return _the(view, params.group)


@read("groups.members", "GET", "/groups/{group}/members")
def members(view: View, actor: Actor, params: ListGroupMembers) -> GroupMemberPage:
    """Who is in a group, by id. Raises NOT_FOUND."""
    size = page_size(view.config, params.limit)
    found = _the(view, params.group)
    of_group = group_members.c.user, group_members.c.group == found.id
    query = sa.select(of_group[0]).where(of_group[1]).order_by(of_group[0]).limit(size + 1)
    if params.cursor is not None:
        query = query.where(of_group[0] > read_cursor(params.cursor, tuple[str])[0])
    users = list(view.execute(query).scalars())
    more = len(users) > size
    users = users[:size]
    return GroupMemberPage(tuple(users), cursor(users[-1]) if more else None)


def _find(view: View, id: str, *, lock: bool = False) -> Group | None:
    query = sa.select(*_GROUP).where(groups.c.id == id)
    row = view.execute(query.with_for_update() if lock else query).first()
    return None if row is None else Group(*row)


def _the(view: View, id: str, *, lock: bool = False) -> Group:
    found = _find(view, id, lock=lock)
    if found is None:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such group", field="group")
    return found


def _count(view: View, id: str) -> int:
    query = sa.select(sa.func.count()).select_from(group_members).where(group_members.c.group == id)
    return view.execute(query).scalar() or 0


def _update(ledger: Ledger, id: str, **values: Any) -> None:
    ledger.execute(groups.update().where(groups.c.id == id).values(changed=ledger.tx.stamp, **values))


def _changed(ledger: Ledger, actor: Actor, act: str, id: str, **data: Any) -> Group:
    _update(ledger, id, members=_count(ledger, id))
    ledger.audit(actor, act, group=id, **data)
    catalogue.changed(ledger, GroupChanged(id))
    return _the(ledger, id)


OPERATIONS = (upsert, delete, add, remove, page, get, members)
