"""The way of a push from the broker to the sockets: in order, without gaps, and only to those it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from hubbub.errors import INSUFFICIENT_STATE
from hubbub.hub.base import ChannelOwner
from hubbub.hub.channel import Channel
from hubbub.hub.journal import Unless
from hubbub.hub.recovery import merge
from hubbub.model import Envelope, Position, Publication
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.hub.hub import Hub

log = get_logger("hubbub.hub")

HEAL_LIMIT = 1_000
HEADS = 500
"""Channels whose heads are asked for at once."""


class Live:
    """The hub's listening side."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._unless = Unless(())  # of the last envelope that had one

    def on_push(self, envelope: Envelope) -> None:
        """The broker's listener: in order for each channel."""
        push = envelope.push
        channel = self._hub.channels.get(push.channel)
        if channel is None:
            if (listener := self._hub.listeners.get(push.channel)) is not None:
                listener(envelope)
            return
        if type(push) is Publication:
            if push.offset is not None:
                self._in_order(channel, envelope, push)
                return
            if channel.buffers:
                for buffer in channel.buffers:
                    buffer.append(push)
        self.broadcast(channel, envelope)

    def missed(self) -> None:
        """The broker may not have heard everything: whatever was missed is in the logs."""
        self._hub.spawn(self.check_heads(at_once=True))

    def broadcast(self, channel: Channel, envelope: Envelope) -> None:
        """Write to those on this node for whom it is."""
        if envelope.hidden:
            users = self._hub.users
            channel.broadcast(
                envelope, hidden={each.id for user in envelope.hidden for each in users.get(user, ())}
            )
        elif envelope.unless:
            channel.broadcast(envelope, self._passed_over(channel, envelope.unless))
        else:
            channel.broadcast(envelope)
        if channel.owner is not None:
            channel.owner.passed(envelope)

    def _passed_over(self, channel: Channel, names: tuple[str, ...]) -> set[str]:
        """The journaled sessions in `channel` that do not get what is published there `unless` ..."""
        if self._unless.names is not names:  # as it is for the first room of an emit
            self._unless = Unless(names)
        unless = self._unless.of(channel.name)
        found = set()
        for (encoding, _), members in channel.groups.items():
            if encoding.journaled:
                for connection, id in members.items():
                    session = connection.session
                    if session is not None and (
                        id in unless.sessions or not unless.channels.isdisjoint(session.subscriptions)
                    ):
                        found.add(id)
        return found

    def _in_order(self, channel: Channel, envelope: Envelope, push: Publication) -> None:
        assert push.offset is not None
        assert push.epoch is not None
        if channel.healing is not None:
            channel.healing.append(envelope)
            return
        last = channel.position
        if last is not None:
            if push.epoch == last.epoch and push.offset <= last.offset:
                return  # seen already
            if not follows(last, push):
                channel.healing = [envelope]
                self._hub.spawn(self._heal(channel))
                return
        self._deliver(channel, envelope, push)

    def _deliver(self, channel: Channel, envelope: Envelope, push: Publication) -> None:
        assert push.offset is not None
        assert push.epoch is not None
        channel.position = Position(push.epoch, push.offset)
        channel.touched = self._hub.clock.monotonic()
        if channel.buffers:
            for buffer in channel.buffers:
                buffer.append(push)
        if channel.retention.conflate and channel.options.conflate_interval > 0:
            channel.conflate(push.conflation_key or push.event, envelope)
        else:
            self.broadcast(channel, envelope)

    async def _heal(self, channel: Channel) -> None:
        """A live publication was missed: fill in from the log, or tell the subscribers that state is lost.

        What is heard meanwhile waits in `channel.healing`. When the log cannot be read, the next publication or head
        check finds the same gap again.
        """
        healed = channel.healed = asyncio.Event()
        since = channel.position
        waiting: list[Envelope] = []
        try:
            try:
                history = await self._hub.read_log(channel.name, since, HEAL_LIMIT)
            finally:
                waiting, channel.healing = channel.healing or [], None
            heard = [envelope.push for envelope in waiting if isinstance(envelope.push, Publication)]
            # A log that neither fills the gap nor has anything new would be asked again for ever.
            stuck = not history.publications and not merge(since, history, heard).joined
            if lost := not history.complete or history.more or stuck:
                self._lose(channel, history.position)
            else:
                self._hub.metrics.gaps["healed"] += bool(history.publications)
                for publication in history.publications:
                    self._deliver(channel, Envelope(publication), publication)
            for envelope, push in zip(waiting, heard, strict=True):
                if not lost or follows(channel.position, push):
                    self._in_order(channel, envelope, push)
        finally:
            healed.set()

    def _lose(self, channel: Channel, head: Position) -> None:
        """The subscribers must come back, and are then told what they missed or that it is lost."""
        self._hub.metrics.gaps["lost"] += 1
        channel.position = head
        for away in self._hub.detached.values():
            if away.trail is not None and channel.name in away.away:
                away.trail.lose()
        for members in list(channel.groups.values()):
            for connection in list(members):
                if (session := connection.session) is not None and session.trail is not None:
                    session.trail.lose()
                connection.close(INSUFFICIENT_STATE)

    async def catch_up(self, channel: Channel, head: Position) -> None:
        """Bring the live stream, where it is behind, to where the log was seen to be."""
        while channel.healing is not None:
            await channel.healed.wait()
        last = channel.position
        if last is not None and (last.epoch != head.epoch or last.offset < head.offset):
            channel.healing = []
            await self._heal(channel)

    async def check_heads(self, *, at_once: bool = False) -> None:
        """Compare idle channels with their logs, so that a lost last message is found; `at_once`: all channels."""
        now = self._hub.clock.monotonic()
        idle_since = now - self._hub.config.broker.head_check
        owned: dict[ChannelOwner, list[Channel]] = {}
        for channel in list(self._hub.channels.values()):
            if channel.position is None or channel.healing is not None:
                continue
            owner = channel.owner
            if (owner or self._hub.broker).lossless or (channel.touched > idle_since and not at_once):
                continue
            channel.touched = now
            if owner is not None:
                owned.setdefault(owner, []).append(channel)
                continue
            await self._check([channel], self._head)
        for owner, channels in owned.items():
            for start in range(0, len(channels), HEADS):
                await self._check(channels[start : start + HEADS], owner.heads)

    async def _head(self, channels: Sequence[str]) -> dict[str, Position]:
        return {name: (await self._hub.read_log(name, None, 0)).position for name in channels}

    async def _check(
        self, channels: list[Channel], heads: Callable[[Sequence[str]], Awaitable[dict[str, Position]]]
    ) -> None:
        try:
            found = await heads([channel.name for channel in channels])
            for channel in channels:
                if channel.name in found:
                    await self.catch_up(channel, found[channel.name])
        except Exception as error:
            log.error("head check failed", channel=channels[0].name, exc_info=error)


def follows(last: Position | None, push: Publication) -> bool:
    """Whether `push` is the one after `last` in its log."""
    return last is not None and push.epoch == last.epoch and push.offset == last.offset + 1
