"""The load generator: people who send into their conversations, and everybody who hears it. A process of its own.

Every ack and every delivery is accounted for: `lost`, `repeated` and `disordered` say what a client did not get, or not
as it should. Usage: python -m bench.chat.load --help
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path

from bench.chat.adapters import ADAPTERS, ChatAdapter
from bench.chat.effort import Effort
from bench.chat.plan import Plan, load
from hubbub.auth.tokens import mint
from hubbub.loadgen import BenchError
from hubbub.loadgen.adapters import Kind
from hubbub.loadgen.frames import masked
from hubbub.loadgen.pool import Link, Pool
from hubbub.loadgen.report import latencies

QUIET = 15.0
"""Seconds for which outstanding acks and deliveries are waited for at the end."""
SAMPLED = 25
"""One connection in so many is asked how old its deliveries are."""
SAMPLES = 500_000
_STAMP = b"at="
_DIGITS = 16
_WRAP = 10**_DIGITS


class Audience:
    """What each connection has heard: the last seq of each of its conversations, and what was wrong with it."""

    def __init__(self, plan: Plan) -> None:
        self.bases = {room.id.encode(): room.head for room in plan.rooms}
        self.heads = dict(self.bases)
        ids = [room.id.encode() for room in plan.rooms]
        self.heard = [{ids[place]: self.heads[ids[place]] for place in rooms} for rooms in plan.rooms_of()]
        self.delivered = self.repeated = self.disordered = 0
        self._missing: set[tuple[int, bytes, int]] = set()

    def hear(self, index: int, room: bytes, seq: int) -> None:
        self.delivered += 1
        heard = self.heard[index]
        last = heard[room]
        if seq == last + 1:
            heard[room] = seq
        elif seq > last:
            self._missing.update((index, room, between) for between in range(last + 1, seq))
            heard[room] = seq
        elif (index, room, seq) in self._missing:
            self._missing.remove((index, room, seq))
            self.disordered += 1
        else:
            self.repeated += 1

    def acked(self, room: bytes, seq: int) -> None:
        if seq > self.heads[room]:
            self.heads[room] = seq

    def lost(self) -> int:
        """Deliveries of acknowledged messages that have not come (yet)."""
        behind = sum(max(0, self.heads[room] - last) for heard in self.heard for room, last in heard.items())
        return behind + len(self._missing)


class Load:
    """The senders. `rate` messages a second in all, whatever the server does; without it each has `in_flight` messages
    under way."""

    def __init__(
        self, pool: Pool, adapter: ChatAdapter, plan: Plan, links: list[Link], asked: argparse.Namespace
    ) -> None:
        self.pool = pool
        self.adapter = adapter
        self.audience = Audience(plan)
        self.senders = links[: asked.senders]
        self.asked = asked
        rooms = plan.rooms_of()
        self._rooms = [
            itertools.cycle([plan.rooms[place].id for place in rooms[link.index]]) for link in self.senders
        ]
        self._padding = "x" * max(0, asked.size - len(_STAMP) - _DIGITS - 1)
        self._ids = itertools.count(100)
        self.under_way: list[dict[int, float]] = [{} for _ in links]
        self.outstanding = self.refused = 0
        self.acked: dict[bytes, int] = dict.fromkeys(self.audience.heads, 0)
        self.latencies: list[tuple[float, float]] = []  # when it was due, and how long it took
        self.ages: list[float] = []
        self._sampled = {link.index for link in links if link.index % SAMPLED == 0}

    def send(self, sender: int, due: float) -> None:
        id = next(self._ids)
        text = f"at={time.perf_counter_ns() % _WRAP:0{_DIGITS}d} {self._padding}"
        payload = self.adapter.send(id, next(self._rooms[sender]), text, f"{sender}-{id}")
        self.under_way[sender][id] = due
        self.outstanding += 1
        self.senders[sender].send(masked(payload))

    def hear(self, timeout: float) -> list[int]:
        """Take in what comes within `timeout` seconds; gives the senders of the messages that were acknowledged."""
        links, adapter, audience = self.pool.links, self.adapter, self.audience
        delivery, hear = adapter.delivery, audience.hear
        answered: list[int] = []
        for fd, _ in self.pool.poll(timeout):
            link = links[fd]
            index = link.index
            for payload in self.pool.receive(link):
                place = delivery(payload)
                if place is not None:
                    hear(index, *place)
                    if index in self._sampled and len(self.ages) < SAMPLES:
                        self._age(payload)
                elif adapter.kind(payload) is Kind.REPLY:
                    self._answered(index, payload)
                    answered.append(index)
        if self.pool.lost:
            raise BenchError(f"the server closed {len(self.pool.lost)} connections")
        return answered

    def _answered(self, index: int, payload: bytes) -> None:
        id, room, seq = self.adapter.ack(payload)
        due = self.under_way[index].pop(id)
        self.outstanding -= 1
        if not seq:
            self.refused += 1
            return
        self.acked[room] += 1
        self.audience.acked(room, seq)
        self.latencies.append((due, time.perf_counter() - due))

    def _age(self, payload: bytes) -> None:
        at = payload.index(_STAMP) + len(_STAMP)
        self.ages.append((time.perf_counter_ns() % _WRAP - int(payload[at : at + _DIGITS])) / 1e9)

    def closed(self, until: float) -> None:
        """Each sender has `in_flight` under way, and sends the next when one is acknowledged."""
        if not self.outstanding:
            for sender in range(len(self.senders)):
                for _ in range(self.asked.in_flight):
                    self.send(sender, time.perf_counter())
        while (now := time.perf_counter()) < until:
            for sender in self.hear(min(0.1, until - now)):
                self.send(sender, time.perf_counter())

    def paced(self, began: float, until: float, sent: int) -> int:
        """Keep to the timetable from `began` on, of which `sent` are out; gives how many are out now."""
        rate, senders = self.asked.rate, len(self.senders)
        while (now := time.perf_counter()) < until:
            while (due := began + sent / rate) <= now:
                self.send(sent % senders, due)
                sent += 1
            self.hear(max(0.0, min(due - now, until - now)))
        return sent

    def settle(self) -> None:
        """Wait until all is acknowledged and delivered, or nothing more is expected of this server."""
        deadline = time.perf_counter() + QUIET
        while (self.outstanding or self.audience.lost()) and time.perf_counter() < deadline:
            self.hear(0.05)


def run(asked: argparse.Namespace) -> dict[str, float]:
    """The figures of one row on one server."""
    plan, adapter = load(asked.plan), ADAPTERS[asked.protocol]()
    with Pool(asked.url, adapter, _tokens(plan, asked.secret)) as pool:
        links = pool.open(len(plan.users))
        if not adapter.live:
            _subscribe(pool, adapter, plan, links)
        gc.freeze()
        work = Load(pool, adapter, plan, links, asked)
        began, sent = time.perf_counter(), 0
        measured = began + asked.warmup
        ended = measured + asked.seconds
        if asked.rate:
            sent = work.paced(began, measured, 0)
        else:
            work.closed(measured)
        effort, delivered = Effort(asked.pid, asked.database_pid), work.audience.delivered
        heard, since = len(work.latencies), time.perf_counter()
        if asked.rate:
            work.paced(began, ended, sent)
        else:
            work.closed(ended)
        took = time.perf_counter() - since
        acks = len(work.latencies) - heard
        figures = {
            "acks_per_s": acks / took,
            "deliveries_per_s": (work.audience.delivered - delivered) / took,
            **effort.figures(acks),
        }
        work.settle()
        times = [took for due, took in work.latencies if measured <= due < ended]
        return {
            **figures,
            **latencies(times, "ack"),
            **latencies(work.ages, "delivery"),
            **accounts(work),
        }


def accounts(work: Load) -> dict[str, float]:
    """What is to be 0 when all is well. `uncounted` is by how many acks the heads differ from what was acknowledged:
    a message that was stored twice, or a hole in the numbers."""
    audience = work.audience
    uncounted = sum(
        abs(audience.heads[room] - audience.bases[room] - count) for room, count in work.acked.items()
    )
    return {
        "acknowledged": sum(work.acked.values()),
        "delivered": audience.delivered,
        "refused": work.refused,
        "unacknowledged": work.outstanding,
        "lost": audience.lost(),
        "repeated": audience.repeated,
        "disordered": audience.disordered,
        "uncounted": 0 if work.outstanding else uncounted,
    }


def _tokens(plan: Plan, secret: str | None) -> Iterator[str]:
    for user in plan.users:
        yield mint(secret, user, now=time.time(), ttl=3600) if secret else user


def _subscribe(pool: Pool, adapter: ChatAdapter, plan: Plan, links: list[Link]) -> None:
    """Have everybody hear all of its conversations."""
    rooms = plan.rooms_of()
    for turn in range(max(map(len, rooms))):
        commands = {
            link.index: adapter.subscribe(2 + turn, f"conversation:{plan.rooms[rooms[link.index][turn]].id}")
            for link in links
            if turn < len(rooms[link.index])
        }
        pool.ask([links[index] for index in commands], lambda link, these=commands: these[link.index])  # type: ignore[misc]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.chat.load", description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--protocol", choices=ADAPTERS, required=True)
    parser.add_argument("--plan", type=Path, required=True)
    parser.add_argument("--secret", help="to sign tokens with")
    parser.add_argument("--senders", type=int, required=True)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second in all; 0: as acks come")
    parser.add_argument("--size", type=int, default=100, help="characters of a message")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warmup", type=float, default=1.0)
    parser.add_argument("--pid", type=int, help="of the server")
    parser.add_argument("--database-pid", type=int, help="of PostgreSQL")
    print(json.dumps(run(parser.parse_args())))


if __name__ == "__main__":
    main()
