"""The PresenceStore port: which sessions are in which channel, by leases."""

from __future__ import annotations

from typing import Protocol

from hubbub.model import Member, Presence


class PresenceStore(Protocol):
    """See `hubbub.testing.contracts.PresenceContract` for the promises in executable form."""

    async def touch(self, channel: str, member: Member, ttl: float) -> bool:
        """Enter or renew for `ttl` seconds. True if this is the user's first session in the channel: a Join."""

    async def remove(self, channel: str, session: str) -> Member | None:
        """Take a session out. The Member if it was its user's last session in the channel: a Leave."""

    async def members(self, channel: str, limit: int) -> Presence:
        """Counts, and the members themselves unless there are more than `limit` sessions."""

    async def sweep(self) -> list[tuple[str, Member]]:
        """Drop expired leases. Returns (channel, member) for every user whose last session went: Leaves."""
