"""The commands of the page on reviewing run as they stand, one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.docs.running import run
from tests.examples.server import ExampleServer, example_server

from hubbub.chat.model import CaseAction

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "review.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        yield server


def test_the_commands_run_as_they_stand(server: ExampleServer) -> None:
    said = run(server, TEXT)
    results: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.strip()]
    mine = [each["restrictions"] for each in results if "restrictions" in each]
    assert [[each["kind"] for each in found] for found in mine] == [["ban"], ["mute"], []]
    assert [each["granted"] for each in results if "granted" in each] == [True]
    assert {act["act"] for act in results[-2]["acts"]} == {"cases.decide", "cases.answer"}
    assert [act["act"] for act in results[-1]["acts"]] == ["cases.answer", "restrictions.lift"]


def test_every_action_is_told_of() -> None:
    table = re.findall(r"^\| (`.*?`) \| .*? \| .*? \|$", TEXT.partition("## Decide")[2], re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(table)))
    assert set(get_args(CaseAction)) <= named
