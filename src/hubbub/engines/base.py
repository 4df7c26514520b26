"""What the engines beside Hubbub (Redis, NATS, PostgreSQL) have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.engines")


class Condition(Struct, frozen=True, gc=False):
    """How what a node stands on is. `since` is when that began (monotonic seconds); `detail` says in a few words
    what is wrong, without addresses or secrets."""

    up: bool = True
    since: float = 0.0
    detail: str = ""


UP = Condition()


def call_all(callbacks: Sequence[Callable[[], object]], engine: str) -> None:
    """Tell everybody who has asked for it; whoever fails keeps it from nobody else."""
    for callback in tuple(callbacks):
        try:
            callback()
        except Exception:
            log.exception("what follows an interruption failed", engine=engine)
