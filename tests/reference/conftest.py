from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.reference.servers import References


@pytest.fixture(scope="session")
def references() -> Iterator[References]:
    running = References()
    yield running
    running.stop()
