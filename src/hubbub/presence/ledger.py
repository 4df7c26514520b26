"""The Ledger port: what the nodes of `hubbub.presence.shared` write into, and find there of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from hubbub.model import Member, Presence

Standing = Literal[1, 0, -1]
"""How a lease stands: it holds; it is not there; the others hold its owner dead."""
Verdict = Literal["L", "D", "S"]
"""Of an owner: it lives; it is dead; its entries have been taken out."""


class Owner(Struct, frozen=True, gc=False):
    """Whose entries they are."""

    node: str
    generation: int

    def __str__(self) -> str:
        return f"{self.node}.{self.generation}"

    @classmethod
    def read(cls, text: str) -> Owner:
        node, _, generation = text.partition(".")
        return cls(node, int(generation))


class Pulse(Struct, frozen=True):
    """The answer to a sign of life."""

    standing: Standing
    dead: list[Owner]
    """Owners that are the caller's to bury."""
    lapsed: list[Owner]
    """Of the owners that live according to the caller's verdicts: those that the others hold dead."""


class Ledger(Protocol):
    """What nodes share. Each call is atomic but `purge`, which is so in steps, and raises HubbubError
    BROKER_UNAVAILABLE when it is not known to have been done. What a node asks for one channel, or for one owner's list
    of channels, is done in the order in which it was asked."""

    async def beat(
        self,
        owner: Owner,
        lease: float,
        claim: float,
        *,
        new: bool,
        verdicts: Sequence[tuple[Owner, Verdict]],
    ) -> Pulse:
        """`owner` lives for `lease` seconds more, if its lease stands there, or it is `new`; so do those that live by
        the verdicts. Whoever is found dead and is nobody's to bury is the caller's for `claim` seconds, and then
        another's, until a verdict says that it was done."""

    async def put_down(self, owner: Owner, channels: Sequence[str]) -> None:
        """The owner has or will have entries there. Comes before `enter`."""

    async def cross_out(self, owner: Owner, channels: Sequence[str]) -> None: ...

    async def listed(self, owner: Owner, cursor: str) -> tuple[str, list[str]]:
        """Some of its channels, and where to go on: from "0" to "0"."""

    async def forget(self, owner: Owner) -> None:
        """Cross out all."""

    async def enter(self, channel: str, owner: Owner, members: Sequence[tuple[Member, bool]]) -> list[int]:
        """For each how many sessions its person has there now: positive if one came with it, else negative. Whoever has
        not come just now (the bool), and is another node's, stays that: 0."""

    async def leave(self, channel: str, owner: Owner, member: Member) -> int:
        """1 if it was its person's last session, -1 if neither it nor the person was there, else 0."""

    async def purge(self, channel: str, owner: Owner) -> list[Member]:
        """Take out what the node has there from this generation or before. The last session of each person."""

    async def members(self, channel: str, limit: int) -> Presence: ...
