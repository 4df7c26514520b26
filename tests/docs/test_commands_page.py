"""The commands of the pages on commands, emoji and groups, and on previews, run as they stand."""

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

PAGES = Path(__file__).parents[2] / "docs" / "how-to"
BLOCK = re.compile(r"^```sh\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
STRICT = 'set -eu\ncurl() { command curl -sSf "$@" && echo; }\n'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    # Tests ask nothing of the internet.
    with example_server(tmp_path, "--set", "chat.enabled=true", "--set", "previews.enabled=false") as server:
        yield server


def run(server: ExampleServer, page: str) -> list[dict[str, Any]]:
    """Run the commands of a page; what they print."""
    assert shutil.which("jq") is not None, "install jq: the page uses it"
    text = (PAGES / page).read_text(encoding="utf-8")
    script = STRICT + "\n".join(BLOCK.findall(text)).replace("localhost:8000", server.url)
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
    return [json.loads(line) for line in done.stdout.splitlines() if line.strip()]


def test_commands_emoji_and_groups(server: ExampleServer) -> None:
    results = run(server, "commands.md")
    (command,) = next(each["commands"] for each in results if "commands" in each)
    assert (command["name"], command["owner"]) == ("remind", "reminder")
    assert [each["name"] for each in next(each["emoji"] for each in results if "emoji" in each)] == [
        "bird",
        "parrot",
    ]
    assert results[-1]["membership"]["mentions"] == 1, "Ada is in the group"


def test_previews(server: ExampleServer) -> None:
    results = run(server, "previews.md")
    without = next(each["message"] for each in results if "message" in each)
    assert without["options"] == {"previews": False}
