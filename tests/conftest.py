from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest
from blockbuster import BlockBuster

# No verdict hangs on the clock: a property does not fail because the machine is busy.
hypothesis.settings.register_profile("hubbub", deadline=None)
hypothesis.settings.load_profile("hubbub")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A blocking call (file, socket, sleep, lock) that hubbub makes on the event loop raises an error."""
    detector = BlockBuster("hubbub")
    detector.activate()
    yield
    detector.deactivate()


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_the_shell() -> None:
    """Settings in the environment of whoever runs the tests do not reach them."""
    for name in [name for name in os.environ if name.startswith("HUBBUB_") and "TEST" not in name]:
        del os.environ[name]
