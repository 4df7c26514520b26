"""The commands of the page on files run as they stand, one after the other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.examples.server import ExampleServer, example_server

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "attachments.md"
BLOCK = re.compile(r"^```sh\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
STRICT = 'set -eu\ncurl() { command curl -sSf "$@" && echo; }\n'
TEXT = PAGE.read_text(encoding="utf-8")


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
        timeout=90,
        check=False,
    )
    said = done.stdout
    assert done.returncode == 0, said
    assert "upload-offset: 4000000" in said.lower()
    assert "All is well." in said
    assert "\nis\n" in said, "the range"
    assert '"name":"film.bin"' in said
    assert '"size":9000000' in said
    assert "/content?expires=" in said
