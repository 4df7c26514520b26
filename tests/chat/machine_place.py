"""What a conversation is, as simply as it can be said: lists and dictionaries, and every count made by counting.

It knows the documentation and nothing of the implementation. A `Place` is a conversation, a `Seat` somebody's
membership, a `Post` a message.
"""

from __future__ import annotations

from dataclasses import dataclass, field

RANKS = {"guest": 0, "reader": 1, "member": 2, "moderator": 3, "admin": 4, "owner": 5, "nobody": 9}
GROUP = {
    "read": "reader",
    "send": "member",
    "reply": "member",
    "react": "member",
    "edit_own": "member",
    "delete_own": "member",
    "delete_any": "moderator",
    "mention_all": "member",
    "invite": "member",
    "remove": "moderator",
    "update": "admin",
    "manage": "admin",
    "join": "nobody",
    "pin": "moderator",
    "moderate": "moderator",
}
DIRECT = dict.fromkeys(("delete_any", "invite", "remove", "update", "manage", "moderate"), "nobody") | {
    "pin": "member"
}
BROADCAST = {
    "send": "moderator",
    "reply": "moderator",
    "react": "reader",
    "mention_all": "admin",
    "invite": "admin",
}
TOPIC = {"read": "guest", "mention_all": "moderator", "join": "guest"}
NEEDED = {
    "group": GROUP,
    "direct": GROUP | DIRECT,
    "broadcast": GROUP | BROADCAST,
    "topic": GROUP | TOPIC,
}


@dataclass
class Post:
    """`everyone` is whether all are mentioned. A deleted one says nothing."""

    seq: int
    sender: str | None
    words: str
    time: float
    users: tuple[str, ...] = ()
    everyone: bool = False
    thread: int | None = None
    reply_to: int | None = None
    system: bool = False
    version: int = 1
    deleted: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)
    first_words: str = ""
    pinned: bool = False
    expires: float | None = None
    asked: bool = False
    """Whether it has a poll and a checklist."""
    votes: dict[str, str] = field(default_factory=dict)
    """The option of each user."""
    done: dict[str, str] = field(default_factory=dict)
    """By whom each item was ticked."""

    @property
    def counted(self) -> bool:
        """Whether it is of those that are unread until they are read."""
        return self.thread is None and not self.system

    def mentions(self, user: str) -> bool:
        return self.everyone or user in self.users


@dataclass
class Seat:
    role: str
    state: str
    since: float
    visible: int
    read: int
    delivered: int
    by: str | None = None
    archived: bool = False
    muted: bool = False


@dataclass
class Follow:
    following: bool
    read: int


@dataclass
class Place:
    kind: str
    history: str = "all"
    name: str | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    pair: tuple[str, ...] = ()
    closed: bool = False
    id: str = ""
    log: list[tuple[str, int | None]] = field(default_factory=list)
    """The type of each event, and the message that it is about."""
    seats: dict[str, Seat] = field(default_factory=dict)
    posts: dict[int, Post] = field(default_factory=dict)
    hidden: set[tuple[str, int]] = field(default_factory=set)
    follows: dict[tuple[int, str], Follow] = field(default_factory=dict)
    keys: dict[tuple[str, str], tuple[object, int]] = field(default_factory=dict)
    bookmarks: dict[tuple[str, int], bool] = field(default_factory=dict)
    """False are those that were there."""
    mutes: dict[str, float | None] = field(default_factory=dict)
    """Until when."""
    bans: dict[str, float | None] = field(default_factory=dict)
    drafts: dict[str, str] = field(default_factory=dict)
    """By user, those of the main timeline."""
    expunged: int = 0
    """The seq up to which everything was swept."""

    @property
    def head(self) -> int:
        return len(self.log)

    @property
    def usual(self) -> str:
        return "reader" if self.kind == "broadcast" else "member"

    @property
    def joined(self) -> list[str]:
        return sorted(user for user, seat in self.seats.items() if seat.state == "joined")

    @property
    def public(self) -> bool:
        return self.kind == "topic" and self.needs("read") == "guest"

    def needs(self, permission: str) -> str:
        return self.permissions.get(permission, NEEDED[self.kind][permission])

    def role(self, user: str) -> str | None:
        seat = self.seats.get(user)
        return seat.role if seat is not None and seat.state == "joined" else None

    def may(self, user: str, permission: str) -> bool:
        return RANKS[self.role(user) or "guest"] >= RANKS[self.needs(permission)]

    def knows(self, user: str) -> bool:
        """Whether the user may know that it is there."""
        seat = self.seats.get(user)
        return self.public or (seat is not None and seat.state != "left")

    def floor(self, user: str) -> int:
        """The seq after which the user may read."""
        if self.role(user) is not None:
            return self.seats[user].visible
        return 0 if self.history == "all" else self.head

    def readable(self, user: str) -> list[Post]:
        if not self.knows(user) or not self.may(user, "read"):
            return []
        floor = self.floor(user)
        return [post for seq, post in self.posts.items() if seq > floor and (user, seq) not in self.hidden]

    def newest(self) -> Post | None:
        return next((post for post in reversed(self.posts.values()) if post.counted), None)

    def unread(self, user: str) -> list[Post]:
        read = self.seats[user].read
        return [post for post in self.posts.values() if post.counted and post.seq > read and not post.deleted]

    def replies(self, root: int) -> list[Post]:
        return [post for post in self.posts.values() if post.thread == root]

    def thread_unread(self, root: int, user: str) -> int:
        read = self.follows[root, user].read
        return sum(post.seq > read and not post.deleted for post in self.replies(root))

    def owners(self) -> int:
        return sum(seat.state == "joined" and seat.role == "owner" for seat in self.seats.values())
