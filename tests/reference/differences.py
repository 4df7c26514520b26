"""Where we answer differently on purpose: the line of the reference, ours instead of it, and why."""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """`changes` maps a line that the reference gives to ours; None: we give none."""

    why: str
    changes: dict[str, str | None]


DIFFERENCES: dict[str, Difference] = {}
"""By the name of the case."""


def expected(name: str, reference: list[str]) -> list[str]:
    """What we should give where the reference gives these lines."""
    changes = DIFFERENCES[name].changes if name in DIFFERENCES else {}
    lines = (changes.get(line, line) for line in reference)
    return [line for line in lines if line is not None]
