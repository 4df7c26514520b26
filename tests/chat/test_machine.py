"""Random users do random things on two devices each: see `tests/chat/machine_stage.py` and `tests/chat/machine.py`.

Every run plays the same games. HUBBUB_TEST_MACHINE=long plays a hundred times as many, others each time, and looks for
the shortest game that fails; with `-k sqlite` that takes more than half an hour.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.chat.machine import Machine

from hubbub.testing.postgres import TEMPLATE, create_database, drop_database

LONG = os.environ.get("HUBBUB_TEST_MACHINE") == "long"
MEMORY = Path("/dev/shm")
pytestmark = pytest.mark.timeout(0 if LONG else 300)


@contextmanager
def sqlite() -> Iterator[str]:
    """A database in memory, as far as the machine has such files."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield f"sqlite:///{folder}/chat.db"


def play(database: Callable[[], AbstractContextManager[str]], examples: int, steps: int) -> None:
    class Played(Machine):
        pass

    Played.database = staticmethod(database)
    run_state_machine_as_test(
        Played,
        settings=settings(
            max_examples=examples * 100 if LONG else examples,
            stateful_step_count=steps,
            derandomize=not LONG,
            database=None,
            deadline=None,
            print_blob=False,
            phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_on_sqlite() -> None:
    play(sqlite, 10, 40)


def test_on_postgresql(postgres_server: str) -> None:
    count = 0

    @contextmanager
    def database() -> Iterator[str]:
        nonlocal count
        count += 1
        name = f"machine_{os.getpid()}_{count}"
        yield create_database(postgres_server, name, TEMPLATE)
        drop_database(postgres_server, name)

    play(database, 3, 25)
