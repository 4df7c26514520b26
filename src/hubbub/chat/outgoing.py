"""A message on its way to the database, and what must be known there to judge it, read for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from hubbub.chat import rules
from hubbub.chat.lookup import lookup
from hubbub.chat.model import ConversationKind, Mentions, Message, Options, Permission, Rank, Role
from hubbub.chat.parts import Checked
from hubbub.storage.base import Transaction
from hubbub.storage.tables import blocks, conversations, followers, hidden, members, messages

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

_overrides = msgspec.json.Decoder(dict[Permission, Rank]).decode


class Sent(Struct, frozen=True, omit_defaults=True):
    """The message as it stands in the conversation. `duplicate`: it had been sent with this key before."""

    message: Message
    duplicate: bool = False


class Outgoing(Struct, frozen=True):
    """A message that was checked, on its way to the database. `sender` is "" for the server."""

    chat: Chat
    sender: str
    conversation: str
    content: Checked
    mentions: Mentions | None
    thread: int | None
    reply_to: int | None
    key: str | None
    digest: str | None
    options: Options | None = None


class Conversation(Struct):
    """What sending needs to know of a conversation, and what it changes."""

    id: str
    kind: ConversationKind
    pair: str | None
    permissions: str
    closed: bool
    head: int
    messages: int
    last_message: int = 0
    may: dict[tuple[Permission, Role | None], bool] = {}

    def allows(self, permission: Permission, role: Role | None) -> bool:
        found = self.may.get((permission, role))
        if found is None:
            found = rules.allowed(self.kind, permission, role, _overrides(self.permissions))
            self.may[permission, role] = found
        return found

    def needs(self, permission: Permission) -> Rank:
        return rules.needed(self.kind, permission, _overrides(self.permissions))

    def peer_of(self, user: str) -> str | None:
        if self.pair is None:
            return None
        first, _, second = self.pair.partition("\n")
        return second if first == user else first


CONVERSATION = ("id", "kind", "pair", "permissions", "closed", "head", "messages")


class Member(Struct):
    conversation: str
    user: str
    role: Role
    state: str
    visible: int


MEMBER = ("conversation", "user", "role", "state", "visible")


class Target(Struct):
    """A message that others answer: in its thread, or by naming it."""

    conversation: str
    seq: int
    kind: str
    sender: str | None
    thread: int | None
    deleted: float | None
    replies: int


TARGET = ("conversation", "seq", "kind", "sender", "thread", "deleted", "replies")
Place = tuple[str, int]
"""A conversation and a seq."""
Follower = tuple[str, int, str]
"""A conversation, a thread and a user."""


class Known:
    """What is known of all that a batch of messages is about. Conversations stay locked until the transaction ends."""

    def __init__(self, tx: Transaction, items: Sequence[Outgoing]) -> None:
        self.tx = tx
        self.items = items
        self.conversations: dict[str, Conversation] = {}
        self.members: dict[tuple[str, str], Member] = {}
        self.blocked: set[tuple[str, str]] = set()
        self.targets: dict[Place, Target] = {}
        self.hidden: set[tuple[str, str, int]] = set()
        self.following: set[Follower] = set()
        """Who follows a thread or has left it."""
        self.keys: dict[tuple[str, str, str], tuple[str | None, int | Sent]] = {}
        """By conversation, sender and key: the digest, and the message or (from before) its seq."""
        self._read_conversations()
        self._read_members()
        self._read_keys()
        self._read_blocks()
        self._read_targets()

    def _read_conversations(self) -> None:
        ids = sorted({item.conversation for item in self.items})
        if self.tx.dialect == "postgresql":
            columns = [conversations.c[name] for name in CONVERSATION]
            query = sa.select(*columns).where(conversations.c.id.in_(ids))
            rows = self.tx.execute(query.order_by(conversations.c.id).with_for_update()).all()
            self.conversations = {row[0]: Conversation(*row) for row in rows}
        else:
            found = lookup(self.tx, conversations, CONVERSATION, ("id",), [(id,) for id in ids])
            self.conversations = {row[0]: Conversation(*row) for row in found}

    def _read_members(self) -> None:
        wanted = {(item.conversation, item.sender) for item in self.items}
        for item in self.items:
            if item.mentions is not None:
                wanted.update((item.conversation, user) for user in item.mentions.users)
        self._add_members(wanted)

    def _add_members(self, wanted: set[tuple[str, str]]) -> None:
        for row in lookup(self.tx, members, MEMBER, ("conversation", "user"), list(wanted)):
            member = Member(*row)
            self.members[member.conversation, member.user] = member

    def _read_keys(self) -> None:
        keyed = {(item.conversation, item.sender, item.key) for item in self.items if item.key is not None}
        columns, named = ("conversation", "sender", "key", "digest", "seq"), ("conversation", "sender", "key")
        for conversation, sender, key, digest, seq in lookup(
            self.tx, messages, columns, named, [each for each in keyed if each[1]]
        ):
            self.keys[conversation, sender, key] = (digest, seq)
        for conversation, sender, key in keyed:
            if not sender:
                query = sa.select(messages.c.digest, messages.c.seq).where(
                    messages.c.conversation == conversation,
                    messages.c.sender.is_(None),
                    messages.c.key == key,
                )
                if (row := self.tx.execute(query).first()) is not None:
                    self.keys[conversation, "", key] = (row.digest, row.seq)

    def _read_blocks(self) -> None:
        pairs = set()
        for item in self.items:
            conversation = self.conversations.get(item.conversation)
            if conversation is not None and conversation.pair is not None and item.sender:
                peer = conversation.peer_of(item.sender)
                pairs |= {(item.sender, peer), (peer, item.sender)}
        columns = ("blocker", "blocked")
        for blocker, blocked in lookup(self.tx, blocks, columns, columns, list(pairs)):
            self.blocked |= {(blocker, blocked), (blocked, blocker)}

    def _read_targets(self) -> None:
        wanted = {
            (item.conversation, seq, item.sender)
            for item in self.items
            for seq in (item.thread, item.reply_to)
            if seq is not None
        }
        if not wanted:
            return
        places = list({(conversation, seq) for conversation, seq, _ in wanted})
        for row in lookup(self.tx, messages, TARGET, ("conversation", "seq"), places):
            target = Target(*row)
            self.targets[target.conversation, target.seq] = target
        columns = ("conversation", "user", "seq")
        mine = [(conversation, user, seq) for conversation, seq, user in wanted if user]
        self.hidden = {(c, u, s) for c, u, s in lookup(self.tx, hidden, columns, columns, mine)}
        threads: set[Follower] = set()
        beginners: set[tuple[str, str]] = set()
        for item in self.items:
            if item.thread is not None:
                root = self.targets.get((item.conversation, item.thread))
                if root is not None and root.sender is not None:
                    beginners.add((item.conversation, root.sender))
                for user in (
                    item.sender,
                    root and root.sender,
                    *(item.mentions.users if item.mentions else ()),
                ):
                    if user:
                        threads.add((item.conversation, item.thread, user))
        names = ("conversation", "thread", "user")
        self.following = {(c, t, u) for c, t, u in lookup(self.tx, followers, names, names, list(threads))}
        self._add_members(beginners - self.members.keys())
