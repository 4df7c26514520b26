"""Several nodes with a Redis between them, beside Socket.IO's clusters. Usage: python -m bench.cluster --help

Rounds alternate the servers, each freshly started; figures are medians. A load process for each node; which of all
was the limit is told by their shares of a core. In the rows `workers-...` each worker gets a fifth of a core (a
cgroup's quota), so that these are the limit, and neither the load generator nor Redis.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.cluster.rows import Effort, channels, latency, logs, silence, workers
from bench.cluster.servers import SERVERS, Server, quotas
from bench.compare import RESULTS, Found, Goal, machine, number, say
from hubbub.loadgen import BenchError
from hubbub.loadgen.bench import Figures


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    measure: Callable[[Server, Effort], Figures]
    servers: tuple[str, ...]
    goals: tuple[Goal, ...] = ()
    ours: str = "hubbub"


OURS = "hubbub-socketio"
ALL = ("hubbub", OURS, "socketio", "python-socketio")
_PEERS = (
    Goal("deliveries_per_s", 1.3, "socketio"),
    Goal("deliveries_per_s", 3.0, "python-socketio"),
)
ROWS = {
    "latency": Row(
        "three nodes, 5,000 deliveries/s",
        latency,
        ALL,
        (Goal("cross_node_p95_ms", 30.0, most=True), Goal("lost", 0.0, most=True)),
    ),
    "workers-1": Row("deliveries with 1 worker", workers(1), ALL, _PEERS),
    "workers-2": Row("deliveries with 2 workers", workers(2), ALL, _PEERS),
    "workers-3": Row("deliveries with 3 workers", workers(3), ALL, _PEERS),
    "silence": Row(
        "traffic of channels without a subscriber here",
        silence,
        ALL,
        (Goal("bytes_per_publish_without", 0.5, most=True),),
    ),
    "channels": Row("50,000 channels on one node", channels, ("hubbub",)),
    "logs": Row("50,000 channels that keep a log", logs, ("hubbub",)),
}
TIMES = ("workers-1", "workers-2", 1.6)
"""The second row is to be so many times the first."""


def run(names: Sequence[str], servers: Sequence[str], rounds: int, effort: Effort) -> dict[str, Found]:
    found: dict[str, Found] = {name: {} for name in names}
    for round_ in range(rounds):
        for name, by_server in found.items():
            for server in (s for s in ROWS[name].servers if s in servers):
                say(f"round {round_ + 1} of {rounds}: {name}, {server}")
                try:
                    figures = ROWS[name].measure(SERVERS[server], effort)
                except BenchError as error:
                    say(f"  {server} failed {name}: {error}")
                    continue
                for figure, value in figures.items():
                    by_server.setdefault(server, {}).setdefault(figure, []).append(value)
    return found


def judged(found: dict[str, Found]) -> list[dict[str, Any]]:
    """The goals: our median, the peer's, and whether it is met."""
    entries: list[dict[str, Any]] = []
    for name, by_server in found.items():
        for goal in ROWS[name].goals:
            ours = _median(by_server, ROWS[name].ours, goal.figure)
            theirs = _median(by_server, goal.peer, goal.figure) if goal.peer else None
            if ours is not None and (theirs or not goal.peer):
                entries.append(_entry(ROWS[name].title, goal.figure, ours, goal, theirs))
    one, two, least = TIMES
    if one in found and two in found:
        ours = _median(found[two], "hubbub", "deliveries_per_s")
        alone = _median(found[one], "hubbub", "deliveries_per_s")
        if ours and alone:
            goal = Goal("deliveries_per_s", least, "1 worker")
            entries.append(_entry(ROWS[two].title, goal.figure, ours, goal, alone))
    return entries


def _entry(title: str, figure: str, ours: float, goal: Goal, theirs: float | None) -> dict[str, Any]:
    value = ours / theirs if theirs else ours
    return {
        "row": title,
        "figure": figure,
        "ours": ours,
        "peer": goal.peer,
        "peer_value": theirs,
        "value": value,
        "limit": goal.limit,
        "at_most": goal.most,
        "met": goal.met(value),
    }


def _median(by_server: Found, server: str, figure: str) -> float | None:
    values = by_server.get(server, {}).get(figure)
    return statistics.median(values) if values else None


def markdown(about: str, entries: Sequence[dict[str, Any]], found: dict[str, Found]) -> str:
    lines = [
        about,
        "",
        "| measure | figure | Hubbub | peer | value | to reach | |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for entry in entries:
        peer = f"{entry['peer']} {number(entry['peer_value'])}" if entry["peer"] else ""
        sign, unit = "≤" if entry["at_most"] else "≥", " ×" if entry["peer"] else ""
        lines.append(
            f"| {entry['row']} | {entry['figure']} | {number(entry['ours'])} | {peer} | {number(entry['value'])}"
            f"{unit} | {sign} {number(entry['limit'])}{unit} | {'reached' if entry['met'] else '**missed**'} |"
        )
    lines += ["", "| measure | server | medians |", "|---|---|---|"]
    for name, by_server in found.items():
        for server, figures in by_server.items():
            text = ", ".join(f"{figure} {number(statistics.median(v))}" for figure, v in figures.items())
            lines.append(f"| {name} | {SERVERS[server].title} | {text} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.cluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated; default: all")
    parser.add_argument("--servers", default=",".join(SERVERS), help="comma-separated; default: all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--channels", type=int, default=Effort().channels, help="in the rows of many")
    parser.add_argument("--quick", action="store_true", help="one short round: to see that it works")
    asked = parser.parse_args()
    names, servers = asked.rows.split(","), asked.servers.split(",")
    if unknown := [*(set(names) - set(ROWS)), *(set(servers) - set(SERVERS))]:
        parser.error(f"no such row or server: {', '.join(unknown)}")
    for server in list(servers):
        if missing := SERVERS[server].missing():
            say(f"without {server}: {missing}")
            servers.remove(server)
    if not quotas():
        say("no quotas on this machine: what `workers-...` compare is limited by what else runs on the cores")
    effort = Effort(channels=asked.channels)
    rounds = asked.rounds
    if asked.quick:
        effort, rounds = Effort(seconds=2.0, warmup=1.0, connections=150, channels=2_000), 1
    found = run(names, servers, rounds, effort)
    about = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, medians of {rounds}: {machine()}."
    entries = judged(found)
    RESULTS.mkdir(exist_ok=True)
    text = markdown(about, entries, found)
    if not asked.quick:
        (RESULTS / "cluster.json").write_text(
            json.dumps({"about": about, "goals": entries, "figures": found}, indent=2) + "\n",
            encoding="utf-8",
        )
        (RESULTS / "cluster.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
