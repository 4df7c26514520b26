"""The scenarios of long-polling: what each client's pending GET and its POSTs cost the server."""

from __future__ import annotations

import time
from collections.abc import Callable

from hubbub.loadgen.adapters import Kind
from hubbub.loadgen.bench import QUIET_SECONDS, SAMPLED, Bench, Effort, Figures, age
from hubbub.loadgen.errors import BenchError
from hubbub.loadgen.polling import Poller, PollPool
from hubbub.loadgen.report import latencies

Came = list[tuple[Poller, bytes]]


class Tally:
    """What has been counted since the warm-up: how many, and how long some of them took, in seconds."""

    def __init__(self) -> None:
        self.count = 0
        self.took: list[float] = []


def poll(bench: Bench) -> Figures:
    """One channel, `connections` long-polling subscribers, `in_flight` publishes on their way at any time.

    The publisher polls too. A publish is on its way until it has had as many deliveries as there are subscribers.
    """
    options, adapter, count = bench.options, bench.adapter, bench.options.connections
    channel = f"{bench.prefix}-poll"
    published = delivered = 0
    tally = Tally()
    with PollPool(bench.target.url, adapter, bench.target.tokens()) as pool:
        clients = pool.open(count, progress=lambda done: bench.progress("connecting", done / count))
        pool.ask(clients, lambda client: adapter.subscribe(2, channel))
        [publisher] = pool.open(1)

        def publish() -> None:
            nonlocal published
            while published - delivered // count < options.in_flight:
                pool.post(publisher, adapter.publish(published + 10, channel, bench.data()))
                published += 1

        def deliver(came: Came) -> None:
            nonlocal delivered
            for client, packet in came:
                if adapter.kind(packet) is Kind.PUSH:
                    delivered += 1
                    tally.count += 1
                    if client.index < SAMPLED and (seconds := age(packet)) is not None:
                        tally.took.append(seconds)

        def work(came: Came) -> None:
            deliver(came)
            publish()

        publish()
        seconds, effort = _measured(bench, pool, work, tally)
        figures = {
            "deliveries_per_s": tally.count / seconds,
            "publishes_per_s": tally.count / seconds / count,
            **latencies(tally.took),
            **effort.figures(tally.count),
        }
        while delivered < published * count and (came := pool.hear(1.0)) is not None:
            deliver(came)
    return {**figures, "published": published, "lost": published * count - delivered}


def poll_echo(bench: Bench) -> Figures:
    """Acknowledged POSTs of long-polling clients; `in_flight` of each of `connections` on their way at any time.

    The acknowledgement comes with the client's GET, so that each one costs the server two requests.
    """
    options, adapter, count = bench.options, bench.adapter, bench.options.connections
    command = adapter.echo(10, f"{bench.prefix}-echo", bench.data())
    tally = Tally()
    with PollPool(bench.target.url, adapter, bench.target.tokens()) as pool:

        def post(client: Poller) -> None:
            client.sent.append(time.perf_counter())
            pool.post(client, command)

        def work(came: Came) -> None:
            for client, packet in came:
                if adapter.kind(packet) is Kind.REPLY:
                    tally.count += 1
                    tally.took.append(time.perf_counter() - client.sent.pop(0))
                    post(client)

        for client in pool.open(count, progress=lambda done: bench.progress("connecting", done / count)):
            for _ in range(options.in_flight):
                post(client)
        seconds, effort = _measured(bench, pool, work, tally)
        return {"acks_per_s": tally.count / seconds, **latencies(tally.took), **effort.figures(tally.count)}


def _measured(
    bench: Bench, pool: PollPool, work: Callable[[Came], None], tally: Tally
) -> tuple[float, Effort]:
    """`work` on what comes until it has been measured for as long as was asked: the seconds, and who did what."""
    options = bench.options
    effort: Effort | None = None
    now = tick = time.perf_counter()
    began = now + options.warmup
    end = began + options.seconds
    while effort is None or now < end or not tally.took:  # a busy machine may sleep through it all
        came = pool.hear(QUIET_SECONDS)
        if came is None:
            raise BenchError(f"nothing came for {QUIET_SECONDS:g} s")
        work(came)
        now = time.perf_counter()
        if effort is None and now >= began:
            effort, began, end = Effort(bench.target), now, now + options.seconds
            tally.count = 0
            tally.took.clear()
        if now >= tick:
            tick = now + 1.0
            bench.progress("publishing", 1 - max(0.0, end - now) / (options.warmup + options.seconds))
    return now - began, effort
