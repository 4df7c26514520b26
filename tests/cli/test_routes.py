from __future__ import annotations

import subprocess
import sys

from hubbub.chat.directory import OPERATIONS
from hubbub.cli.routes import ROUTES


def test_they_are_where_the_server_has_them() -> None:
    assert {name: f"{OPERATIONS[name].method} {OPERATIONS[name].path}" for name in ROUTES} == ROUTES


def test_commands_do_not_import_what_the_server_works_with() -> None:
    program = (
        "import sys, hubbub.cli.program; print(*(each for each in sys.modules if each.startswith('hubbub.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not [each for each in done.stdout.split() if each.startswith(("hubbub.chat", "hubbub.storage"))]
