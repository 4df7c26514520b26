"""The way of a push from the broker to the sockets: in order, without gaps, and only to those it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from hubbub.errors import INSUFFICIENT_STATE, HubbubError
from hubbub.hub.base import ChannelOwner
from hubbub.hub.channel import Channel
from hubbub.hub.echo import Echoes
from hubbub.hub.journal import Unless
from hubbub.hub.recovery import merge
from hubbub.model import Envelope, Position, Publication
from hubbub.telemetry.logging import get_logger

if TYPE_CHECKING:
    from hubbub.hub.hub import Hub

log = get_logger("hubbub.hub")

HEAL_LIMIT = 1_000
HEADS = 500
"""Channels whose heads their owner is asked for at once."""
READS = 100
"""Logs of the broker that are read at once."""


class Live:
    """The hub's listening side."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._unless = Unless(())  # of the last envelope that had one
        self._checking = self._again = False
        self.echoes = Echoes(hub)

    def on_push(self, envelope: Envelope) -> None:
        """The broker's listener: in order for each channel."""
        self._take(envelope)
        if self.echoes.waiting and isinstance(push := envelope.push, Publication):
            self.echoes.heard(push.id)

    def _take(self, envelope: Envelope) -> None:
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
            if channel.owner is not None:
                sifted = channel.owner.sift(envelope)
                if sifted is None:
                    return
                envelope = sifted
            if channel.buffers and type(told := envelope.push) is Publication:
                for buffer in channel.buffers:
                    buffer.append(told)
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
            if channel.early is not None and follows(channel.position, push):
                self._overtaken(channel)
            return
        last = channel.position
        if last is not None:
            if push.epoch == last.epoch and push.offset <= last.offset:
                return  # seen already
            if not follows(last, push):
                channel.healing = [envelope]
                window = self._hub.config.cluster.reorder_window
                if window and channel.owner is not None and not self._hub.broker.lossless:
                    # Nodes that write one log publish in any order: the one before may be on its way.
                    channel.healed = asyncio.Event()
                    channel.early = self._hub.clock.call_later(window, partial(self._late, channel))
                else:
                    self._hub.spawn(self._mend(channel))
                return
        self._deliver(channel, envelope, push)

    def _overtaken(self, channel: Channel) -> None:
        """The publication that was waited for has come."""
        waiting, channel.healing = channel.healing or [], None
        assert channel.early is not None
        channel.early.cancel()
        channel.early = None
        channel.healed.set()
        self._hub.metrics.gaps["reordered"] += 1
        for envelope in _in_log_order(waiting):
            assert isinstance(envelope.push, Publication)
            self._in_order(channel, envelope, envelope.push)

    def _late(self, channel: Channel) -> None:
        channel.early = None
        self._hub.spawn(self._mend(channel))

    async def _mend(self, channel: Channel) -> None:
        try:
            await self._heal(channel)
        except HubbubError as error:
            log.warning("a gap could not be healed now", channel=channel.name, error=error.message)

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
        if channel.healed.is_set():
            channel.healed = asyncio.Event()
        healed = channel.healed
        since = channel.position
        waiting: list[Envelope] = []
        try:
            try:
                history = await self._hub.read_log(channel.name, since, HEAL_LIMIT)
            finally:
                waiting, channel.healing = channel.healing or [], None
            waiting = _in_log_order(waiting)
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
        """Compare idle channels with their logs, so that a lost last message is found; `at_once`: all channels.

        One pass at a time: what is asked for during one is done behind it.
        """
        if self._checking:
            self._again = self._again or at_once
            return
        self._checking = True
        try:
            await self._check_all(at_once)
            while self._again:
                self._again = False
                await self._check_all(True)
        finally:
            self._checking = False

    async def _check_all(self, at_once: bool) -> None:
        now = self._hub.clock.monotonic()
        idle_since = now - self._hub.config.broker.head_check
        groups: dict[ChannelOwner | None, list[Channel]] = {}
        for channel in list(self._hub.channels.values()):
            if channel.position is None or channel.healing is not None:
                continue
            owner = channel.owner
            if (owner or self._hub.broker).lossless or (channel.touched > idle_since and not at_once):
                continue
            groups.setdefault(owner, []).append(channel)
        for owner, channels in sorted(groups.items(), key=lambda group: group[0] is None):
            if owner is None and not self._hub.broker.condition.up:
                continue  # their logs are out of reach, too; `missed` comes when they are not
            most = HEADS if owner is not None else READS
            for start in range(0, len(channels), most):
                if not await self._check(
                    channels[start : start + most], owner.heads if owner else self._heads
                ):
                    break
                for channel in channels[start : start + most]:
                    channel.touched = now

    async def _heads(self, channels: Sequence[str]) -> dict[str, Position]:
        histories = await asyncio.gather(*(self._hub.read_log(name, None, 0) for name in channels))
        return {name: history.position for name, history in zip(channels, histories, strict=True)}

    async def _check(
        self, channels: list[Channel], heads: Callable[[Sequence[str]], Awaitable[dict[str, Position]]]
    ) -> bool:
        """False if the logs could not be read."""
        try:
            found = await heads([channel.name for channel in channels])
            for channel in channels:
                if channel.name in found:
                    await self.catch_up(channel, found[channel.name])
        except HubbubError as error:
            log.warning("heads could not be checked", channel=channels[0].name, error=error.message)
            return False
        except Exception as error:
            log.error("head check failed", channel=channels[0].name, exc_info=error)
        return True


def _in_log_order(waiting: list[Envelope]) -> list[Envelope]:
    """By offset, where those of one epoch can be compared."""
    if len({envelope.push.epoch for envelope in waiting if isinstance(envelope.push, Publication)}) > 1:
        return waiting
    return sorted(waiting, key=_offset)


def _offset(envelope: Envelope) -> int:
    assert isinstance(envelope.push, Publication)
    return envelope.push.offset or 0


def follows(last: Position | None, push: Publication) -> bool:
    """Whether `push` is the one after `last` in its log."""
    return last is not None and push.epoch == last.epoch and push.offset == last.offset + 1
