"""`hubbub bench` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.loadgen.fake import Fake, running
from typer.testing import CliRunner

from hubbub.loadgen import SCENARIOS
from hubbub.loadgen.cli import bench_app

SMALL = ["--connections", "5", "--seconds", "0.2", "--warmup", "0"]
runner = CliRunner()


def test_a_run_shows_a_table_and_writes_json(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with running(Fake("plain")) as url:
        result = runner.invoke(
            bench_app, ["echo", "--url", url, "--protocol", "plain", "--json", str(path), *SMALL]
        )
    assert result.exit_code == 0, result.output
    assert "latency p99" in result.stdout
    assert json.loads(path.read_bytes())["figures"]["acks_per_s"] > 0


def test_json_on_stdout_is_nothing_but_json() -> None:
    with running(Fake("hubbub")) as url:
        result = runner.invoke(bench_app, ["connect", "--url", url, "--token", "t", "--json", "-", *SMALL])
    assert json.loads(result.stdout)["scenario"] == "connect"


def test_a_failed_run_says_why_and_exits_with_1() -> None:
    result = runner.invoke(bench_app, ["echo", "--url", "ws://127.0.0.1:1", *SMALL])
    assert result.exit_code == 1
    assert "is the server running?" in result.stderr


def test_an_unknown_protocol_is_named() -> None:
    result = runner.invoke(bench_app, ["echo", "--url", "ws://127.0.0.1:1", "--protocol", "mqtt"])
    assert result.exit_code == 2
    assert "no such protocol" in result.stderr


@pytest.mark.parametrize("arguments", [["poll"], ["echo", "--protocol", "socketio"]])
def test_what_needs_handlers_needs_a_server_that_has_them(arguments: list[str]) -> None:
    result = runner.invoke(bench_app, arguments)
    assert result.exit_code == 2
    assert "needs --url" in result.stderr


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_scenario_is_a_command_with_help(scenario: str) -> None:
    result = runner.invoke(bench_app, [scenario, "--help"])
    assert result.exit_code == 0
    assert "--in-flight" in result.stdout
