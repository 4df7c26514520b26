"""The door for new sessions: so many a second, and those who come too early are told when to come, one after another.

Ten thousand clients whose node was restarted come back in one moment. Taken in as they come, all of them would be slow
and many too late; here those who are let in are served at once, and each of the others is told a moment of its own.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from hubbub.clock import Clock
from hubbub.config import Config
from hubbub.errors import OVERLOAD, ErrorCode, HubbubError
from hubbub.hub.hub import Hub
from hubbub.hub.session import Session
from hubbub.model import Acknowledged, Connect, Reply

RESERVED = 0.25
"""The share of the burst that new sessions leave to those that are resumed."""
JITTER = 0.25
"""Seconds by which a moment that is told is put off at the most."""
SLACK = 1.02
"""How much slower than tokens come the moments are given out, so that tokens of those who do not come gather."""
LONGEST = 60.0
"""Seconds; who would have to wait for longer comes at some time in the second half of it, and sees."""
CRITICAL_WAIT = 3.0
"""Seconds that are added to the moments while there is too much load to let anybody new in."""


class Turnstile:
    """A token bucket, and the queue of the moments that were told to those who found it empty.

    Nobody is known again: whoever comes and finds a token is let in. Moments are given out no faster than tokens come,
    so those who keep to theirs find one.
    """

    def __init__(self, rate: float, burst: int, uniform: Callable[[], float] = random.random) -> None:
        """`rate` a second (0: all are let in), `burst` at once; `uniform` gives a number from 0 to 1."""
        self._rate = rate
        self._burst = float(burst)
        self._reserve = min(burst * RESERVED, burst - 1.0)
        # Tokens that nobody takes for longer than this are lost.
        self._jitter = min(JITTER, (burst - 1 - self._reserve) / rate) if rate > 0 else 0.0
        self._uniform = uniform
        self._tokens = self._burst
        self._at = 0.0
        self._told_new = 0.0  # the last moment that was told
        self._told_resumed = 0.0

    def enter(self, now: float, *, resumed: bool = False) -> float:
        """0.0 lets one in; else the seconds after which it may come again. `now` is monotonic seconds."""
        if self._rate <= 0:
            return 0.0
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)
        if self._tokens >= self._burst:
            self._told_new = self._told_resumed = 0.0  # nobody has come for a while
        needed = 1.0 if resumed else 1.0 + self._reserve
        if self._tokens >= needed - 1e-9:
            self._tokens -= 1.0
            return 0.0
        return self._tell(now, now + (needed - self._tokens) / self._rate, resumed)

    def give_back(self) -> None:
        """Who was let in last did not stay."""
        self._tokens = min(self._burst, self._tokens + 1.0)

    def later(self, now: float) -> float:
        """The seconds after which one may come again who was turned away for another reason; 0.0 without a rate."""
        return self._tell(now, now + 1.0 / self._rate, resumed=False) if self._rate > 0 else 0.0

    def _tell(self, now: float, free: float, resumed: bool) -> float:
        """The next moment that nobody was told; for a new session behind all those that are resumed."""
        gap = SLACK / self._rate
        last = self._told_resumed if resumed else max(self._told_new, self._told_resumed)
        wait = max(free, last + gap) - now
        if wait > LONGEST:
            return LONGEST * (1 + self._uniform()) / 2
        if resumed:
            self._told_resumed = now + wait
        else:
            self._told_new = now + wait
        return wait + self._jitter * self._uniform()


class Door:
    """What every kind of new session comes by. Whoever resumes one comes first, and is let in at any load."""

    def __init__(self, config: Config, clock: Clock, hub: Hub) -> None:
        self._hub = hub
        self._clock = clock
        self._turnstile = Turnstile(config.load.handshake_rate, config.load.handshake_burst)
        self._connect = hub.commands[Connect]
        hub.commands[Connect] = self._let_in

    def enter(self, *, resumed: bool = False) -> None:
        """Let a session in. Raises OVERLOADED, with the seconds after which to come again."""
        now = self._clock.monotonic()
        if self._hub.shedding.new and not resumed:
            # To be asked again costs, too: not by more in a second than would be let in.
            later = self._turnstile.later(now) or random.uniform(0, 10 * CRITICAL_WAIT)
            self._refuse("critical", CRITICAL_WAIT + later)
        if wait := self._turnstile.enter(now, resumed=resumed):
            self._refuse("handshake_rate", wait)

    def _refuse(self, limit: str, wait: float) -> None:
        self._hub.metrics.rejected[limit] += 1
        raise HubbubError(ErrorCode.OVERLOADED, retry_after=round(wait, 3))

    def later(self) -> float:
        """Seconds, one at least, after which to come again who finds too many in front of the door."""
        return max(1.0, self._turnstile.later(self._clock.monotonic()))

    async def _let_in(self, session: Session, command: Connect) -> Reply | Acknowledged | None:
        """`connect` of the native protocol, on whatever transport. Who is refused is not kept waiting with its
        connection open: there may be thousands of them."""
        if session.id or self._hub.draining:
            return await self._connect(session, command)
        try:
            self.enter(resumed=command.resume is not None)
        except HubbubError as error:
            session.refuse(command.id, error)
            if session.connection is not None:
                session.connection.close(OVERLOAD)
            return None
        try:
            return await self._connect(session, command)
        except HubbubError as error:
            if error.code is ErrorCode.SESSION_GONE:  # the same client will come as a new one
                self._turnstile.give_back()
            raise
