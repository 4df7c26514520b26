"""The rows, each server's figures in them, and what we set out to reach."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.chat.plan import SIZE, layout
from bench.chat.profile import profiled
from bench.chat.servers import Database, Server, started
from bench.compare import number
from hubbub.loadgen import BenchError

US = "hubbub"
SERVER_CORE, LOAD_CORE = 0, 1
FAULTS = ("refused", "unacknowledged", "lost", "repeated", "disordered", "uncounted")
"""Figures that are 0 of a server that keeps its word."""
Found = dict[tuple[str, Database, str], dict[str, list[float]]]
"""By row, database and server: figures by name, one value a round."""


@dataclass(frozen=True, slots=True)
class Row:
    """`senders`, each with `in_flight` messages under way, or at `rate` messages a second in all."""

    title: str
    senders: int
    in_flight: int = 1
    rate: float = 0.0
    servers: tuple[str, ...] = (US, "python-socketio", "socketio")


ROWS: dict[str, Row] = {
    "1": Row("1 sender", 1),
    "50": Row("50 senders", 50),
    "500": Row("500 senders", 500),
    "paced": Row("500 senders, 5,000 messages a second in all", 500, rate=5_000.0),
    "bot": Row("1 sender with 64 messages under way", 1, in_flight=64),
}


@dataclass(frozen=True, slots=True)
class Goal:
    """`figure` of ours in `row` is to be `limit` at the least (or, with `most`, at the most); with `peers` that many
    times every peer's."""

    row: str
    figure: str
    limit: float
    databases: tuple[Database, ...] = ("sqlite", "postgres")
    most: bool = False
    peers: bool = False


GOALS = (
    Goal("500", "acks_per_s", 5_000.0, ("sqlite",)),
    Goal("paced", "ack_p95_ms", 50.0, ("sqlite",), most=True),
    Goal("500", "acks_per_s", 3.0, peers=True),
)
"""500 senders who wait for each ack are 500 messages under way: at 5,000 acks a second they wait for 100 ms whatever
the server does. What an ack takes is asked at a rate that is given."""


@dataclass(frozen=True, slots=True)
class Settings:
    seconds: float = 8.0
    warmup: float = 2.0
    folder: Path | None = None
    profiles: Path | None = None
    pinned: bool = True
    scale: int = 1
    """Senders and rates are divided by it: to see that it works."""


def measure(row: Row, database: Database, server: Server, settings: Settings) -> dict[str, float]:
    """The figures of one run on a server of its own. Raises BenchError and CalledProcessError."""
    senders = max(1, row.senders // settings.scale)
    plan = layout(max(SIZE, -(-senders // SIZE) * SIZE))
    core = SERVER_CORE if settings.pinned else None
    with started(server, database, plan, folder=settings.folder, core=core) as running:
        command = [
            *(sys.executable, "-m", "bench.chat.load", "--url", running.url, "--protocol", server.protocol),
            *("--plan", str(running.plan), "--senders", str(senders), "--in-flight", str(row.in_flight)),
            *("--rate", str(row.rate / settings.scale), "--pid", str(running.pid)),
            *("--seconds", str(settings.seconds), "--warmup", str(settings.warmup)),
            *(("--secret", running.secret) if running.secret else ()),
            *(("--database-pid", str(running.database_pid)) if running.database_pid else ()),
        ]
        name = f"{server.name}-{database}-{senders}x{row.in_flight}" + ("-paced" if row.rate else "")
        with profiled(running.pid, settings.seconds, settings.warmup, settings.profiles, name):
            done = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                preexec_fn=(lambda: os.sched_setaffinity(0, {LOAD_CORE})) if settings.pinned else None,
                check=True,
            )
    figures: dict[str, float] = json.loads(done.stdout)
    if server.name == US and (faults := {name: figures[name] for name in FAULTS if figures[name]}):
        raise BenchError(f"messages went astray: {faults}")
    return figures


def judged(found: Found) -> list[dict[str, Any]]:
    """One entry for each goal, database and peer: our median, the peer's, the value that counts, and whether it is
    reached. What was not measured is left out."""
    medians = {
        place: {figure: statistics.median(values) for figure, values in figures.items()}
        for place, figures in found.items()
    }
    entries = []
    for goal in GOALS:
        for database in goal.databases:
            ours = medians.get((goal.row, database, US), {}).get(goal.figure)
            peers = [name for name in ROWS[goal.row].servers if name != US] if goal.peers else [None]
            for peer in peers:
                theirs = medians.get((goal.row, database, peer), {}).get(goal.figure) if peer else None
                if ours is None or (peer and not theirs):
                    continue
                value = ours / theirs if theirs else ours
                entries.append(
                    {
                        "row": goal.row,
                        "database": database,
                        "figure": goal.figure,
                        "ours": ours,
                        "peer": peer,
                        "peer_value": theirs,
                        "value": value,
                        "limit": goal.limit,
                        "at_most": goal.most,
                        "met": value <= goal.limit if goal.most else value >= goal.limit,
                    }
                )
    return entries


COLUMNS = {
    "acks/s": "acks_per_s",
    "p50": "ack_p50_ms",
    "p95": "ack_p95_ms",
    "p99": "ack_p99_ms",
    "delivered p95": "delivery_p95_ms",
    "server µs": "server_each_us",
    "loop µs": "loop_each_us",
    "kernel µs": "kernel_each_us",
    "database µs": "database_each_us",
    "server": "server_cpu",
    "database": "database_cpu",
    "load": "load_generator_cpu",
}
"""Milliseconds; processor time for each message; and shares of a core."""


def markdown(entries: Sequence[dict[str, Any]], found: Found, about: str) -> str:
    """The goals, with both figures of each ratio, and below them everything by row and server."""
    lines = [
        about,
        "",
        "| measure | database | figure | Hubbub | peer | ratio or value | to reach | |",
        "|---|---|---|--:|--:|--:|--:|---|",
    ]
    for entry in entries:
        peer = f"{entry['peer']} {number(entry['peer_value'])}" if entry["peer"] else ""
        sign, unit = "≤" if entry["at_most"] else "≥", " ×" if entry["peer"] else ""
        lines.append(
            f"| {ROWS[entry['row']].title} | {entry['database']} | {entry['figure']} | {number(entry['ours'])} "
            f"| {peer} | {number(entry['value'])}{unit} | {sign} {number(entry['limit'])}{unit} "
            f"| {'reached' if entry['met'] else '**missed**'} |"
        )
    lines += [
        "",
        f"| measure | database | server | {' | '.join(COLUMNS)} | astray |",
        f"|---|---|---|{'--:|' * (len(COLUMNS) + 1)}",
    ]
    for (row, database, server), figures in found.items():
        medians = {figure: statistics.median(values) for figure, values in figures.items()}
        cells = [number(medians[figure]) if figure in medians else "" for figure in COLUMNS.values()]
        astray = ", ".join(f"{name} {number(medians[name])}" for name in FAULTS if medians.get(name))
        lines.append(f"| {row} | {database} | {server} | {' | '.join(cells)} | {astray or 'none'} |")
    return "\n".join(lines) + "\n"


def sync_ms(folder: Path, times: int = 50) -> float:
    """The median time that the disk takes to keep 4 KiB appended to a file, in milliseconds."""
    path, took = folder / f"sync-{os.getpid()}", []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(times):
            began = time.perf_counter()
            os.write(descriptor, b"\0" * 4096)
            os.fsync(descriptor)
            took.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(took) * 1000
