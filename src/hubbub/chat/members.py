"""Members: adding, inviting, joining, leaving, removing them, and their roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NoReturn

import sqlalchemy as sa
from msgspec import Meta, Struct

from hubbub.chat import limits, membership, restraint, rules
from hubbub.chat.conversations import ByConversation, refuse_blocked
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.listing import my_conversations
from hubbub.chat.membership import Newcomer, members_of
from hubbub.chat.model import (
    ConversationId,
    Member,
    MemberState,
    MyConversation,
    Role,
    UserId,
)
from hubbub.chat.operations import Nothing, read, write
from hubbub.chat.paging import After, PageLimit, cursor, page_size, read_cursor
from hubbub.chat.rows import MEMBER, ConversationRow, MemberRow
from hubbub.chat.users import known_self, myself, no_such_user
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage.tables import members


class ListMembers(Struct, frozen=True, forbid_unknown_fields=True):
    """Which members: `state` joined, unless said otherwise; without `role` all."""

    conversation: ConversationId
    state: MemberState = "joined"
    role: Role | None = None
    limit: PageLimit | None = None
    cursor: After | None = None


class MemberPage(Struct, frozen=True, omit_defaults=True):
    """Members, in the order of their ids. `next` is absent on the last page."""

    members: tuple[Member, ...]
    next: str | None = None


class AddMembers(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to be a member. With `invite` they are asked first. Without a role it is the kind's: reader in broadcasts,
    else member."""

    conversation: ConversationId
    users: Annotated[tuple[UserId, ...], Meta(min_length=1, examples=[["bob", "eve"]])]
    role: Role | None = None
    invite: bool = False


class MemberList(Struct, frozen=True):
    """The members that were named, as they are now, in the same order."""

    members: tuple[Member, ...]


class ByMember(Struct, frozen=True, forbid_unknown_fields=True):
    """Of one member of a conversation."""

    conversation: ConversationId
    user: UserId


class UpdateMember(Struct, frozen=True, forbid_unknown_fields=True):
    """Which role a member is to have."""

    conversation: ConversationId
    user: UserId
    role: Annotated[Role, Meta(examples=["moderator"])]


@read("members.list", "GET", "/conversations/{conversation}/members")
def page(view: View, actor: Actor, params: ListMembers) -> MemberPage:
    """Who is in a conversation, or invited, or was in it.

    Raises NOT_FOUND, PERMISSION_DENIED, VALIDATION_FAILED and LIMIT_EXCEEDED (`limits.page`).
    """
    row, _ = view.access(actor, params.conversation)
    size = page_size(view.config, params.limit)
    query = sa.select(*MEMBER).where(members.c.conversation == row.id, members.c.state == params.state)
    if params.role is not None:
        query = query.where(members.c.role == params.role)
    if params.cursor is not None:
        query = query.where(members.c.user > read_cursor(params.cursor, tuple[str])[0])
    found = [MemberRow(*each) for each in view.execute(query.order_by(members.c.user).limit(size + 1))]
    more = len(found) > size
    return MemberPage(
        tuple(member.public() for member in found[:size]), cursor(found[size - 1].user) if more else None
    )


@write("members.add", "POST", "/conversations/{conversation}/members")
def add(ledger: Ledger, actor: Actor, params: AddMembers) -> MemberList:
    """Add users to a conversation, or invite them.

    Who is a member already stays as it is. With blocks between who adds and who is added it is PERMISSION_DENIED; roles
    above the usual one can only be given by who stands above them. Raises NOT_FOUND, PERMISSION_DENIED, RESTRICTED for
    who is banned from the conversation, CONFLICT for a direct conversation, and LIMIT_EXCEEDED (`limits.invitees`,
    `limits.members`).
    """
    row, me = ledger.access(actor, params.conversation, "invite", lock=True)
    ledger.refuse_restricted(actor, row.id)
    _refuse_direct(row)
    limits.check(ledger.config.limits, "invitees", len(params.users), "users")
    fields: dict[str, str] = {}
    for place, user in enumerate(params.users):
        fields.setdefault(user, f"users[{place}]")
    for unknown in ledger.missing_users(fields):
        raise no_such_user(fields[unknown])
    default = rules.JOINS_AS[row.kind]
    role = params.role or default
    above = rules.RANKS[role] > rules.RANKS[default]
    if above and me is not None and not rules.may_give(me.role, None, role):
        _refuse_role(role)
    there = members_of(ledger, row.id, list(fields))
    newcomers = []
    for user in fields:
        known = there.get(user)
        if known is not None and (known.joined or (params.invite and known.state == "invited")):
            continue
        by = (actor.user or None) if params.invite else None
        newcomers.append(Newcomer(user, role, "invited" if params.invite else "joined", by))
    coming = {each.user: fields[each.user] for each in newcomers}
    refuse_blocked(ledger, actor.user, coming)
    _refuse_banned(ledger, row.id, coming)
    if newcomers:
        entered = membership.enter(ledger, row, actor, newcomers)
        if actor.server or above:
            for each in newcomers:
                ledger.audit(actor, "members.add", conversation=row.id, user=each.user, role=each.role)
        there |= {member.user: member for member in entered}
    return MemberList(tuple(there[user].public() for user in fields))


@write("members.join", "PUT", "/conversations/{conversation}/members/me")
def join(ledger: Ledger, actor: Actor, params: ByConversation) -> MyConversation:
    """Accept an invitation, or join a public topic.

    To join twice is to join once. Raises NOT_FOUND, PERMISSION_DENIED where joining is not for everybody,
    CONVERSATION_CLOSED, and LIMIT_EXCEEDED (`limits.members`).
    """
    user = known_self(ledger, actor)
    row, member = ledger.access(actor, params.conversation, lock=True, invited=True)
    if member is None or not member.joined:
        if row.closed:
            raise HubbubError(ErrorCode.CONVERSATION_CLOSED, field="conversation")
        if member is None and not rules.allowed(row.kind, "join", None, row.overrides):
            needed = rules.needed(row.kind, "join", row.overrides)
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED,
                f"permission denied: join asks for {needed}",
                field="conversation",
            )
        role = rules.JOINS_AS[row.kind] if member is None else member.role
        by = None if member is None else member.invited_by
        membership.enter(ledger, row, actor, [Newcomer(user, role, "joined", by)])
    return my_conversations(ledger, user, [row])[0]


@write("members.leave", "DELETE", "/conversations/{conversation}/members/me")
def leave(ledger: Ledger, actor: Actor, params: ByConversation) -> Nothing:
    """Leave a conversation, or decline an invitation.

    To leave twice is to leave once. Raises NOT_FOUND, and CONFLICT for the last owner while others are there, and for a
    direct conversation, which can be archived.
    """
    return _leave(ledger, actor, params.conversation)


@write("members.update", "PATCH", "/conversations/{conversation}/members/{user}")
def update(ledger: Ledger, actor: Actor, params: UpdateMember) -> Member:
    """Give a member another role.

    It needs the permission `manage`, and only who stands above both the old and the new role can do it; owners can
    give any, and everybody can step down. Raises NOT_FOUND, PERMISSION_DENIED, and CONFLICT where no owner would be
    left, and for a direct conversation.
    """
    down = not actor.server and params.user == actor.user
    row, me = ledger.access(actor, params.conversation, "read" if down else "manage", lock=True)
    _refuse_direct(row)
    member = members_of(ledger, row.id, [params.user]).get(params.user)
    if member is None or member.state == "left":
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such member", field="user")
    if member.role == params.role:
        return member.public()
    stepping_down = down and member.joined and rules.RANKS[params.role] < rules.RANKS[member.role]
    if not (actor.server or stepping_down or _may_give(row, me, member.role, params.role)):
        _refuse_role(params.role)
    if not actor.server:
        membership.keep_an_owner(ledger, row, member)
    if not stepping_down:
        ledger.audit(
            actor,
            "members.update",
            conversation=row.id,
            user=member.user,
            role=params.role,
            before=member.role,
        )
    membership.give_role(ledger, row, actor, member, params.role)
    return member.public()


@write("members.remove", "DELETE", "/conversations/{conversation}/members/{user}")
def remove(ledger: Ledger, actor: Actor, params: ByMember) -> Nothing:
    """Remove a member, or take back an invitation.

    It needs the permission `remove` and a role above the member's; who has invited somebody can take that back. It is
    no error if the user is not there (any more). Raises NOT_FOUND, PERMISSION_DENIED, and CONFLICT for a direct
    conversation.
    """
    if not actor.server and params.user == actor.user:
        return _leave(ledger, actor, params.conversation)
    row, me = ledger.access(actor, params.conversation, lock=True)
    member = members_of(ledger, row.id, [params.user]).get(params.user)
    mine = (
        member is not None
        and member.state == "invited"
        and member.invited_by == actor.user
        and me is not None
    )
    if not mine:
        ledger.access(actor, params.conversation, "remove")
    _refuse_direct(row)
    if member is None or member.state == "left":
        return Nothing()
    if not (mine or actor.server or (me is not None and rules.may_give(me.role, member.role, "reader"))):
        raise HubbubError(
            ErrorCode.PERMISSION_DENIED, f"permission denied: the member is {member.role}", field="user"
        )
    if not mine:
        ledger.audit(actor, "members.remove", conversation=row.id, user=member.user, state=member.state)
    membership.go(ledger, row, actor, member, "member.removed" if member.joined else None)
    return Nothing()


OPERATIONS = (page, add, join, leave, update, remove)


def _leave(ledger: Ledger, actor: Actor, conversation: str) -> Nothing:
    """To go needs no permission: nothing is asked of who is there, or was."""
    user = myself(actor)
    row = ledger.find(conversation, lock=True)
    member = None if row is None else ledger.member(conversation, user)
    if row is None or (member is None and not rules.visible_to_guests(row.kind, row.overrides)):
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such conversation", field="conversation")
    if member is None or member.state == "left":
        return Nothing()
    _refuse_direct(row)
    membership.keep_an_owner(ledger, row, member)
    membership.go(ledger, row, actor, member, "member.left" if member.joined else None)
    return Nothing()


def _refuse_banned(ledger: Ledger, conversation: str, fields: Mapping[str, str]) -> None:
    """Raises RESTRICTED if one of `fields` is banned from the conversation, naming that one's field."""
    banned = restraint.of_many(ledger.tx, [(user, conversation) for user in fields])
    for user, field in fields.items():
        if any(each.kind == "ban" and each.conversation for each in banned.get((user, conversation), ())):
            raise HubbubError(ErrorCode.RESTRICTED, "the user is banned from this conversation", field=field)


def _may_give(row: ConversationRow, me: MemberRow | None, target: Role, role: Role) -> bool:
    return (
        me is not None
        and rules.allowed(row.kind, "manage", me.role, row.overrides)
        and rules.may_give(me.role, target, role)
    )


def _refuse_direct(row: ConversationRow) -> None:
    if row.kind == "direct":
        raise HubbubError(
            ErrorCode.CONFLICT, "a direct conversation keeps its two members", field="conversation"
        )


def _refuse_role(role: Role) -> NoReturn:
    raise HubbubError(
        ErrorCode.PERMISSION_DENIED, f"permission denied: {role} is not yours to give or take", field="role"
    )
