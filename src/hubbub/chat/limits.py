"""Refusing what is over a limit of `config.limits`. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from hubbub.config.sections import LimitsConfig
from hubbub.errors import ErrorCode, HubbubError

TOO_LARGE = frozenset({"text_length", "text_bytes", "part_bytes", "card_bytes", "custom_bytes"})
"""Limits of one thing's size; the others are of how many there are."""


class LimitError(HubbubError):
    """A refusal by `limits.<limit>`. A transaction cannot count, for it may be run again; who answers does, by the
    name."""

    def __init__(self, limit: str, value: float, field: str) -> None:
        code = ErrorCode.MESSAGE_TOO_LARGE if limit in TOO_LARGE else ErrorCode.LIMIT_EXCEEDED
        super().__init__(code, f"{field}: more than limits.{limit} = {value}", field=field)
        self.limit = limit


class RateError(LimitError):
    """A refusal by a rate: RATE_LIMITED, for `wait` seconds."""

    def __init__(self, limit: str, value: float, wait: float) -> None:
        super().__init__(limit, value, "")
        HubbubError.__init__(
            self, ErrorCode.RATE_LIMITED, f"more than limits.{limit} = {value:g}", retry_after=round(wait, 3)
        )


def exceeded(name: str, value: float, field: str) -> LimitError:
    """The refusal of what is over `limits.<name>`, which is `value`: LIMIT_EXCEEDED or MESSAGE_TOO_LARGE."""
    return LimitError(name, value, field)


def check(limits: LimitsConfig, name: str, size: float, field: str) -> None:
    """Raises LIMIT_EXCEEDED or MESSAGE_TOO_LARGE if `size` is more than `limits.<name>`."""
    allowed: float = getattr(limits, name)
    if size > allowed:
        raise exceeded(name, allowed, field)


def check_due(
    limits: LimitsConfig, now: float, due: Iterable[tuple[str, float]], field: str = "parts"
) -> None:
    """Raises VALIDATION_FAILED for what was due before it was sent, and LIMIT_EXCEEDED (`limits.schedule_ahead`) for
    what is too far away."""
    for _, when in due:
        if when <= now:
            raise HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: the time has passed", field=field)
        if when > now + limits.schedule_ahead:
            raise exceeded("schedule_ahead", int(limits.schedule_ahead), field)
