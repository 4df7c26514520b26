"""The chat's channels: whose logs are the store's, who may enter them, and which sessions follow what by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import sqlalchemy as sa
from msgspec import Raw, Struct

from hubbub.chat import rules
from hubbub.chat.cases import ALL, CASES
from hubbub.chat.catalogue import CATALOGUE, CHANNEL
from hubbub.chat.events_list import LogRow, inbox_page, log_page
from hubbub.chat.ledger import Actor, View, channel_of, inbox_of, status_of
from hubbub.chat.messages import floor_of
from hubbub.chat.model import ConversationKind, MemberState, Permission, Rank, Role
from hubbub.chat.standing import moderated
from hubbub.chat.told import Told
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.session import Session
from hubbub.model import Envelope, History, Operation, Position, Principal, Publication
from hubbub.storage.tables import conversations, inbox, members, users
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

log = get_logger("hubbub.chat")

CONVERSATION = "conversation"
INBOX = "inbox"
STATUS = "status"
NAMESPACES = (CONVERSATION, INBOX, STATUS, CASES, CATALOGUE)
LOGGED = (CONVERSATION, INBOX)
NOT_THERE = "there is no such channel"


class _Member(Struct):
    user: str
    state: MemberState = "joined"


class _Changed(Struct):
    """What of `member.changed` matters here."""

    member: _Member
    seq: int


class _Updated(Struct):
    """What of `conversation.updated` matters here."""

    seq: int


class _Named(Struct):
    id: str
    kind: ConversationKind
    permissions: dict[Permission, Rank] = {}
    seq: int = 0


class _Membership(Struct):
    state: MemberState | None = None
    role: Role | None = None


class _Mine(Struct):
    conversation: _Named
    membership: _Membership


class _Added(Struct):
    """What of `conversation.added` matters here."""

    conversation: _Mine


class _Blocks(Struct):
    user: str
    blocked: bool


class _Restricted(Struct):
    """What of `restriction.changed` matters here."""

    kind: str
    conversation: str | None = None
    lifted: bool = False


_restricted = msgspec.json.Decoder(_Restricted).decode
_changed = msgspec.json.Decoder(_Changed).decode
_updated = msgspec.json.Decoder(_Updated).decode
_added = msgspec.json.Decoder(_Added).decode
_blocks = msgspec.json.Decoder(_Blocks).decode
_permissions = msgspec.json.Decoder(dict[Permission, Rank]).decode


class Channels:
    """The owner (`hubbub.hub.base.ChannelOwner`) of `conversation:`, `inbox:`, `status:`, `cases:` and `catalogue:`."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._hub = chat.hub
        self.following: dict[str, set[Session]] = {}
        """Sessions that follow their user's conversations by themselves, by user."""
        self._shut: dict[str, set[str]] = {}
        """The channels of conversations that such users have joined and may not read, by user."""
        for namespace in NAMESPACES:
            self._hub.own(namespace, self, logged=namespace in LOGGED)
        self._hub.ended.append(self._ended)
        self._told = Told(self._hub.channels)

    @property
    def lossless(self) -> bool:
        return self._chat.store.lossless

    # --- who may enter ------------------------------------------------------------------------------------

    async def authorize(self, principal: Principal, operation: Operation, channel: str) -> None:
        """Members may follow and read a conversation, users their own inbox, and the presence of those with whom they
        share a conversation; moderators their review queue; all the catalogue. Nobody publishes: the chat does. Raises
        NOT_FOUND, RESTRICTED and PERMISSION_DENIED."""
        kind, _, id = channel.partition(":")
        if operation == "publish":
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED,
                f"permission denied: what is in {kind}: channels comes by methods, as chat.messages.send",
                field="channel",
            )
        actor = await self._chat.actor(principal)
        if kind == INBOX:
            if id != actor.user:
                raise HubbubError(
                    ErrorCode.PERMISSION_DENIED, "permission denied: it is another user's", field="channel"
                )
        elif kind == STATUS:
            if id not in await self._chat.presence.visible(actor, [id]):
                raise HubbubError(ErrorCode.NOT_FOUND, NOT_THERE, field="channel")
        elif kind == CATALOGUE:
            if channel != CHANNEL:
                raise HubbubError(ErrorCode.NOT_FOUND, NOT_THERE, field="channel")
        elif kind == CASES:
            await self._chat.read(lambda view: moderated(view, actor, None if id == ALL else id))
        else:
            await self._chat.read(lambda view: view.access(actor, id, "read", field="channel"))

    # --- logs ---------------------------------------------------------------------------------------------

    async def history(
        self, channel: str, *, since: Position | None, limit: int, reverse: bool, reader: str | None
    ) -> History:
        """As `hubbub.hub.base.ChannelOwner` says; `reader` sees nothing from before what it may see, and that counts as
        complete. Raises UNAUTHENTICATED for nobody, and what `authorize` raises."""
        kind, _, id = channel.partition(":")
        epoch = self._chat.store.epoch
        if reader is not None and (kind != CONVERSATION or not reader):
            await self.authorize(Principal(reader), "history", channel)
        if kind == CONVERSATION:
            return await self._chat.read(
                lambda view: _conversation_log(view, id, epoch, since, limit, reverse, reader)
            )
        return await self._chat.read(lambda view: _inbox_log(view, id, epoch, since, limit, reverse))

    async def heads(self, channels: Sequence[str]) -> dict[str, Position]:
        """Those of conversations and inboxes; the other channels have no logs."""
        named: dict[str, list[str]] = {kind: [] for kind in NAMESPACES}
        for channel in channels:
            kind, _, id = channel.partition(":")
            named[kind].append(id)

        def look(view: View) -> dict[str, Position]:
            found = {}
            for kind, table in ((CONVERSATION, conversations), (INBOX, users)):
                query = sa.select(table.c.id, table.c.head).where(table.c.id.in_(named[kind]))
                for id, head in view.execute(query):
                    found[f"{kind}:{id}"] = Position(self._chat.store.epoch, head)
            return found

        return await self._chat.read(look)

    # --- following ----------------------------------------------------------------------------------------

    def follow(self, session: Session) -> None:
        """From now on the session enters its user's conversations when the user does."""
        self.following.setdefault(session.user, set()).add(session)

    def _ended(self, session: Session) -> None:
        sessions = self.following.get(session.user)
        if sessions is not None:
            sessions.discard(session)
            if not sessions:
                del self.following[session.user]
                self._shut.pop(session.user, None)

    def shut(self, user: str, channels: Iterable[str]) -> None:
        """Where the user may not read now: its sessions enter when it may."""
        if user in self.following and (names := set(channels)):
            self._shut.setdefault(user, set()).update(names)

    def sift(self, envelope: Envelope) -> Envelope | None:
        try:
            return self._told.sift(envelope)
        except Exception:
            log.exception("what came from another node could not be read", channel=envelope.push.channel)
            return None

    def passed(self, envelope: Envelope) -> None:
        """What goes through a channel of ours changes who is in it."""
        push = envelope.push
        if type(push) is not Publication:
            return
        try:
            match push.event:
                case "member.changed":
                    changed = _changed(push.data)
                    user = changed.member.user
                    self._look_at_queues(user)
                    if changed.member.state == "left":
                        self._shut.get(user, set()).discard(push.channel)
                        self._take_out(user, push.channel)
                    else:
                        waiting = {user} if push.channel in self._shut.get(user, ()) else set()
                        self._look_again(push.channel, changed.seq, waiting, self._hub.users.get(user, ()))
                case "conversation.updated":
                    waiting = {user for user, names in self._shut.items() if push.channel in names}
                    self._look_again(push.channel, _updated(push.data).seq, waiting)
                case "conversation.added":
                    self._put_in(push.channel.partition(":")[2], _added(push.data).conversation)
                case "user.updated":
                    self._look_at_queues(push.channel.partition(":")[2])
                case "restriction.changed":
                    restricted = _restricted(push.data)
                    if restricted.kind == "ban" and not restricted.lifted and restricted.conversation:
                        # A guest, too, of whom no `member.changed` tells.
                        user = push.channel.partition(":")[2]
                        self._take_out(user, channel_of(restricted.conversation))
                case "blocks.changed":
                    block = _blocks(push.data)
                    if block.blocked:
                        self._take_out(block.user, status_of(push.channel.partition(":")[2]))
                        self._take_out(push.channel.partition(":")[2], status_of(block.user))
        except Exception as error:  # a fan-out must go on
            log.error(
                "an event could not be followed", channel=push.channel, event_type=push.event, exc_info=error
            )

    def _look_at_queues(self, user: str) -> None:
        """Who follows a review queue may be no moderator any more."""
        names = {
            name
            for session in self._hub.users.get(user, ())
            for name in (*session.subscriptions, *session.away)
            if name.startswith(f"{CASES}:")
        }
        if names:
            self._hub.spawn(self._check_queues(user, sorted(names)))

    async def _check_queues(self, user: str, names: list[str]) -> None:
        for name in names:
            try:
                await self.authorize(Principal(user), "subscribe", name)
            except HubbubError:
                self._take_out(user, name)

    def _put_in(self, user: str, mine: _Mine) -> None:
        if mine.membership.state != "joined":
            return
        conversation, channel = mine.conversation, channel_of(mine.conversation.id)
        if rules.allowed(conversation.kind, "read", mine.membership.role, conversation.permissions):
            self._let_in(user, channel, conversation.seq)
        else:
            self.shut(user, [channel])

    def _let_in(self, user: str, channel: str, since: int) -> None:
        position = Position(self._chat.store.epoch, since)
        for session in tuple(self.following.get(user, ())):
            self._hub.spawn(self._enter(session, channel, position))

    async def _enter(self, session: Session, channel: str, since: Position) -> None:
        try:
            await self._hub.enter(session, channel, since)
        except HubbubError as error:
            if error.code not in (ErrorCode.NOT_FOUND, ErrorCode.PERMISSION_DENIED, ErrorCode.RESTRICTED):
                raise
            # The user was removed again meanwhile.

    def _take_out(self, user: str, channel: str) -> None:
        for session in self._hub.users.get(user, ()):
            if (
                channel in session.subscriptions
                or channel in session.away
                or channel in (session.joining or ())
            ):
                self._hub.spawn(self._unsubscribe(session, channel))

    async def _unsubscribe(self, session: Session, channel: str) -> None:
        await self._hub.server_unsubscribe(session, channel)

    def _look_again(
        self, channel: str, seq: int, waiting: set[str], sessions: Iterable[Session] | None = None
    ) -> None:
        """Permissions may have changed by the event `seq`: whoever may read no more is taken out, and those who were
        `waiting` for it are let in, if they may now."""
        if sessions is None:
            live = self._hub.channels.get(channel)
            groups = live.groups.values() if live is not None else ()
            ids = {id for group in groups for id in group.values()}
            sessions = [session for id in ids if (session := self._hub.sessions.get(id)) is not None]
            sessions += self._hub.detached.values()
        present = {
            session.user
            for session in sessions
            if channel in session.subscriptions or channel in session.away
        }
        if present or waiting:
            self._hub.spawn(self._check(channel, seq, sorted(present - waiting), sorted(waiting)))

    async def _check(self, channel: str, seq: int, present: list[str], waiting: list[str]) -> None:
        def look(view: View) -> tuple[list[str], list[str]]:
            states = {user: _reads(view, user, channel.partition(":")[2]) for user in (*present, *waiting)}
            refused = [user for user in present if states[user] is None]
            return refused, [user for user in waiting if states[user] == "member"]

        refused, admitted = await self._chat.read(look)
        for user in refused:
            self.shut(user, [channel])
            self._take_out(user, channel)
        for user in admitted:
            self._shut.get(user, set()).discard(channel)
            self._let_in(user, channel, seq - 1)


def _reads(view: View, user: str, conversation: str) -> Literal["member", "guest"] | None:
    try:
        _, member = view.access(Actor(user), conversation, "read")
    except HubbubError:
        return None
    return "guest" if member is None else "member"


def _conversation_log(
    view: View, id: str, epoch: str, since: Position | None, limit: int, reverse: bool, reader: str | None
) -> History:
    floor = 0
    if reader is not None:
        actor = Actor(reader)
        row, member = view.access(actor, id, "read", field="channel")
        floor, head = floor_of(actor, row, member), row.head
    else:
        found = view.find(id)
        head = found.head if found is not None else 0
    position = Position(epoch, head)
    if since is not None and since.epoch != epoch:
        return History(position, complete=False)
    if not limit:
        return History(position, complete=True)
    after = since.offset if since is not None and not reverse else 0
    before = since.offset if since is not None and reverse else None
    rows = log_page(view, id, after, limit + 1, reverse=reverse, before=before, floor=floor)
    publications = _publications(channel_of(id), epoch, rows[:limit])
    beyond = since is not None and since.offset > head  # of a life that this database does not know
    return History(position, publications, not beyond, len(rows) > limit)


def _inbox_log(
    view: View, user: str, epoch: str, since: Position | None, limit: int, reverse: bool
) -> History:
    head = view.execute(sa.select(users.c.head).where(users.c.id == user)).scalar() or 0
    position = Position(epoch, head)
    if since is not None and since.epoch != epoch:
        return History(position, complete=False)
    if not limit:
        return History(position)
    after = since.offset if since is not None and not reverse else 0
    before = since.offset if since is not None and reverse else None
    rows = inbox_page(view, user, after, limit + 1, reverse=reverse, before=before)
    publications = _publications(inbox_of(user), epoch, rows[:limit])
    oldest = view.execute(sa.select(sa.func.min(inbox.c.seq)).where(inbox.c.user == user)).scalar()
    kept = since is None or since.offset == head or (oldest is not None and since.offset >= oldest - 1)
    return History(
        position, publications, kept and (since is None or since.offset <= head), len(rows) > limit
    )


def _publications(channel: str, epoch: str, rows: list[LogRow]) -> tuple[Publication, ...]:
    return tuple(
        publication_of(channel, epoch, row.seq, row.type, row.data.encode(), row.actor, row.time)
        for row in rows
    )


def publication_of(
    channel: str, epoch: str, seq: int, event: str, data: bytes, sender: str | None, time: float
) -> Publication:
    """An event of a log as it is pushed; live and from the log it is the same."""
    return Publication(channel, event, Raw(data), f"{epoch}-{seq}", sender, time, epoch, seq)


class Heads(NamedTuple):
    """Where the logs of channels stand, and the channels that are `shut`: of conversations that one may not read."""

    positions: dict[str, int]
    shut: list[str]


def heads(view: View, user: str) -> Heads:
    """The channels of a user's conversations, the most active first, and its inbox's."""
    limit = view.config.chat.live_conversations
    names = ("id", "head", "kind", "permissions")
    query = (
        sa.select(*(conversations.c[name] for name in names), members.c.role)
        .select_from(members.join(conversations, conversations.c.id == members.c.conversation))
        .where(members.c.user == user, members.c.state == "joined")
        .order_by(conversations.c.last_activity.desc(), conversations.c.id)
        .limit(limit)
    )
    found = Heads({}, [])
    for id, head, kind, permissions, role in view.execute(query):
        if permissions == "{}" or rules.allowed(kind, "read", role, _permissions(permissions)):
            found.positions[channel_of(id)] = head
        else:
            found.shut.append(channel_of(id))
    head = view.execute(sa.select(users.c.head).where(users.c.id == user)).scalar()
    found.positions[inbox_of(user)] = head or 0
    return found
