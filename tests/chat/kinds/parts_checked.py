"""Checking single parts, for tests of their kinds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from hubbub.chat.parts import Before, Checked, check, searchable
from hubbub.config.sections import LimitsConfig
from hubbub.errors import HubbubError

LIMITS = LimitsConfig()


def checked(*parts: Any, limits: LimitsConfig = LIMITS, before: Before | None = None) -> Checked:
    """Parts as they are to be kept; what is kept is kept again as it is."""
    found = check([Raw(json.dumps(part).encode()) for part in parts], limits, before=before)
    assert check(found.parts, limits) == found
    assert searchable(found.parts) == found.text
    return found


def kept(part: Any, **limits: Any) -> dict[str, Any]:
    """One part as it is kept."""
    found: dict[str, Any] = json.loads(bytes(checked(part, limits=LimitsConfig(**limits)).parts[0]))
    return found


def refused(part: Any, **limits: Any) -> HubbubError:
    """Why it is not kept."""
    with pytest.raises(HubbubError) as failure:
        check([Raw(json.dumps(part).encode())], LimitsConfig(**limits))
    return failure.value
