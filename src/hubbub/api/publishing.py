"""Publishing: to a channel, in batches, to many channels, to a user, to a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from litestar import post
from litestar.params import JSONBody

from hubbub.api.connections import sessions_of
from hubbub.api.context import ApiContext, Context
from hubbub.api.errors import body_of
from hubbub.api.parameters import IdempotencyKey, SessionInPath, UserInPath
from hubbub.api.paths import decoded
from hubbub.api.schemas import (
    BatchRequest,
    BroadcastRequest,
    DirectRequest,
    Outcome,
    Outcomes,
    Published,
    PublishRequest,
    Sessions,
)
from hubbub.broker.base import Accepted
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import operations
from hubbub.hub.commands import check_name


def _key(context: ApiContext, header: str | None, body: str | None) -> str | None:
    """The one key of a request, checked. Raises BAD_REQUEST when header and body disagree."""
    if header is not None and body is not None and header != body:
        raise HubbubError(
            ErrorCode.BAD_REQUEST, "key: it is not the Idempotency-Key of the header", field="key"
        )
    key = body if header is None else header
    check_name(key, context.hub.config.limits.key_length, "key")
    return key


def _published(accepted: Accepted) -> Published:
    return Published(accepted.id, accepted.position, accepted.duplicate)


async def _publish(context: ApiContext, item: PublishRequest, key: str | None, scope: str = "") -> Published:
    return _published(
        await operations.publish(
            context.hub,
            item.channel,
            item.event,
            item.data,
            key=key,
            exclude=item.exclude,
            conflation_key=item.conflation_key,
            scope=scope,
        )
    )


@post("/publish", operation_id="publish", tags=["Publish"], status_code=200, summary="Publish to a channel")
async def publish(
    api: Context, data: JSONBody[PublishRequest], idempotency_key: IdempotencyKey = None
) -> Published:
    """Append to the channel's log, where one is kept, and send to all subscribers."""
    return await _publish(api, data, _key(api, idempotency_key, data.key))


@post(
    "/publish/batch",
    operation_id="publishBatch",
    tags=["Publish"],
    status_code=200,
    summary="Publish many at once",
)
async def batch(
    api: Context, data: JSONBody[BatchRequest], idempotency_key: IdempotencyKey = None
) -> Outcomes:
    """Publish the items in their order; each has its own outcome. With an `Idempotency-Key` the whole batch can be sent
    again: what was published is not published again, and what failed is tried again."""
    operations.check_batch(api.hub, len(data.items), "items")
    check_name(idempotency_key, api.hub.config.limits.key_length, "key")
    outcomes = []
    for place, item in enumerate(data.items):
        try:
            if item.key is None and idempotency_key is not None:
                published = await _publish(api, item, str(place), f"batch\0{idempotency_key}")
            else:
                published = await _publish(api, item, item.key)
            outcomes.append(Outcome(published))
        except HubbubError as error:
            api.hub.metrics.errors[int(error.code)] += 1
            outcomes.append(Outcome(error=body_of(error)))
    return Outcomes(tuple(outcomes))


@post(
    "/broadcast",
    operation_id="broadcast",
    tags=["Publish"],
    status_code=200,
    summary="Publish the same to many channels",
)
async def broadcast(
    api: Context, data: JSONBody[BroadcastRequest], idempotency_key: IdempotencyKey = None
) -> Outcomes:
    """One outcome for each channel, in their order; one that is refused does not stop the others."""
    key = _key(api, idempotency_key, data.key)
    accepted = await operations.broadcast(api.hub, data.channels, data.event, data.data, key=key)
    outcomes = []
    for each in accepted:
        if isinstance(each, HubbubError):
            api.hub.metrics.errors[int(each.code)] += 1
            outcomes.append(Outcome(error=body_of(each)))
        else:
            outcomes.append(Outcome(_published(each)))
    return Outcomes(tuple(outcomes))


@post(
    "/users/{user:str}/publish",
    operation_id="publishToUser",
    tags=["Publish", "Users"],
    status_code=200,
    summary="Send to all sessions of a user",
)
async def to_user(
    api: Context, user: UserInPath, data: JSONBody[DirectRequest], idempotency_key: IdempotencyKey = None
) -> Sessions:
    """Multicast. Sessions whose clients are away get it when they are back within the resume window."""
    name = decoded(user, "user")

    async def send() -> bytes:
        return msgspec.json.encode(
            sessions_of(await operations.to_user(api.hub, name, data.event, data.data))
        )

    return await _once(api, f"user\0{name}", data, idempotency_key, send)


@post(
    "/connections/{session:str}/publish",
    operation_id="publishToSession",
    tags=["Publish", "Connections"],
    status_code=200,
    summary="Send to one session",
)
async def to_session(
    api: Context,
    session: SessionInPath,
    data: JSONBody[DirectRequest],
    idempotency_key: IdempotencyKey = None,
) -> Sessions:
    """Unicast. A session whose client is away gets it when it is back within the resume window."""
    name = decoded(session, "session")

    async def send() -> bytes:
        tally = operations.require(await operations.to_session(api.hub, name, data.event, data.data))
        return msgspec.json.encode(sessions_of(tally))

    return await _once(api, f"session\0{name}", data, idempotency_key, send)


async def _once(
    api: ApiContext, scope: str, data: DirectRequest, header: str | None, send: Callable[[], Awaitable[bytes]]
) -> Sessions:
    """Send, or give what the same key and content gave before."""
    key = _key(api, header, data.key)
    content = msgspec.json.encode((data.event, data.data))
    result = await send() if key is None else await api.hub.results.once(f"\0{scope}\0{key}", content, send)
    return msgspec.json.decode(result, type=Sessions)


ROUTES = (publish, batch, broadcast, to_user, to_session)
