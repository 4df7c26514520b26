"""The command line: `hubbub serve`, `token`, `publish`, `tail`, `config`, `doctor`, `bench` and more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command, given by `arguments` or the process's own, and exit with its status."""
    from hubbub.cli.program import run

    sys.exit(run(arguments))
