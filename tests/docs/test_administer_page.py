"""The commands of the page on administration run as they stand, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from tests.docs.running import run
from tests.examples.server import example_server

from hubbub.chat.statistics import Statistics

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "administer.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_commands_run_as_they_stand(tmp_path: Path) -> None:
    with example_server(tmp_path, "--set", "chat.enabled=true") as server:
        said = run(server, TEXT)
    lines = said.splitlines()
    assert "bob: moderator" in lines
    assert re.search(r"^\w+ +group +Engineers +2 +0 ", said, re.MULTILINE)
    assert re.search(r"^\w+ +1 +message +bob .* spam$", said, re.MULTILINE)
    assert re.search(r"^\w+: mute; it is decided$", said, re.MULTILINE)
    assert "action  hold" in lines
    assert re.search(r"^\w+: messages are kept for 90 d$", said, re.MULTILINE)
    assert re.search(r" deleted +Buy my things!$", said, re.MULTILINE) is None, "the hold came after that"
    assert re.search(r"^users active +3 ", said, re.MULTILINE)
    assert re.search(r"^\S+ \S+ +mo +cases.decide +bob ", said, re.MULTILINE)
    assert lines[-1] == "true"


def test_all_figures_are_told_of() -> None:
    for field in msgspec.structs.fields(Statistics):
        assert f"| `{field.name}` |" in TEXT or field.name in ("time", "legal_holds")
