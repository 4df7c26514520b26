"""The commands of the page on retention, holds and erasure run as they stand, one after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.examples.server import example_server

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "retention.md"
BLOCK = re.compile(r"^```sh\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
STRICT = 'set -eu\ncurl() { command curl -sSf "$@" && echo; }\n'


def test_the_commands_run_as_they_stand(tmp_path: Path) -> None:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
        script = STRICT + "\n".join(blocks).replace("localhost:8000", server.url)
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
    assert '"retention":7776000.0' in said
    assert '"reason":"Case 2026-117"' in said
    assert '"why":"deleted"' in said
    assert "Hello, I am Zoe." in said.partition('"archived"')[2]
    assert '"kind":"membership"' in said
    assert '"alias":"erased-' in said
