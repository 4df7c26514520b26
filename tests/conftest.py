from __future__ import annotations

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
