"""A message on its way to the database, and what must be known there to judge it, read for many at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct

from hubbub.chat import restraint, rules
from hubbub.chat.lookup import lookup
from hubbub.chat.model import ConversationKind, Mentions, Message, Options, Permission, Rank, Role
from hubbub.chat.parts import Checked
from hubbub.moderation.base import Findings
from hubbub.storage import bulk
from hubbub.storage.base import Transaction
from hubbub.storage.tables import blocks, conversations, followers, hidden, holds, members, messages, users

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

_overrides = msgspec.json.Decoder(dict[Permission, Rank]).decode


class Sent(Struct, frozen=True, omit_defaults=True):
    """The message as it stands in the conversation. `duplicate`: it had been sent with this key before. `held`: it
    waits for a moderator under that id, and has no place in the conversation yet: its `seq` is 0."""

    message: Message
    duplicate: bool = False
    held: str | None = None


class Held(Struct, frozen=True, omit_defaults=True):
    """What is to be sent once a moderator lets it pass: the column `content` of `holds`."""

    parts: tuple[Raw, ...]
    mentions: Mentions | None = None
    thread: int | None = None
    reply_to: int | None = None
    options: Options | None = None
    expires_in: float | None = None

    def message(self, conversation: str, sender: str, created: float) -> Message:
        """As its sender sees it meanwhile."""
        return Message(
            conversation,
            0,
            sender,
            created,
            self.parts,
            thread=self.thread,
            reply_to=self.reply_to,
            mentions=self.mentions,
            options=self.options,
        )


read_held = msgspec.json.Decoder(Held).decode


class Outgoing(Struct, frozen=True):
    """A message that was checked, on its way to the database. `sender` is "" for the server. `findings`: what rules and
    hooks have found (`chat.moderation.examine` asks them). `released`: the hold that it comes out of."""

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
    expires_in: float | None = None
    findings: Findings | None = None
    released: str | None = None


class Conversation(Struct):
    """What sending needs to know of a conversation, and what it changes."""

    id: str
    kind: ConversationKind
    pair: str | None
    permissions: str
    closed: bool
    head: int
    messages: int
    slow_mode: float | None = None
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


CONVERSATION = ("id", "kind", "pair", "permissions", "closed", "head", "messages", "slow_mode")


class Member(Struct):
    conversation: str
    user: str
    role: Role
    state: str
    visible: int
    since: float
    spoke: float | None = None


MEMBER = ("conversation", "user", "role", "state", "visible", "since", "spoke")


class Target(Struct):
    """A message that others answer: in its thread, or by naming it."""

    conversation: str
    seq: int
    kind: str
    sender: str | None
    thread: int | None
    deleted: float | None
    replies: int
    shadow: bool | None


TARGET = ("conversation", "seq", "kind", "sender", "thread", "deleted", "replies", "shadow")
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
        self.accounts: dict[str, tuple[float, str]] = {}
        """When the senders came to be known of whose messages something was found, and their offices."""
        self._read_conversations()
        self._read_members()
        self._read_keys()
        self._read_blocks()
        self._read_targets()
        self._read_accounts()
        self.restraints = restraint.of_many(
            tx, {(item.sender, item.conversation) for item in items if item.sender}
        )
        """By sender and conversation; those who are free are left out."""

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
        self._read_holds([each for each in keyed if each[1] and each not in self.keys])
        for conversation, sender, key in keyed:
            if not sender:
                query = sa.select(messages.c.digest, messages.c.seq).where(
                    messages.c.conversation == conversation,
                    messages.c.sender.is_(None),
                    messages.c.key == key,
                )
                if (row := self.tx.execute(query).first()) is not None:
                    self.keys[conversation, "", key] = (row.digest, row.seq)

    def _read_holds(self, keyed: list[tuple[str, str, str]]) -> None:
        named = ("conversation", "sender", "key")
        columns = (*named, "id", "digest", "content", "created")
        for conversation, sender, key, id, digest, content, created in bulk.select(
            self.tx, holds, columns, named, keyed
        ):
            message = read_held(content).message(conversation, sender, created)
            self.keys[conversation, sender, key] = (digest, Sent(message, held=id))

    def _read_accounts(self) -> None:
        senders = {(item.sender,) for item in self.items if item.findings is not None and item.sender}
        for id, created, office in lookup(
            self.tx, users, ("id", "created", "office"), ("id",), list(senders)
        ):
            self.accounts[id] = (created, office)

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
