from __future__ import annotations

import pytest

from hubbub.presence.ledger import Owner


@pytest.mark.parametrize("owner", [Owner("aB3dE9", 1), Owner("n1", 1_000_000)])
def test_an_owner_is_read_as_it_is_written(owner: Owner) -> None:
    assert Owner.read(str(owner)) == owner


def test_generations_are_different_owners() -> None:
    assert len({Owner("n1", 1), Owner("n1", 2), Owner("n2", 1), Owner("n1", 1)}) == 3
