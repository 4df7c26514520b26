"""One-use tickets, for clients that can put their credentials only in a URL, such as `EventSource`.

A token in a URL ends up in logs and histories. A ticket that does is worthless: it has been used, or is a few
seconds from its end. `EventSource` reconnects with the same URL: the stream's own resume state must let it back
in then.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

from hubbub.clock import Clock
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Principal

PER_USER = 16


@dataclass(frozen=True, slots=True)
class _Ticket:
    principal: Principal
    channels: frozenset[str] | None
    deadline: float


@dataclass(slots=True)
class Tickets:
    """The tickets that are out: `per_user` of each user at most, for `ttl` seconds. Only digests are kept."""

    clock: Clock
    ttl: float
    per_user: int = PER_USER
    _tickets: dict[bytes, _Ticket] = field(default_factory=dict, repr=False)
    _counts: dict[str, int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self._tickets)

    def issue(self, principal: Principal, channels: Iterable[str] | None = None) -> str:
        """A ticket that stands for `principal`; with `channels`, for use with those only. 256 random bits.

        Raises UNAUTHENTICATED for an anonymous principal, which needs no ticket, and RATE_LIMITED when the user
        has too many unused ones.
        """
        if principal.anonymous:
            raise HubbubError(
                ErrorCode.UNAUTHENTICATED, "not authenticated: tickets are for users with a token"
            )
        now = self.clock.monotonic()
        self._expire(now)
        user = principal.user
        if self._counts.get(user, 0) >= self.per_user:
            raise HubbubError(
                ErrorCode.RATE_LIMITED,
                f"too many unused tickets: a user may have {self.per_user}",
                retry_after=min(t.deadline for t in self._tickets.values() if t.principal.user == user) - now,
            )
        ticket = secrets.token_urlsafe(32)
        wanted = None if channels is None else frozenset(channels)
        self._tickets[_digest(ticket)] = _Ticket(principal, wanted, now + self.ttl)
        self._counts[user] = self._counts.get(user, 0) + 1
        return ticket

    def redeem(self, ticket: str, channels: Iterable[str] = ()) -> Principal:
        """Whom the ticket stands for; it is used up by this, whatever comes of it.

        Raises TICKET_INVALID if it is unknown, used or expired, its token has expired in the meantime, or any
        of `channels` is not one that it was issued for. The channels have still to be authorized as always.
        """
        digest = _digest(ticket)
        known = self._tickets.get(digest)
        if known is None:
            raise HubbubError(ErrorCode.TICKET_INVALID)
        self._remove(digest, known)
        expires = known.principal.expires
        if self.clock.monotonic() >= known.deadline or (expires is not None and self.clock.now() >= expires):
            raise HubbubError(ErrorCode.TICKET_INVALID)
        if known.channels is not None and not known.channels.issuperset(channels):
            raise HubbubError(ErrorCode.TICKET_INVALID, "ticket was issued for other channels")
        return known.principal

    def _expire(self, now: float) -> None:
        # All live equally long, so the dict's order is that of their deadlines.
        while self._tickets:
            digest, ticket = next(iter(self._tickets.items()))
            if ticket.deadline > now:
                return
            self._remove(digest, ticket)

    def _remove(self, digest: bytes, ticket: _Ticket) -> None:
        del self._tickets[digest]
        user = ticket.principal.user
        self._counts[user] -= 1
        if not self._counts[user]:
            del self._counts[user]


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).digest()
