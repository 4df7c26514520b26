"""The commands of the page on rich messages run as they stand, one after the other, and its program is one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.running import blocks, run
from tests.examples.server import ExampleServer, example_server

from hubbub.chat.parts import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "rich-messages.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        yield server


def test_the_commands_run_as_they_stand(server: ExampleServer) -> None:
    said = run(server, TEXT)
    results: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.strip()]
    polls = [each for each in results if "poll" in each]
    assert [each["poll"]["options"][1].get("users") for each in polls] == [["bob"]] * 3
    assert polls[-1]["poll"]["closed_by"] == "ada"
    assert [each["done"] for each in results if "done" in each][-1] == []
    assert [hit["message"]["parts"][0]["type"] for hit in results[-1]["hits"]] == ["poll"]


def test_every_kind_is_told_of() -> None:
    table = re.findall(r"^\| `(\w+)` \|", TEXT.partition("The commands below")[0], re.MULTILINE)
    assert set(table) - {"type"} == set(KINDS)


def test_the_program_is_one() -> None:
    (program,) = blocks(TEXT, "python")
    compile(program, str(PAGE), "exec")
