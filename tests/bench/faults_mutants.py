"""Nodes with a fault that the run of faults must find. Usage: python faults_mutants.py MUTANT

Beside those of a single server (`crash_mutants`) there are those that only several nodes can have.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.crash_mutants import MUTANTS as ALONE

from hubbub.broker.redis import RedisBroker
from hubbub.cli import main
from hubbub.hub.live import Live
from hubbub.presence.redis import RedisLedger

HEARD = 60
"""So much is heard before the ears close."""


def deaf_listener() -> None:
    """From some time on no message is heard from Redis, and nobody looks whether there was any."""
    hear = RedisBroker._hear
    heard = 0

    def some(self: RedisBroker, name: str, frame: bytes) -> None:
        nonlocal heard
        heard += "conversation" in name or "room" in name
        if heard < HEARD or not ("conversation" in name or "room" in name):
            hear(self, name, frame)

    async def nothing(self: Live, *arguments: Any, **options: Any) -> None:
        return

    RedisBroker._hear = some  # type: ignore[method-assign]
    Live.check_heads = nothing  # type: ignore[method-assign]


def forgets_keys() -> None:
    """What is published again under its key is published again."""
    publish = RedisBroker.publish

    async def anew(self: RedisBroker, *arguments: Any, key: str | None = None) -> Any:
        return await publish(self, *arguments)

    RedisBroker.publish = anew  # type: ignore[assignment, method-assign]


def ghosts() -> None:
    """Who leaves stays where presence is kept."""

    async def stay(self: RedisLedger, *arguments: Any) -> int:
        return 0

    RedisLedger.leave = stay  # type: ignore[assignment, method-assign]


MUTANTS = {**ALONE, "deaf-listener": deaf_listener, "forgets-keys": forgets_keys, "ghosts": ghosts}

if __name__ == "__main__":
    MUTANTS[sys.argv[1]]()
    sys.argv[1:] = ["serve"]
    main()
