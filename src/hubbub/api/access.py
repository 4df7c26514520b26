"""Access: revoking it, tickets for `EventSource`, and tokens for trying things out in dev."""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.params import JSONBody

from hubbub.api.connections import sessions_of
from hubbub.api.context import Context
from hubbub.api.schemas import (
    RevokeRequest,
    Sessions,
    Ticket,
    TicketRequest,
    Token,
    TokenRequest,
)
from hubbub.api.security import bearer, info_of, require_own_page
from hubbub.auth import tokens
from hubbub.auth.channels import check_channel, is_pattern
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub import operations

EVERYTHING = {"*": ("*",)}


@post("/revoke", operation_id="revoke", tags=["Access"], status_code=200, summary="Revoke tokens")
async def revoke(api: Context, data: JSONBody[RevokeRequest]) -> Sessions:
    """From now on the tokens are refused, and the sessions that stand on them have ended when this answers.

    Nodes that do not answer (`incomplete`) are told again until they do.
    """
    if data.user is None and data.token_id is None:
        raise HubbubError(ErrorCode.VALIDATION_FAILED, "user: give user, token_id or both", field="user")
    if api.revocations is None:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "this server's policy keeps no revocations")
    if data.token_id is not None:
        api.revocations.revoke_token(data.token_id)
    elif data.user is not None:
        api.revocations.revoke_user(data.user)
    ended = await operations.end_revoked(api.hub, user=data.user, token_id=data.token_id)
    await api.audit("tokens.revoke", user=data.user, token_id=data.token_id)
    return sessions_of(ended)


@post(
    "/tickets",
    operation_id="createTicket",
    tags=["Access"],
    status_code=201,
    summary="Get a ticket for EventSource",
    security=[{"userToken": []}],
)
async def ticket(
    api: Context, request: Request[Any, Any, Any], data: JSONBody[TicketRequest | None] = None
) -> Ticket:
    """For browsers, with the user's own token: a ticket goes into the URL, `GET /v1/sse?ticket=...`, and works once."""
    channels = None if data is None else data.channels
    for channel in channels or ():
        check_channel(channel, api.hub.config.limits.channel_length)
    principal = await api.hub.policy.authenticate(bearer(request), info_of(request))
    return Ticket(await api.tickets.issue(principal, channels), api.tickets.ttl)


@post(
    "/dev/token",
    operation_id="createDevToken",
    tags=["Development"],
    status_code=201,
    summary="Make a token",
    guards=[require_own_page],
    security=[{}],
)
async def dev_token(api: Context, data: JSONBody[TokenRequest]) -> Token:
    """Only with `--dev`, and only from loopback and this server's own pages; elsewhere it does not exist."""
    auth = api.hub.config.auth
    if auth.hmac_secret is None:
        raise HubbubError(ErrorCode.NOT_AVAILABLE, "auth.hmac_secret is not set: tokens come from elsewhere")
    length = api.hub.config.limits.channel_length
    channels = EVERYTHING if data.channels is None else data.channels
    for pattern in channels:
        if not is_pattern(pattern, length):
            raise HubbubError(ErrorCode.INVALID_CHANNEL, f"not a pattern: {pattern!r}", field="channels")
    for channel in data.subscribe:
        check_channel(channel, length)
    now = api.hub.clock.now()
    token = tokens.mint(
        auth.hmac_secret.get_secret_value(),
        data.user,
        now=now,
        ttl=data.ttl,
        kind=data.kind,
        info=data.info,
        channels=channels,
        subscribe=data.subscribe,
        audience=auth.audience,
        issuer=auth.issuer,
    )
    return Token(token, data.user, int(now) + data.ttl)


ROUTES = (revoke,)
PUBLIC_ROUTES = (ticket,)
"""Routes that need no API key, because they check a token themselves."""
