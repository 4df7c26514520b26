"""Running the commands of a page as they stand, one after the other, against a server of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.examples.server import ExampleServer

BLOCK = re.compile(r"^```(\w+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
STRICT = 'set -eu\ncurl() { command curl -sSf "$@" && echo; }\n'


def blocks(text: str, language: str) -> list[str]:
    """The blocks of code in a page that are in `language`."""
    return [code for kind, code in BLOCK.findall(text) if kind == language]


def run(server: ExampleServer, text: str) -> str:
    """What the commands of a page print. Each must succeed."""
    assert shutil.which("jq") is not None, "install jq: the page uses it"
    script = STRICT + "\n".join(blocks(text, "sh")).replace("localhost:8000", server.url)
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
    assert done.returncode == 0, done.stdout
    return done.stdout
