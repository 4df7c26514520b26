"""What the engines beside Hubbub (Redis, NATS, PostgreSQL) have in common."""

from __future__ import annotations

from msgspec import Struct


class Condition(Struct, frozen=True, gc=False):
    """How what a node stands on is. `since` is when that began (monotonic seconds); `detail` says in a few words
    what is wrong, without addresses or secrets."""

    up: bool = True
    since: float = 0.0
    detail: str = ""


UP = Condition()
