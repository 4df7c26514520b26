"""An owner of channels, for tests: logs in memory, and who may read what as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.hub import Hub
from hubbub.model import Envelope, History, Operation, Position, Principal, Publication, Raw

EPOCH = "own"


class Owner:
    """Owns `own:`. `refused` are users who may not enter; `floors` say after which offset a user may read."""

    def __init__(self, hub: Hub, *, lossless: bool = True) -> None:
        self.hub = hub
        self.lossless = lossless
        self.logs: dict[str, list[Publication]] = {}
        self.refused: set[str] = set()
        self.failing = False
        self.floors: dict[str, int] = {}
        self.seen: list[str] = []
        self.reads: list[str | None] = []
        self.asked: list[list[str]] = []
        self.gate: asyncio.Event | None = None
        hub.own("own", self)

    async def authorize(self, principal: Principal, operation: Operation, channel: str) -> None:
        if operation == "publish" or principal.user in self.refused:
            raise HubbubError(ErrorCode.PERMISSION_DENIED, field="channel")

    async def history(
        self, channel: str, *, since: Position | None, limit: int, reverse: bool, reader: str | None
    ) -> History:
        self.reads.append(reader)
        if self.failing:
            raise HubbubError(ErrorCode.STORE_UNAVAILABLE)
        if reader in self.refused:
            raise HubbubError(ErrorCode.PERMISSION_DENIED, field="channel")
        log = list(self.logs.get(channel, ()))
        if self.gate is not None:
            await self.gate.wait()
        floor = self.floors.get(reader or "", 0)
        after = max(floor, since.offset if since is not None else 0)
        found = [each for each in log if (each.offset or 0) > after]
        if reverse:
            found.reverse()
        return History(Position(EPOCH, len(log)), tuple(found[:limit]), more=len(found) > limit)

    async def heads(self, channels: Sequence[str]) -> dict[str, Position]:
        self.asked.append(list(channels))
        return {channel: self.head(channel) for channel in channels}

    def sift(self, envelope: Envelope) -> Envelope | None:
        return envelope

    def passed(self, envelope: Envelope) -> None:
        assert isinstance(envelope.push, Publication)
        self.seen.append(envelope.push.event)

    def head(self, channel: str) -> Position:
        return Position(EPOCH, len(self.logs.get(channel, ())))

    def append(self, channel: str, event: str = "event", data: Any = None) -> Publication:
        """Write, and tell nobody."""
        log = self.logs.setdefault(channel, [])
        made = Publication(
            channel, event, Raw(msgspec.json.encode(data)), f"{len(log)}", None, 0.0, EPOCH, len(log) + 1
        )
        log.append(made)
        return made

    async def publish(self, channel: str, event: str = "event", data: Any = None) -> Publication:
        made = self.append(channel, event, data)
        await self.hub.broker.publish(Envelope(made))
        return made
