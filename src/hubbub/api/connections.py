"""Sessions, by user or all together: who is connected, ending them, putting them into channels."""

from __future__ import annotations

import heapq

from litestar import get, post
from litestar.params import JSONBody

from hubbub.api.context import Context
from hubbub.api.parameters import After, PageLimit, SessionInPath, UserInPath
from hubbub.api.paths import decoded
from hubbub.api.schemas import ChannelRequest, DisconnectRequest, SessionPage, Sessions
from hubbub.errors import DISCONNECTS, Disconnect, ErrorCode, HubbubError, reason
from hubbub.hub import operations
from hubbub.hub.operations import SessionInfo
from hubbub.hub.session import Session


def _page(sessions: list[Session], after: str, limit: int) -> SessionPage:
    found = heapq.nsmallest(
        limit + 1, (session for session in sessions if session.id > after), key=lambda session: session.id
    )
    page = tuple(operations.describe(session) for session in found[:limit])
    return SessionPage(page, page[-1].session if len(found) > limit else None)


def _reason(request: DisconnectRequest | None) -> Disconnect:
    code = (request or DisconnectRequest()).code
    if not (4000 <= code < 5000 or (code in DISCONNECTS and code >= 3000)):
        raise HubbubError(
            ErrorCode.VALIDATION_FAILED,
            "code: it is one of the table of disconnects (3000 to 3999), or your own (4000 to 4999)",
            field="code",
        )
    return reason(code)


@get("/connections", operation_id="listConnections", tags=["Connections"], summary="List sessions")
async def connections(api: Context, after: After = "", limit: PageLimit = 100) -> SessionPage:
    """All sessions of this node, those within their resume window too."""
    return _page(operations.sessions_of(api.hub), after, limit)


@get(
    "/connections/{session:str}",
    operation_id="getConnection",
    tags=["Connections"],
    summary="Look at a session",
)
async def connection(api: Context, session: SessionInPath) -> SessionInfo:
    found = operations.sessions_of(api.hub, session=decoded(session, "session"))
    if not found:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such session on this node", field="session")
    return operations.describe(found[0])


@post(
    "/connections/{session:str}/disconnect",
    operation_id="disconnectSession",
    tags=["Connections"],
    status_code=200,
    summary="End a session",
)
async def disconnect_session(
    api: Context, session: SessionInPath, data: JSONBody[DisconnectRequest | None] = None
) -> Sessions:
    why = _reason(data)
    ended = operations.disconnect(api.hub, session=decoded(session, "session"), reason=why)
    if not ended:
        raise HubbubError(ErrorCode.NOT_FOUND, "there is no such session on this node", field="session")
    return Sessions(ended)


@get(
    "/users/{user:str}/connections",
    operation_id="listUserConnections",
    tags=["Users"],
    summary="List the sessions of a user",
)
async def user_connections(
    api: Context, user: UserInPath, after: After = "", limit: PageLimit = 100
) -> SessionPage:
    """A user who is not connected has none; that is no error."""
    return _page(operations.sessions_of(api.hub, decoded(user, "user")), after, limit)


@post(
    "/users/{user:str}/disconnect",
    operation_id="disconnectUser",
    tags=["Users"],
    status_code=200,
    summary="End all sessions of a user",
)
async def disconnect_user(
    api: Context, user: UserInPath, data: JSONBody[DisconnectRequest | None] = None
) -> Sessions:
    """They cannot be resumed. The user may come back with a token, unless it is revoked."""
    return Sessions(operations.disconnect(api.hub, user=decoded(user, "user"), reason=_reason(data)))


@post(
    "/users/{user:str}/subscribe",
    operation_id="subscribeUser",
    tags=["Users"],
    status_code=200,
    summary="Put a user's sessions into a channel",
)
async def subscribe_user(api: Context, user: UserInPath, data: JSONBody[ChannelRequest]) -> Sessions:
    """Each session is told by a `subscribed` push. Sessions that the user opens later are not in the channel."""
    return Sessions(await operations.subscribe_user(api.hub, decoded(user, "user"), data.channel))


@post(
    "/users/{user:str}/unsubscribe",
    operation_id="unsubscribeUser",
    tags=["Users"],
    status_code=200,
    summary="Take a user's sessions out of a channel",
)
async def unsubscribe_user(api: Context, user: UserInPath, data: JSONBody[ChannelRequest]) -> Sessions:
    """Answers how many were in it; each is told by an `unsubscribed` push."""
    return Sessions(await operations.unsubscribe_user(api.hub, decoded(user, "user"), data.channel))


ROUTES = (
    connections,
    connection,
    disconnect_session,
    user_connections,
    disconnect_user,
    subscribe_user,
    unsubscribe_user,
)
