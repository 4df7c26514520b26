"""What the web app costs, in a real Chromium. Usage: python -m bench.web --help

`hubbub demo` with 200 conversations and 10,000 messages in one of them is opened as Ada: bytes and times of the load
(nothing cached, warm, and on a slow phone), long tasks and layout shifts, scrolling through all of it and back,
sending, connections that break, and an hour's use in short, after which nothing may have stayed in memory.

Exit status: 0 if all budgets hold (bench/web/budgets.py), 1 if not, 2 if it could not be measured. --quick judges
bytes and counts only, and no times.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from bench.compare import RESULTS, machine, say
from bench.web.budgets import judged, table
from bench.web.rig import demo, measure, prepare
from hubbub.loadgen import BenchError

FULL_SIZE = (200, 10_000)
QUICK_SIZE = (20, 250)
SECONDS: Final = 3_000.0

FULL: Final[dict[str, dict[str, Any]]] = {
    "loads": {"rounds": 5, "phones": 5, "afterwards": 1_000},
    "scrolling": {"length": FULL_SIZE[1], "patience": 300_000},
    "sending": {"messages": 50},
    "drops": {"times": 10, "away": 2_000, "calm": 6_000},
    "hour": {"rounds": 204, "warm": 24, "lap": 12, "settle": 1_500},
}
QUICK: Final[dict[str, dict[str, Any]]] = {
    "loads": {"rounds": 1, "phones": 0, "afterwards": 100},
    "scrolling": {"length": 200, "patience": 20_000},
    "sending": {"messages": 1},
    "drops": {"times": 1, "away": 100, "calm": 0},
    "hour": {"rounds": 2, "warm": 3, "lap": 1, "settle": 200},
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.web", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a round of each on a small workspace; no times")
    parser.add_argument("--only", action="append", choices=FULL, help="may be repeated; default: all")
    parser.add_argument("--rounds", type=int, default=FULL["hour"]["rounds"], help="of the hour")
    parser.add_argument("--url", help="of a `hubbub demo --quiet` that runs, instead of a new one")
    asked = parser.parse_args(arguments)
    plan = QUICK if asked.quick else {**FULL, "hour": {**FULL["hour"], "rounds": asked.rounds}}
    plan = {name: options for name, options in plan.items() if name in (asked.only or FULL)}
    size = QUICK_SIZE if asked.quick else FULL_SIZE
    before = os.getloadavg()[0]
    try:
        if asked.url is not None:
            found = measure(asked.url.rstrip("/"), plan, SECONDS)
        else:
            prepare()
            with demo(*size) as url:
                found = measure(url, plan, SECONDS)
    except BenchError as error:
        say(str(error))
        return 2
    verdicts = judged(found, counted_only=asked.quick)
    text = f"{_about(found['chromium'], before)}\n\n{table(verdicts)}\n"
    for name, figures in found.items():
        for line in figures.get("faults", ()) if isinstance(figures, dict) else ():
            say(f"{name}: {line}")
    if not asked.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "web.md").write_text(text, encoding="utf-8")
        data = {"about": text.splitlines()[0], "plan": plan, "figures": found}
        (RESULTS / "web.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    print(text)
    return int(not all(it.holds for it in verdicts))


def _about(chromium: str, before: float) -> str:
    return (
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}: {machine()}, Chromium {chromium}; "
        f"load average {before:.1f} before and {os.getloadavg()[0]:.1f} after."
    )


if __name__ == "__main__":
    sys.exit(main())
