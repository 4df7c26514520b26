"""Hubbub with a fault that the crash run must find. Usage: python crash_mutants.py MUTANT"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec.structs import replace

import hubbub.app  # noqa: F401 (all is imported before it is changed)
from hubbub.chat import sending
from hubbub.chat.delivery import Delivery
from hubbub.chat.outgoing import Outgoing
from hubbub.cli import main
from hubbub.hub import recovery
from hubbub.hub.channel import Channel
from hubbub.hub.live import Live
from hubbub.model import Envelope, Publication
from hubbub.storage.base import Transaction
from hubbub.storage.sqlite import SqliteStore

LATE = 0.3
"""Seconds between what is done too early and what should have been before."""


def ack_before_commit() -> None:
    """Whoever sends is answered when the statements have run; the commit follows."""
    run = SqliteStore._run

    def early(self: SqliteStore, work: Any) -> None:
        def then_wait(tx: Transaction) -> None:
            work(tx)
            if any(entries[0].action is sending.SEND for entries in work.groups):
                loop.call_soon_threadsafe(work.answer)
                time.sleep(LATE)

        run(self, then_wait)

    def start(self: SqliteStore, *arguments: Any) -> Any:
        global loop
        loop = asyncio.get_running_loop()
        return started(self, *arguments)

    started = SqliteStore.start
    SqliteStore.start = start  # type: ignore[assignment, method-assign]
    SqliteStore._run = early  # type: ignore[method-assign]


def no_idempotency() -> None:
    """Keys are forgotten; and acks come late, so that a kill finds messages that are stored and not acknowledged."""
    begin, run = Delivery.__init__, SqliteStore._run

    def forgetful(self: Delivery, tx: Transaction, items: Sequence[Outgoing]) -> None:
        begin(self, tx, [replace(item, key=None, digest=None) for item in items])

    def late(self: SqliteStore, work: Any) -> None:
        run(self, work)
        time.sleep(LATE)

    Delivery.__init__ = forgetful  # type: ignore[method-assign]
    SqliteStore._run = late  # type: ignore[method-assign]


def skips_on_join() -> None:
    """Who comes back is not given the first of what it has missed."""
    merge = recovery.merge

    def short(*arguments: Any, **named: Any) -> recovery.Recovery:
        found = merge(*arguments, **named)
        return found._replace(publications=found.publications[1:])

    for module in list(sys.modules.values()):
        if getattr(module, "merge", None) is merge:
            module.merge = short  # type: ignore[attr-defined]


def _broadcasting(change: Callable[[Channel, Envelope, int], Iterable[Envelope]]) -> None:
    """Have `change` say what goes out to a channel instead of its n-th message."""
    broadcast = Live.broadcast
    count = 0

    def changed(self: Live, channel: Channel, envelope: Envelope) -> None:
        nonlocal count
        push = envelope.push
        if not isinstance(push, Publication) or push.event != "message.created":
            broadcast(self, channel, envelope)
            return
        count += 1
        for each in change(channel, envelope, count):
            broadcast(self, channel, each)

    Live.broadcast = changed  # type: ignore[method-assign]


def reordered() -> None:
    """Every tenth message goes out behind the next one."""
    held: dict[Channel, Envelope] = {}

    def swap(channel: Channel, envelope: Envelope, count: int) -> Iterable[Envelope]:
        if channel in held:
            return envelope, held.pop(channel)
        if count % 10:
            return (envelope,)
        held[channel] = envelope
        return ()

    _broadcasting(swap)


def deaf() -> None:
    """Every tenth message does not go out."""
    _broadcasting(lambda channel, envelope, count: (envelope,) if count % 10 else ())


def stammers() -> None:
    """Every tenth message goes out twice."""
    _broadcasting(lambda channel, envelope, count: (envelope,) if count % 10 else (envelope, envelope))


loop: asyncio.AbstractEventLoop
MUTANTS: dict[str, Callable[[], None]] = {
    "none": lambda: None,
    "ack-before-commit": ack_before_commit,
    "no-idempotency": no_idempotency,
    "skips-on-join": skips_on_join,
    "reordered": reordered,
    "deaf": deaf,
    "stammers": stammers,
}

if __name__ == "__main__":
    MUTANTS[sys.argv[1]]()
    sys.argv[1:] = ["serve"]
    main()
