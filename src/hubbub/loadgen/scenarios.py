"""The scenarios. Each opens its connections, loads the server for a while and returns figures by name.

The clock starts when everything is set up and warm. A message carries the time it was sent, so that latency is
measured by one clock, in one process; what the generator cannot keep up with shows as latency, never as less load.
"""

from __future__ import annotations

import gc
import random
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

from hubbub.loadgen.adapters import Kind
from hubbub.loadgen.bench import QUIET_SECONDS, SAMPLED, Bench, Effort, Figures, Options, Progress, age
from hubbub.loadgen.errors import BenchError
from hubbub.loadgen.frames import FrameCounter, masked
from hubbub.loadgen.poll_scenarios import poll, poll_echo
from hubbub.loadgen.pool import READ_BYTES, Link, Pool
from hubbub.loadgen.report import Report, latencies
from hubbub.loadgen.target import Target

PUBLISHERS = 8


# --- connect --------------------------------------------------------------------------------------------------


def connect(bench: Bench) -> Figures:
    """Connections a second, `in_flight` at a time, until `connections` are open. Tokens are made beforehand."""
    options = bench.options
    tokens = bench.target.tokens()
    ready = [next(tokens) for _ in range(options.connections)]
    with Pool(bench.target.url, bench.adapter, iter(ready)) as pool:
        effort = Effort(bench.target)
        began = time.perf_counter()
        links = pool.open(
            options.connections,
            window=options.in_flight,
            progress=lambda done: bench.progress("connecting", done / options.connections),
        )
        took = time.perf_counter() - began
        return {
            "connections_per_s": len(links) / took,
            **latencies([link.ready - link.began for link in links], "connect"),
            **effort.figures(len(links)),
        }


# --- fan-out --------------------------------------------------------------------------------------------------


class Audience:
    """The subscribers of the fan-out. Every one's messages are counted; a few are read for their latency."""

    def __init__(self, bench: Bench, links: Sequence[Link]) -> None:
        self.bench = bench
        self.links = links
        self.delivered = 0
        self.ages: list[float] = []
        self._sampled = {link.fd: link for link in random.Random(1).sample(links, min(SAMPLED, len(links)))}
        self._counted = {
            link.fd: (link.sock.recv_into, FrameCounter()) for link in links if link.fd not in self._sampled
        }
        self._buffer = bytearray(READ_BYTES)

    def hear(self, timeout: float) -> bool:
        """Take in what has come; whether anything came within `timeout` seconds."""
        counted, sampled, buffer, pool = self._counted, self._sampled, self._buffer, self.bench.pool
        events = pool.poll(timeout)
        for fd, _ in events:
            if fd in counted:
                receive, counter = counted[fd]
                try:
                    size = receive(buffer)
                except OSError:
                    size = 0
                if not size:
                    raise BenchError("the server closed a subscriber's connection")
                self.delivered += counter.feed(buffer, size)
            elif fd in sampled:
                ages = _ages(self.bench, sampled[fd])
                self.delivered += len(ages)
                self.ages += ages
            else:
                pool.receive(pool.links[fd])
        if pool.lost:
            raise BenchError("the server closed a connection")
        return bool(events)

    def keep_alive(self) -> None:
        """Answer heartbeats, which are among the short frames that were only counted."""
        for fd, (_, counter) in self._counted.items():
            if counter.short:
                counter.short = 0
                self.bench.pool.links[fd].send(self.bench.adapter.alive)


def fanout(bench: Bench) -> Figures:
    """One channel, `connections` subscribers, `in_flight` publishes on their way at any time.

    A publish is on its way until it has had as many deliveries as there are subscribers.
    """
    options, adapter, count = bench.options, bench.adapter, bench.options.connections
    channel = f"{bench.prefix}-fanout"
    audience = Audience(bench, bench.open(count))
    bench.subscribe(audience.links, lambda link: channel)
    publisher = bench.open(1)[0]
    published = before = 0
    effort: Effort | None = None
    now = tick = time.perf_counter()
    began = now + options.warmup
    end = began + options.seconds
    while effort is None or now < end or not audience.ages:  # a busy machine may sleep through it all
        due = options.in_flight - (published - audience.delivered // count)
        if due > 0:
            frames = [masked(adapter.publish(published + n, channel, bench.data())) for n in range(due)]
            publisher.send(b"".join(frames))
            published += due
        if not audience.hear(QUIET_SECONDS):
            raise BenchError(f"{published * count - audience.delivered} deliveries have not come")
        now = time.perf_counter()
        if effort is None and now >= began:
            effort, began, before = Effort(bench.target), now, audience.delivered
            end = now + options.seconds
            audience.ages.clear()
        if now >= tick:
            tick = now + 1.0
            audience.keep_alive()
            bench.progress("publishing", 1 - max(0.0, end - now) / (options.warmup + options.seconds))
    heard = audience.delivered - before
    figures = {
        "deliveries_per_s": heard / (now - began),
        "publishes_per_s": heard / (now - began) / count,
        **latencies(audience.ages),
        **(effort.figures(heard) if effort else {}),
    }
    while audience.delivered < published * count and audience.hear(1.0):
        pass
    return {**figures, "published": published, "lost": published * count - audience.delivered}


def _ages(bench: Bench, link: Link) -> list[float]:
    return [
        seconds
        for payload in bench.pool.receive(link)
        if bench.adapter.kind(payload) is Kind.PUSH and (seconds := age(payload)) is not None
    ]


# --- echo -----------------------------------------------------------------------------------------------------


def echo(bench: Bench) -> Figures:
    """Acknowledged publishes without subscribers; `in_flight` of each of `connections` on their way at any time."""
    options, pool, adapter = bench.options, bench.pool, bench.adapter
    channel = f"{bench.prefix}-echo"
    command = masked(adapter.echo(10, channel, bench.data()))
    answered: list[float] = []
    links = bench.open(options.connections)
    now = tick = time.perf_counter()
    began = now + options.warmup
    end = began + options.seconds
    effort: Effort | None = None
    for link in links:
        link.send(command * options.in_flight)
        link.sent = [now] * options.in_flight
    while effort is None or now < end or not answered:  # a busy machine may sleep through it all
        events = pool.poll(QUIET_SECONDS)
        if not events:
            raise BenchError(f"no reply for {QUIET_SECONDS:g} s")
        for fd, _ in events:
            link = pool.links[fd]
            for payload in pool.receive(link):
                if adapter.kind(payload) is Kind.REPLY:
                    now = time.perf_counter()
                    answered.append(now - link.sent.pop(0))
                    link.send(command)
                    link.sent.append(now)
        now = time.perf_counter()
        if pool.lost:
            raise BenchError("the server closed a connection")
        if effort is None and now >= began:
            effort, began, end = Effort(bench.target), now, now + options.seconds
            answered.clear()
        if now >= tick:
            tick = now + 1.0
            bench.progress("publishing", 1 - max(0.0, end - now) / (options.warmup + options.seconds))
    figures = {"acks_per_s": len(answered) / (now - began), **latencies(answered)}
    return {**figures, **(effort.figures(len(answered)) if effort else {})}


# --- paced load: latency, stall, hold -------------------------------------------------------------------------


@dataclass(slots=True)
class Stream:
    """Messages at a steady rate, whatever the server makes of them. `channel` gets the message's number."""

    channel: Callable[[int], str]
    per_second: float
    data: Callable[[], bytes]
    sent: int = field(default=0, init=False)


def paced(
    bench: Bench,
    publishers: Sequence[Link],
    streams: Sequence[Stream],
    seconds: float,
    finished: Callable[[], bool] = lambda: False,
) -> list[float]:
    """Publish `streams` for `seconds`, or until `finished`, which is asked four times a second.

    Returns the age in seconds of every message that came.
    """
    pool, adapter = bench.pool, bench.adapter
    ages: list[float] = []
    now = tick = start = time.perf_counter()
    for stream in streams:
        stream.sent = 0
    while now < start + seconds:
        for stream in streams:
            for _ in range(int((now - start) * stream.per_second) - stream.sent):
                publisher = publishers[stream.sent % len(publishers)]
                payload = adapter.publish(stream.sent + 10, stream.channel(stream.sent), stream.data())
                publisher.send(masked(payload))
                stream.sent += 1
        for fd, _ in pool.poll(0.001):
            link = pool.links.get(fd)
            if link is not None:
                ages += _ages(bench, link)
        now = time.perf_counter()
        if now >= tick:
            tick = now + 0.25
            bench.progress("publishing", (now - start) / seconds)
            if finished():
                break
    return ages


def _in_groups(bench: Bench, links: Sequence[Link]) -> Stream:
    """Enter `links` into channels of `group` subscribers; the stream makes `rate` deliveries a second there."""
    options = bench.options
    first, groups = links[0].index, -(-len(links) // options.group)
    bench.subscribe(links, lambda link: f"{bench.prefix}-{(link.index - first) // options.group}")
    return Stream(lambda n: f"{bench.prefix}-{n * 7919 % groups}", options.rate / options.group, bench.data)


def latency(bench: Bench) -> Figures:
    """`rate` deliveries a second, paced, among `connections` in channels of `group`: from publish to receive."""
    options = bench.options
    stream = _in_groups(bench, bench.open(options.connections))
    publishers = bench.open(PUBLISHERS)
    paced(bench, publishers, [stream], options.warmup)
    effort = Effort(bench.target)
    ages = paced(bench, publishers, [stream], options.seconds)
    return {
        "deliveries_per_s": len(ages) / options.seconds,
        **latencies(ages),
        **effort.figures(len(ages)),
        "dropped_connections": len(bench.pool.lost),
    }


def hold(bench: Bench) -> Figures:
    """`connections` held open for `seconds` while `rate` deliveries a second go to them in channels of `group`."""
    figures = latency(bench)
    memory = bench.target.memory()
    return {
        "connections": len(bench.pool.links) - PUBLISHERS,
        **figures,
        **({"memory_bytes": memory} if memory else {}),
    }


STALL_LIMIT_SECONDS = 30.0
FLOOD_BYTES = 16_384
FLOODS_PER_SECOND = 32.0
STALLED_BUFFER_BYTES = 4_096


def stall(bench: Bench) -> Figures:
    """One more than `connections` stops reading while messages for it alone keep coming: what do the others notice?

    `rate` deliveries a second go to the others, half of `seconds` before and after with a reader in the place of
    the stalled one, so that the stall is all that differs. The server's descriptors tell when it has given the
    stalled one up; that, and memory, need the server's pid.
    """
    options, pool, target = bench.options, bench.pool, bench.target
    channel, own = f"{bench.prefix}-stall", f"{bench.prefix}-own"
    links = bench.open(options.connections)
    bench.subscribe(links, lambda link: channel)
    publishers = bench.open(PUBLISHERS)
    flood = b'"' + b"x" * (FLOOD_BYTES - 2) + b'"'
    streams = [
        Stream(lambda n: channel, options.rate / options.connections, bench.data),
        Stream(lambda n: own, FLOODS_PER_SECOND, lambda: flood),
    ]
    reader = _reader(bench, own)
    paced(bench, publishers, streams, options.warmup)
    without = paced(bench, publishers, streams, options.seconds / 2)

    descriptors, memory = target.descriptors(), target.memory()
    pool.ignore(reader)
    reader.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_BUFFER_BYTES)
    began = time.perf_counter()
    gone: list[float] = []
    peak = memory or 0

    def given_up() -> bool:
        nonlocal peak
        left, peak = target.descriptors(), max(peak, target.memory() or 0)
        if left is not None and descriptors is not None and left < descriptors:
            gone.append(time.perf_counter() - began)
        return bool(gone)

    beside = latencies(paced(bench, publishers, streams, STALL_LIMIT_SECONDS, given_up), "with")
    pool.close([reader])
    _reader(bench, own)
    alone = latencies(without + paced(bench, publishers, streams, options.seconds / 2), "without")
    figures = {**alone, **beside, "p99_ratio": beside["with_p99_ms"] / alone["without_p99_ms"]}
    if gone:
        figures["gone_after_s"] = gone[0]
    after = target.memory()
    if memory and after:
        figures |= {
            "memory_before_bytes": memory,
            "memory_peak_bytes": peak,
            "memory_kept_bytes": after - memory,
        }
    return {**figures, "dropped_others": len(pool.lost)}


def _reader(bench: Bench, channel: str) -> Link:
    link = bench.open(1)[0]
    bench.subscribe([link], lambda link: channel)
    return link


# --- memory ---------------------------------------------------------------------------------------------------

WARM_CONNECTIONS = 200
SHARED_GROUP = 100


def memory(bench: Bench) -> Figures:
    """Resident memory of the server for each of `connections` idle ones, each in three channels.

    One channel is its own, two are shared by about 100. A few connections before the first reading make the
    server allocate what it allocates once.
    """
    options, target = bench.options, bench.target
    _entered(bench, WARM_CONNECTIONS)
    _idle(bench, options.warmup)
    before = target.memory()
    if before is None:
        raise BenchError("memory is read from /proc: give the server's process id with --pid")
    _entered(bench, options.connections)
    _idle(bench, options.seconds)
    after = target.memory() or 0
    return {
        "connections": options.connections,
        "per_connection_bytes": (after - before) / options.connections,
        "before_bytes": before,
        "after_bytes": after,
        "dropped_connections": len(bench.pool.lost),
    }


def _entered(bench: Bench, count: int) -> None:
    links = bench.open(count)
    shares = max(1, count // SHARED_GROUP)
    bench.subscribe(links, lambda link: f"{bench.prefix}-user-{link.index}")
    bench.subscribe(links, lambda link: f"{bench.prefix}-a-{link.index // SHARED_GROUP}")
    bench.subscribe(links, lambda link: f"{bench.prefix}-b-{link.index % shares}")


def _idle(bench: Bench, seconds: float) -> None:
    start = time.perf_counter()
    while (waited := time.perf_counter() - start) < seconds:
        bench.progress("settling", waited / seconds)
        for fd, _ in bench.pool.poll(0.2):
            bench.pool.receive(bench.pool.links[fd])


SCENARIOS: dict[str, Callable[[Bench], Figures]] = {
    "connect": connect,
    "fanout": fanout,
    "latency": latency,
    "echo": echo,
    "memory": memory,
    "stall": stall,
    "hold": hold,
    "poll": poll,
    "poll-echo": poll_echo,
}
"""The scenarios by the name that the command line uses."""


def run(
    scenario: str, options: Options, target: Target, progress: Progress = lambda doing, share: None
) -> Report:
    """Load `target` with `scenario`. Raises BenchError when the server refuses, stops answering or drops a link."""
    bench = Bench(options, target, progress)
    collecting = gc.isenabled()
    gc.disable()  # a collection among 10,000 links is a pause that would be blamed on the server
    try:
        with bench.pool:
            figures = SCENARIOS[scenario](bench)
    finally:
        if collecting:
            gc.enable()
    settings = {name: value for name, value in asdict(options).items() if name != "protocol"}
    return Report(scenario, options.protocol, settings, figures)
