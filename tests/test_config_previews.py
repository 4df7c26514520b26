from __future__ import annotations

import pytest
from pydantic import ValidationError

from hubbub.config import PreviewsConfig


def test_networks_that_are_allowed() -> None:
    networks = ("10.1.0.0/16", "10.2.3.4/32", "fd12::/16")
    assert PreviewsConfig(allowed_networks=networks).allowed_networks == networks


@pytest.mark.parametrize("wrong", ["10.1.0.1/16", "10.1", "intranet", "", "10.0.0.0/33"])
def test_what_is_no_network(wrong: str) -> None:
    with pytest.raises(ValidationError, match=r"allowed_networks"):
        PreviewsConfig(allowed_networks=("10.1.0.0/16", wrong))
