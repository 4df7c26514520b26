"""Usage: python -m bench.chat_size [--messages N] [--databases sqlite postgresql] [--only NAME] [--save]."""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bench.chat_size.filling import BIG, SMALL, fill
from bench.chat_size.measures import ROUNDS, Figure, measure
from hubbub.clock import SystemClock
from hubbub.config import StorageConfig
from hubbub.storage.base import Store
from hubbub.storage.postgres import PostgresStore
from hubbub.storage.sqlite import SqliteStore
from hubbub.telemetry.metrics import Metrics
from hubbub.testing.postgres import Cluster

RESULTS = Path(__file__).parent.parent / "results"


def main() -> None:
    options = argparse.ArgumentParser(prog="bench.chat_size", description=__doc__)
    options.add_argument("--messages", type=int, default=1_000_000, help="of the long conversation")
    options.add_argument("--databases", nargs="+", default=["sqlite", "postgresql"])
    options.add_argument("--only", default="", help="measures with this in their names")
    options.add_argument("--save", action="store_true", help="write bench/results/chat_size.json and .md")
    given = options.parse_args()
    sizes = {SMALL: 1_000, BIG: given.messages}
    found = {}
    with ExitStack() as stack:
        urls = {}
        if "sqlite" in given.databases:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="hubbub-size-"))
            urls["sqlite"] = f"sqlite:///{folder}/size.db"
        if "postgresql" in given.databases:
            urls["postgresql"] = stack.enter_context(_cluster()).create("size")
        began = time.monotonic()
        with get_context("spawn").Pool(len(urls)) as pool:
            pool.starmap(fill, [(url, sizes) for url in urls.values()])
        print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
        for name, url in urls.items():
            found[name] = asyncio.run(ask(url, sizes, given.only))
    table = "\n\n".join(render(name, figures, given.messages) for name, figures in found.items())
    print(table)
    if given.save:
        RESULTS.mkdir(exist_ok=True)
        facts = json.dumps(document(found, sizes), indent=2) + "\n"
        (RESULTS / "chat_size.json").write_text(facts, encoding="utf-8")
        (RESULTS / "chat_size.md").write_text(table + "\n", encoding="utf-8")


def _cluster() -> Cluster:
    return Cluster(shared_buffers="256MB", maintenance_work_mem="512MB", max_wal_size="8GB")


async def ask(url: str, sizes: dict[str, int], only: str, *, rounds: int = ROUNDS) -> list[Figure]:
    """Open a store as the server does, and measure."""
    config = StorageConfig(url=SecretStr(url), timeout=60.0)
    kind = SqliteStore if url.startswith("sqlite") else PostgresStore
    store: Store = kind(config, SystemClock(), Metrics(), pending_writes=1)
    await store.start(lambda _: None, lambda _, __: None)
    try:
        return await measure(store, sizes, only, rounds=rounds)
    finally:
        await store.stop()


def render(name: str, figures: Sequence[Figure], messages: int) -> str:
    lines = [
        f"### {name}: 1,000 messages and {messages:,}",
        "",
        "| what | ms of 1,000 | ms of many | ratio | goal | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {each.measure.name} | {each.small:.2f} | {each.big:.2f} | {each.ratio:.2f} | {each.goal:g} |"
        f" {'met' if each.ratio <= each.goal else 'missed'} |"
        for each in figures
    ]
    return "\n".join(lines)


def document(found: dict[str, list[Figure]], sizes: dict[str, int]) -> dict[str, Any]:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        },
        "messages": sizes,
        "databases": {
            name: {
                each.measure.name: {
                    "group": each.measure.group,
                    "small_ms": round(each.small, 3),
                    "big_ms": round(each.big, 3),
                    "ratio": round(each.ratio, 2),
                    "goal": each.goal,
                }
                for each in figures
            }
            for name, figures in found.items()
        },
    }


if __name__ == "__main__":
    main()
