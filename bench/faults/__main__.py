"""Faults under load. Usage: scripts/faults --seed 1 --seconds 300 --nodes 3 --database postgresql

Clients of all kinds (native and Socket.IO on WebSockets, event streams, long-polling of which each request goes to
another node) talk over several nodes, with idempotency keys, and go on at any node when they are cut off. Meanwhile
nodes, the Redis between them and the network are broken, one thing after the other, as the seed says. Then everything
is read from every node, and the checker compares.

Exit status: 0 if it was VALID; 1 for INVALID, and for UNKNOWN: too little has happened to say.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.compare import machine, say
from bench.faults import network
from bench.faults.nemesis import KINDS
from bench.faults.report import plain, report
from bench.faults.run import WIRES, Settings, torture
from hubbub.loadgen import BenchError


def main() -> None:
    default = Settings()
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of faults, about")
    parser.add_argument("--nodes", type=int, default=default.nodes)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default=default.database)
    parser.add_argument("--broker", choices=("redis", "nats", "postgresql", "memory"), default=default.broker)
    parser.add_argument("--people", type=int, default=default.people)
    parser.add_argument("--rooms", type=int, default=default.rooms)
    parser.add_argument("--rate", type=float, default=default.rate, help="messages a second in all")
    parser.add_argument(
        "--calm", type=float, default=default.calm, help="seconds of talk behind the last fault"
    )
    parser.add_argument("--faults", default="", help=f"comma-separated, of {', '.join(KINDS)}; default: all")
    parser.add_argument("--wires", default=",".join(WIRES), help="of the participants, one after the other")
    parser.add_argument("--no-namespaces", action="store_true", help="all on loopback, and no partitions")
    parser.add_argument("--keep", type=Path, help="a folder for histories and logs; default: thrown away")
    parser.add_argument("--json", type=Path, help="a file for the verdict")
    asked = parser.parse_args()
    kinds = tuple(each for each in asked.faults.split(",") if each)
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"no such faults: {', '.join(sorted(unknown))}")
    partitions = not asked.no_namespaces and network.possible()
    if partitions:
        network.enter()
    elif not asked.no_namespaces:
        say("no namespaces on this machine: all on loopback, and no partitions")
    settings = Settings(
        seed=asked.seed,
        seconds=asked.seconds,
        nodes=asked.nodes,
        database=asked.database,
        broker=asked.broker,
        people=asked.people,
        rooms=asked.rooms,
        rate=asked.rate,
        calm=asked.calm,
        kinds=kinds,
        wires=tuple(asked.wires.split(",")),
        partitions=partitions,
    )
    with _folder(asked.keep) as folder:
        try:
            verdict = torture(settings, folder, say)
        except BenchError as error:
            say(f"nothing to judge: {error}")
            sys.exit(1)
        text = report(_about(settings), {"run": verdict})
        say(_complaints(folder))
    if asked.json is not None:
        asked.json.write_text(
            json.dumps({"about": _about(settings), **plain(verdict)}, indent=2), encoding="utf-8"
        )
    print(text)
    sys.exit(verdict.word != "VALID")


def _about(settings: Settings) -> str:
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, seed {settings.seed}, {settings.seconds:g} s, "
        f"{settings.nodes} nodes, {settings.broker}, {settings.database}"
        f"{', namespaces' if settings.partitions else ''}: {machine()}."
    )


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="hubbub-history-") as folder:
            yield Path(folder)
        return
    keep.mkdir(parents=True, exist_ok=True)
    if any(keep.iterdir()):
        raise SystemExit(f"{keep} is not empty")
    yield keep


def _complaints(folder: Path) -> str:
    """What the nodes have logged as errors, the last of it."""
    lines = [
        f"{path.name}: {line}"
        for path in sorted(folder.glob("n*.log"))
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
        if '"level":"error"' in line or line.startswith("Traceback")
    ]
    return "\n".join((f"{len(lines)} errors logged by nodes", *(line[:300] for line in lines[-10:])))


if __name__ == "__main__":
    main()
