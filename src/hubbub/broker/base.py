"""The Broker port: carries publications between nodes and keeps channel logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from hubbub.engines.base import Condition
from hubbub.model import NO_RETENTION, Envelope, History, Position, Retention


class Accepted(Struct, frozen=True, gc=False):
    """What became of a publish: its place in the log (None without retention), its id, and whether the same key had
    already published it, in which case nothing was sent again and these are the first one's values."""

    position: Position | None
    id: str
    duplicate: bool = False


def nothing() -> None: ...


class Broker(Protocol):
    """See `hubbub.testing.contracts.BrokerContract` for the promises in executable form."""

    async def start(
        self, listener: Callable[[Envelope], object], missed: Callable[[], object] = nothing
    ) -> None:
        """Begin. `listener` is called with every envelope of a subscribed channel, in order per channel; `missed`
        whenever this node may not have heard all of them, and hears again: heads are to be checked at once.

        It does not fail because what is behind it is down: that is `condition`'s to say, and it goes on trying.
        """

    async def stop(self) -> None: ...

    async def subscribe(self, channel: str) -> None:
        """This node wants `channel`. Once it returns, nothing published later is missed."""

    async def unsubscribe(self, channel: str) -> None: ...

    async def publish(
        self, envelope: Envelope, retention: Retention = NO_RETENTION, *, key: str | None = None
    ) -> Accepted:
        """Append (if retained, giving the publication its epoch and offset) and publish, as one step.

        `key` is the idempotency key, already made unique to its sender; it is one of the channel's. Raises HubbubError
        IDEMPOTENCY_CONFLICT when the key was used with another event or other data, BROKER_UNAVAILABLE when it is not
        known whether anything was published.

        A publication that has its offset already (a conversation's) is carried, and kept elsewhere: it is delivered on
        this node before this returns, whatever becomes of it on the way to the others, and nothing is raised. One that
        is kept nowhere is delivered on this node at least.
        """

    async def history(
        self,
        channel: str,
        retention: Retention,
        *,
        since: Position | None = None,
        limit: int = 100,
        reverse: bool = False,
    ) -> History:
        """The log after `since` (before it, newest first, with `reverse`), at most `limit` publications.

        Without `since` it is the oldest (newest) that are kept. `limit=0` gives the head's Position alone.
        A log that does not exist yet is begun, so that a Position is always there to resume from.
        """

    async def channels(self, prefix: str = "", limit: int = 1000) -> list[str]:
        """Names of channels with a log or a subscriber, in order."""

    @property
    def condition(self) -> Condition:
        """Whether what other nodes publish is heard here now."""

    @property
    def lossless(self) -> bool:
        """True where a live push cannot be missed, so that heads need no checking (the memory broker)."""
