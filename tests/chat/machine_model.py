"""What each operation does to conversations, as the documentation has it: it raises `RefusedError`, or does it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chat.machine_place import NEEDED, RANKS, Follow, Place, Post, Seat

from hubbub.errors import ErrorCode


class RefusedError(Exception):
    """What the server must refuse with."""

    def __init__(self, code: ErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


def refuse(code: ErrorCode, when: bool = True) -> None:
    if when:
        raise RefusedError(code)


@dataclass
class Model:
    users: tuple[str, ...]
    now: float = 0.0
    places: list[Place] = field(default_factory=list)
    blocks: dict[tuple[str, str], float] = field(default_factory=dict)
    inbox: dict[str, list[tuple[str, Place | None]]] = field(default_factory=dict)
    """The type of each event, and the conversation that it is about."""

    def __post_init__(self) -> None:
        self.inbox = {user: [] for user in self.users}

    # --- what is used by all ------------------------------------------------------------------------------------------

    def access(self, user: str, place: Place, permission: str = "read") -> None:
        refuse(ErrorCode.NOT_FOUND, not place.knows(user))
        refuse(ErrorCode.RESTRICTED, self.kept_out(user, place))
        refuse(ErrorCode.PERMISSION_DENIED, not place.may(user, permission))

    def find(self, user: str, place: Place, seq: int) -> Post:
        post = place.posts.get(seq)
        if post is None or seq <= place.floor(user) or (user, seq) in place.hidden:
            raise RefusedError(ErrorCode.NOT_FOUND)
        return post

    def blocked(self, one: str, other: str) -> bool:
        return (one, other) in self.blocks or (other, one) in self.blocks

    def muted(self, user: str, place: Place) -> bool:
        until = place.mutes.get(user, 0.0)
        return until is None or until > self.now

    def kept_out(self, user: str, place: Place) -> bool:
        """Whether it is banned: nobody is inside who is."""
        until = place.bans.get(user, 0.0)
        return until is None or until > self.now

    def writable(self, user: str, place: Place) -> None:
        refuse(ErrorCode.CONVERSATION_CLOSED, place.closed)
        refuse(ErrorCode.RESTRICTED, self.muted(user, place))
        refuse(ErrorCode.PERMISSION_DENIED, any(self.blocked(user, other) for other in place.pair))

    def tell(self, user: str, kind: str, place: Place | None = None) -> None:
        self.inbox[user].append((kind, place))

    def announce(self, place: Place, users: Collection[str]) -> None:
        if place.kind == "group" and users:
            seq = place.head + 1
            place.log.append(("message.created", seq))
            place.posts[seq] = Post(seq, None, "", self.now, system=True)

    # --- conversations ------------------------------------------------------------------------------------------------

    def create(
        self,
        user: str,
        place: Place,
        members: dict[str, str | None],
        invite: bool,
    ) -> Place:
        others = [other for other in members if other != user]
        refuse(ErrorCode.PERMISSION_DENIED, any(self.blocked(user, other) for other in others))
        place.seats[user] = Seat("owner", "joined", self.now, 0, 0, 0)
        for other in others:
            state, by = ("invited", user) if invite else ("joined", None)
            place.seats[other] = Seat(members[other] or place.usual, state, self.now, 0, 0, 0, by)
        place.log.append(("conversation.created", None))
        for each in place.seats:
            self.tell(each, "conversation.added", place)
        self.places.append(place)
        return place

    def direct(self, user: str, other: str) -> Place:
        refuse(ErrorCode.PERMISSION_DENIED, self.blocked(user, other))
        pair = tuple(sorted((user, other)))
        for place in self.places:
            if place.pair == pair:
                return place
        place = Place("direct", pair=pair, log=[("conversation.created", None)])
        for each in dict.fromkeys((user, other)):
            place.seats[each] = Seat("member", "joined", self.now, 0, 0, 0)
            self.tell(each, "conversation.added", place)
        self.places.append(place)
        return place

    def describe(self, user: str, place: Place, name: str) -> None:
        self.access(user, place, "update")
        refuse(ErrorCode.RESTRICTED, self.muted(user, place))
        if place.name != name:
            place.name = name
            place.log.append(("conversation.updated", None))

    def manage(self, user: str, place: Place, **changes: Any) -> None:
        self.access(user, place, "manage")
        refuse(ErrorCode.RESTRICTED, self.muted(user, place))
        if "permissions" in changes:
            usual = NEEDED[place.kind]
            given = changes["permissions"].items()
            changes["permissions"] = {name: rank for name, rank in given if rank != usual[name]}
        if any(getattr(place, name) != value for name, value in changes.items()):
            for name, value in changes.items():
                setattr(place, name, value)
            place.log.append(("conversation.updated", None))

    def settings(self, user: str, place: Place, **changes: bool) -> None:
        self.access(user, place)
        refuse(ErrorCode.PERMISSION_DENIED, place.role(user) is None)
        seat = place.seats[user]
        if any(getattr(seat, name) != value for name, value in changes.items()):
            for name, value in changes.items():
                setattr(seat, name, value)
            self.tell(user, "membership.updated", place)

    # --- members ------------------------------------------------------------------------------------------------------

    def gives(self, giver: str, target: str, role: str) -> bool:
        """Whether `giver` may make who is `target` into `role`."""
        return giver == "owner" or RANKS[giver] > max(RANKS[role], RANKS[target])

    def enter(self, place: Place, newcomers: dict[str, tuple[str, str, str | None]]) -> None:
        """Role, state, and who has invited, by user."""
        head = place.head
        for user, (role, state, by) in newcomers.items():
            visible = head if place.history == "joined" else 0
            place.seats[user] = Seat(role, state, self.now, visible, head, head, by)
            place.log.append(("member.changed", None))
        for wanted in ("joined", "invited"):
            self.announce(place, [user for user, each in newcomers.items() if each[1] == wanted])
        for user in newcomers:
            self.tell(user, "conversation.added", place)

    def go(self, place: Place, user: str) -> None:
        seat = place.seats[user]
        was_joined = seat.state == "joined"
        seat.state, seat.role, seat.by, seat.since = "left", place.usual, None, self.now
        seat.archived = seat.muted = False
        place.follows = {key: follow for key, follow in place.follows.items() if key[1] != user}
        place.bookmarks |= {key: False for key in place.bookmarks if key[0] == user}
        place.drafts.pop(user, None)
        place.log.append(("member.changed", None))
        if was_joined:
            self.announce(place, [user])
        self.tell(user, "conversation.removed", place)

    def add(self, user: str, place: Place, users: Sequence[str], role: str | None, invite: bool) -> None:
        self.access(user, place, "invite")
        refuse(ErrorCode.RESTRICTED, self.muted(user, place))
        role = role or place.usual
        mine = place.role(user) or ""
        above = RANKS[role] > RANKS[place.usual]
        refuse(ErrorCode.PERMISSION_DENIED, above and not self.gives(mine, "guest", role))
        settled = ("joined", "invited") if invite else ("joined",)
        fresh = [
            other
            for other in dict.fromkeys(users)
            if other not in place.seats or place.seats[other].state not in settled
        ]
        refuse(ErrorCode.PERMISSION_DENIED, any(self.blocked(user, other) for other in fresh))
        refuse(ErrorCode.RESTRICTED, any(self.kept_out(other, place) for other in fresh))
        state, by = ("invited", user) if invite else ("joined", None)
        self.enter(place, dict.fromkeys(fresh, (role, state, by)))

    def join(self, user: str, place: Place) -> None:
        seat = place.seats.get(user)
        invited = seat is not None and seat.state == "invited"
        if not invited:
            self.access(user, place)
        if place.role(user) is not None:
            return
        refuse(ErrorCode.CONVERSATION_CLOSED, place.closed)
        refuse(ErrorCode.PERMISSION_DENIED, not invited and not place.may(user, "join"))
        role, by = (seat.role, seat.by) if seat is not None and invited else (place.usual, None)
        self.enter(place, {user: (role, "joined", by)})

    def leave(self, user: str, place: Place) -> None:
        refuse(ErrorCode.NOT_FOUND, user not in place.seats and not place.public)
        if user not in place.seats or place.seats[user].state == "left":
            return
        refuse(ErrorCode.CONFLICT, place.kind == "direct")
        self.keep_owner(place, user)
        self.go(place, user)

    def keep_owner(self, place: Place, user: str) -> None:
        last = place.role(user) == "owner" and place.owners() == 1
        refuse(ErrorCode.CONFLICT, last and len(place.joined) > 1)

    def give(self, user: str, place: Place, other: str, role: str) -> None:
        self.access(user, place, "read" if user == other else "manage")
        refuse(ErrorCode.CONFLICT, place.kind == "direct")
        seat = place.seats.get(other)
        if seat is None or seat.state == "left":
            raise RefusedError(ErrorCode.NOT_FOUND)
        if seat.role == role:
            return
        mine = place.role(user)
        down = user == other and mine is not None and RANKS[role] < RANKS[mine]
        may = mine is not None and place.may(user, "manage") and self.gives(mine, seat.role, role)
        refuse(ErrorCode.PERMISSION_DENIED, not down and not may)
        self.keep_owner(place, other)
        seat.role = role
        place.log.append(("member.changed", None))
        if seat.state == "joined":
            self.announce(place, [other])
        self.tell(other, "membership.updated", place)

    def remove(self, user: str, place: Place, other: str) -> None:
        if user == other:
            self.leave(user, place)
            return
        self.access(user, place)
        seat, mine = place.seats.get(other), place.role(user)
        invited_it = seat is not None and seat.state == "invited" and seat.by == user and mine is not None
        if not invited_it:
            self.access(user, place, "remove")
        if seat is None or seat.state == "left":
            return
        above = mine is not None and self.gives(mine, seat.role, "reader")
        refuse(ErrorCode.PERMISSION_DENIED, not invited_it and not above)
        self.go(place, other)

    # --- messages -----------------------------------------------------------------------------------------------------

    def send(
        self,
        user: str,
        place: Place,
        words: str,
        users: tuple[str, ...] = (),
        everyone: bool = False,
        thread: int | None = None,
        reply_to: int | None = None,
        key: str | None = None,
    ) -> Post:
        refuse(ErrorCode.NOT_FOUND, not place.knows(user))
        content = (words, users, everyone, thread, reply_to)
        if key is not None and (user, key) in place.keys:
            before, seq = place.keys[user, key]
            refuse(ErrorCode.IDEMPOTENCY_CONFLICT, before != content and not place.posts[seq].deleted)
            return place.posts[seq]
        refuse(ErrorCode.PERMISSION_DENIED, place.role(user) is None)
        self.access(user, place, "send" if thread is None else "reply")
        if everyone:
            self.access(user, place, "mention_all")
        self.writable(user, place)
        refuse(ErrorCode.VALIDATION_FAILED, any(place.role(other) is None for other in users))
        root = None
        if thread is not None:
            root = self.find(user, place, thread)
            refuse(ErrorCode.MESSAGE_DELETED, root.deleted)
            refuse(ErrorCode.VALIDATION_FAILED, not root.counted)
        if reply_to is not None:
            refuse(ErrorCode.MESSAGE_DELETED, self.find(user, place, reply_to).deleted)
        seq = place.head + 1
        post = Post(seq, user, words, self.now, users, everyone, thread, reply_to, first_words=words)
        place.log.append(("message.created", seq))
        place.posts[seq] = post
        if key is not None:
            place.keys[user, key] = (content, seq)
        if root is None:
            place.seats[user].read = place.seats[user].delivered = seq
        else:
            self.reply(user, place, root, post)
        return post

    def reply(self, user: str, place: Place, root: Post, post: Post) -> None:
        """Who begins a thread, replies in it or is mentioned there follows it, as long as it is a member."""
        fresh = {
            other
            for other in (root.sender or "", user, *post.users)
            if place.role(other) is not None and (root.seq, other) not in place.follows
        }
        for other in sorted(fresh):
            place.follows[root.seq, other] = Follow(True, post.seq - 1)
            self.tell(other, "thread.updated", place)
        place.follows[root.seq, user].read = post.seq

    def edit(
        self,
        user: str,
        place: Place,
        seq: int,
        words: str,
        mentions: tuple[tuple[str, ...], bool] | None,
    ) -> None:
        self.access(user, place)
        post = self.find(user, place, seq)
        refuse(ErrorCode.PERMISSION_DENIED, post.system)
        refuse(ErrorCode.MESSAGE_DELETED, post.deleted)
        refuse(ErrorCode.PERMISSION_DENIED, post.sender != user)
        self.access(user, place, "edit_own")
        self.writable(user, place)
        users, everyone = (post.users, post.everyone) if mentions is None else mentions
        if everyone and not post.everyone:
            self.access(user, place, "mention_all")
        strangers = [other for other in users if other not in post.users and place.role(other) is None]
        refuse(ErrorCode.VALIDATION_FAILED, bool(strangers))
        if post.asked or (words, users, everyone) != (post.words, post.users, post.everyone):
            post.words, post.users, post.everyone = words, users, everyone
            post.asked, post.votes, post.done = False, {}, {}
            post.version += 1
            place.log.append(("message.updated", seq))

    def delete(self, user: str, place: Place, seq: int, everybody: bool) -> None:
        self.access(user, place)
        if not everybody:
            if (user, seq) not in place.hidden:
                self.find(user, place, seq)
                place.hidden.add((user, seq))
                self.tell(user, "message.hidden", place)
            return
        post = self.find(user, place, seq)
        self.access(user, place, "delete_own" if post.sender == user else "delete_any")
        self.bury(place, post)

    def bury(self, place: Place, post: Post) -> None:
        if not post.deleted:
            post.deleted, post.words, post.users, post.everyone = True, "", (), False
            post.reactions, post.pinned, post.expires = {}, False, None
            post.asked, post.votes, post.done = False, {}, {}
            place.log.append(("message.deleted", post.seq))

    @property
    def something_ends(self) -> bool:
        return any(post.expires is not None for place in self.places for post in place.posts.values())

    def pass_time(self, now: float) -> None:
        """What was said for a while is gone when that is over."""
        self.now = now
        for place in self.places:
            over = [post for post in place.posts.values() if post.expires is not None and post.expires <= now]
            for post in sorted(over, key=lambda post: (post.expires, post.seq)):
                self.bury(place, post)

    def react(self, user: str, place: Place, seq: int, name: str, added: bool) -> None:
        self.access(user, place, "react")
        self.writable(user, place)
        post = self.find(user, place, seq)
        refuse(ErrorCode.MESSAGE_DELETED, post.deleted)
        users = post.reactions.get(name, [])
        if (user in users) is added:
            return
        users = [*users, user] if added else [other for other in users if other != user]
        post.reactions[name] = users
        if not users:
            del post.reactions[name]
        place.log.append(("reactions.changed", seq))

    # --- threads, receipts, blocks ------------------------------------------------------------------------------------

    def root(self, user: str, place: Place, seq: int) -> Post:
        self.access(user, place)
        refuse(ErrorCode.PERMISSION_DENIED, place.role(user) is None)
        root = self.find(user, place, seq)
        refuse(ErrorCode.VALIDATION_FAILED, not root.counted)
        return root

    def follow(self, user: str, place: Place, seq: int, following: bool) -> None:
        self.root(user, place, seq)
        follow = place.follows.get((seq, user))
        if follow is None:
            last = max((post.seq for post in place.replies(seq)), default=seq)
            place.follows[seq, user] = Follow(following, last)
        elif follow.following is following:
            return
        else:
            follow.following = following
        self.tell(user, "thread.updated", place)

    def read_thread(self, user: str, place: Place, root: int, seq: int) -> None:
        self.root(user, place, root)
        follow = place.follows.get((root, user))
        up_to = max((post.seq for post in place.replies(root) if post.seq <= seq), default=0)
        if follow is not None and up_to > follow.read:
            follow.read = up_to
            self.tell(user, "thread.updated", place)

    def mark(self, user: str, place: Place, read: int, delivered: int) -> None:
        if place.role(user) is None:
            return
        seat = place.seats[user]
        read, delivered = min(read, place.head), min(delivered, place.head)
        seat.delivered = max(seat.delivered, delivered, read)
        if read > seat.read:
            seat.read = read
            self.tell(user, "membership.updated", place)

    def block(self, user: str, other: str, blocked: bool) -> None:
        refuse(ErrorCode.VALIDATION_FAILED, blocked and user == other)
        if ((user, other) in self.blocks) is blocked:
            return
        if blocked:
            self.blocks[user, other] = self.now
        else:
            del self.blocks[user, other]
        self.tell(user, "blocks.changed")
