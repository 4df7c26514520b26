"""The load on one node, in a process of its own. Usage: python -m bench.cluster.load PLAN

It connects, enters its channels, says `ready`, and then does what it is told, a line of JSON each; it answers with one.
All load processes and the one that drives them share the machine's monotonic clock: a message tells when it was sent,
and by which node's load.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from hubbub.loadgen import BenchError, Target
from hubbub.loadgen.adapters import ADAPTERS, Kind
from hubbub.loadgen.bench import age
from hubbub.loadgen.frames import FrameCounter, masked
from hubbub.loadgen.pool import READ_BYTES, Link, Pool

SIZE = 128
SAMPLED = 20
QUIET = 2.0
"""Seconds without a delivery after which no more come."""
_FROM = b'","p":"'


class Plan(Struct, frozen=True):
    """`channels` of each connection, the last of which are to be entered by nobody but publish (`publishers`)."""

    node: int
    url: str
    protocol: str
    secret: str
    channels: tuple[tuple[str, ...], ...]
    publishers: int = 1


class Order(Struct, frozen=True):
    """From `begin` to `end` (monotonic seconds) is measured; `end` is also that of publishing, which starts at once.
    `rate` publishes a second to `channels` in turn; or, with `in_flight`, as many as come back, to the first of them.
    With `every`, the age of each message is looked at, and not of a few connections' only. `ask` publishes once to
    each of `channels`, and waits for the answers."""

    begin: float
    end: float
    channels: tuple[str, ...] = ()
    rate: float = 0.0
    in_flight: int = 0
    every: bool = False
    ask: bool = False


class Outcome(Struct, frozen=True):
    """`delivered` between begin and end; `heard` and `published` in all. `ages`: seconds, of messages from this node
    and from others. `cpu` is this process's share of a core."""

    published: int
    delivered: int
    heard: int
    own: tuple[float, ...]
    others: tuple[float, ...]
    cpu: float


class Load:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.adapter = ADAPTERS[plan.protocol]()
        self.pool = Pool(plan.url, self.adapter, Target(plan.url, secret=plan.secret).tokens())
        self.heard = self.delivered = self.echoed = 0
        self.begin = self.end = 0.0
        self.own: list[float] = []
        self.others: list[float] = []
        self._mark = str(plan.node % 10).encode()
        self._padding = _FROM + self._mark + b"x" * (SIZE - 32) + b'"}'
        self._counters: dict[int, FrameCounter] = {}
        self._buffer = bytearray(READ_BYTES)

    def open(self) -> None:
        self.links = self.pool.open(len(self.plan.channels))
        self.publishers = self.pool.open(self.plan.publishers)
        rounds = max((len(each) for each in self.plan.channels), default=0)
        for number in range(rounds):
            links = [link for link in self.links if number < len(self.plan.channels[link.index])]
            self.pool.ask(links, self._entering(number))

    def _entering(self, number: int) -> Callable[[Link], bytes]:
        return lambda link: self.adapter.subscribe(2, self.plan.channels[link.index][number])

    def obey(self, order: Order) -> Outcome:
        self.heard = self.delivered = self.echoed = 0
        self.begin, self.end = order.begin, order.end
        self.own.clear()
        self.others.clear()
        looked_at = self.links if order.every else self.links[:SAMPLED]
        sampled = {link.fd for link in looked_at}
        self._counters = {link.fd: FrameCounter() for link in self.links if link.fd not in sampled}
        if order.ask:
            channels = iter(order.channels)
            asked = [self.publishers[n % len(self.publishers)] for n in range(len(order.channels))]
            self.pool.ask(asked, lambda link: self.adapter.publish(3, next(channels), self._data()))
        cpu, start = time.process_time(), time.perf_counter()
        published = self._publish(order, start)
        took = time.perf_counter() - start
        used = (time.process_time() - cpu) / took if took else 0.0
        while self._hear(QUIET):
            pass
        return Outcome(
            published,
            self.delivered,
            self.heard,
            tuple(self.own[-20_000:]),
            tuple(self.others[-20_000:]),
            used,
        )

    def _publish(self, order: Order, start: float) -> int:
        """Until `end`; gives how many."""
        published = 0
        tick = now = time.perf_counter()
        while now < order.end:
            due = int((now - start) * order.rate) - published if order.channels and order.rate else 0
            if order.in_flight:
                due = order.in_flight - (published - self.echoed)
            for _ in range(due):
                channel = order.channels[0 if order.in_flight else published % len(order.channels)]
                publisher = self.publishers[published % len(self.publishers)]
                publisher.send(masked(self.adapter.publish(published + 10, channel, self._data())))
                published += 1
            self._hear(0.001 if order.rate else 0.01)
            now = time.perf_counter()
            if now >= tick:
                tick = now + 1.0
                self._keep_alive()
        return published

    def _data(self) -> bytes:
        return b'{"t":"%016d' % (time.perf_counter_ns() % 10**16) + self._padding

    def _hear(self, timeout: float) -> bool:
        """Take in what has come; whether any message came within `timeout` seconds."""
        before = self.heard
        deadline = time.perf_counter() + timeout
        while True:
            for fd, _ in self.pool.poll(max(0.0, deadline - time.perf_counter())):
                counter = self._counters.get(fd)
                if counter is not None:
                    self._count(fd, counter)
                elif (link := self.pool.links.get(fd)) is not None:
                    self._look(link)
            if self.pool.lost:
                raise BenchError("the server closed a connection")
            if self.heard > before or time.perf_counter() >= deadline:
                return self.heard > before

    def _count(self, fd: int, counter: FrameCounter) -> None:
        try:
            size = self.pool.links[fd].sock.recv_into(self._buffer)
        except BlockingIOError:
            return
        if not size:
            raise BenchError("the server closed a connection")
        self._add(counter.feed(self._buffer, size))

    def _add(self, messages: int) -> None:
        self.heard += messages
        if self.begin <= time.perf_counter() < self.end:
            self.delivered += messages

    def _look(self, link: Link) -> None:
        for payload in self.pool.receive(link):
            if self.adapter.kind(payload) is not Kind.PUSH or (seconds := age(payload)) is None:
                continue
            self._add(1)
            at = payload.index(_FROM) + len(_FROM)
            mine = payload[at : at + 1] == self._mark
            self.echoed += mine and link is self.links[0]
            if self.begin <= time.perf_counter() < self.end:
                (self.own if mine else self.others).append(seconds)

    def _keep_alive(self) -> None:
        for fd, counter in self._counters.items():
            if counter.short:
                counter.short = 0
                self.pool.links[fd].send(self.adapter.alive)


def main() -> None:
    load = Load(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan))
    load.open()
    print("ready", flush=True)
    for line in sys.stdin:
        outcome = load.obey(msgspec.json.decode(line, type=Order))
        print(msgspec.json.encode(outcome).decode(), flush=True)


if __name__ == "__main__":
    main()
