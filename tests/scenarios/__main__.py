"""Play scenarios by hand. Usage: python -m tests.scenarios drop_in_publish --sdk python --seeds 20"""

from __future__ import annotations

import argparse
import asyncio
import sys

from tests.scenarios.drivers import SDKS
from tests.scenarios.format import names
from tests.scenarios.world import AT_ONCE, play_all


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description="Play scenarios.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: all of {', '.join(names())}")
    parser.add_argument("--sdk", action="append", choices=SDKS, help="may be repeated; default: all")
    parser.add_argument("--seeds", type=int, default=2, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(names()):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    seeds = range(asked.first, asked.first + asked.seeds)
    outcomes = asyncio.run(play_all(asked.names or names(), asked.sdk or SDKS, seeds, asked.at_once))
    for outcome in outcomes:
        print("ok  " if not outcome.anomalies else "FAIL", outcome)
    bad = sum(1 for outcome in outcomes if outcome.anomalies)
    print(f"{len(outcomes)} runs, {bad} with anomalies")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
