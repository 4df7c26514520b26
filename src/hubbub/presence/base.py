"""The PresenceStore port: which sessions are in which channel, by leases."""

from __future__ import annotations

from typing import Protocol

from hubbub.model import Join, Leave, Member, Presence


class PresenceStore(Protocol):
    """See `hubbub.testing.contracts.PresenceContract` for the promises in executable form.

    A store that several nodes share tells a user's Join and Leave to one of them, once, which announces it to all.
    When it does not answer, nothing raises: what is known here answers, and the rest is told by a later `sweep`.
    """

    async def touch(self, channel: str, member: Member, ttl: float) -> bool:
        """Enter or renew for `ttl` seconds; `inf` is as long as this node lives. True if this is the user's first
        session in the channel: a Join."""

    async def remove(self, channel: str, session: str) -> Member | None:
        """Take a session out. The Member if it was its user's last session in the channel: a Leave."""

    async def members(self, channel: str, limit: int) -> Presence:
        """Counts, and the members themselves unless there are more than `limit` sessions."""

    async def sweep(self) -> list[Join | Leave]:
        """To be called each second. Drops expired leases, also those of nodes that have died. Returns what nobody has
        announced yet: a Leave for every user whose last session went, a Join for every user who had been held gone and
        is there after all."""
