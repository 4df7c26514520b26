"""Where examples' pages are served from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.examples.server import EXAMPLES
from tests.pages import pages_of


@pytest.fixture
def pages() -> Iterator[str]:
    """Where examples/ is served."""
    with pages_of(EXAMPLES) as url:
        yield url
