"""The commands of the pages on commands, emoji and groups, and on previews, run as they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.running import run
from tests.examples.server import ExampleServer, example_server

PAGES = Path(__file__).parents[2] / "docs" / "how-to"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    # Tests ask nothing of the internet.
    with example_server(tmp_path, "--set", "chat.enabled=true", "--set", "previews.enabled=false") as server:
        yield server


def results_of(server: ExampleServer, page: str) -> list[dict[str, Any]]:
    """Run the commands of a page; what they print."""
    said = run(server, (PAGES / page).read_text(encoding="utf-8"))
    return [json.loads(line) for line in said.splitlines() if line.strip()]


def test_commands_emoji_and_groups(server: ExampleServer) -> None:
    results = results_of(server, "commands.md")
    (command,) = next(each["commands"] for each in results if "commands" in each)
    assert (command["name"], command["owner"]) == ("remind", "reminder")
    assert [each["name"] for each in next(each["emoji"] for each in results if "emoji" in each)] == [
        "bird",
        "parrot",
    ]
    assert results[-1]["membership"]["mentions"] == 1, "Ada is in the group"


def test_previews(server: ExampleServer) -> None:
    results = results_of(server, "previews.md")
    without = next(each["message"] for each in results if "message" in each)
    assert without["options"] == {"previews": False}
