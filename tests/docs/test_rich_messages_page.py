"""The commands of the page on rich messages run as they stand, one after the other, and its program is one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.examples.server import ExampleServer, example_server

from hubbub.chat.parts import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "rich-messages.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
STRICT = 'set -eu\ncurl() { command curl -sSf "$@" && echo; }\n'
TEXT = PAGE.read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(TEXT) if kind == language]


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
    polls = [each for each in results if "poll" in each]
    assert [each["poll"]["options"][1].get("users") for each in polls] == [["bob"]] * 3
    assert polls[-1]["poll"]["closed_by"] == "ada"
    assert [each["done"] for each in results if "done" in each][-1] == []
    assert [hit["message"]["parts"][0]["type"] for hit in results[-1]["hits"]] == ["poll"]


def test_every_kind_is_told_of() -> None:
    table = re.findall(r"^\| `(\w+)` \|", TEXT.partition("The commands below")[0], re.MULTILINE)
    assert set(table) - {"type"} == set(KINDS)


def test_the_program_is_one() -> None:
    (program,) = blocks("python")
    compile(program, str(PAGE), "exec")
