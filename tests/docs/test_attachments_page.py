"""The commands of the page on files run as they stand, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.running import run
from tests.examples.server import ExampleServer, example_server

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "attachments.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ExampleServer]:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        yield server


def test_the_commands_run_as_they_stand(server: ExampleServer) -> None:
    said = run(server, TEXT)
    assert "upload-offset: 4000000" in said.lower()
    assert "All is well." in said
    assert "\nis\n" in said, "the range"
    assert '"name":"film.bin"' in said
    assert '"size":9000000' in said
    assert "/content?expires=" in said
