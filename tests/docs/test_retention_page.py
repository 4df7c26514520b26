"""The commands of the page on retention, holds and erasure run as they stand, one after the other."""

from __future__ import annotations

from pathlib import Path

from tests.docs.running import run
from tests.examples.server import example_server

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "retention.md"


def test_the_commands_run_as_they_stand(tmp_path: Path) -> None:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        said = run(server, PAGE.read_text(encoding="utf-8"))
    assert '"retention":7776000.0' in said
    assert '"reason":"Case 2026-117"' in said
    assert '"why":"deleted"' in said
    assert "Hello, I am Zoe." in said.partition('"archived"')[2]
    assert '"kind":"membership"' in said
    assert '"alias":"erased-' in said
