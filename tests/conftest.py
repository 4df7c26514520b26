from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster

pytest.register_assert_rewrite("hubbub.testing.contracts")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def no_blocking_calls() -> Iterator[None]:
    """A blocking call (file, socket, sleep, lock) that hubbub makes on the event loop raises BlockingError."""
    detector = BlockBuster("hubbub")
    detector.activate()
    yield
    detector.deactivate()
