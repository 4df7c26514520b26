"""kill -9 in the middle of load. Usage: python -m bench.crash --help

Twenty clients (native and Socket.IO on WebSockets, event streams with POSTs) send with idempotency keys, send again
what was not acknowledged, and go on from where they were when the server is back. It is killed 30 times on each
database; on PostgreSQL every third time it is the database that is. Then everything is read by REST, and the checker
compares.

Exit status: 0 if all was VALID; 1 for INVALID, and for UNKNOWN: too little has happened to say.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.chat.servers import DATABASES, Database
from bench.compare import RESULTS, machine, say
from bench.crash.run import Settings, torture
from bench.faults.report import plain, report
from hubbub.loadgen import BenchError


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Settings()
    parser.add_argument("--databases", default=",".join(DATABASES), help="comma-separated; default: both")
    parser.add_argument("--kills", type=int, default=default.kills, help="on each database")
    parser.add_argument("--senders", type=int, default=default.senders)
    parser.add_argument("--rate", type=float, default=default.rate, help="messages a second in all")
    parser.add_argument(
        "--messages", type=int, default=default.messages, help="at the least between two kills"
    )
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument(
        "--keep", type=Path, help="a folder for histories and logs; default: they are thrown away"
    )
    asked = parser.parse_args()
    databases: list[Database] = [each for each in DATABASES if each in asked.databases.split(",")]
    if unknown := set(asked.databases.split(",")) - set(DATABASES):
        parser.error(f"no such database: {', '.join(unknown)}")
    settings = Settings(asked.kills, asked.senders, asked.rate, asked.messages, seed=asked.seed)
    verdicts = {}
    for database in databases:
        with tempfile.TemporaryDirectory(prefix="hubbub-history-") as thrown_away:
            folder = Path(thrown_away)
            if asked.keep is not None:
                folder = asked.keep / database
                folder.mkdir(parents=True, exist_ok=True)
                if any(folder.iterdir()):
                    parser.error(f"{folder} is not empty")
            try:
                verdicts[database] = torture(database, settings, folder, partial(_say, database))
            except BenchError as error:
                say(f"{database}: {error}\n{_last_lines(folder / 'server.log')}")
                sys.exit(1)
    about = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, seed {settings.seed}: {machine()}."
    text = report(about, verdicts)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "crash.md").write_text(text, encoding="utf-8")
    (RESULTS / "crash.json").write_text(
        json.dumps({"about": about, "runs": {name: plain(v) for name, v in verdicts.items()}}, indent=2)
        + "\n",
        encoding="utf-8",
    )
    print(text)
    sys.exit(any(verdict.word != "VALID" for verdict in verdicts.values()))


def _say(database: Database, text: str) -> None:
    say(f"{database}: {text}")


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8").splitlines()[-20:]) if log.exists() else ""


if __name__ == "__main__":
    main()
