from __future__ import annotations

from typing import Any

import pytest

from hubbub.config import Config, validate
from hubbub.config.cluster import LoadConfig
from hubbub.errors import ConfigError


def faults(**load: Any) -> str:
    try:
        validate(Config(load=LoadConfig(**load)), tokens=False)
    except ConfigError as error:
        return str(error)
    return ""


def test_levels_in_order() -> None:
    assert faults() == ""
    assert faults(busy=0.9, overloaded=0.9, critical=0.9) == ""
    assert faults(busy=1000, overloaded=1000, critical=1000) == "", "never"


@pytest.mark.parametrize(
    ("load", "word"),
    [
        ({"busy": 0.86}, "in this order"),
        ({"critical": 0.8}, "in this order"),
        ({"busy": 0.1, "hysteresis": 0.1}, "for ever"),
    ],
)
def test_levels_that_make_no_sense(load: dict[str, float], word: str) -> None:
    assert word in faults(**load)
