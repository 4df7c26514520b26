"""Channels: which there are, their logs, and who is in them."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from hubbub.api.context import Context
from hubbub.api.parameters import ChannelInPath, PageLimit
from hubbub.api.paths import decoded
from hubbub.api.schemas import ChannelPage
from hubbub.auth.channels import check_channel
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import operations
from hubbub.hub.operations import ChannelInfo
from hubbub.model import History, Position, Presence


def position(text: str) -> Position:
    """A Position as it stands in a query: `epoch:offset`. Raises VALIDATION_FAILED."""
    epoch, colon, offset = text.rpartition(":")
    if not (colon and offset.isascii() and offset.isdigit() and len(offset) <= 18):
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED, "since: it is `<epoch>:<offset>`, from a Position", field="since"
        )
    return Position(epoch, int(offset))


@get("/channels", operation_id="listChannels", tags=["Channels"], summary="List channels")
async def channels(
    api: Context,
    prefix: Annotated[str, QueryParameter(description="What the names begin with.")] = "",
    limit: PageLimit = 100,
) -> ChannelPage:
    """Channels with subscribers or a log, and how many subscribers they have on all nodes."""
    found, incomplete = await operations.channel_list(api.hub, prefix, limit + 1)
    return ChannelPage(tuple(found[:limit]), len(found) > limit, incomplete)


@get("/channels/{name:str}", operation_id="getChannel", tags=["Channels"], summary="Look at a channel")
async def channel(api: Context, name: ChannelInPath) -> ChannelInfo:
    """Subscribers on all nodes, the head of the log and who is there. A channel that nobody uses is no error."""
    return await operations.channel_info(api.hub, decoded(name, "channel"))


@get("/channels/{name:str}/history", operation_id="getHistory", tags=["Channels"], summary="Read a log")
async def history(
    api: Context,
    name: ChannelInPath,
    since: Annotated[
        str | None,
        QueryParameter(
            description="Position to start after (before, with `reverse`): `epoch:offset`.", required=False
        ),
    ] = None,
    limit: Annotated[int, QueryParameter(ge=0, description="At most so many.")] = 100,
    reverse: Annotated[bool, QueryParameter(description="Newest first.")] = False,
) -> History:
    """Publications that are retained, oldest first. `complete` says whether nothing after `since` is missing."""
    wanted = decoded(name, "channel")
    check_channel(wanted, api.hub.config.limits.channel_length)
    return await api.hub.history(wanted, None if since is None else position(since), limit, reverse)


@get(
    "/channels/{name:str}/presence", operation_id="getPresence", tags=["Channels"], summary="See who is there"
)
async def presence(api: Context, name: ChannelInPath) -> Presence:
    """Counts, and the members where the namespace keeps them and they are not too many."""
    wanted = decoded(name, "channel")
    check_channel(wanted, api.hub.config.limits.channel_length)
    return await api.hub.who(wanted)


ROUTES = (channels, channel, history, presence)
