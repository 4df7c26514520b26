"""Conversations: making, finding, changing them, and what they are to each of their members."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hubbub.chat import limits, profile, rules
from hubbub.chat.contacts import blocked_with
from hubbub.chat.events import ConversationAdded, ConversationCreated, ConversationUpdated, MembershipUpdated
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import Actor, Ledger, View
from hubbub.chat.listing import for_users, my_conversations, my_membership, without_words
from hubbub.chat.membership import Newcomer, newcomer_row, write_members
from hubbub.chat.messages import permit
from hubbub.chat.model import (
    FOREVER,
    Conversation,
    ConversationId,
    ConversationKind,
    MyConversation,
    MyMembership,
    Permission,
    Rank,
    Role,
    UserId,
    Visibility,
)
from hubbub.chat.operations import read, write
from hubbub.chat.rows import CONVERSATION, ConversationRow, pair_of
from hubbub.chat.users import known_self, myself, no_such_user
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.tables import conversations

DESCRIBED = ("name", "topic", "avatar", "custom")
NEEDED: dict[Permission, tuple[str, ...]] = {
    "manage": ("history", "permissions", "closed"),
    "update": DESCRIBED,
    "moderate": ("slow_mode",),
}
"""The permissions that changing a conversation takes, and the fields that they are for."""
NAMED: frozenset[ConversationKind] = frozenset({"topic"})
"""Kinds that are found by their names, so that they must have one."""
TABLE = (*ConversationRow.__struct_fields__, "changed")

Name = Annotated[str, Meta(examples=["Analytical engines"])]
Topic = Annotated[str, Meta(examples=["What they can do, and what not"])]
Permissions = Annotated[
    dict[Permission, Rank],
    Meta(
        description="The least role for each permission that is to differ from the kind's.",
        examples=[{"send": "moderator"}],
    ),
]


class NewMember(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who is to be in a new conversation. Without a role it is the kind's: reader in broadcasts, else
    member."""

    user: Annotated[UserId, Meta(examples=["bob"])]
    role: Role | None = None


class CreateConversation(Struct, frozen=True, forbid_unknown_fields=True):
    """A new conversation. The server can name its `owner`; a user's is the user itself. With `invite` the members are
    asked, and are in it once they have joined."""

    kind: Annotated[Literal["group", "broadcast", "topic"], Meta(examples=["group"])]
    name: Name | None = None
    topic: Topic | None = None
    avatar: profile.Avatar | None = None
    custom: Raw | UnsetType = UNSET
    history: Visibility = "all"
    permissions: Permissions = {}
    members: tuple[NewMember, ...] = ()
    invite: bool = False
    owner: UserId | None = None


class OpenDirect(Struct, frozen=True, forbid_unknown_fields=True):
    """With whom."""

    user: Annotated[UserId, Meta(examples=["bob"])]


class DirectConversation(Struct, frozen=True):
    """The one conversation of two users; `created` says whether it is new."""

    conversation: MyConversation
    created: bool


class ByConversation(Struct, frozen=True, forbid_unknown_fields=True):
    """Of one conversation."""

    conversation: ConversationId


class UpdateConversation(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not given stays as it is; null takes it away. `permissions` are replaced as a whole."""

    conversation: ConversationId
    name: Name | UnsetType | None = UNSET
    topic: Topic | UnsetType | None = UNSET
    avatar: profile.Avatar | UnsetType | None = UNSET
    custom: Raw | UnsetType = UNSET
    history: Visibility | UnsetType = UNSET
    permissions: Permissions | UnsetType = UNSET
    closed: bool | UnsetType = UNSET
    slow_mode: (
        Annotated[
            float,
            Meta(ge=0, le=86_400, description="Seconds between two messages of one member; 0 or null: none."),
        ]
        | UnsetType
        | None
    ) = UNSET


class ChangeSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not given stays as it is. `muted_until` is in Unix seconds; null, or a time that has passed, is not
    muted, and 9e15 is for good."""

    conversation: ConversationId
    archived: bool | UnsetType = UNSET
    muted_until: Annotated[float, Meta(ge=0, le=FOREVER)] | UnsetType | None = UNSET


@write("conversations.create", "POST", "/conversations", status=201)
def create(ledger: Ledger, actor: Actor, params: CreateConversation) -> MyConversation:
    """Make a group, a broadcast or a topic.

    Who makes it is its owner. The members are in it at once, but for those who have blocked the owner or whom it has
    blocked: with them it is PERMISSION_DENIED. Raises NOT_FOUND for unknown users, VALIDATION_FAILED, LIMIT_EXCEEDED
    (`limits.invitees`, `limits.members`, `limits.name_length`, `limits.topic_length`) and MESSAGE_TOO_LARGE
    (`limits.custom_bytes`).
    """
    ledger.refuse_restricted(actor, field=None)
    if params.owner is not None and not actor.server:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "the owner is who makes it", field="owner")
    owner = params.owner if actor.server else actor.user
    newcomers = _newcomers(ledger, owner, actor, params)
    row = _new_row(
        ledger,
        params.kind,
        owner,
        name=None if params.name is None else profile.name(ledger.config, params.name),
        topic=None if params.topic is None else profile.topic(ledger.config, params.topic),
        avatar=None if params.avatar is None else profile.avatar(params.avatar),
        custom=None if params.custom is UNSET else profile.custom(ledger.config, params.custom),
        history=params.history,
        permissions=overrides(params.kind, params.permissions),
    )
    if row.name is None and row.kind in NAMED:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, f"a {row.kind} needs a name", field="name")
    _insert(ledger, row)
    return _begin(ledger, row, actor, newcomers)


@write("conversations.direct", "PUT", "/conversations/direct/{user}")
def direct(ledger: Ledger, actor: Actor, params: OpenDirect) -> DirectConversation:
    """Find or make the direct conversation with a user.

    There is one for each pair of users, whoever asks first, and one with oneself for notes. Raises NOT_FOUND for an
    unknown user, and PERMISSION_DENIED if one has blocked the other.
    """
    user, other = known_self(ledger, actor), params.user
    if ledger.missing_users([other]):
        raise no_such_user()
    if ledger.blocked(user, other):
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "not possible with this user", field="user")
    pair = pair_of(user, other)
    if (found := _of_pair(ledger, pair)) is None:
        row = _new_row(ledger, "direct", user, pair=pair)
        if _insert(ledger, row):
            both = [Newcomer(each, "member") for each in dict.fromkeys((user, other))]
            return DirectConversation(_begin(ledger, row, actor, both), True)
        # Somebody was faster, just now.
        found = _of_pair(ledger, pair)
        assert found is not None
    (mine,) = my_conversations(ledger, user, [found])
    return DirectConversation(mine, False)


@read("conversations.get", "GET", "/conversations/{conversation}")
def get(view: View, actor: Actor, params: ByConversation) -> MyConversation:
    """A conversation, and what it is to who asks: its cursors, counters and settings there.

    Members, who is invited, and anybody for a public topic. Raises NOT_FOUND.
    """
    row, _ = view.access(actor, params.conversation, invited=True)
    return my_conversations(view, actor.user, [row])[0]


@write("conversations.update", "PATCH", "/conversations/{conversation}")
def update(ledger: Ledger, actor: Actor, params: UpdateConversation) -> Conversation:
    """Change a conversation.

    Name, topic, avatar and custom JSON need the permission `update`; history, permissions and closed need `manage`;
    slow mode needs `moderate`. A closed conversation takes no messages. Raises NOT_FOUND, PERMISSION_DENIED, RESTRICTED
    and what `conversations.create` raises.
    """
    needed = [
        permission
        for permission, names in NEEDED.items()
        if any(getattr(params, name) is not UNSET for name in names)
    ]
    row, member = ledger.access(actor, params.conversation, needed[0] if needed else "update", lock=True)
    for permission in needed[1:]:
        permit(actor, row, member, permission, "conversation")
    ledger.refuse_restricted(actor, row.id)
    changes = _changes(ledger, row, params)
    if changes:
        for column, value in changes.items():
            setattr(row, column, value)
        ledger.execute(conversations.update().where(conversations.c.id == row.id).values(changes))
        ledger.append(row, ConversationUpdated, actor, updated=lambda seq: row.public())
        if actor.server or changes.keys() - DESCRIBED:
            ledger.audit(actor, "conversations.update", conversation=row.id, changed=sorted(changes))
    return row.public()


@write("conversations.settings", "PATCH", "/conversations/{conversation}/me")
def change_settings(ledger: Ledger, actor: Actor, params: ChangeSettings) -> MyMembership:
    """Mute or archive a conversation for oneself.

    One's other devices learn of it by `membership.updated`. Raises NOT_FOUND, and PERMISSION_DENIED for who has not
    joined.
    """
    user = myself(actor)
    row, member = ledger.access(actor, params.conversation, lock=True)
    if member is None:
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "for members", field="conversation")
    muted_until = member.muted_until if params.muted_until is UNSET else params.muted_until
    if muted_until is not None and muted_until <= ledger.now:
        muted_until = None
    archived = bool(member.archived) if params.archived is UNSET else params.archived
    if (muted_until, archived) == (member.muted_until, bool(member.archived)):
        return my_membership(ledger, user, row)
    member.muted_until, member.archived = muted_until, archived
    write_members(ledger, [member])
    mine = my_membership(ledger, user, row)
    ledger.tell(user, MembershipUpdated, conversation=row.id, membership=mine)
    return mine


OPERATIONS = (create, direct, get, update, change_settings)


# --- making -------------------------------------------------------------------------------------------------------


def _newcomers(ledger: Ledger, owner: str | None, actor: Actor, params: CreateConversation) -> list[Newcomer]:
    """Owner and members, each once. Raises for those who cannot be."""
    limits.check(ledger.config.limits, "invitees", len(params.members), "members")
    default = rules.JOINS_AS[params.kind]
    roles: dict[str, Role] = {} if owner is None else {owner: "owner"}
    fields: dict[str, str] = {} if owner is None else {owner: "owner"}
    for place, member in enumerate(params.members):
        role: Role = member.role or roles.get(member.user, default)
        if roles.setdefault(member.user, role) != role:
            raise HubbubError(
                ErrorCode.VALIDATION_FAILED,
                f"the same user as {roles[member.user]} and as {role}",
                field=f"members[{place}].role",
            )
        fields.setdefault(member.user, f"members[{place}].user")
    limits.check(ledger.config.limits, "members", len(roles), "members")
    for unknown in ledger.missing_users(roles):
        raise no_such_user(fields[unknown])
    refuse_blocked(ledger, actor.user or owner or "", fields)
    state: Literal["invited", "joined"] = "invited" if params.invite else "joined"
    return [
        Newcomer(user, role)
        if user == owner
        else Newcomer(user, role, state, owner if params.invite else None)
        for user, role in roles.items()
    ]


def refuse_blocked(view: View, user: str, fields: Mapping[str, str]) -> None:
    """Raises PERMISSION_DENIED if a block is between `user` and any of those in `fields`, naming that one's field; who
    has blocked whom is not said."""
    if not user:
        return
    for other in sorted(blocked_with(view, user, list(fields))):
        raise HubbubError(ErrorCode.PERMISSION_DENIED, "not possible with this user", field=fields[other])


def _new_row(ledger: Ledger, kind: ConversationKind, creator: str | None, **fields: Any) -> ConversationRow:
    values: dict[str, Any] = {
        "pair": None,
        "name": None,
        "topic": None,
        "avatar": None,
        "custom": None,
        "history": "all",
        "permissions": "{}",
    }
    return ConversationRow(
        id=secrets.token_hex(12),
        kind=kind,
        **(values | fields),
        closed=False,
        head=0,
        messages=0,
        members=0,
        last_message=None,
        last_activity=ledger.now,
        created=ledger.now,
        created_by=creator,
    )


def _insert(ledger: Ledger, row: ConversationRow) -> bool:
    """Whether it was inserted: false if its pair has a conversation already."""
    values = (*(getattr(row, name) for name in ConversationRow.__struct_fields__), ledger.tx.stamp)
    return bulk.insert(ledger.tx, conversations, TABLE, [values], ignore=row.pair is not None) == 1


def _of_pair(view: View, pair: str) -> ConversationRow | None:
    found = view.execute(sa.select(*CONVERSATION).where(conversations.c.pair == pair)).first()
    return None if found is None else ConversationRow(*found)


def _begin(ledger: Ledger, row: ConversationRow, actor: Actor, newcomers: list[Newcomer]) -> MyConversation:
    """The first event of a conversation that was inserted, with those who are in it from the start."""
    entered = [newcomer_row(ledger, row, newcomer) for newcomer in newcomers]
    write_members(ledger, entered)
    row.members = sum(member.joined for member in entered)
    ledger.execute(conversations.update().where(conversations.c.id == row.id).values(members=row.members))
    ledger.append(
        row,
        ConversationCreated,
        actor,
        created=lambda seq: row.public(),
        members=tuple(member.public() for member in entered),
    )
    added = for_users(ledger, row, [member.user for member in entered])
    tell_all(
        ledger,
        [(user, ConversationAdded, {"conversation": without_words(mine)}) for user, mine in added.items()],
    )
    return added[actor.user] if actor.user in added else my_conversations(ledger, actor.user, [row])[0]


# --- changing -----------------------------------------------------------------------------------------------------


def _changes(ledger: Ledger, row: ConversationRow, params: UpdateConversation) -> dict[str, Any]:
    """What is to be different, by column."""
    changes: dict[str, Any] = {}
    if params.name is not UNSET:
        changes["name"] = None if params.name is None else profile.name(ledger.config, params.name)
        if params.name is None and row.kind in NAMED:
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"a {row.kind} needs a name", field="name")
    if params.topic is not UNSET:
        changes["topic"] = None if params.topic is None else profile.topic(ledger.config, params.topic)
    if params.avatar is not UNSET:
        changes["avatar"] = None if params.avatar is None else profile.avatar(params.avatar)
    if params.custom is not UNSET:
        changes["custom"] = profile.custom(ledger.config, params.custom)
    if params.history is not UNSET:
        changes["history"] = params.history
    if params.permissions is not UNSET:
        changes["permissions"] = overrides(row.kind, params.permissions)
    if params.closed is not UNSET:
        changes["closed"] = params.closed
    if params.slow_mode is not UNSET:
        changes["slow_mode"] = params.slow_mode or None
    return {column: value for column, value in changes.items() if getattr(row, column) != value}


def overrides(kind: ConversationKind, permissions: Mapping[Permission, Rank]) -> str:
    """Those that differ from the kind's, as they are kept. Raises VALIDATION_FAILED for what would lock out everybody,
    or let in those who are no members where nobody can see it."""
    for permission, rank in permissions.items():
        field = f"permissions.{permission}"
        if permission == "manage" and rank == "nobody":
            raise HubbubError(ErrorCode.VALIDATION_FAILED, "owners can always manage", field=field)
        if rank == "guest" and (kind != "topic" or permission not in ("read", "join")):
            raise HubbubError(
                ErrorCode.VALIDATION_FAILED, "guests can only read and join, and only topics", field=field
            )
    default = rules.DEFAULTS[kind]
    kept = {name: rank for name, rank in sorted(permissions.items()) if rank != default[name]}
    return msgspec.json.encode(kept).decode()
