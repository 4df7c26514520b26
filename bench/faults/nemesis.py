"""What breaks things: a list of faults from a seed, and how each is done and undone."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bench.faults.history import Nemesis, Writer, now
from bench.faults.rig import Node, Rig
from hubbub.testing.postgres import Cluster, execute
from hubbub.testing.proxy import FaultProxy
from hubbub.testing.redis import RedisServer

HUGE = 33 * 1024 * 1024
"""More than Redis keeps for a subscriber (`client-output-buffer-limit pubsub 32mb`)."""
DISCONNECT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """`hold`: seconds for which the fault is on, from and to. `of`: it is a fault of the broker of that name, and not
    of nodes; `others`: it needs other nodes; `partitions`: it needs namespaces. `ends`: it may end the logs of channels
    that are not durable."""

    hold: tuple[float, float]
    of: str = ""
    others: bool = False
    partitions: bool = False
    ends: bool = False


KINDS = {
    "node-kill": Kind((0.5, 2.0)),
    "node-pause": Kind((5.0, 9.0)),
    "node-restart": Kind((0.0, 0.0)),
    "node-cut-from-nodes": Kind((3.0, 6.0), others=True, partitions=True),
    "node-cut-from-redis": Kind((3.0, 6.0), of="redis", others=True),
    "redis-kill": Kind((0.5, 3.0), of="redis", ends=True),
    "redis-pause": Kind((3.0, 8.0), of="redis"),
    "redis-flush": Kind((0.0, 0.0), of="redis", ends=True),
    "redis-disconnect": Kind((0.0, 0.0), of="redis"),
    "redis-huge": Kind((0.0, 0.0), of="redis"),
    "redis-readonly": Kind((2.0, 4.0), of="redis", ends=True),
    "redis-slow": Kind((4.0, 8.0), of="redis"),
    "redis-reset": Kind((0.0, 0.0), of="redis"),
    "redis-silent": Kind((3.0, 6.0), of="redis"),
    "node-cut-from-nats": Kind((3.0, 6.0), of="nats", others=True),
    "nats-kill": Kind((0.5, 3.0), of="nats", ends=True),
    "nats-pause": Kind((3.0, 8.0), of="nats"),
    "nats-slow": Kind((4.0, 8.0), of="nats"),
    "nats-reset": Kind((0.0, 0.0), of="nats"),
    "nats-silent": Kind((3.0, 6.0), of="nats"),
    "node-cut-from-postgresql": Kind((3.0, 6.0), of="postgresql", others=True),
    "postgresql-kill": Kind((0.5, 3.0), of="postgresql", ends=True),
    "postgresql-pause": Kind((3.0, 8.0), of="postgresql"),
    "postgresql-disconnect": Kind((0.0, 0.0), of="postgresql"),
    "postgresql-slow": Kind((4.0, 8.0), of="postgresql"),
    "postgresql-reset": Kind((0.0, 0.0), of="postgresql"),
    "postgresql-silent": Kind((3.0, 6.0), of="postgresql"),
}
RESTS = ((1.0, 3.0), (7.0, 9.0))
"""Seconds between faults: mostly few, and after every third so many that presence is to be right again."""
ENDS_EPOCHS = frozenset(kind for kind, how in KINDS.items() if how.ends)


@dataclass(frozen=True, slots=True)
class Fault:
    """`node` is the number of the one that it is about. `rest`: seconds of peace behind it, of what comes to mind."""

    kind: str
    node: int
    hold: float
    rest: float


def possible(nodes: int, *, broker: str, partitions: bool) -> tuple[str, ...]:
    """The kinds that there can be."""
    return tuple(
        kind
        for kind, how in KINDS.items()
        if how.of in ("", broker) and (nodes > 1) >= how.others and partitions >= how.partitions
    )


def schedule(seed: int, seconds: float, kinds: Sequence[str], nodes: int) -> list[Fault]:
    """As many as are done in about `seconds`: each kind once, in any order, before any comes again."""
    chance = random.Random(seed)
    faults: list[Fault] = []
    taken = 0.0
    while kinds:
        for kind in chance.sample(kinds, len(kinds)):
            hold, rest = chance.uniform(*KINDS[kind].hold), chance.uniform(*RESTS[len(faults) % 3 == 2])
            taken += hold + rest + 1.0
            if taken > seconds and faults:
                return faults
            faults.append(Fault(kind, chance.randrange(nodes), hold, rest))
    return faults


class Breaker:
    """Does faults to a rig, and writes down when."""

    def __init__(self, rig: Rig, writer: Writer) -> None:
        self._rig = rig
        self._writer = writer

    def play(self, fault: Fault) -> None:
        """Break it, wait, mend it. A kill is over at once: what follows from it is to be mended without the node."""
        node = self._rig.nodes[fault.node]
        self._writer.write(Nemesis(now(), kind=fault.kind, ph="inv"))
        match fault.kind:
            case "node-kill":
                node.kill()
                self._over(fault)
                time.sleep(fault.hold)
                node.start()
                return
            case "node-restart":
                node.stop()
                node.start()
            case "node-pause":
                self._during(fault, node.pause, node.resume)
            case "node-cut-from-nodes":
                others = [other.host for other in self._rig.nodes if other is not node]
                self._cut(fault, node, others)
            case "node-cut-from-redis" | "node-cut-from-nats" | "node-cut-from-postgresql":
                self._between(fault, [node])
            case _:
                self._broker(fault)
        self._over(fault)

    def _over(self, fault: Fault) -> None:
        self._writer.write(Nemesis(now(), kind=fault.kind, ph="ok"))

    def _broker(self, fault: Fault) -> None:
        """What befalls the server between the nodes, whichever it is."""
        server = self._rig.server
        assert server is not None
        match fault.kind.partition("-")[2]:
            case "kill":
                self._during(fault, server.kill, server.start)
            case "pause":
                self._during(fault, server.pause, server.resume)
            case "slow":
                self._during(fault, lambda: self._delay(1.0), lambda: self._delay(0.0))
            case "reset":
                for proxy in self._proxies(self._rig.nodes):
                    self._rig.proxies.reset(proxy)
            case "silent":
                self._between(fault, self._rig.nodes)
            case "disconnect" if isinstance(server, Cluster):
                execute(server.url(), DISCONNECT)
            case what:
                assert isinstance(server, RedisServer)
                self._redis(fault, server, what)

    def _redis(self, fault: Fault, redis: RedisServer, what: str) -> None:
        """What can befall Redis alone."""
        match what:
            case "flush":
                redis.flush()
            case "disconnect":
                redis.ask("CLIENT", "KILL", "TYPE", "pubsub")
            case "huge":
                names = redis.ask("PUBSUB", "CHANNELS", "*")
                if names:
                    redis.ask("PUBLISH", min(names), b"\xff" * HUGE)
            case "readonly":
                self._during(
                    fault,
                    lambda: redis.ask("REPLICAOF", "127.0.0.1", "1"),
                    lambda: redis.ask("REPLICAOF", "NO", "ONE"),
                )

    @staticmethod
    def _during(fault: Fault, begin: Callable[[], object], end: Callable[[], object]) -> None:
        begin()
        try:
            time.sleep(fault.hold)
        finally:
            end()

    def _cut(self, fault: Fault, node: Node, addresses: Sequence[str]) -> None:
        network = self._rig.network
        self._during(fault, lambda: network.cut(node.name, addresses), lambda: network.mend(node.name))

    def _between(self, fault: Fault, nodes: Sequence[Node]) -> None:
        """What goes to the server and comes from it is swallowed, and connections stay open, as behind a firewall."""

        def swallow(on: bool) -> None:
            for proxy in self._proxies(nodes):
                proxy.to_server.black_hole = proxy.to_client.black_hole = on
                if not on:  # of what was swallowed in the middle, nothing can be made
                    self._rig.proxies.reset(proxy)

        self._during(fault, lambda: swallow(True), lambda: swallow(False))

    def _delay(self, seconds: float) -> None:
        for proxy in self._proxies(self._rig.nodes):
            proxy.to_server.delay = proxy.to_client.delay = seconds

    @staticmethod
    def _proxies(nodes: Iterable[Node]) -> list[FaultProxy]:
        return [node.server for node in nodes if node.server is not None]


def mend(rig: Rig) -> None:
    """Whatever was broken when a run was given up: leave nothing that is stopped."""
    for node in rig.nodes:
        if node.paused:
            node.resume()
    if rig.server is not None and rig.server.running:
        with contextlib.suppress(ProcessLookupError):
            rig.server.resume()
