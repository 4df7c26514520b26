"""What actions and queries work with: rows, permissions, and the logs that grow with every change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from hubbub.chat import restraint, rules
from hubbub.chat.events import Annotated, InboxHead, LogEvent, MessageAnnotated, MessageWithheld
from hubbub.chat.model import Annotations, Office, Permission, RestrictionKind, Role
from hubbub.chat.restraint import EVERYWHERE, Restraint
from hubbub.chat.rows import CONVERSATION, MEMBER, ConversationRow, MemberRow
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError
from hubbub.storage import bulk
from hubbub.storage.base import Logged, Snapshot, Transaction
from hubbub.storage.tables import (
    agenda,
    audit,
    blocks,
    conversations,
    events,
    inbox,
    members,
    messages,
    restrictions,
    users,
)

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

E = TypeVar("E", bound=LogEvent)
N = TypeVar("N", bound=InboxHead)


# Made once: to make one takes as long as SQLite takes to run it.
FIND = sa.select(*CONVERSATION).where(conversations.c.id == sa.bindparam("id"))
FIND_LOCKED = FIND.with_for_update()
FIND_MEMBER = sa.select(*MEMBER).where(
    members.c.conversation == sa.bindparam("conversation_id"), members.c.user == sa.bindparam("user_id")
)
FIND_RESTRAINTS = sa.select(restrictions.c.kind, restrictions.c.conversation, restrictions.c.until).where(
    restrictions.c.user == sa.bindparam("user_id"),
    sa.or_(restrictions.c.until.is_(None), restrictions.c.until > sa.bindparam("now")),
)


class Actor(Struct, frozen=True):
    """Who acts. Without a `user` it is the server itself, which may do everything."""

    user: str = ""

    @property
    def server(self) -> bool:
        return not self.user


SERVER = Actor()
Notice = tuple[str, type[InboxHead], dict[str, Any]]
"""Whom to tell, what, and its fields."""
SLACK = 16
"""Events of an inbox above its size that may be there before they are deleted."""
AGENDA = "agenda"
"""In the place of a channel: something is due at the `time` of what was logged."""


class View:
    """Reading, for queries and actions alike. `now` is the time that answers depend on."""

    def __init__(self, source: Snapshot | Transaction, config: Config, now: float) -> None:
        self.source = source
        self.config = config
        self.now = now
        self._restraints: dict[str, tuple[Restraint, ...]] = {}

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[*tuple[Any, ...]]:
        return self.source.connection.execute(statement, parameters)

    @property
    def dialect(self) -> str:
        return self.source.dialect

    def find(self, id: str, *, lock: bool = False) -> ConversationRow | None:
        """The conversation, or None. With `lock` no other transaction changes it or appends to its log before ours has
        ended."""
        row = self.execute(FIND_LOCKED if lock else FIND, {"id": id}).first()
        return None if row is None else ConversationRow(*row)

    def member(self, conversation: str, user: str) -> MemberRow | None:
        row = self.execute(FIND_MEMBER, {"conversation_id": conversation, "user_id": user}).first()
        return None if row is None else MemberRow(*row)

    def access(
        self,
        actor: Actor,
        id: str,
        permission: Permission = "read",
        *,
        lock: bool = False,
        invited: bool = False,
        field: str = "conversation",
    ) -> tuple[ConversationRow, MemberRow | None]:
        """The conversation and the actor's membership, if the actor has `permission` there.

        Raises NOT_FOUND, in the same words for what is not there and for what the actor may not know of, and
        PERMISSION_DENIED for a member (or a guest of a topic) without the permission, and RESTRICTED for a guest who is
        banned there. The member row is None for the server and for guests. `invited`: whoever is invited may, too.
        """
        found = self.find(id, lock=lock)
        member = None
        if found is not None and not actor.server:
            member = self.member(id, actor.user)
            inside = member is not None and (member.joined or member.state == "invited")
            if not inside and not rules.visible_to_guests(found.kind, found.overrides):
                found = None
            elif not inside:
                self._refuse_banned(actor.user, id, field)
        if found is None:
            raise HubbubError(ErrorCode.NOT_FOUND, "there is no such conversation", field=field)
        if actor.server:
            return found, None
        role: Role | None = member.role if member is not None and member.joined else None
        if member is not None and member.state == "invited" and invited:
            return found, member
        if not rules.allowed(found.kind, permission, role, found.overrides):
            needed = rules.needed(found.kind, permission, found.overrides)
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED,
                f"permission denied: {permission} asks for {needed}",
                field=field,
            )
        return found, member if role is not None else None

    def _refuse_banned(self, user: str, conversation: str, field: str) -> None:
        """Who is banned everywhere may still read what guests may."""
        found = [each for each in self.restraints(user) if each.conversation == conversation]
        restraint.refuse(found, conversation, ("ban",), field)

    def blocked(self, one: str, other: str) -> bool:
        """Whether either has blocked the other."""
        query = sa.select(blocks.c.blocker).where(
            sa.or_(
                sa.and_(blocks.c.blocker == one, blocks.c.blocked == other),
                sa.and_(blocks.c.blocker == other, blocks.c.blocked == one),
            )
        )
        return self.execute(query.limit(1)).first() is not None

    def has_newcomers(self, row: ConversationRow, seq: int) -> bool:
        """Whether there are members who came after the message, and may not read it."""
        if row.history == "all":
            return False
        query = sa.select(members.c.user).where(
            members.c.conversation == row.id, members.c.state == "joined", members.c.visible >= seq
        )
        return self.execute(query.limit(1)).first() is not None

    def restraints(self, user: str) -> tuple[Restraint, ...]:
        """What keeps a user from writing, anywhere."""
        found = self._restraints.get(user)
        if found is None:
            rows = self.execute(FIND_RESTRAINTS, {"user_id": user, "now": self.now})
            found = self._restraints[user] = tuple(Restraint(*row) for row in rows)
        return found

    def refuse_restricted(
        self,
        actor: Actor,
        conversation: str = EVERYWHERE,
        *,
        kinds: tuple[RestrictionKind, ...] = ("mute", "ban"),
        field: str | None = "conversation",
    ) -> None:
        """Raises RESTRICTED for who is muted or banned, in the conversation or everywhere."""
        if not actor.server:
            restraint.refuse(self.restraints(actor.user), conversation, kinds, field)

    def office(self, user: str) -> Office:
        """What a user may do everywhere."""
        found: Office | None = self.execute(sa.select(users.c.office).where(users.c.id == user)).scalar()
        return found or "none"

    def moderates(self, actor: Actor, row: ConversationRow | None = None) -> bool:
        """Whether the actor reviews and restricts: everywhere, or at least in `row`."""
        if actor.server or self.office(actor.user) != "none":
            return True
        member = self.member(row.id, actor.user) if row is not None else None
        return (
            row is not None
            and member is not None
            and member.joined
            and rules.allowed(row.kind, "moderate", member.role, row.overrides)
        )

    def missing_users(self, ids: Iterable[str]) -> list[str]:
        """Those of `ids` that are no users."""
        wanted = list(dict.fromkeys(ids))
        known = set(self.execute(sa.select(users.c.id).where(users.c.id.in_(wanted))).scalars())
        return [id for id in wanted if id not in known]


class Ledger(View):
    """Writing: one action's part of a transaction."""

    source: Transaction

    def __init__(self, tx: Transaction, config: Config, chat: Chat | None = None) -> None:
        """`chat` is there for operations: it takes the whole to send a message."""
        super().__init__(tx, config, tx.now)
        self.tx = tx
        self.chat = chat

    def append(
        self,
        row: ConversationRow,
        event: type[E],
        actor: Actor,
        /,
        *,
        about: int | None = None,
        **fields: Any,
    ) -> E:
        """Write an event into the conversation's log, with the next `seq`, and have it published after the commit.

        `row` must have been read with `lock`; its `head` moves on. `about` is the message that it is about; for a
        message's own creation it is the seq itself, and a callable field gets that seq (`message=lambda seq: ...`).
        """
        seq = row.head = row.head + 1
        given = {name: value(seq) if callable(value) else value for name, value in fields.items()}
        made = event(conversation=row.id, seq=seq, time=self.now, actor=actor.user or None, **given)
        tag = str(type(made).__struct_config__.tag)
        data = msgspec.json.encode(made)
        self.execute(
            events.insert(),
            {
                "conversation": row.id,
                "seq": seq,
                "type": tag,
                "message": about,
                "actor": actor.user or None,
                "time": self.now,
                "data": data.decode(),
            },
        )
        self.execute(
            conversations.update().where(conversations.c.id == row.id).values(head=seq, changed=self.tx.stamp)
        )
        self.tx.outbox.append(Logged(channel_of(row.id), seq, tag, data, actor.user or None, self.now))
        return made

    def annotate(
        self, row: ConversationRow, seq: int, what: Annotated, actor: Actor, annotations: Annotations | None
    ) -> None:
        """Keep all that stands on a message now, and say so in the log; of a message that only its sender sees, nothing
        but that it has changed, and no previews where there are members who may not read it. `row` must have been read
        with `lock`."""
        kept = None if annotations in (None, Annotations()) else annotations
        shadow = self.execute(
            messages.update()
            .where(messages.c.conversation == row.id, messages.c.seq == seq)
            .values(annotations=None if kept is None else msgspec.json.encode(kept).decode())
            .returning(messages.c.shadow)
        ).scalar()
        if shadow:
            self.append(row, MessageWithheld, SERVER, about=seq, message=seq)
        else:
            told, withheld = self.told_of(row, seq, kept)
            fields = {"message": seq, "what": what, "annotations": told, "withheld": withheld}
            self.append(row, MessageAnnotated, actor, about=seq, **fields)

    def told_of(
        self, row: ConversationRow, seq: int, annotations: Annotations | None
    ) -> tuple[Annotations | None, bool]:
        """What everybody may be told of what stands on a message, and whether something of it is withheld: previews
        have its words, and there may be members who came after it."""
        if annotations is None or not annotations.previews or not self.has_newcomers(row, seq):
            return annotations, False
        bare = replace(annotations, previews=())
        return None if bare == Annotations() else bare, True

    def audit(
        self,
        actor: Actor,
        act: str,
        *,
        conversation: str | None = None,
        user: str | None = None,
        message: int | None = None,
        **data: Any,
    ) -> None:
        """Write down a privileged act: `moderation.ban`, `users.erase`. It cannot be changed or taken out."""
        self.execute(
            audit.insert(),
            {
                "time": self.now,
                "actor": actor.user or None,
                "act": act,
                "conversation": conversation,
                "user": user,
                "message": message,
                "data": msgspec.json.encode(data).decode(),
            },
        )

    def schedule(
        self,
        kind: str,
        due: float,
        *,
        user: str | None = None,
        conversation: str | None = None,
        message: int | None = None,
        data: Any = None,
    ) -> int:
        """Have the function for `kind` (`chat/agenda.py`) done once, at `due` or soon after it; the row's id."""
        id = self.execute(
            agenda.insert().returning(agenda.c.id),
            {
                "kind": kind,
                "due": due,
                "user": user,
                "conversation": conversation,
                "message": message,
                "data": msgspec.json.encode(data).decode(),
                "created": self.now,
                "next": due,
                "attempts": 0,
            },
        ).scalar_one()
        self.tx.outbox.append(Logged(AGENDA, id, kind, b"", None, due))
        return int(id)

    def tell(self, user: str, event: type[InboxHead], /, **fields: Any) -> None:
        """Write an event into a user's inbox when all actions of the transaction have been run, and have it published
        after the commit."""
        self.tell_all(((user, event, fields),))

    def tell_all(self, notices: Sequence[Notice]) -> None:
        """As `tell` for each."""
        self.tx.notices += notices
        self.tx.ending = self._settle

    def tell_now(self, user: str, event: type[N], /, **fields: Any) -> N:
        """As `tell`, at once; for who must know the event's seq. The user is locked from then on."""
        seq = self.execute(
            users.update()
            .where(users.c.id == user)
            .values(head=users.c.head + 1, changed=self.tx.stamp)
            .returning(users.c.head)
        ).scalar_one()
        made = event(seq=seq, time=self.now, **fields)
        self._file([(user, made)], {user: (seq - 1, seq)})
        return made

    def _settle(self, tx: Transaction) -> None:
        """Number what users are to be told, in a few statements. They are locked in the order of their ids."""
        notices: list[Notice] = tx.notices
        if not notices:
            return
        told = sorted({user for user, _, _ in notices})
        wanted = sa.select(users.c.id, users.c.head).where(users.c.id.in_(told)).order_by(users.c.id)
        heads = {row.id: row.head for row in self.execute(wanted.with_for_update())}
        before = dict(heads)
        made = []
        for user, event, fields in notices:
            if user in heads:
                heads[user] += 1
                made.append((user, event(seq=heads[user], time=self.now, **fields)))
        rows = [(user, head, tx.stamp) for user, head in heads.items()]
        bulk.update(tx, users, ("id",), ("head", "changed"), rows)
        self._file(made, {user: (before[user], head) for user, head in heads.items()})

    def _file(self, made: Sequence[tuple[str, InboxHead]], heads: Mapping[str, tuple[int, int]]) -> None:
        """Write events into inboxes, whose heads go from one number to another, and take out the oldest."""
        rows = []
        for user, event in made:
            tag, data = str(event.__struct_config__.tag), msgspec.json.encode(event)
            rows.append((user, event.seq, tag, self.now, data.decode()))
            self.tx.outbox.append(Logged(inbox_of(user), event.seq, tag, data, None, self.now))
        bulk.insert(self.tx, inbox, ("user", "seq", "type", "time", "data"), rows)
        size = self.config.chat.inbox_size
        for user, (before, head) in heads.items():
            if head // SLACK != before // SLACK:
                self.execute(inbox.delete().where(inbox.c.user == user, inbox.c.seq <= head - size))


def channel_of(conversation: str) -> str:
    return f"conversation:{conversation}"


def inbox_of(user: str) -> str:
    return f"inbox:{user}"


def status_of(user: str) -> str:
    return f"status:{user}"
