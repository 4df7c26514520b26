"""Writing messages, many in one transaction: each is judged and numbered in the order of its arrival, and what they are
is written at once."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from hubbub.chat import attaching, mentions, search_index
from hubbub.chat.agenda import EXPIRE, About, schedule_many
from hubbub.chat.events import MessageCreated, MessageWithheld, ThreadUpdated
from hubbub.chat.inbox import tell_all
from hubbub.chat.ledger import Ledger, channel_of
from hubbub.chat.limits import check_due
from hubbub.chat.mentions import not_a_member
from hubbub.chat.model import Message, Options, Permission
from hubbub.chat.outgoing import Conversation, Follower, Known, Member, Outgoing, Place, Sent, Target
from hubbub.chat.restraint import refuse, shadowed
from hubbub.chat.rows import MESSAGE as WHOLE
from hubbub.chat.rows import message_of
from hubbub.chat.verdicts import Withheld, covered, verdict_of
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Logged, Transaction
from hubbub.storage.tables import conversations, events, followers, members, messages

NO_OPTIONS = Options()
TAG = str(MessageCreated.__struct_config__.tag)
WITHHELD = str(MessageWithheld.__struct_config__.tag)
_encode = msgspec.json.Encoder().encode
_created = msgspec.json.Decoder(MessageCreated).decode

MESSAGE = (
    "conversation",
    "seq",
    "number",
    "thread",
    "thread_number",
    "kind",
    "sender",
    "parts",
    "mentions",
    "reply_to",
    "key",
    "digest",
    "created",
    "version",
    "replies",
    "options",
    "annotations",
    "shadow",
)
EVENT = ("conversation", "seq", "type", "message", "actor", "time", "data")
FOLLOWER = ("conversation", "thread", "user", "following", "read", "read_number", "changed")

Cursor = tuple[int, int]
"""A seq, and the number up to there."""
SLACK = 0.001
"""Seconds by which a slow mode may be too short: SQLite rounds times that are looked up."""


class Delivery:
    """One batch. Nothing is written before `write`, so a refused message leaves nothing behind."""

    def __init__(self, tx: Transaction, items: Sequence[Outgoing]) -> None:
        self.tx = tx
        self.items = items
        self.chat = items[0].chat
        self.known = Known(tx, items)
        self.withheld = Withheld(tx)
        # What is written:
        self.messages: list[bulk.Row] = []
        self.events: list[bulk.Row] = []
        self.mentions: list[mentions.Row] = []
        self.texts: list[str] = []
        self.expiring: list[About] = []
        self.due: dict[str, list[About]] = {}
        """What the parts of messages have on the agenda, by its kind."""
        self.cursors: dict[tuple[str, str], Cursor] = {}
        self.spoke: set[tuple[str, str]] = set()
        """Who has sent something where there is a slow mode."""
        self.roots: dict[Place, Target] = {}
        self.arrived: dict[Follower, Cursor] = {}
        """Who is to follow a thread from before a reply."""
        self.uses: list[bulk.Row] = []
        self.files: dict[str, attaching.FileRow] | None = None
        """Those of all items, once one of them shows some."""
        self.grown: set[str] = set()
        """Conversations whose log has grown by what is not counted."""
        self.replied: dict[Follower, Cursor] = {}

    def run(self) -> list[Sent | HubbubError]:
        """The outcome for each item."""
        outcomes: list[Sent | HubbubError] = []
        for item in self.items:
            try:
                outcomes.append(self.send(item))
            except HubbubError as error:
                outcomes.append(error)
        if self.messages or self.withheld.holds:
            self.write()
        return outcomes

    # --- judging and numbering --------------------------------------------------------------------------------

    def send(self, item: Outgoing) -> Sent:
        conversation, member = self._admitted(item)
        if item.key is not None and (before := self._before(item, item.key)) is not None:
            return before
        self._check(item, conversation, member)
        root = None
        shadow = False
        if item.thread is not None:
            root = self._target(item, member, item.thread, "thread")
            shadow = bool(root.shadow)
            if root.kind != "user" or root.thread is not None:
                raise HubbubError(
                    ErrorCode.VALIDATION_FAILED,
                    "thread: a thread begins at a message of the main timeline",
                    field="thread",
                )
        if item.reply_to is not None:
            shadow |= bool(self._target(item, member, item.reply_to, "reply_to").shadow)
        verdict = verdict_of(item, conversation, member, self.known)
        if member is not None and item.released is None:
            self._pace(conversation, member)
        item = covered(item, verdict)
        if item.content.files:
            item = self._attach(item)
        if verdict.action == "hold":
            sent = self.withheld.hold(item, verdict)
        elif shadow or verdict.action == "shadow" or self._shadowed(item):
            sent = self._shadow(item, conversation)
        else:
            sent = self._append(item, conversation, root)
        if item.key is not None:
            self.known.keys[conversation.id, item.sender, item.key] = (item.digest, sent)
        self.withheld.flag(item, verdict, sent.message.seq)
        for file in item.content.files:
            self.uses.append((file, conversation.id, sent.message.seq))
        return sent

    def _attach(self, item: Outgoing) -> Outgoing:
        """With what is known of the files that it shows."""
        if self.files is None:
            self.files = attaching.known(self.tx, (id for each in self.items for id in each.content.files))
        lent = item.content.files if item.options is not None and item.options.forwarded is not None else ()
        content = attaching.attached(item.content, self.files, item.sender, self.chat.config, lent)
        return replace(item, content=content)

    def _admitted(self, item: Outgoing) -> tuple[Conversation, Member | None]:
        """As `View.access`: in the same words for what is not there and what the sender may not know of."""
        conversation = self.known.conversations.get(item.conversation)
        member = self.known.members.get((item.conversation, item.sender)) if item.sender else None
        if conversation is not None and item.sender and (member is None or member.state == "left"):
            member = None
            if conversation.kind != "topic" or not conversation.allows("read", None):
                conversation = None
        if conversation is None:
            raise HubbubError(ErrorCode.NOT_FOUND, "there is no such conversation", field="conversation")
        return conversation, member

    def _before(self, item: Outgoing, key: str) -> Sent | None:
        """What was sent with the key before. Raises IDEMPOTENCY_CONFLICT if it was something else."""
        known = self.known.keys.get((item.conversation, item.sender, key))
        if known is None:
            return None
        digest, sent = known
        if digest is not None and digest != item.digest:  # it goes with what was deleted
            raise HubbubError(ErrorCode.IDEMPOTENCY_CONFLICT, field="key")
        if isinstance(sent, Sent):
            if sent.held is not None and sent.held == item.released:
                return None
            return replace(sent, duplicate=True)
        place = (events.c.conversation == item.conversation, events.c.seq == sent)
        type, data = self.tx.execute(sa.select(events.c.type, events.c.data).where(*place)).one()
        if type == TAG:
            return Sent(_created(data).message, True)
        # Of what is withheld the log does not say more.
        place = (messages.c.conversation == item.conversation, messages.c.seq == sent)
        return Sent(message_of(self.tx.execute(sa.select(*WHOLE).where(*place)).one()), True)

    def _check(self, item: Outgoing, conversation: Conversation, member: Member | None) -> None:
        if item.sender:
            permission: Permission = "send" if item.thread is None else "reply"
            self._permit(permission, conversation, member)
            if item.mentions is not None and item.mentions.everyone is not None:
                self._permit("mention_all", conversation, member, "mentions.everyone")
            for needed in item.content.needs:
                self._permit(needed, conversation, member, "parts")
        if conversation.closed:
            raise HubbubError(ErrorCode.CONVERSATION_CLOSED, field="conversation")
        if item.content.due:
            check_due(self.chat.config.limits, self.tx.now, item.content.due)
        if self.known.restraints and item.released is None:
            refuse(self.known.restraints.get((item.sender, item.conversation), ()), item.conversation)
        if self.known.blocked and (item.sender, conversation.peer_of(item.sender)) in self.known.blocked:
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED,
                "permission denied: you cannot write to this user",
                field="conversation",
            )
        if item.mentions is not None:
            for user in item.mentions.users:
                mentioned = self.known.members.get((item.conversation, user))
                if mentioned is None or mentioned.state != "joined":
                    raise not_a_member(item.mentions.users, user)
            if item.mentions.groups:
                mentions.refuse_unknown(self.tx, item.mentions.groups)

    def _permit(
        self,
        permission: Permission,
        conversation: Conversation,
        member: Member | None,
        field: str = "conversation",
    ) -> None:
        if member is None or member.state != "joined":
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "permission denied: join first", field=field)
        if not conversation.allows(permission, member.role):
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED,
                f"permission denied: {permission} asks for {conversation.needs(permission)}",
                field=field,
            )

    def _pace(self, conversation: Conversation, member: Member) -> None:
        """Raises SLOW_MODE for who has just spoken, but for moderators."""
        interval = conversation.slow_mode
        if not interval or conversation.allows("moderate", member.role):
            return
        now, place = self.tx.now, (conversation.id, member.user)
        left = interval if place in self.spoke else 0.0
        if member.spoke is not None:
            left = max(left, member.spoke + interval - now)
        if left > SLACK:
            raise HubbubError(ErrorCode.SLOW_MODE, field="conversation", retry_after=round(left, 3))
        self.spoke.add(place)

    def _target(self, item: Outgoing, member: Member | None, seq: int, field: str) -> Target:
        target = self.known.targets.get((item.conversation, seq))
        if (
            target is None
            or (target.shadow and target.sender != item.sender)
            or (member is not None and seq <= member.visible)
            or (item.conversation, item.sender, seq) in self.known.hidden
        ):
            raise HubbubError(ErrorCode.NOT_FOUND, f"{field}: there is no such message", field=field)
        if target.deleted is not None:
            raise HubbubError(ErrorCode.MESSAGE_DELETED, field=field)
        return target

    def _shadowed(self, item: Outgoing) -> bool:
        found = self.known.restraints.get((item.sender, item.conversation)) if self.known.restraints else None
        return found is not None and shadowed(found, item.conversation)

    def _append(self, item: Outgoing, conversation: Conversation, root: Target | None) -> Sent:
        id, now, sender = conversation.id, self.tx.now, item.sender or None
        seq = conversation.head = conversation.head + 1
        number = thread_number = None
        if root is None:
            number = conversation.messages = conversation.messages + 1
            conversation.last_message = seq
            if sender is not None:
                self.cursors[id, sender] = (seq, number)
        else:
            thread_number = root.replies = root.replies + 1
            self.roots[id, root.seq] = root
            self._follow(item, root, seq, thread_number)
        options = self._options(item, seq)
        if item.content.due:
            self._plan(item, seq)
        message = Message(
            id,
            seq,
            sender,
            now,
            item.content.parts,
            "user",
            number,
            item.thread,
            thread_number,
            item.reply_to,
            item.mentions,
            options=options,
            annotations=item.content.annotations,
        )
        event = MessageCreated(
            conversation=id, seq=seq, time=now, actor=sender, message=message, replies=thread_number or 0
        )
        data = _encode(event)
        if item.mentions is not None:
            self.mentions += mentions.rows(id, seq, number, item.mentions, self._here(item))
        self.messages.append(_row(item, message))
        self.texts.append(item.content.text)
        self.events.append((id, seq, TAG, seq, sender, now, data.decode()))
        self.tx.outbox.append(Logged(channel_of(id), seq, TAG, data, sender, now))
        return Sent(message)

    def _plan(self, item: Outgoing, seq: int) -> None:
        for kind, when in item.content.due:
            self.due.setdefault(kind, []).append((when, item.conversation, seq))

    def _options(self, item: Outgoing, seq: int) -> Options | None:
        if item.expires_in is None:
            return item.options
        expires = self.tx.now + item.expires_in
        self.expiring.append((expires, item.conversation, seq))
        return replace(item.options or NO_OPTIONS, expires=expires)

    def _shadow(self, item: Outgoing, conversation: Conversation) -> Sent:
        """A message that nobody but its sender sees: it has a place in the log, and is in no count, index or thread."""
        id, now = conversation.id, self.tx.now
        seq = conversation.head = conversation.head + 1
        if item.content.due:
            self._plan(item, seq)
        message = Message(
            id,
            seq,
            item.sender,
            now,
            item.content.parts,
            thread=item.thread,
            reply_to=item.reply_to,
            mentions=item.mentions,
            options=self._options(item, seq),
            annotations=item.content.annotations,
        )
        self.messages.append(_row(item, message, shadow=True))
        self.texts.append("")
        data = _encode(MessageWithheld(conversation=id, seq=seq, time=now, message=seq))
        self.events.append((id, seq, WITHHELD, seq, None, now, data.decode()))
        self.tx.outbox.append(Logged(channel_of(id), seq, WITHHELD, data, None, now))
        self.grown.add(id)
        return Sent(message)

    def _follow(self, item: Outgoing, root: Target, seq: int, number: int) -> None:
        """Who begins a thread follows it, and who replies in it or is mentioned there, but for who has left it, or the
        conversation."""
        named = item.mentions.users if item.mentions is not None else ()
        for user in (root.sender or "", *named):
            member = self.known.members.get((item.conversation, user))
            if member is not None and member.state == "joined":
                self.arrived.setdefault((item.conversation, root.seq, user), (seq - 1, number - 1))
        if item.sender:
            self.replied[item.conversation, root.seq, item.sender] = (seq, number)

    def _here(self, item: Outgoing) -> Sequence[str]:
        """Whom a message means without naming them."""
        if item.mentions is None:
            return ()
        found: Sequence[str] = ()
        if item.mentions.groups:
            found = mentions.in_groups(self.tx, item.conversation, item.mentions.groups, item.sender or None)
        if item.mentions.everyone != "here":
            return found
        query = sa.select(members.c.user).where(
            members.c.conversation == item.conversation,
            members.c.state == "joined",
            members.c.user != item.sender,
        )
        return sorted({*found, *self.chat.presence.online(self.tx.execute(query).scalars())})

    # --- what they are ----------------------------------------------------------------------------------------

    def write(self) -> None:
        tx, stamp = self.tx, self.tx.stamp
        ids = bulk.insert_identified(tx, messages, MESSAGE, self.messages)
        bulk.insert(tx, events, EVENT, self.events)
        mentions.insert(tx, self.mentions)
        if self.uses:
            attaching.use(tx, self.uses, self.chat.config)
        schedule_many(tx, EXPIRE, self.expiring)
        for kind, about in self.due.items():
            schedule_many(tx, kind, about)
        ledger = Ledger(tx, self.chat.config)
        search_index.index(
            tx,
            [
                (id, row[0], text)
                for id, row, text in zip(ids, self.messages, self.texts, strict=True)
                if text
            ],
        )
        spoken = [each for each in self.known.conversations.values() if each.last_message]
        bulk.update(
            tx,
            conversations,
            ("id",),
            ("head", "messages", "last_message", "last_activity", "changed"),
            [(each.id, each.head, each.messages, each.last_message, tx.now, stamp) for each in spoken],
        )
        threaded = self.grown.union(id for id, _ in self.roots) - {each.id for each in spoken}
        bulk.update(
            tx,
            conversations,
            ("id",),
            ("head", "changed"),
            [(id, self.known.conversations[id].head, stamp) for id in sorted(threaded)],
        )
        bulk.update(
            tx,
            members,
            ("conversation", "user"),
            ("read", "read_number", "delivered", "delivered_number", "changed"),
            [(*member, *cursor, *cursor, stamp) for member, cursor in self.cursors.items()],
        )
        bulk.update(
            tx,
            members,
            ("conversation", "user"),
            ("spoke",),
            [(*each, tx.now) for each in sorted(self.spoke)],
        )
        bulk.update(
            tx,
            messages,
            ("conversation", "seq"),
            ("replies", "last_reply"),
            [(*place, root.replies, tx.now) for place, root in self.roots.items()],
        )
        self._write_followers(ledger)
        self.withheld.write(ledger)

    def _write_followers(self, ledger: Ledger) -> None:
        stamp = self.tx.stamp
        moved = [
            (*each, *cursor, stamp) for each, cursor in self.replied.items() if each in self.known.following
        ]
        names = ("conversation", "thread", "user")
        bulk.update(self.tx, followers, names, ("read", "read_number", "changed"), moved)
        fresh = {
            each: cursor
            for each, cursor in (self.arrived | self.replied).items()
            if each not in self.known.following
        }
        rows = [(*each, True, *cursor, stamp) for each, cursor in fresh.items()]
        bulk.insert(self.tx, followers, FOLLOWER, rows)
        tell_all(
            ledger,
            [
                (
                    user,
                    ThreadUpdated,
                    {"conversation": id, "thread": thread, "following": True, "read": cursor[0]},
                )
                for (id, thread, user), cursor in fresh.items()
            ],
        )


def _row(item: Outgoing, message: Message, *, shadow: bool | None = None) -> bulk.Row:
    return (
        message.conversation,
        message.seq,
        message.number,
        message.thread,
        message.thread_number,
        "user",
        message.sender,
        item.content.json,
        None if message.mentions is None else _encode(message.mentions).decode(),
        message.reply_to,
        item.key,
        item.digest,
        message.created,
        1,
        0,
        None if message.options is None else _encode(message.options).decode(),
        None if message.annotations is None else _encode(message.annotations).decode(),
        shadow,
    )
