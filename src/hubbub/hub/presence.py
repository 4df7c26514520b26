"""Keeping the presence store in step with the subscriptions of this node's sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from msgspec import UNSET

from hubbub.clock import Clock
from hubbub.model import Join, Leave, Member, Raw
from hubbub.presence.base import PresenceStore
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.hub.channel import Channel
    from hubbub.hub.session import Session

log = get_logger("hubbub.hub")

CROWDED = 1.0
"""Seconds for which a channel that is too large for joins and leaves is not counted again."""


class Attendance:
    """One at a time for a session and a channel: what changes while the store is being asked is looked at after it,
    so that a slow store neither keeps a ghost nor forgets who came back."""

    def __init__(
        self,
        store: PresenceStore,
        lease: float,
        announce: Callable[[Channel, Join | Leave], Awaitable[None]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._lease = lease
        self._announce = announce
        self._clock = clock
        self._crowded: dict[str, float] = {}  # until when they are held so
        self._moving: set[tuple[str, str]] = set()

    async def settle(self, session: Session, channel: Channel) -> None:
        """To be called after every change of whether `session` is in `channel`. Failures are logged."""
        if channel.options.presence == "off":
            return
        key = session.id, channel.name
        if key in self._moving:
            return
        self._moving.add(key)
        try:
            settled = None
            while (present := session.present_in(channel.name)) is not settled:
                await (self._enter if present else self._leave)(session, channel)
                settled = present
        except Exception as error:
            log.error("presence failed", session=session.id, channel=channel.name, exc_info=error)
        finally:
            self._moving.discard(key)

    async def crowded(self, channel: Channel) -> bool:
        """Whether more sessions than the namespace's `presence_limit` are in the channel on all nodes together, as far
        as the store knows; it is asked once a second where they are."""
        now = self._clock.monotonic()
        if self._crowded.get(channel.name, now) > now:
            return True
        there = await self._store.members(channel.name, 0)
        if there.sessions <= channel.options.presence_limit:
            return False
        self._crowded = {name: until for name, until in self._crowded.items() if until > now}
        self._crowded[channel.name] = now + CROWDED
        return True

    async def _enter(self, session: Session, channel: Channel) -> None:
        info = session.principal.info
        member = Member(session.id, session.user, UNSET if info is None else Raw(info))
        if await self._store.touch(channel.name, member, self._lease):
            await self._announce(channel, Join(channel.name, member))

    async def _leave(self, session: Session, channel: Channel) -> None:
        member = await self._store.remove(channel.name, session.id)
        if member is not None:
            await self._announce(channel, Leave(channel.name, member))
