from __future__ import annotations

import pytest
from tests.cli.conftest import Command

from hubbub.errors import DISCONNECTS, ERRORS
from hubbub.telemetry.metrics import TABLE, Metrics


def test_every_code_is_listed(hubbub: Command) -> None:
    for arguments in ([], ["--markdown"]):
        text = hubbub("errors", *arguments).out
        assert all(str(int(code)) in text and row.name in text for code, row in ERRORS.items())
        assert all(str(code) in text and row.name in text for code, row in DISCONNECTS.items())


@pytest.mark.parametrize("code", ["3002", "slow"])
def test_one_code(code: str, hubbub: Command) -> None:
    text = hubbub("errors", code).out
    assert text.split()[:2] == ["3002", "slow"]
    assert len(text.splitlines()) == 2


def test_an_unknown_code(hubbub: Command) -> None:
    outcome = hubbub("errors", "9")
    assert (outcome.status, outcome.err.splitlines()[0]) == (2, "error: there is no code 9.")


def test_metrics_are_called_as_prometheus_sees_them(hubbub: Command) -> None:
    exposed = {line.split()[2] for line in Metrics().exposition().decode().splitlines() if "# TYPE" in line}
    for arguments in ([], ["--markdown"]):
        words = hubbub("metrics", *arguments).out.replace("`", " ").replace("{", " ").split()
        assert exposed <= set(words)
    assert len(exposed) == len(TABLE)


def test_tables_are_tables(hubbub: Command) -> None:
    for text in (hubbub("errors", "--markdown").out, hubbub("metrics", "--markdown").out):
        lines = [line.replace("\\|", "") for line in text.splitlines() if line.startswith("|")]
        assert {line.count("|") for line in lines} in ({7}, {5})
