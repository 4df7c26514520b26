"""One-use tickets, for clients that can put their credentials only in a URL, such as `EventSource`.

A token in a URL ends up in logs and histories. A ticket that does is worthless: it has been used, or is a few
seconds from its end. `EventSource` reconnects with the same URL: the stream's own resume state must let it back
in then.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from hubbub.clock import Clock
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Principal
from hubbub.state.base import VALUE_BYTES, State
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.auth")

PER_USER = 16


class _Ticket(Struct, frozen=True):
    principal: Principal
    channels: frozenset[str] | None


class Tickets:
    """The tickets that are out: `per_user` of each user at most, for `ttl` seconds. They stand in State, so that each
    node takes those of the others, and only their digests are kept.

    Whatever asks State raises HubbubError BROKER_UNAVAILABLE when it does not answer.
    """

    def __init__(self, state: State, clock: Clock, ttl: float, per_user: int = PER_USER) -> None:
        self.ttl = ttl
        self.per_user = per_user
        self._state = state
        self._clock = clock

    async def issue(self, principal: Principal, channels: Iterable[str] | None = None) -> str:
        """A ticket that stands for `principal`; with `channels`, for use with those only. 256 random bits.

        Raises UNAUTHENTICATED for an anonymous principal, which needs no ticket, RATE_LIMITED when the user has too
        many unused ones, and VALIDATION_FAILED for more than fits into State.
        """
        if principal.anonymous:
            raise HubbubError(
                ErrorCode.UNAUTHENTICATED, "not authenticated: tickets are for users with a token"
            )
        ticket = secrets.token_urlsafe(32)
        digest = _digest(ticket)
        wanted = None if channels is None else frozenset(channels)
        kept = msgspec.msgpack.encode(_Ticket(principal, wanted))
        if len(kept) > VALUE_BYTES:
            raise HubbubError(
                ErrorCode.VALIDATION_FAILED, "channels: too many for one ticket", field="channels"
            )
        await self._book(principal.user, digest)
        await self._state.put(f"ticket:{digest}", kept, self.ttl)
        return ticket

    async def redeem(self, ticket: str, channels: Iterable[str] = ()) -> Principal:
        """Whom the ticket stands for; it is used up by this, whatever comes of it.

        Raises TICKET_INVALID if it is unknown, used or expired, its token has expired in the meantime, or any
        of `channels` is not one that it was issued for. The channels have still to be authorized as always.
        """
        digest = _digest(ticket)
        kept = await self._state.take(f"ticket:{digest}")
        if kept is None:
            raise HubbubError(ErrorCode.TICKET_INVALID)
        known = msgspec.msgpack.decode(kept, type=_Ticket)
        try:
            await self._cross_out(known.principal.user, digest)
        except HubbubError as error:
            log.warning("a used ticket counts until it would have ended", error=error.message)
        expires = known.principal.expires
        if expires is not None and self._clock.now() >= expires:
            raise HubbubError(ErrorCode.TICKET_INVALID)
        if known.channels is not None and not known.channels.issuperset(channels):
            raise HubbubError(ErrorCode.TICKET_INVALID, "ticket was issued for other channels")
        return known.principal

    async def _book(self, user: str, digest: str) -> None:
        """Count a new one. Of several nodes that do so at once one succeeds, and the others look again."""
        key = _list_of(user)
        while True:
            old = await self._state.get(key)
            now = self._clock.now()
            out = {each: end for each, end in _read(old).items() if end > now}
            if len(out) >= self.per_user:
                raise HubbubError(
                    ErrorCode.RATE_LIMITED,
                    f"too many unused tickets: a user may have {self.per_user}",
                    retry_after=min(out.values()) - now,
                )
            out[digest] = now + self.ttl
            if await self._state.swap(key, old, msgspec.msgpack.encode(out), self.ttl):
                return

    async def _cross_out(self, user: str, digest: str) -> None:
        key = _list_of(user)
        while (old := await self._state.get(key)) is not None:
            out = _read(old)
            if out.pop(digest, None) is None:
                return
            if await self._state.swap(key, old, msgspec.msgpack.encode(out), self.ttl):
                return


def _read(kept: bytes | None) -> dict[str, float]:
    """Of the digests of a user's tickets: until when they count, in Unix seconds."""
    return {} if kept is None else msgspec.msgpack.decode(kept, type=dict[str, float])


def _list_of(user: str) -> str:
    return f"tickets:{_digest(user)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
