"""What is measured: each row starts a cluster, loads it, and gives figures by name."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.cluster.load import Order, Outcome, Plan
from bench.cluster.servers import Running, Server, quotas, started
from hubbub.loadgen import BenchError
from hubbub.loadgen.bench import Figures
from hubbub.loadgen.report import latencies

NODES = 3
GROUP = 25
PREFIX = "bench"
QUOTA = 0.2
"""Of a core, for each worker, where their number is what is compared."""
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard: `seconds` measured behind `warmup`; `rate` deliveries a second where they are paced; `channels`, in
    the row of many."""

    seconds: float = 8.0
    warmup: float = 2.0
    rate: float = 5_000.0
    connections: int = 600
    channels: int = 50_000


class Loads:
    """A load process for each node."""

    def __init__(self, plans: Sequence[Plan], folder: Path) -> None:
        self._processes: list[subprocess.Popen[str]] = []
        for plan in plans:
            path = folder / f"{plan.node}.json"
            path.write_bytes(msgspec.json.encode(plan))
            command = [sys.executable, "-m", "bench.cluster.load", str(path)]
            self._processes.append(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )

    def ready(self) -> None:
        """Wait until all have entered their channels."""
        for process in self._processes:
            if self._line(process).strip() != "ready":
                raise BenchError("a load generator has failed")

    def run(self, orders: Sequence[Order]) -> list[Outcome]:
        """One order for each, at the same time."""
        for process, order in zip(self._processes, orders, strict=True):
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(order).decode() + "\n")
            process.stdin.flush()
        return [msgspec.json.decode(self._line(process), type=Outcome) for process in self._processes]

    def _line(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        if not (line := process.stdout.readline()):
            raise BenchError(f"a load generator ended with status {process.wait(10)}")
        return line

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()


@contextlib.contextmanager
def loads(plans: Sequence[Plan]) -> Iterator[Loads]:
    with tempfile.TemporaryDirectory(prefix="hubbub-cluster-") as folder:
        made = Loads(plans, Path(folder))
        try:
            made.ready()
            yield made
        finally:
            made.close()


def _plan(
    cluster: Running, server: Server, node: int, channels: Sequence[Sequence[str]], say: int = 2
) -> Plan:
    target = cluster.nodes[node]
    each = tuple(tuple(names) for names in channels)
    return Plan(node, target.url, server.protocol, target.secret or "", each, say)


def _window(effort: Effort) -> tuple[float, float]:
    begin = time.perf_counter() + effort.warmup
    return begin, begin + effort.seconds


class Cpu:
    """Shares of a core from `begin` to `end`: of each node, at the most, and of Redis."""

    def __init__(self, cluster: Running, begin: float, end: float) -> None:
        self._cluster = cluster
        self._took = end - begin
        self._marks: list[tuple[list[float], float]] = []
        self._thread = threading.Thread(target=self._look, args=(begin, end), daemon=True)
        self._thread.start()

    def _look(self, begin: float, end: float) -> None:
        for moment in (begin, end):
            time.sleep(max(0.0, moment - time.perf_counter()))
            nodes = [node.cpu() or 0.0 for node in self._cluster.nodes]
            self._marks.append((nodes, self._cluster.redis_cpu()))

    def figures(self, outcomes: Sequence[Outcome]) -> Figures:
        self._thread.join()
        (before, redis), (after, redis_then) = self._marks
        used = [now - then for now, then in zip(after, before, strict=True)]
        delivered = sum(outcome.delivered for outcome in outcomes)
        return {
            "node_cpu": max(used) / self._took,
            "redis_cpu": (redis_then - redis) / self._took,
            "load_generator_cpu": max(outcome.cpu for outcome in outcomes),
            "node_each_us": sum(used) / delivered * 1e6 if delivered else 0.0,
        }


def latency(server: Server, effort: Effort) -> Figures:
    """Three nodes; each channel has subscribers on all of them, and publishers, too; `rate` deliveries a second."""
    groups = max(1, effort.connections // GROUP)
    names = [f"{PREFIX}:latency-{group}" for group in range(groups)]
    with started(server, NODES) as cluster:
        plans = [
            _plan(cluster, server, node, [(names[n % groups],) for n in range(effort.connections // NODES)])
            for node in range(NODES)
        ]
        with loads(plans) as crowd:
            begin, end = _window(effort)
            order = Order(begin, end, tuple(names), effort.rate / GROUP / NODES, every=True)
            cpu = Cpu(cluster, begin, end)
            outcomes = crowd.run([order] * NODES)
            figures = cpu.figures(outcomes)
    subscribers = [sum(n % groups == g for n in range(effort.connections // NODES)) for g in range(groups)]
    expected = sum(
        sum(subscribers[n % groups] for n in range(outcome.published)) * NODES for outcome in outcomes
    )
    heard = sum(outcome.heard for outcome in outcomes)
    return {
        "deliveries_per_s": sum(outcome.delivered for outcome in outcomes) / effort.seconds,
        **latencies([age for outcome in outcomes for age in outcome.others], "cross_node"),
        **latencies([age for outcome in outcomes for age in outcome.own], "same_node"),
        "lost": expected - heard,
        **figures,
    }


def workers(count: int) -> Callable[[Server, Effort], Figures]:
    """As many deliveries as `count` workers can make, of which each has `QUOTA` of a core. One channel with 240
    subscribers, spread over the workers, and twelve publishes on their way, of all workers together."""

    def measure(server: Server, effort: Effort) -> Figures:
        name = f"{PREFIX}:flood"
        with started(server, count, quota=QUOTA if quotas() else None) as cluster:
            plans = [_plan(cluster, server, node, [(name,)] * (240 // count), 1) for node in range(count)]
            with loads(plans) as crowd:
                begin, end = _window(effort)
                cpu = Cpu(cluster, begin, end)
                outcomes = crowd.run([Order(begin, end, (name,), in_flight=12 // count)] * count)
                figures = cpu.figures(outcomes)
        published = sum(outcome.published for outcome in outcomes)
        return {
            "deliveries_per_s": sum(outcome.delivered for outcome in outcomes) / effort.seconds,
            "lost": published * (240 // count) * count - sum(outcome.heard for outcome in outcomes),
            **figures,
        }

    return measure


def silence(server: Server, effort: Effort) -> Figures:
    """Two nodes talk in channels of which the third has no subscriber: what does it get of that, from Redis?"""
    name = f"{PREFIX}:silence"
    with started(server, NODES, proxied=True) as cluster:
        plans = [_plan(cluster, server, node, [(name,)] * 10 if node else [], 1) for node in range(NODES)]
        with loads(plans) as crowd:
            begin, end = _window(effort)
            idle = cluster.received()
            time.sleep(effort.warmup)
            before = cluster.received()
            quiet = (before[0] - idle[0]) / effort.warmup
            begin, end = _window(effort)
            talk = Order(begin, end, (name,), 200.0)
            outcomes = crowd.run([Order(begin, end), talk, talk])
            after = cluster.received()
            took = time.perf_counter() - begin + effort.warmup
    published = sum(outcome.published for outcome in outcomes)
    return {
        "bytes_per_publish_with_subscribers": (after[1] - before[1]) / published,
        "bytes_per_publish_without": max(0.0, (after[0] - before[0] - quiet * took) / published),
        "bytes_per_s_idle": quiet,
    }


def channels(server: Server, effort: Effort) -> Figures:
    """Many channels with one subscriber each, on one node of two: what does each cost, and how long do they take?"""
    each = 250
    count = effort.channels // each * each
    names = [[f"{PREFIX}:one-{n * each + k}" for k in range(each)] for n in range(count // each)]
    with started(server, 2) as cluster:
        node, redis = cluster.nodes[0].memory() or 0, cluster.redis_memory()
        plans = [_plan(cluster, server, 0, names, 1), _plan(cluster, server, 1, [], 1)]
        began = time.perf_counter()
        with loads(plans) as crowd:
            took = time.perf_counter() - began
            figures = {
                "subscribes_per_s": count / took,
                "node_bytes_per_channel": ((cluster.nodes[0].memory() or 0) - node) / count,
                "redis_bytes_per_channel": (cluster.redis_memory() - redis) / count,
            }
            begin, end = _window(effort)
            some = tuple(name for row in names for name in row[:20])
            outcomes = crowd.run(
                [Order(begin, end, every=True), Order(begin, end, some, rate=min(500.0, len(some)))]
            )
    return {
        **figures,
        **latencies(list(outcomes[0].others), "cross_node"),
        "lost": outcomes[1].published - outcomes[0].heard,
    }


def logs(server: Server, effort: Effort) -> Figures:
    """Many channels that keep a log, of one message each: what do they take in Redis?"""
    count = min(effort.channels, 50_000)
    names = tuple(f"{PREFIX}:log-{n}" for n in range(count))
    keeping = {"HUBBUB_NAMESPACES__BENCH__RETENTION": "10", "HUBBUB_NAMESPACES__BENCH__TTL": "3600"}
    with started(server, 1, more=keeping) as cluster, loads([_plan(cluster, server, 0, [], 8)]) as crowd:
        redis = cluster.redis_memory()
        now = time.perf_counter()
        crowd.run([Order(now, now, names, ask=True)])
        took = time.perf_counter() - now
        return {
            "redis_bytes_per_log": (cluster.redis_memory() - redis) / count,
            "kept_publishes_per_s": count / took,
        }
