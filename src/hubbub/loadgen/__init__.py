"""The load generator behind `hubbub bench`: its own process, raw sockets on one epoll, any server by an adapter."""

from __future__ import annotations

from hubbub.loadgen.bench import Options, Progress
from hubbub.loadgen.errors import BenchError
from hubbub.loadgen.report import Report
from hubbub.loadgen.scenarios import SCENARIOS, run
from hubbub.loadgen.target import Target, own_server

__all__ = ["SCENARIOS", "BenchError", "Options", "Progress", "Report", "Target", "own_server", "run"]
