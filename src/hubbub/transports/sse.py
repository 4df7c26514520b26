"""`GET /v1/sse?channel=a&channel=b`: channels as server-sent events, for `EventSource` and `curl -N`, without an SDK.

Every event is a `message` whose data is one object of the native protocol: first a `subscribed` for each channel,
then publications, joins and leaves, and a `disconnect` before the server ends the stream. `id` is the recovery
cursor: for one channel its position, `epoch:offset`; for several their positions in the order of the URL, with
commas between and `-` where a channel keeps no log. `EventSource` sends it back as `Last-Event-ID`.

A stream that was opened with a ticket has a pass behind its cursors, `~<session>.<secret>`: `EventSource` reconnects
with the same URL, whose ticket is used up, and the pass lets it in again, once, within `sessions.resume_window`.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from hubbub.auth.tickets import Tickets
from hubbub.errors import DRAIN, REPLACED, SLOW, ErrorCode, HubbubError
from hubbub.hub import commands, handover
from hubbub.model import (
    Acknowledged,
    Advice,
    Command,
    Connect,
    DisconnectPush,
    ErrorReply,
    Invalid,
    Position,
    Principal,
    Publication,
    Push,
    Reply,
    SessionPush,
    Subscribe,
    Subscribed,
)
from hubbub.protocols.base import Codec, Encoding, Payload
from hubbub.transports import framing as wire
from hubbub.transports.http import Exchange
from hubbub.transports.mailbox import PROTOCOL
from hubbub.transports.node import Node
from hubbub.transports.streams import EventStream, OutboxConnection, connection_info

PATH = "/v1/sse"
RETRY_SPREAD = (50, 1_000)
"""Milliseconds after which an EventSource whose stream the server has ended comes back."""
_EPOCH = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_OFFSET = re.compile(r"[0-9]{1,15}", re.ASCII)
_PASS = re.compile(r"~([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]{1,64})\Z", re.ASCII)


def events(payloads: Sequence[Payload]) -> bytes:
    """Framing: the payloads are events already."""
    return payloads[0].data if len(payloads) == 1 else b"".join([payload.data for payload in payloads])


# --- the cursor -------------------------------------------------------------------------------------------


def parse_cursor(text: str | None, channels: int) -> list[Position | None]:
    """The positions that a Last-Event-ID stands for; all None if it is none of ours for so many channels.

    A position that was never given out does no harm: the log does not know it, so nothing is recovered.
    """
    unknown: list[Position | None] = [None] * channels
    parts = (text or "").split(",")
    if len(parts) != channels:
        return unknown
    positions: list[Position | None] = []
    for part in parts:
        epoch, _, offset = part.partition(":")
        if part == "-":
            positions.append(None)
        elif _EPOCH.fullmatch(epoch) and _OFFSET.fullmatch(offset):
            positions.append(Position(epoch, int(offset)))
        else:
            return unknown
    return positions


def cursor(positions: Sequence[Position | None], ending: str = "") -> str | None:
    """The `id` of an event after which the channels stand at `positions`; None if there is nothing to tell.

    `ending` is the stream's pass, if it has one."""
    if not any(positions) and not ending:
        return None
    return ",".join(f"{p.epoch}:{p.offset}" if p is not None else "-" for p in positions) + ending


def part_pass(text: str | None) -> tuple[str | None, tuple[str, str] | None]:
    """A Last-Event-ID as its cursors and its pass (session and secret)."""
    found = _PASS.search(text or "")
    return (text, None) if text is None or found is None else (text[: found.start()], (found[1], found[2]))


# --- encodings --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventEncoding:
    """Pushes as events. With `positioned` the id is the publication's own position: that of a stream of one channel.
    The same bytes for every such stream."""

    inner: Encoding
    positioned: bool
    ending: str = ""
    journaled: ClassVar[bool] = False

    def encode(self, push: Push, sequence: int = 0) -> Sequence[Payload]:
        id = None
        if self.positioned and type(push) is Publication and push.offset is not None:
            id = f"{push.epoch}:{push.offset}{self.ending}"
        return [Payload(wire.sse_event(payload.data, id=id)) for payload in self.inner.encode(push)]


class CursorEncoding:
    """Pushes as events of one stream of several channels, whose id tells where all of them stand."""

    journaled = False

    def __init__(
        self, inner: Encoding, channels: Sequence[str], positions: list[Position | None], ending: str
    ) -> None:
        self._inner = inner
        self._channels = channels
        self._positions = positions
        self._ending = ending

    def encode(self, push: Push, sequence: int = 0) -> Sequence[Payload]:
        id = None
        if type(push) is Publication and push.offset is not None and push.epoch is not None:
            self._positions[self._channels.index(push.channel)] = Position(push.epoch, push.offset)
            id = cursor(self._positions, self._ending)
        return [Payload(wire.sse_event(payload.data, id=id)) for payload in self._inner.encode(push)]


class ChannelsCodec:
    """The Codec of one stream: events out, and nothing in."""

    def __init__(self, inner: Codec, channels: Sequence[str], positions: list[Position | None]) -> None:
        self._inner = inner
        self._channels = channels
        self._positions = positions
        self.refusal: ErrorReply | None = None
        self._ending = ""
        self._composite: CursorEncoding | None = None

    def give_pass(self, session: str, secret: str) -> None:
        """Let the client in again by what its events say; to be called before the first of them."""
        self._ending = f"~{session}.{secret}"

    def receive(self, data: bytes | str) -> Sequence[Command | Invalid | Payload]:
        return ()

    def reply(self, reply: Reply | Acknowledged) -> Sequence[Payload]:
        """`subscribed` without its publications, which follow as events of their own."""
        if isinstance(reply, ErrorReply):
            self.refusal = reply
        if not isinstance(reply, Subscribed):
            return ()
        if not reply.publications:
            self._positions[self._channels.index(reply.channel)] = reply.position
        first = msgspec.structs.replace(reply, publications=())
        id = cursor(self._positions, self._ending)
        said = [Payload(wire.sse_event(payload.data, id=id)) for payload in self._inner.reply(first)]
        encoding = self.encoding(reply.channel)
        for publication in reply.publications:
            said.extend(encoding.encode(publication))
        return said

    def push(self, push: SessionPush) -> Sequence[Payload]:
        retry = None
        if isinstance(push, Advice):  # the browser comes back after this long
            retry = int(1000 * (push.reconnect_after + random.random() * push.spread))
        elif isinstance(push, DisconnectPush) and push.reconnect:
            retry = random.randrange(*RETRY_SPREAD)  # the server has spread the ends of its streams
        return [Payload(wire.sse_event(payload.data, retry=retry)) for payload in self._inner.push(push)]

    def encoding(self, channel: str) -> Encoding:
        if channel not in self._channels:
            return EventEncoding(self._inner.encoding(channel), positioned=False)  # entered by the server
        if len(self._channels) == 1:
            return EventEncoding(self._inner.encoding(channel), positioned=True, ending=self._ending)
        if self._composite is None:
            inner = self._inner.encoding(channel)
            self._composite = CursorEncoding(inner, self._channels, self._positions, self._ending)
        return self._composite


# --- the connection and the endpoint ----------------------------------------------------------------------


class ChannelStream(OutboxConnection):
    """The Connection of one EventSource. Its session ends with it: the cursor is all that the client keeps, unless a
    ticket opened it; then the session waits for the pass."""

    resumable = False

    def __init__(
        self, node: Node, exchange: Exchange, codec: ChannelsCodec, registry: set[OutboxConnection]
    ) -> None:
        info = connection_info(exchange.scope, "sse", PROTOCOL)
        super().__init__(node, exchange.scope, codec, events, info, registry)
        self._stream = EventStream(node, exchange, self.take, lambda: self.abort(SLOW))
        self._running = False
        self._allowance = float("inf")

    async def run(self) -> None:
        """Stream what the subscriptions brought, and then what comes."""
        self._running = True
        self._allowance = self._queued
        now = self._node.clock.monotonic()
        self._node.wheel.add(self, self._stream.beat(now))
        try:
            await self._stream.run()
        finally:
            self._running = False
            self.lost()

    def beat(self, now: float) -> float | None:
        """Called by the wheel."""
        return self._stream.beat(now) if self._running else None

    def _wake(self) -> None:
        self._stream.wake()

    def _finish(self) -> None:
        self._stream.end()

    def _cut(self) -> None:
        if self._running:
            self._stream.abort()


class EventSources:
    """The endpoint. The token is in `Authorization: Bearer`, `?token=` or, best in a URL, a one-use `?ticket=`."""

    def __init__(self, node: Node, tickets: Tickets) -> None:
        self._node = node
        self._tickets = tickets
        self._open: set[OutboxConnection] = set()

    def takes(self, method: str, path: str) -> bool:
        return path == PATH and method == "GET"

    async def answer(self, exchange: Exchange) -> None:
        """Everything that can be refused is, with a status, before the stream begins."""
        channels = self._channels(exchange)
        # A browser does not repeat a header that it was not given; a page may put the cursor into the URL.
        last = exchange.header(b"last-event-id") or exchange.query("last_event_id")
        cursors, proof = part_pass(last)
        positions = parse_cursor(cursors, len(channels))
        codec = ChannelsCodec(self._node.protocols[PROTOCOL].codec(), channels, list(positions))
        stream = ChannelStream(self._node, exchange, codec, self._open)
        opened = False
        try:
            async with asyncio.timeout(self._node.config.limits.handshake_timeout):
                await self._connect(exchange, stream, codec, channels, proof)
                for channel, since in zip(channels, positions, strict=True):
                    await self._subscribe(stream, channel, since)
            opened = True
        except TimeoutError:
            self._node.metrics.rejected["handshake_timeout"] += 1
            raise HubbubError(ErrorCode.TIMEOUT, "longer than limits.handshake_timeout") from None
        finally:
            if not opened:
                stream.lost()
        await stream.run()

    async def stop(self) -> None:
        for connection in list(self._open):
            connection.close(DRAIN)

    def _channels(self, exchange: Exchange) -> list[str]:
        channels = list(dict.fromkeys(exchange.query_all("channel")))
        limit = self._node.config.limits.subscriptions
        if not channels:
            raise HubbubError(ErrorCode.BAD_REQUEST, "name at least one ?channel=", field="channel")
        if len(channels) > limit:
            raise HubbubError(
                ErrorCode.LIMIT_EXCEEDED, f"limits.subscriptions = {limit} channels", field="channel"
            )
        return channels

    async def _connect(
        self,
        exchange: Exchange,
        stream: ChannelStream,
        codec: ChannelsCodec,
        channels: list[str],
        proof: tuple[str, str] | None,
    ) -> None:
        session, ticket = stream.session, exchange.query("ticket")
        assert session is not None
        self._node.door.enter(resumed=proof is not None)
        session.asker = stream  # nobody else sends commands to this session
        if ticket is not None:
            principal = (
                await self._readmit(*proof, channels)
                if proof is not None
                else await self._tickets.redeem(ticket, channels)
            )
            await commands.welcome(session, principal)
            codec.give_pass(session.id, session.secret)
            stream.resumable = True
        else:
            token = exchange.bearer() or exchange.query("token")
            await commands.connect(session, Connect(0, token))
        if (refusal := codec.refusal) is not None:
            raise HubbubError(ErrorCode(refusal.code), refusal.message, field=refusal.field)

    async def _readmit(self, session: str, secret: str, channels: list[str]) -> Principal:
        """Whom the pass of an earlier stream stands for, on whichever node; that stream and its session end.

        Raises TICKET_INVALID if there is no such session, or it was not in all of `channels`.
        """
        hub = self._node.hub
        try:
            old = await handover.resume(hub, session, secret)
        except HubbubError as error:
            if error.code is not ErrorCode.SESSION_GONE:
                raise
            raise HubbubError(ErrorCode.TICKET_INVALID) from None
        if not {*old.subscriptions, *old.away}.issuperset(channels):
            raise HubbubError(ErrorCode.TICKET_INVALID, "ticket was issued for other channels")
        hub.end(old, REPLACED)
        return old.principal

    async def _subscribe(self, stream: ChannelStream, channel: str, since: Position | None) -> None:
        session = stream.session
        if session is None:
            raise HubbubError(ErrorCode.SESSION_GONE)
        if channel in session.subscriptions:  # by the token; now with recovery
            await session.hub.server_unsubscribe(session, channel)
            stream.clear()
        await commands.subscribe(session, Subscribe(0, channel, since=since))
