"""The load generator behind `hubbub bench`: its own process, raw sockets on one epoll, any server by an adapter."""

from __future__ import annotations

import gc
from dataclasses import asdict

from hubbub.loadgen.pool import BenchError
from hubbub.loadgen.report import Report
from hubbub.loadgen.scenarios import SCENARIOS, Bench, Options, Progress
from hubbub.loadgen.target import Target, own_server

__all__ = ["SCENARIOS", "BenchError", "Options", "Progress", "Report", "Target", "own_server", "run"]


def run(
    scenario: str, options: Options, target: Target, progress: Progress = lambda doing, share: None
) -> Report:
    """Load `target` with `scenario`. Raises BenchError when the server refuses, stops answering or drops a link."""
    bench = Bench(options, target, progress)
    collecting = gc.isenabled()
    gc.disable()  # a collection among 10,000 links is a pause that would be blamed on the server
    try:
        with bench.pool:
            figures = SCENARIOS[scenario](bench)
    finally:
        if collecting:
            gc.enable()
    settings = {name: value for name, value in asdict(options).items() if name != "protocol"}
    return Report(scenario, options.protocol, settings, figures)
