"""Pages of lists, and the cursors between them. Pure.

A cursor says where the page before ended by what it was ordered by, not by counting, so that nothing is shown twice or
left out because other things came or went. It is opaque to clients.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, TypeVar, cast

import msgspec
from msgspec import Meta

from hubbub.chat import limits
from hubbub.config import Config
from hubbub.errors import ErrorCode, HubbubError

T = TypeVar("T")
PAGE = 50
"""Items of a page for which no `limit` was asked."""
LONGEST = 1_024

PageLimit = Annotated[int, Meta(ge=1, description="At most so many; not above `limits.page`.")]
After = Annotated[str, Meta(max_length=LONGEST, description="`next` of the page before.")]


def page_size(config: Config, asked: int | None, field: str = "limit") -> int:
    """How many items a page has: fewer than asked for while there is too much load, and a cursor to the rest. Raises
    LIMIT_EXCEEDED above `limits.page`."""
    most = config.limits.page_now
    if asked is None:
        return min(PAGE, most)
    limits.check(config.limits, "page", asked, field)
    return min(asked, most)


def cursor(*values: Any) -> str:
    """A cursor that says `values`."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).rstrip(b"=").decode()


def read_cursor(value: str, type: type[T], field: str = "cursor") -> T:
    """What a cursor says, as the tuple `type`. Raises VALIDATION_FAILED for one that is none of this list."""
    try:
        raw = base64.b64decode(value.encode() + b"=" * (-len(value) % 4), b"-_", validate=True)
        values = msgspec.json.decode(raw, type=type)
        if not all(map(_askable, cast("tuple[object, ...]", values))):
            raise ValueError
        return values
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, f"{field}: not a cursor of this list", field=field
        ) from None


def _askable(value: object) -> bool:
    """Whether a database can be asked for it: a cursor that we gave holds nothing else."""
    if isinstance(value, str):
        return "\0" not in value
    return not isinstance(value, int) or -(2**63) <= value < 2**63
