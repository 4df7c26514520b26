"""Who is there: online, away or offline, from all of a user's sessions, on whatever protocol.

It goes out on `status:<user>`, to those who follow it and may: contacts who are not blocked. When the last session of a
user is gone, `chat.presence_grace` seconds pass before the user is, so that a reload is not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from hubbub.chat.contacts import contacts_among, last_seen_of
from hubbub.chat.elsewhere import Change, Elsewhere
from hubbub.chat.events import PresenceChanged
from hubbub.chat.ledger import Actor, View, status_of
from hubbub.chat.limits import exceeded
from hubbub.chat.model import Availability, Presence, UserId
from hubbub.chat.operations import Caller, Nothing, Operation, run
from hubbub.clock import Timer
from hubbub.cluster.bus import Bus
from hubbub.cluster.nodes import Nodes
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.gathering import Gathering
from hubbub.hub.session import Session
from hubbub.model import Envelope, Publication
from hubbub.storage.base import Transaction, each
from hubbub.storage.tables import users
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.chat.chat import Chat

log = get_logger("hubbub.chat")


class _Seen(Struct, frozen=True):
    user: str
    time: float


def _note(tx: Transaction, seen: _Seen) -> None:
    tx.execute(users.update().where(users.c.id == seen.user).values(last_seen=seen.time))


NOTE = each("last_seen", _note)


class Presences:
    """What this node knows of users: of its own, and by what other nodes say, of theirs."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._hub = chat.hub
        self._here: dict[str, Availability] = {}  # on this node; offline ones are left out
        self._known: dict[str, Availability] = {}  # on all of them, as it was last told
        self._elsewhere: Elsewhere | None = None
        self._leaving: dict[str, Timer] = {}
        self._told: Gathering[str, PresenceChanged] = Gathering(
            chat.clock, lambda: self._hub.shedding.presence, self._tell, self._hub.metrics.shed_presence
        )
        self._hub.appearances.append(self._changed)
        self._hub.ended.append(self._changed)

    def join(self, bus: Bus, nodes: Nodes) -> None:
        """There are other nodes; to be called before the start. Each tells its own followers what it sees."""
        chat = self._chat
        self._elsewhere = Elsewhere(
            bus,
            nodes,
            chat.clock,
            self._hub.spawn,
            chat.config.chat.presence_grace,
            here=lambda: self._here,
            changed=self._look,
            away=lambda user, away: self.set_away(self._hub.users.get(user, ()), away),
        )

    def of(self, user: str) -> Availability:
        """As others see it now."""
        return self._known.get(user, "offline")

    def online(self, among: Iterable[str]) -> set[str]:
        """Those who are there, away or not."""
        return {user for user in among if user in self._known}

    def everybody(self) -> tuple[str, ...]:
        """All who are there, on all nodes."""
        return tuple(self._known)

    def set_away(self, sessions: Iterable[Session], away: bool) -> None:
        for session in sessions:
            if session.idle is not away:
                session.idle = away
                if self._hub.claims is not None:
                    self._hub.claims.changed(session)
            self._changed(session)

    async def set_user_away(self, user: str, away: bool) -> None:
        """All sessions of a user, on all nodes."""
        self.set_away(self._hub.users.get(user, ()), away)
        if self._elsewhere is not None:
            await self._elsewhere.set_away(user, away)

    async def visible(self, actor: Actor, ids: Iterable[str]) -> set[str]:
        """Those of `ids` whose presence the actor may see."""
        wanted = list(ids)
        return await self._chat.read(lambda view: contacts_among(view, actor, wanted))

    def stop(self) -> None:
        for timer in self._leaving.values():
            timer.cancel()
        self._leaving.clear()
        self._told.stop()
        if self._elsewhere is not None:
            self._elsewhere.stop()

    # --- what changes it ----------------------------------------------------------------------------------

    def _changed(self, session: Session) -> None:
        user = session.user
        if not user:
            return
        now = self._now(user)
        if now == self._here.get(user, "offline"):
            self._stay(user)
        elif now == "offline":
            if user not in self._leaving:
                grace = self._chat.config.chat.presence_grace
                self._leaving[user] = self._chat.clock.call_later(grace, lambda: self._gone(user))
        else:
            self._stay(user)
            self._set(user, now)

    def _now(self, user: str) -> Availability:
        there = [each for each in self._hub.users.get(user, ()) if not each.absent and not each.closed]
        if not there:
            return "offline"
        return "away" if all(each.idle for each in there) else "online"

    def _stay(self, user: str) -> None:
        if (timer := self._leaving.pop(user, None)) is not None:
            timer.cancel()

    def _gone(self, user: str) -> None:
        del self._leaving[user]
        self._set(user, "offline")

    def _set(self, user: str, availability: Availability) -> None:
        """How a user is on this node."""
        if availability == "offline":
            self._here.pop(user, None)
        else:
            self._here[user] = availability
        time = self._chat.clock.now()
        if self._elsewhere is not None:
            self._elsewhere.tell(user, Change(availability, time, noted=self._seen(user) == "offline"))
        self._look(user, time, True)

    def _seen(self, user: str) -> Availability:
        """How a user is, wherever it is there."""
        said = [] if self._elsewhere is None else [*self._elsewhere.of(user)]
        if (here := self._here.get(user)) is not None:
            said.append(here)
        return "online" if "online" in said else "away" if said else "offline"

    def _look(self, user: str, time: float, note: bool) -> None:
        """Tell how a user is, if that is something else than before, at `time`; `note` when it was last seen."""
        before, now = self.of(user), self._seen(user)
        if now == before:
            return
        if now == "offline":
            del self._known[user]
            self._hub.spawn(self._leave(user, before, time, note))
        else:
            self._known[user] = now
            self._told.change(user, PresenceChanged(user, before), PresenceChanged(user, now))

    async def _leave(self, user: str, before: Availability, time: float, note: bool) -> None:
        """When it was is kept first, and told to those who may know: the channel is for contacts."""
        if not note and status_of(user) not in self._hub.channels:
            return
        try:
            if note:
                await self._chat.store.write(NOTE, _Seen(user, time))
            shown = await self._chat.read(lambda view: _shown(view, user))
        except HubbubError as error:
            log.warning("last seen could not be kept", error=error.message)
            shown = False
        if user not in self._known:
            after = PresenceChanged(user, "offline", time if shown else None)
            self._told.change(user, PresenceChanged(user, before), after)

    def _tell(self, user: str, before: PresenceChanged, event: PresenceChanged) -> None:
        publication = Publication(
            status_of(event.user),
            "presence",
            Raw(msgspec.json.encode(event)),
            sender=event.user,
            time=self._chat.clock.now(),
        )
        if self._elsewhere is None:
            self._chat.signal(Envelope(publication))
        else:
            self._hub.live.on_push(Envelope(publication))  # the other nodes see for themselves


def _shown(view: View, user: str) -> bool:
    """Whether contacts may know when `user` was last seen."""
    setting = view.execute(
        users.select().with_only_columns(users.c.show_last_seen).where(users.c.id == user)
    ).scalar()
    return setting in ("everyone", "contacts")


# --- operations -------------------------------------------------------------------------------------------------


class PresenceQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose presence is asked for."""

    users: Annotated[tuple[UserId, ...], Meta(examples=[["ada", "bob"]])]


class PresenceList(Struct, frozen=True):
    """Who is there, in the order of the question. Those who may not be known are offline."""

    users: tuple[Presence, ...]


class SetPresence(Struct, frozen=True, forbid_unknown_fields=True):
    """`away`: the user is not at the device; false: it is back."""

    away: bool


async def _presences(chat: Chat, actor: Actor, ids: tuple[str, ...]) -> tuple[PresenceList, set[str]]:
    limit = chat.config.limits.page
    if len(ids) > limit:
        raise exceeded("page", limit, "users")

    def look(view: View) -> tuple[set[str], dict[str, float]]:
        contacts = contacts_among(view, actor, ids)
        return contacts, last_seen_of(view, actor, ids, contacts)

    contacts, seen = await chat.read(look)
    presences = []
    for id in ids:
        availability = chat.presence.of(id) if id in contacts else "offline"
        presences.append(Presence(id, availability, seen.get(id) if availability == "offline" else None))
    return PresenceList(tuple(presences)), contacts


@run("presence.query", "POST", "/presence/query")
async def query(chat: Chat, caller: Caller, params: PresenceQuery) -> PresenceList:
    """Ask who is there.

    Known are those with whom one shares a direct or group conversation, unless one has blocked the other; everybody
    else is offline. At most `limits.page` users at once.
    """
    return (await _presences(chat, caller.actor, params.users))[0]


@run("presence.follow", "POST", "/presence/follow")
async def follow(chat: Chat, caller: Caller, params: PresenceQuery) -> PresenceList:
    """Ask who is there, and be told from now on.

    The session enters the channels `status:<user>` of those it may know. By REST there is no session to tell: it is
    refused with NOT_AVAILABLE. At most `limits.presence_follows` users of one session.
    """
    session = caller.session
    if session is None:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "only a session can follow: use `call`, or subscribe")
    limit = chat.config.limits.presence_follows
    followed = {name for name in (*session.subscriptions, *session.away) if name.startswith("status:")}
    if len(followed | {status_of(id) for id in params.users}) > limit:
        raise exceeded("presence_follows", limit, "users")
    contacts = await chat.presence.visible(caller.actor, params.users)
    for id in params.users:
        if id in contacts:
            await chat.hub.enter(session, status_of(id))
    return (await _presences(chat, caller.actor, params.users))[0]


@run("presence.unfollow", "POST", "/presence/unfollow")
async def unfollow(chat: Chat, caller: Caller, params: PresenceQuery) -> Nothing:
    """Be told no more of these users' presence."""
    if caller.session is None:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "only a session can follow: use `call`, or unsubscribe")
    for id in params.users:
        await chat.hub.server_unsubscribe(caller.session, status_of(id))
    return Nothing()


@run("presence.set", "PUT", "/me/presence")
async def set_presence(chat: Chat, caller: Caller, params: SetPresence) -> Presence:
    """Say that one is away, or back.

    By `call` it is the device that calls; a user is away when all of its devices are. By REST it is all of the user's
    sessions.
    """
    user = caller.actor.user
    if not user:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "the server itself is neither here nor away")
    if caller.session is not None:
        chat.presence.set_away((caller.session,), params.away)
    else:
        await chat.presence.set_user_away(user, params.away)
    return Presence(user, chat.presence.of(user))


OPERATIONS: tuple[Operation[Any, Any], ...] = (query, follow, unfollow, set_presence)
