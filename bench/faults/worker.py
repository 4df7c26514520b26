"""Some of the participants, in a process of their own. Usage: python -m bench.faults.worker PLAN

It prints a line of JSON now and then: how many are there, and what has come of their messages. On its
standard input it is told `go`, when everybody is there, `stop`, when no more is to be sent, and then the heads of all
channels: what is to be waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from bench.faults.clients import Habits, Participant, Person
from bench.faults.history import Writer
from bench.faults.wires import Position

EVERY = 0.05
REST = 30.0


class Plan(Struct, frozen=True):
    """`addresses` of the nodes (`host:port`); `habits` of everybody; `rest`: seconds in which everybody must have got
    everything, when nothing is sent any more."""

    addresses: tuple[str, ...]
    people: tuple[Person, ...]
    history: str
    habits: Habits
    seed: int
    rest: float = REST


class Status(Struct, frozen=True):
    """How many are `online`; messages that were acknowledged, pages that were read, receipts that were told."""

    online: int = 0
    acked: int = 0
    reads: int = 0
    receipts: int = 0
    sending: bool = True


async def work(plan: Plan) -> None:
    writer = Writer(Path(plan.history))
    people = [
        Participant(person, plan.addresses, writer, plan.habits, plan.seed * 1000 + number)
        for number, person in enumerate(plan.people)
    ]
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    stop = asyncio.Event()
    staying = [asyncio.create_task(each.stay()) for each in people]
    sending: list[asyncio.Task[None]] = []
    telling = asyncio.create_task(_tell(people, sending, writer))
    await orders.readline()
    sending += [asyncio.create_task(each.send(stop)) for each in people]
    await orders.readline()
    stop.set()
    await asyncio.gather(*sending)
    heads = msgspec.json.decode(await orders.readline(), type=dict[str, Position])
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(plan.rest):
            for each in people:
                await each.reach(heads)
    for each in people:
        each.end()
    for task in (telling, *staying):
        task.cancel()
    for each in people:
        if each.wire is not None:
            each.wire.cut()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*staying, telling)
    writer.close()


async def _tell(people: list[Participant], sending: list[asyncio.Task[None]], writer: Writer) -> None:
    while True:
        writer.flush()
        status = Status(
            sum(each.online for each in people),
            sum(each.acked for each in people),
            sum(each.reads for each in people),
            sum(each.receipts for each in people),
            not all(each.done() for each in sending),
        )
        print(msgspec.json.encode(status).decode(), flush=True)
        await asyncio.sleep(EVERY)


if __name__ == "__main__":
    asyncio.run(work(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)))
