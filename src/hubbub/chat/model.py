"""What the chat domain speaks in: users, conversations, members, messages. The wire's types too, REST and `call` alike.

Pure. Times are Unix seconds. A message is named by its conversation and its `seq`, which is its place in the
conversation's log. Nothing here depends on who looks, but for what is named `My...`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from hubbub.model import Kind as UserKind

ConversationKind = Literal["direct", "group", "broadcast", "topic"]
Role = Literal["owner", "admin", "moderator", "member", "reader"]
Rank = Literal["owner", "admin", "moderator", "member", "reader", "guest", "nobody"]
"""The least role that a permission asks for: `guest` is whoever may see the conversation, `nobody` not even owners."""
Permission = Literal[
    "read",
    "send",
    "reply",
    "react",
    "edit_own",
    "delete_own",
    "delete_any",
    "mention_all",
    "invite",
    "remove",
    "update",
    "manage",
    "join",
    "attach",
    "pin",
    "poll",
    "command",
    "moderate",
]
Visibility = Literal["all", "joined"]
MemberState = Literal["invited", "joined", "left"]
LastSeenFor = Literal["everyone", "contacts", "nobody"]
Everyone = Literal["all", "here"]
Availability = Literal["online", "away", "offline"]
Office = Literal["none", "moderator", "admin"]
"""What a user may do everywhere: moderators review what was reported and restrict users; admins do all that the server
API does about moderation and rights."""
RestrictionKind = Literal["mute", "ban", "shadow"]
HoldState = Literal["pending", "approved", "rejected", "withdrawn"]
Subject = Literal["message", "hold", "user"]
"""What a case is about."""
CaseState = Literal["open", "decided", "appealed", "closed"]
"""`decided` can be appealed; `closed` is the end."""
CaseAction = Literal["dismiss", "warn", "delete", "mute", "ban", "shadow", "approve", "reject"]

# Without control characters: PostgreSQL cannot be asked for a text with NUL in it.
UserId = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
ConversationId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$(?!\n)")]
GroupId = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$(?!\n)", examples=["support"])]
"""Of a group of users that can be mentioned."""
Seq = Annotated[int, Meta(ge=0, le=2**53)]
FOREVER = 9e15
"""`muted_until` of what is muted for good; still exact as a JavaScript number."""


class User(Struct, frozen=True, omit_defaults=True):
    """A person, agent or service. `last_seen` is absent where its privacy setting does not show it."""

    id: str
    kind: UserKind = "person"
    name: str = ""
    avatar: str | None = None
    custom: Raw | UnsetType = UNSET
    last_seen: float | None = None
    created: float = 0.0
    updated: float = 0.0


class Conversation(Struct, frozen=True, omit_defaults=True):
    """A conversation as all of its members see it. `seq` is the head of its log, `messages` the number of messages in
    its main timeline so far, `members` of those who have joined. `permissions` holds what differs from its kind's.
    `slow_mode` is the seconds between two messages of one member; `retention` those for which messages are kept (0: for
    ever; absent: as the server's settings say), and `expunged` is the seq up to which their time was over."""

    id: str
    kind: ConversationKind
    name: str | None = None
    topic: str | None = None
    avatar: str | None = None
    custom: Raw | UnsetType = UNSET
    history: Visibility = "all"
    permissions: dict[Permission, Rank] = {}
    closed: bool = False
    seq: int = 0
    messages: int = 0
    members: int = 0
    last_message: int | None = None
    last_activity: float = 0.0
    created: float = 0.0
    created_by: str | None = None
    slow_mode: float | None = None
    retention: float | None = None
    expunged: int = 0


class Member(Struct, frozen=True, omit_defaults=True):
    """Somebody in a conversation. `since` is when the state began; `read` and `delivered` are cursors (a `seq`)."""

    user: str
    role: Role = "member"
    state: MemberState = "joined"
    since: float = 0.0
    invited_by: str | None = None
    read: int = 0
    delivered: int = 0


class ReactionCount(Struct, frozen=True):
    """One kind of reaction on a message: how many, and the first users who gave it (`messages.reactions` has all)."""

    name: str
    count: int
    users: tuple[str, ...]


class Mentions(Struct, frozen=True, omit_defaults=True):
    """Whom a message mentions: users, everybody (`all`) or who was online (`here`), and groups of users."""

    users: tuple[str, ...] = ()
    everyone: Everyone | None = None
    groups: tuple[str, ...] = ()


class Forwarded(Struct, frozen=True, omit_defaults=True):
    """Where a forwarded message comes from. `conversation` and `message` are absent where the original is in a
    conversation that is not open to all readers of this one."""

    sender: str | None
    created: float
    conversation: str | None = None
    message: int | None = None


class Options(Struct, frozen=True, omit_defaults=True):
    """How a message was sent; it never changes. `silent`: nobody is to be notified. `expires`: when it will be deleted.
    `masked`: a rule has taken words out. `imported`: it was written elsewhere, before it came here. `previews` is false
    where none are to be made of its links."""

    silent: bool = False
    expires: float | None = None
    forwarded: Forwarded | None = None
    masked: bool = False
    imported: bool = False
    previews: bool = True


class Pin(Struct, frozen=True, omit_defaults=True):
    """That a message is pinned: by whom (absent: the server) and when."""

    time: float
    by: str | None = None


class PollOption(Struct, frozen=True, omit_defaults=True):
    """How an option of a poll stands: its votes, and the first who gave them (nobody, where the poll is anonymous)."""

    id: str
    votes: int = 0
    users: tuple[str, ...] = ()


class PollState(Struct, frozen=True, omit_defaults=True):
    """How a poll stands. `voters` is how many have voted; `closed` is when it was closed. Results that are to be seen
    when it is closed have no counts before."""

    options: tuple[PollOption, ...] = ()
    voters: int = 0
    closed: float | None = None
    closed_by: str | None = None


class ChecklistItem(Struct, frozen=True, omit_defaults=True):
    """An item of a checklist that was done: when, and by whom."""

    id: str
    done: float
    by: str | None = None


class Preview(Struct, frozen=True, omit_defaults=True):
    """What is behind a link, as its page says of itself. All of it is text of strangers. `image` is a URL below this
    server, or absent. One that was `removed` says nothing, and is not shown."""

    url: str
    title: str = ""
    description: str = ""
    site: str = ""
    image: str | None = None
    removed: bool = False


class Annotations(Struct, frozen=True, omit_defaults=True):
    """What stands on a message beside what it says, and changes without an edit."""

    pin: Pin | None = None
    poll: PollState | None = None
    done: tuple[ChecklistItem, ...] = ()
    previews: tuple[Preview, ...] = ()


class Message(Struct, frozen=True, omit_defaults=True):
    """A message as it stands now. A deleted one is a tombstone: no parts, `deleted` set.

    `number` counts the messages of the main timeline; replies in a thread have `thread` (the root's seq) and are
    counted by `thread_number`; system messages (`kind`) have neither. `replies` and `last_reply` are a root's.
    `version` is 1 and grows with each edit. Parts are JSON objects with a `type`.
    """

    conversation: str
    seq: int
    sender: str | None
    created: float
    parts: tuple[Raw, ...] = ()
    kind: Literal["user", "system"] = "user"
    number: int | None = None
    thread: int | None = None
    thread_number: int | None = None
    reply_to: int | None = None
    mentions: Mentions | None = None
    version: int = 1
    edited: float | None = None
    deleted: float | None = None
    reactions: tuple[ReactionCount, ...] = ()
    replies: int = 0
    last_reply: float | None = None
    options: Options | None = None
    annotations: Annotations | None = None


class Failure(Struct, frozen=True):
    """Why something that was to be done later could not be: the number of the error, its message, and when that was."""

    code: int
    message: str
    time: float


class Scheduled(Struct, frozen=True, omit_defaults=True):
    """A message that its author has written to be sent at the time `at`. With `failed` it could not be, and waits to be
    changed or thrown away."""

    id: int
    conversation: str
    at: float
    parts: tuple[Raw, ...]
    created: float
    mentions: Mentions | None = None
    thread: int | None = None
    reply_to: int | None = None
    silent: bool = False
    expires_in: float | None = None
    failed: Failure | None = None
    previews: bool = True


class Reminder(Struct, frozen=True, omit_defaults=True):
    """Of what a user wants to be reminded at the time `at`: a message, a conversation, a `note`. `reminded` is when it
    was."""

    id: int
    at: float
    created: float
    note: str = ""
    conversation: str | None = None
    message: int | None = None
    reminded: float | None = None


class Bookmark(Struct, frozen=True, omit_defaults=True):
    """A message that a user keeps for itself, and what it notes about it. `removed`: not any more."""

    conversation: str
    message: int
    created: float
    note: str = ""
    removed: bool = False


class Draft(Struct, frozen=True, omit_defaults=True):
    """What a user has begun to write in a conversation, or in a `thread` of it. `updated` grows with each change; parts
    are as a message's, but need not be complete. `removed`: there is none any more."""

    conversation: str
    updated: float
    parts: tuple[Raw, ...] = ()
    mentions: Mentions | None = None
    thread: int | None = None
    reply_to: int | None = None
    removed: bool = False


class MyMembership(Struct, frozen=True, omit_defaults=True):
    """What a conversation is to one user. Counts are of the main timeline; `role` is absent for one who is no member.

    `visible` is the seq after which the user may read (0: everything).
    """

    role: Role | None = None
    state: MemberState | None = None
    invited_by: str | None = None
    read: int = 0
    delivered: int = 0
    unread: int = 0
    mentions: int = 0
    muted_until: float | None = None
    archived: bool = False
    visible: int = 0


class MyConversation(Struct, frozen=True, omit_defaults=True):
    """A conversation for one user: with its membership, its newest message, and the other one of a direct one."""

    conversation: Conversation
    membership: MyMembership
    peer: str | None = None
    last_message: Message | None = None


class MyThread(Struct, frozen=True, omit_defaults=True):
    """A thread that a user follows (or looks at): its root, and what is unread in it."""

    root: Message
    following: bool = False
    read: int = 0
    unread: int = 0


class Presence(Struct, frozen=True, omit_defaults=True):
    """Whether a user is there, from all of its sessions. `last_seen` as the user's privacy setting allows."""

    user: str
    availability: Availability
    last_seen: float | None = None
