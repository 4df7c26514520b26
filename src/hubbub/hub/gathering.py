"""Changes that are told later, as what has changed in the end: how presence is sampled while there is too much load.

Nobody is left with a wrong picture. Who came and went meanwhile is not told of; whatever differs from what was told
last is.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

from hubbub.clock import Clock, Timer
from hubbub.model import Envelope, Join, Leave, Member

if TYPE_CHECKING:
    from hubbub.hub.hub import Hub

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SLICE = 500
"""Changes that are told in one turn of the loop."""


class Gathering(Generic[K, V]):
    """`tell(key, before, after)` is called at once while `delay()` is 0, and that many seconds after the first change
    otherwise. `left_out` is called with the number of changes that were not told."""

    def __init__(
        self,
        clock: Clock,
        delay: Callable[[], float],
        tell: Callable[[K, V, V], object],
        left_out: Callable[[int], object],
    ) -> None:
        self._clock, self._delay = clock, delay
        self._tell, self._left_out = tell, left_out
        self._waiting: dict[K, tuple[V, V]] = {}
        self._timer: Timer | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def change(self, key: K, before: V, after: V) -> None:
        """What `key` stands for was `before`, and is `after`."""
        delay = self._delay()
        if not delay and not self._waiting:
            self._tell(key, before, after)
            return
        earlier = self._waiting.get(key)
        if earlier is not None:
            before = earlier[0]
            self._left_out(1)
        self._waiting[key] = before, after
        if self._timer is None:
            self._timer = self._clock.call_later(delay, self._flush)

    def stop(self) -> None:
        """Forget what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._waiting.clear()

    def _flush(self) -> None:
        waiting = self._waiting
        for key in list(waiting)[:SLICE]:
            before, after = waiting.pop(key)
            if before == after:
                self._left_out(1)
            else:
                self._tell(key, before, after)
        self._timer = self._clock.call_later(0, self._flush) if waiting else None


class Joins:
    """The joins and leaves of channels, gathered for as long as the hub gives up to tell them at once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._gathering: Gathering[tuple[str, str], Member | None] = Gathering(
            hub.clock, lambda: hub.shedding.presence, self._tell, hub.metrics.shed_presence
        )

    def __bool__(self) -> bool:
        """Whether there is a reason to gather."""
        return bool(self._hub.shedding.presence or len(self._gathering))

    def put(self, push: Join | Leave) -> None:
        key = push.channel, push.member.user or push.member.session
        if type(push) is Join:
            self._gathering.change(key, None, push.member)
        else:
            self._gathering.change(key, push.member, None)

    def stop(self) -> None:
        self._gathering.stop()

    def _tell(self, key: tuple[str, str], before: Member | None, after: Member | None) -> None:
        channel, _ = key
        push: Join | Leave
        if after is not None:
            if before is not None and before.info == after.info:
                return  # another session of a user who was there
            push = Join(channel, after)
        else:
            assert before is not None, "it differs"
            push = Leave(channel, before)
        self._hub.spawn(self._publish(push))

    async def _publish(self, push: Join | Leave) -> None:
        await self._hub.broker.publish(Envelope(push))
