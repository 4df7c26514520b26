"""The examples of the page on the Python client run, one after the other."""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from tests.examples.server import example_server, run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
AROUND = """
import asyncio
import os

from hubbub.client import Client


async def main() -> None:
    async with Client(os.environ["HUBBUB_URL"], os.environ["HUBBUB_TOKEN"]) as client:
{inside}


asyncio.run(main())
"""


def test_all_of_it_runs(tmp_path: Path) -> None:
    first, *parts = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(parts) == 8
    inside = textwrap.indent("\n".join(parts), " " * 8)
    (tmp_path / "first.py").write_text(first, encoding="utf-8")
    (tmp_path / "all.py").write_text(AROUND.format(inside=inside), encoding="utf-8")
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        settings = {
            "HUBBUB_URL": server.url,
            "HUBBUB_TOKEN": server.token("ada", channels={"*": ["*"]}),
            "HUBBUB_API_KEY": server.api_key,
        }
        said = run([sys.executable, "first.py"], tmp_path, **settings)
        assert said == "{'id': 7, 'state': 'paid'}\n"
        said = run([sys.executable, "all.py"], tmp_path, **settings)
    assert said.splitlines() == [
        "{'id': 8} {'nails': 12}",
        "10",
        "connected websocket",
        "connected",
        "ada Ship **it**?",
        "Release 0 1",
        "{'ada'}",
        "{'id': 13}",
        "ada",
    ]
