"""The commands of the page on pins, bookmarks, drafts and forwarding run as they stand, one after the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.docs.running import run
from tests.examples.server import ExampleServer, example_server

from hubbub.chat.sync import SyncPage

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "keep-and-forward.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        yield server


def test_the_commands_run_as_they_stand(server: ExampleServer) -> None:
    said = run(server, TEXT)
    results: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.strip()]
    (pinned,) = next(each["messages"] for each in results if "messages" in each)
    assert pinned["annotations"]["pin"]["by"] == "ada"
    (bookmark,) = next(each["bookmarks"] for each in results if "bookmarks" in each)
    assert (bookmark["bookmark"]["note"], bookmark["message"]["seq"]) == ("Tell sales", pinned["seq"])
    (draft,) = next(each["drafts"] for each in results if "drafts" in each)
    assert draft["parts"] == [{"type": "text", "text": "Can we make it Thursday?"}]
    (sent,) = results[-1]["sent"]
    assert sent["message"]["options"]["forwarded"]["sender"] == "ada"


def test_the_fields_of_a_sync_are_its_own() -> None:
    named = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| ([^|]*) \|", TEXT, re.MULTILINE)))
    assert {"bookmarks", "drafts", "scheduled", "reminders", "restrictions", "holds"} <= set(named)
    assert set(named) & set(SyncPage.__struct_fields__) == {
        "bookmarks",
        "drafts",
        "scheduled",
        "reminders",
        "restrictions",
        "holds",
    }
