"""What is installed is what was tried: lock files give versions and hashes, and no address (mirrors have others)."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
FILES = subprocess.run(
    ["git", "ls-files", "requirements/*.txt", "*package-lock.json"],
    cwd=ROOT,
    check=True,
    capture_output=True,
    text=True,
).stdout.split()
NPM = [name for name in FILES if name.endswith(".json")]


@pytest.mark.parametrize("name", FILES)
def test_no_lock_file_names_a_host(name: str) -> None:
    assert re.findall(r"\w+://[^\s\"]+", (ROOT / name).read_text()) == [], "scripts/lock, scripts/npm-locks"


@pytest.mark.parametrize("name", NPM)
def test_every_package_has_its_hash(name: str) -> None:
    packages = json.loads((ROOT / name).read_text())["packages"]
    own = {"", "node_modules/hubbub"}
    lacking = [
        place
        for place, entry in packages.items()
        if "integrity" not in entry and place not in own and not _for_another_machine(entry)
    ]
    assert lacking == [], "scripts/npm-locks"


def _for_another_machine(entry: dict[str, Any]) -> bool:
    """The registry beside which a lock file was made may have had nothing of these."""
    ours = {"os": "linux", "cpu": "x64", "libc": "glibc"}
    return any(name in entry and this not in entry[name] for name, this in ours.items())


def test_they_are_found() -> None:
    assert {"requirements/serve.txt", "web/package-lock.json"} <= set(FILES)
