"""The parameters of paths, queries and headers that several routes share."""

from __future__ import annotations

from typing import Annotated

from litestar.params import HeaderParameter, PathParameter, QueryParameter

PAGE = 1_000
"""The longest page of a list."""

ChannelInPath = Annotated[
    str,
    PathParameter(description="Name of the channel, percent-encoded. Slashes in it may stand as they are."),
]
UserInPath = Annotated[str, PathParameter(description="Id of the user, percent-encoded.")]
SessionInPath = Annotated[str, PathParameter(description="Id of the session.")]

After = Annotated[str, QueryParameter(description="`next` of the page before.")]
PageLimit = Annotated[int, QueryParameter(ge=1, le=PAGE, description="At most so many.")]

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        description="The same as `key` in the body; for a batch, a key for each item that has none.",
    ),
]
