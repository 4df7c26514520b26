"""Hubbub and its peers in one run: the same load on each in turn, and ratios against what we set out to reach.

The server has one core and the load generator another. Rounds alternate the servers, each freshly started, so that
a noisy minute hits all of them; figures are medians. Usage: scripts/bench --help.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.servers import SERVERS, Server, started
from hubbub.loadgen import BenchError

RESULTS = Path(__file__).parent / "results"
SERVER_CORE, LOAD_CORE = 0, 1
KB = 1024
US = "hubbub"

Found = dict[str, dict[str, list[float]]]
"""Figures of one row by server and by name, one value a round."""


@dataclass(frozen=True, slots=True)
class Goal:
    """`figure` of ours must be at least (or, with `most`, at most) `limit`, in units of `peer`'s if one is named."""

    figure: str
    limit: float
    peer: str | None = None
    most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.limit if self.most else value >= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the comparison: `ours` against the others, each server started with `arguments`.

    `once` rows are about counts and run in the first round only.
    """

    title: str
    scenario: str
    options: tuple[str, ...]
    servers: tuple[str, ...]
    goals: tuple[Goal, ...]
    once: bool = False
    ours: str = US
    arguments: tuple[str, ...] = ()


ALL = (US, "socketio", "ws", "python-socketio", "loop")
ROWS: dict[str, Row] = {
    "fanout": Row(
        "fan-out to 1,000, one publish in flight",
        "fanout",
        (),
        ALL,
        (Goal("deliveries_per_s", 1.4, "socketio"), Goal("deliveries_per_s", 0.75, "loop")),
    ),
    "fanout16": Row(
        "fan-out to 1,000, 16 publishes in flight",
        "fanout",
        ("--in-flight", "16"),
        ALL,
        (Goal("deliveries_per_s", 8.0, "socketio"),),
    ),
    "echo": Row(
        "acknowledged publishes from 200 connections", "echo", (), ALL, (Goal("acks_per_s", 1.0, "socketio"),)
    ),
    "connect": Row(
        "connections a second, token verified",
        "connect",
        (),
        ALL,
        (Goal("connections_per_s", 1.0, "socketio"),),
    ),
    "memory": Row(
        "memory of an idle connection in 3 channels, at 10,000",
        "memory",
        (),
        (US, "socketio"),
        (
            Goal("per_connection_bytes", 12 * KB, most=True),
            Goal("per_connection_bytes", 1.0, "socketio", most=True),
        ),
    ),
    "latency": Row(
        "10,000 connections, 5,000 deliveries/s",
        "latency",
        (),
        (US, "socketio"),
        (
            Goal("latency_p50_ms", 5.0, most=True),
            Goal("latency_p95_ms", 20.0, most=True),
            Goal("latency_p99_ms", 50.0, most=True),
        ),
    ),
    "stall": Row(
        "one stalled reader among 1,000",
        "stall",
        (),
        (US,),
        (
            Goal("p99_ratio", 1.1, most=True),
            Goal("gone_after_s", 10.0, most=True),
            Goal("memory_kept_bytes", 2 * KB * KB, most=True),
        ),
    ),
    "hold": Row(
        "18,000 connections held while publishing",
        "hold",
        (),
        (US,),
        (Goal("dropped_connections", 0.0, most=True),),
        once=True,
    ),
}

OURS = "hubbub-socketio"
SOCKETIO = (OURS, "socketio", "python-socketio")


def socketio(
    title: str,
    scenario: str,
    *options: str,
    figure: str,
    node: float,
    polling: bool = False,
    servers: tuple[str, ...] = SOCKETIO,
) -> Row:
    """A row in which all speak Socket.IO: to be `node` times as fast as Node, and 8 times as fast as Python."""
    limits = {"socketio": node, "python-socketio": 8.0}
    goals = tuple(Goal(figure, limits[peer], peer) for peer in servers[1:])
    return Row(title, scenario, options, servers, goals, ours=OURS, arguments=("polling",) if polling else ())


ROWS |= {
    "sio-fanout": socketio(
        "Socket.IO: fan-out to 1,000, one emit in flight", "fanout", figure="deliveries_per_s", node=1.3
    ),
    "sio-fanout16": socketio(
        "Socket.IO: fan-out to 1,000, 16 emits in flight",
        "fanout",
        *("--in-flight", "16"),
        figure="deliveries_per_s",
        node=6.0,
    ),
    "sio-echo": socketio(
        "Socket.IO: events acknowledged, of 200 connections", "echo", figure="acks_per_s", node=1.0
    ),
    "sio-connect": socketio(
        "Socket.IO: connections a second", "connect", figure="connections_per_s", node=1.0
    ),
    "sio-connect-token": socketio(
        "Socket.IO: connections a second, token verified by us alone",
        "connect",
        *("--protocol", "socketio-token"),
        figure="connections_per_s",
        node=1.0,
        servers=(OURS, "socketio"),
    ),
    "sio-poll": socketio(
        "Socket.IO: fan-out to 200 that poll, one emit in flight",
        "poll",
        figure="deliveries_per_s",
        node=1.0,
        polling=True,
    ),
    "sio-poll-echo": socketio(
        "Socket.IO: events posted and acknowledged, of 200 that poll",
        "poll-echo",
        figure="acks_per_s",
        node=1.0,
        polling=True,
    ),
    "sio-memory": Row(
        "Socket.IO: memory of an idle connection in 3 rooms, at 10,000",
        "memory",
        (),
        SOCKETIO,
        (
            Goal("per_connection_bytes", 1.0, "socketio", most=True),
            Goal("per_connection_bytes", 1.0, "python-socketio", most=True),
        ),
        ours=OURS,
    ),
}
QUICK = ("--seconds", "2", "--warmup", "0.5")


def measure(row: Row, server: Server, extra: Sequence[str]) -> dict[str, float]:
    """The figures of one run: a fresh server on its core, the load generator on the other."""
    with started(server, SERVER_CORE, row.arguments) as target:
        command = [
            *(sys.executable, "-m", "hubbub.loadgen", row.scenario, "--json", "-"),
            *("--url", target.url, "--pid", str(target.pid), "--protocol", server.protocol),
            *row.options,
            *extra,
        ]
        done = subprocess.run(
            command,
            env={
                **os.environ,
                "HUBBUB_CHAT__ENABLED": "false",
                "HUBBUB_AUTH__HMAC_SECRET": target.secret or "",
            },
            stdout=subprocess.PIPE,
            preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
            check=True,
        )
    figures: dict[str, float] = json.loads(done.stdout)["figures"]
    return figures


def run(names: Iterable[str], servers: Sequence[str], rounds: int, extra: Sequence[str]) -> dict[str, Found]:
    """All rows, `rounds` times, servers alternating. A server that fails a row is said to and has no figure there."""
    found: dict[str, Found] = {name: {} for name in names}
    for number in range(rounds):
        for name, by_server in found.items():
            row = ROWS[name]
            if row.once and number:
                continue
            for server in (s for s in row.servers if s in servers):
                say(f"round {number + 1} of {rounds}: {name}, {server}")
                try:
                    figures = measure(row, SERVERS[server], extra)
                except (subprocess.CalledProcessError, BenchError):
                    say(f"  {server} failed {name}")
                    continue
                for figure, value in figures.items():
                    by_server.setdefault(server, {}).setdefault(figure, []).append(value)
    return found


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def judged(found: dict[str, Found]) -> list[dict[str, Any]]:
    """One entry per goal: our median, the peer's, the value that counts, and whether it is met."""
    entries = []
    for name, by_server in found.items():
        medians = {
            server: {figure: statistics.median(values) for figure, values in figures.items()}
            for server, figures in by_server.items()
        }
        for goal in ROWS[name].goals:
            us = ROWS[name].ours
            ours = medians.get(us, {}).get(goal.figure)
            theirs = medians.get(goal.peer, {}).get(goal.figure) if goal.peer else None
            if ours is None or (goal.peer and not theirs):
                continue
            value = ours / theirs if theirs else ours
            each = [medians[server].get("server_each_us") for server in (us, goal.peer) if server]
            entries.append(
                {
                    "row": name,
                    "figure": goal.figure,
                    "ours": ours,
                    "peer": goal.peer,
                    "peer_value": theirs,
                    "value": value,
                    "by_processor_time": _less(each) if goal.figure.endswith("_per_s") else None,
                    "limit": goal.limit,
                    "at_most": goal.most,
                    "met": goal.met(value),
                }
            )
    return entries


def _less(each: Sequence[float | None]) -> float | None:
    """How many times less processor time we need than the peer: the same ratio, were both never interrupted."""
    ours, theirs = each if len(each) == 2 else (None, None)
    return theirs / ours if ours and theirs else None


def machine() -> str:
    models = [
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    return (
        f"{os.cpu_count()} cores of {models[0] if models else platform.machine()}, Linux {platform.release()}, "
        f"CPython {platform.python_version()}" + (f", Node {node}" if node else "")
    )


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"


def markdown(entries: Sequence[dict[str, Any]], found: dict[str, Found], about: str) -> str:
    """The goals, with both figures of each ratio, and below them every server's figures."""
    lines = [
        about,
        "",
        "| measure | figure | Hubbub | peer | ratio or value | by processor time | to reach | |",
        "|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for entry in entries:
        peer = f"{entry['peer']} {number(entry['peer_value'])}" if entry["peer"] else ""
        busy = f"{number(entry['by_processor_time'])} ×" if entry["by_processor_time"] else ""
        sign, unit = "≤" if entry["at_most"] else "≥", " ×" if entry["peer"] else ""
        lines.append(
            f"| {ROWS[entry['row']].title} | {entry['figure']} | {number(entry['ours'])} | {peer} "
            f"| {number(entry['value'])}{unit} | {busy} | {sign} {number(entry['limit'])}{unit} "
            f"| {'reached' if entry['met'] else '**missed**'} |"
        )
    lines += ["", "| measure | server | medians |", "|---|---|---|"]
    for name, by_server in found.items():
        for server, figures in by_server.items():
            text = ", ".join(
                f"{figure} {number(statistics.median(values))}" for figure, values in figures.items()
            )
            lines.append(f"| {name} | {SERVERS[server].title} | {text} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated; default: all")
    parser.add_argument("--servers", default=",".join(SERVERS), help="comma-separated; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--quick", action="store_true", help="one short round: to see that it works, not to quote"
    )
    parser.add_argument("load", nargs="*", help="after --: options for every run of the load generator")
    chosen = parser.parse_args()
    names, servers = chosen.rows.split(","), chosen.servers.split(",")
    if unknown := [*(set(names) - set(ROWS)), *(set(servers) - set(SERVERS))]:
        parser.error(f"no such row or server: {', '.join(unknown)}")
    if (os.cpu_count() or 1) < 2:
        parser.error("needs two cores, one for the server and one for the load")
    for server in list(servers):
        if missing := SERVERS[server].prepare():
            say(f"without {server}: {missing}")
            servers.remove(server)
    rounds = 1 if chosen.quick else chosen.rounds
    found = run(names, servers, rounds, [*(QUICK if chosen.quick else ()), *chosen.load])
    entries = judged(found)
    about = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, medians of {rounds}: {machine()}."
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.json").write_text(
        json.dumps({"about": about, "goals": entries, "figures": found}, indent=2) + "\n", encoding="utf-8"
    )
    table = markdown(entries, found, about)
    (RESULTS / "latest.md").write_text(table, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main()
