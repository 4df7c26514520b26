"""The commands of the page on rules run as they stand, and its hook is one."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.examples.server import ExampleServer, example_server

from hubbub.moderation.base import Action, Draft, Judgement
from hubbub.moderation.rules import Condition

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "moderate.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(sh|python)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
STRICT = 'set -eu\ncurl() { command curl -sSf "$@" && echo; }\n'


def blocks(language: str) -> list[str]:
    return [text for each, text in BLOCK.findall(TEXT) if each == language]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        yield server


def test_the_commands_run_as_they_stand(server: ExampleServer) -> None:
    assert shutil.which("jq") is not None, "install jq: the page uses it"
    script = STRICT + "\n".join(blocks("sh")).replace("localhost:8000", server.url)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=server.directory,
        env={**os.environ, "PATH": path, "HUBBUB_API_KEY": server.api_key},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    results: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    assert results, done.stdout
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
    (program,) = blocks("python")

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
