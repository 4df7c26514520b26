"""The commands of the page on reviewing run as they stand, one after the other."""

from __future__ import annotations

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

from hubbub.chat.model import CaseAction

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "review.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```sh\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
STRICT = 'set -eu\ncurl() { command curl -sSf "$@" && echo; }\n'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        yield server


def test_the_commands_run_as_they_stand(server: ExampleServer) -> None:
    assert shutil.which("jq") is not None, "install jq: the page uses it"
    script = STRICT + "\n".join(BLOCK.findall(TEXT)).replace("localhost:8000", server.url)
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
    mine = [each["restrictions"] for each in results if "restrictions" in each]
    assert [[each["kind"] for each in found] for found in mine] == [["ban"], ["mute"], []]
    assert [each["granted"] for each in results if "granted" in each] == [True]
    assert {act["act"] for act in results[-2]["acts"]} == {"cases.decide", "cases.answer"}
    assert [act["act"] for act in results[-1]["acts"]] == ["cases.answer", "restrictions.lift"]


def test_every_action_is_told_of() -> None:
    table = re.findall(r"^\| (`.*?`) \| .*? \| .*? \|$", TEXT.partition("## Decide")[2], re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(table)))
    assert set(get_args(CaseAction)) <= named
