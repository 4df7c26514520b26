"""The commands of the page on rules run as they stand, and its hook is one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.docs.running import blocks, run
from tests.examples.server import ExampleServer, example_server

from hubbub.moderation.base import Action, Draft, Judgement
from hubbub.moderation.rules import Condition

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "moderate.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        yield server


def test_the_commands_run_as_they_stand(server: ExampleServer) -> None:
    said = run(server, TEXT)
    results: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.strip()]
    assert results, said
    (sent,) = [each["message"] for each in results if "message" in each]
    assert (sent["parts"][0]["text"], sent["options"]) == ("oh ••••", {"masked": True})
    (tried,) = [each for each in results if "matches" in each]
    assert (tried["action"], tried["rule"]) == ("mask", "rude words")
    (replayed,) = [each for each in results if "differences" in each]
    assert (replayed["changed"], replayed["live_right"], replayed["draft_right"]) == (1, 2, 1)
    assert results[-1]["note"] == "First rules"
    assert results[-1]["state"] == "live"


def test_all_conditions_and_actions_are_told_of() -> None:
    for condition in get_args(Condition):
        assert f"| `{condition.__struct_config__.tag}` |" in TEXT
    for action in get_args(Action):
        assert f"| `{action}` |" in TEXT


def test_the_hook_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HUBBUB_CHAT__ENABLED", "true")
    (program,) = blocks(TEXT, "python")

    class Model:
        async def spam(self, text: str) -> float:
            return float("buy" in text)

    names: dict[str, Any] = {"my_model": Model()}
    exec(compile(program, "moderate.md", "exec"), names)
    (hook,) = names["app"].chat.moderation.hooks.judges
    assert asyncio.run(hook(Draft("send", "ada", "c", (), "hello"))) is None
    judgement = asyncio.run(hook(Draft("send", "ada", "c", (), "buy this")))
    assert isinstance(judgement, Judgement)
    assert judgement.action == "hold"
