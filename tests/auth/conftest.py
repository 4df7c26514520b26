"""What the auth tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.auth.keyserver import KeyServer
from tests.auth.signers import FAMILIES, TYPES, Signer, signer


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    server = KeyServer()
    yield server
    server.stop()


@pytest.fixture(params=FAMILIES, ids=str)
def each(request: pytest.FixtureRequest) -> Signer:
    """A signer of each family."""
    return signer(request.param)


@pytest.fixture(params=TYPES, ids=str)
def every(request: pytest.FixtureRequest) -> Signer:
    """A signer of every algorithm."""
    return signer(request.param)
