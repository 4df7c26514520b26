"""Who may call the API: holders of an API key, users with a token for what concerns themselves, and loopback in dev."""

from __future__ import annotations

import ipaddress
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from hubbub.api.context import context_of
from hubbub.auth.base import ConnectionInfo
from hubbub.errors import ErrorCode, HubbubError

Connection = ASGIConnection[Any, Any, Any, Any]
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")
"""Headers that a proxy adds: behind one, loopback is not who asks."""


def bearer(connection: Connection) -> str | None:
    """The credentials of `Authorization: Bearer` (RFC 6750, section 2.1)."""
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    return credentials.strip() or None if scheme.lower() == "bearer" else None


async def require_api_key(connection: Connection, _: BaseRouteHandler) -> None:
    """A guard of routes. Raises UNAUTHENTICATED; a user's token of whatever kind is not an API key."""
    context_of(connection).api_keys.check(bearer(connection))


def info_of(connection: Connection) -> ConnectionInfo:
    """The caller, as policies see it."""
    return ConnectionInfo(
        address=connection.client.host if connection.client else "",
        transport="http",
        protocol="rest",
        origin=connection.headers.get("origin"),
        user_agent=connection.headers.get("user-agent", ""),
    )


async def require_own_page(connection: Connection, _: BaseRouteHandler) -> None:
    """A guard of what only `--dev` has: it is there for loopback and this server's own pages. Raises NOT_FOUND.

    The Host must be a name of loopback too: a page elsewhere whose name was rebound to 127.0.0.1 is not ours.
    """
    if not (context_of(connection).hub.config.dev and _local(connection) and _same_origin(connection)):
        raise HubbubError(ErrorCode.NOT_FOUND, "there is nothing at this path")


def _local(connection: Connection) -> bool:
    client = connection.client
    return (
        client is not None
        and is_loopback(client.host)
        and not any(name in connection.headers for name in FORWARDED)
        and is_loopback(connection.base_url.hostname or "")
    )


def _same_origin(connection: Connection) -> bool:
    origin = connection.headers.get("origin")
    own = f"{connection.scope['scheme']}://{connection.headers.get('host', '')}"
    return origin in (None, own) and connection.headers.get("sec-fetch-site") in (None, "same-origin", "none")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
