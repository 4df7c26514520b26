"""Hubbub's chat and straightforward Socket.IO servers in one run, on both databases. Usage: python -m bench.chat --help

The server has one core and the load generator another; PostgreSQL has both. Rounds alternate the servers, each freshly
started on an empty database; figures are medians. Every acknowledged message is accounted for at every member.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import tempfile
from pathlib import Path

from bench.chat.measure import GOALS, ROWS, Found, Settings, judged, markdown, measure, sync_ms
from bench.chat.servers import DATABASES, SERVERS, Database
from bench.compare import RESULTS, machine, say
from hubbub.loadgen import BenchError


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chat", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default=",".join(ROWS), help="comma-separated; default: all")
    parser.add_argument("--databases", default=",".join(DATABASES), help="comma-separated; default: both")
    parser.add_argument("--servers", default=",".join(SERVERS), help="comma-separated; default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0, help="measured, after 2 that are not")
    parser.add_argument(
        "--quick", action="store_true", help="one short round: to see that it works, not to quote"
    )
    parser.add_argument("--folder", type=Path, help="for SQLite's files: on a disk, and not in memory")
    parser.add_argument(
        "--profile", action="store_true", help="sample servers with py-spy: figures are not to be quoted"
    )
    parser.add_argument("--scale", type=int, default=1, help="divide senders and rates: on a busy machine")
    asked = parser.parse_args()
    names, servers = asked.rows.split(","), asked.servers.split(",")
    databases: list[Database] = [each for each in DATABASES if each in asked.databases.split(",")]
    if unknown := [*(set(names) - set(ROWS)), *(set(servers) - set(SERVERS)), *_unknown(asked.databases)]:
        parser.error(f"no such row, server or database: {', '.join(unknown)}")
    if (os.cpu_count() or 1) < 2:
        parser.error("needs two cores, one for the server and one for the load")
    settings = Settings(
        seconds=2.0 if asked.quick else asked.seconds,
        warmup=0.5 if asked.quick else 2.0,
        folder=asked.folder,
        scale=asked.scale,
        profiles=RESULTS / "profiles" if asked.profile else None,
    )
    rounds = 1 if asked.quick or asked.profile else asked.rounds
    found: Found = {}
    missing = {(s, d): SERVERS[s].missing(d) for s in servers for d in databases}
    for (server, database), reason in missing.items():
        if reason:
            say(f"without {server} on {database}: {reason}")
    for turn in range(rounds):
        for name in names:
            for database in databases:
                for server in servers if turn % 2 == 0 else reversed(servers):
                    if server not in ROWS[name].servers or missing[server, database]:
                        continue
                    say(f"round {turn + 1} of {rounds}: {name}, {database}, {server}")
                    try:
                        figures = measure(ROWS[name], database, SERVERS[server], settings)
                    except (subprocess.CalledProcessError, BenchError) as error:
                        say(f"  {server} failed {name} on {database}: {error}")
                        continue
                    place = found.setdefault((name, database, server), {})
                    for figure, value in figures.items():
                        place.setdefault(figure, []).append(value)
    _report(found, rounds, settings)


def _unknown(databases: str) -> set[str]:
    return set(databases.split(",")) - set(DATABASES)


def _report(found: Found, rounds: int, settings: Settings) -> None:
    entries = judged(found)
    disk = sync_ms(settings.folder or Path(tempfile.gettempdir()))
    about = (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, medians of {rounds} x {settings.seconds:g} s: {machine()}; "
        f"an fsync of 4 KiB takes {disk:.2f} ms."
        + (f" Senders and rates divided by {settings.scale}: nothing to quote." if settings.scale > 1 else "")
    )
    RESULTS.mkdir(exist_ok=True)
    figures = [
        {"row": row, "database": database, "server": server, "figures": values}
        for (row, database, server), values in found.items()
    ]
    (RESULTS / "chat.json").write_text(
        json.dumps({"about": about, "goals": entries, "figures": figures}, indent=2) + "\n", encoding="utf-8"
    )
    table = markdown(entries, found, about)
    (RESULTS / "chat.md").write_text(table, encoding="utf-8")
    print(table)
    judgeable = len({(goal.row, goal.figure) for goal in GOALS})
    if entries and all(entry["met"] for entry in entries):
        say(f"all {len(entries)} comparisons of {judgeable} goals are reached")


if __name__ == "__main__":
    main()
