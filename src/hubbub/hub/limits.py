"""Limits of what a session and a user may use: rates (GCRA: a token bucket whose whole state is one number), and how
many sessions a user may have."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol

from hubbub.clock import Clock
from hubbub.errors import ErrorCode, HubbubError
from hubbub.state.base import State
from hubbub.telemetry.logging import get_logger
from hubbub.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from hubbub.hub.hub import Hub

log = get_logger("hubbub.hub")

BUCKETS = 65_536
GATHER = 0.05
"""Seconds for which what is spent is gathered, before the shared bucket is charged for it."""


class Rate:
    """`rate` events a second, `burst` at once. A rate of 0 allows everything.

    The state of one client is its "theoretical arrival time": pass the old one in, keep the new one.
    """

    __slots__ = ("burst", "interval", "rate", "tolerance")

    def __init__(self, rate: float, burst: int) -> None:
        self.rate = rate
        self.burst = burst
        self.interval = 1 / rate if rate > 0 else 0.0
        self.tolerance = self.interval * max(burst - 1, 0)

    def take(self, arrival: float, now: float) -> float:
        """The new state; negative when the event is over the limit, minus the seconds to wait."""
        if arrival < now:
            arrival = now
        wait = arrival - self.tolerance - now
        return -wait if wait > 1e-9 else arrival + self.interval


class Buckets:
    """A token bucket for each user, out of which all its sessions spend. Those that are full again are forgotten, and
    of more than `size` the fullest.

    With a `state` that several nodes share, a user's buckets on all of them are one. Nobody waits for it: what is spent
    comes out of the bucket here, and a moment later the shared one is charged for it, whose answer says how full that
    is; the bucket here is never fuller. So in the time that this takes, nodes together may let more through than the
    burst. It is owed: until it has been made up for, nothing is. A State that does not answer leaves each node its own
    buckets.
    """

    def __init__(
        self,
        name: str,
        rate: Rate,
        clock: Clock,
        metrics: Metrics,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        size: int = BUCKETS,
    ) -> None:
        """`name` is that of the setting; `spawn` runs in the background."""
        self.name = name
        self.state: State | None = None
        self._rate = rate
        self._clock = clock
        self._metrics = metrics
        self._spawn = spawn
        self._size = size
        self._arrivals: dict[str, float] = {}
        self._spent: dict[str, int] = {}  # for which the shared buckets are still to be charged
        self._charging = False
        self._down = False

    def __len__(self) -> int:
        return len(self._arrivals)

    def take(self, user: str) -> float:
        """Spend one. 0.0, or the seconds to wait, and nothing was taken."""
        if not self._rate.interval:
            return 0.0
        arrival = self._arrivals.get(user)
        if arrival is None:
            arrival = 0.0
            if len(self._arrivals) >= self._size:
                self._forget()
        after = self._rate.take(arrival, self._clock.monotonic())
        if after < 0:
            return -after
        self._arrivals[user] = after
        if self.state is not None:
            self._spent[user] = self._spent.get(user, 0) + 1
            if not self._charging:
                self._charging = True
                self._clock.call_later(GATHER, self._flush)
        return 0.0

    def spend(self, user: str) -> None:
        """The same. Raises RATE_LIMITED, saying when to try again."""
        if wait := self.take(user):
            self._metrics.rejected[self.name] += 1
            raise HubbubError(
                ErrorCode.RATE_LIMITED, f"more than limits.{self.name}", retry_after=round(wait, 3)
            )

    def _forget(self) -> None:
        now = self._clock.monotonic()
        self._arrivals = {user: arrival for user, arrival in self._arrivals.items() if arrival > now}
        if len(self._arrivals) > self._size // 2:
            emptiest = heapq.nlargest(self._size // 2, self._arrivals.items(), key=lambda item: item[1])
            self._arrivals = dict(emptiest)

    # --- the shared ones ----------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._spawn(self._charge_all())

    async def _charge_all(self) -> None:
        spent, self._spent = self._spent, {}
        try:
            await asyncio.gather(*[self._charge(user, count) for user, count in spent.items()])
        except Exception as error:
            # What was spent is forgotten, for the shared buckets have been filling meanwhile.
            self._metrics.rates_local += len(spent)
            if not self._down:
                log.warning("rates are not shared: each node has its own", error=str(error))
            self._down = True
        else:
            self._down = False
        finally:
            self._charging = bool(self._spent)
            if self._charging:
                self._clock.call_later(GATHER, self._flush)

    async def _charge(self, user: str, count: int) -> None:
        assert self.state is not None
        rate = self._rate
        full_in = await self.state.charge(_key(self.name, user), rate.rate, rate.burst, count)
        full = self._clock.monotonic() + full_in + self._spent.get(user, 0) * rate.interval
        self._arrivals[user] = max(self._arrivals.get(user, 0.0), full)


def _key(name: str, user: str) -> str:
    """Of fixed length, whatever the user is called."""
    digest = blake2b(user.encode(errors="surrogatepass"), digest_size=16, person=b"hubbub.rate")
    return f"rate:{name}:{digest.hexdigest()}"


# --- sessions of a user -----------------------------------------------------------------------------------------


class Elsewhere(Protocol):
    """The sessions that users have on other nodes, where there are some (`Hub.elsewhere`). Never waits."""

    def count(self, user: str) -> int:
        """As far as is known here."""

    def make_room(self, user: str) -> bool:
        """Have another node end a session whose client is away. False if none is known."""


def make_room(hub: Hub, user: str) -> None:
    """For one more session of `user`. Raises LIMIT_EXCEEDED above `connections_per_user`.

    Sessions whose client is away make room first, the longest away at the head.
    """
    limit = hub.config.limits.connections_per_user
    here, elsewhere = hub.users.get(user, ()), hub.elsewhere
    if len(here) + (elsewhere.count(user) if elsewhere is not None else 0) < limit:
        return
    away = next((session for session in here if session.id in hub.detached), None)
    if away is not None:
        hub.end(away, None)
    elif elsewhere is None or not elsewhere.make_room(user):
        hub.metrics.rejected["connections_per_user"] += 1
        raise HubbubError(
            ErrorCode.LIMIT_EXCEEDED, f"limits.connections_per_user = {limit} sessions of this user"
        )
