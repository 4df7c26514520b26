"""Sessions, by user or all together: who is connected, ending them, putting them into channels."""

from __future__ import annotations

from litestar import get, post
from litestar.params import JSONBody

from hubbub.api.context import Context
from hubbub.api.parameters import After, PageLimit, SessionInPath, UserInPath
from hubbub.api.paths import decoded
from hubbub.api.schemas import ChannelRequest, DisconnectRequest, SessionPage, Sessions
from hubbub.errors import DISCONNECTS, Disconnect, ErrorCode, HubbubError, reason
from hubbub.hub import operations
from hubbub.hub.base import Tally
from hubbub.hub.hub import Hub
from hubbub.hub.operations import SessionInfo


def sessions_of(tally: Tally) -> Sessions:
    """How many, as it is answered."""
    return Sessions(tally.count, tally.incomplete)


async def _page(hub: Hub, user: str | None, after: str, limit: int) -> SessionPage:
    found, incomplete = await operations.session_list(hub, user, after, limit + 1)
    page = tuple(found[:limit])
    return SessionPage(page, page[-1].session if len(found) > limit else None, incomplete)


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
    """All sessions on all nodes, those within their resume window too."""
    return await _page(api.hub, None, after, limit)


@get(
    "/connections/{session:str}",
    operation_id="getConnection",
    tags=["Connections"],
    summary="Look at a session",
)
async def connection(api: Context, session: SessionInPath) -> SessionInfo:
    return await operations.find_session(api.hub, decoded(session, "session"))


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
    ended = await operations.disconnect(api.hub, session=decoded(session, "session"), reason=why)
    sessions = sessions_of(operations.require(ended))
    await api.audit("sessions.disconnect", session=decoded(session, "session"), code=why.code)
    return sessions


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
    return await _page(api.hub, decoded(user, "user"), after, limit)


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
    why = _reason(data)
    ended = await operations.disconnect(api.hub, user=decoded(user, "user"), reason=why)
    await api.audit("sessions.disconnect", user=decoded(user, "user"), code=why.code)
    return sessions_of(ended)


@post(
    "/users/{user:str}/subscribe",
    operation_id="subscribeUser",
    tags=["Users"],
    status_code=200,
    summary="Put a user's sessions into a channel",
)
async def subscribe_user(api: Context, user: UserInPath, data: JSONBody[ChannelRequest]) -> Sessions:
    """Each session is told by a `subscribed` push. Sessions that the user opens later are not in the channel."""
    return sessions_of(await operations.subscribe_user(api.hub, decoded(user, "user"), data.channel))


@post(
    "/users/{user:str}/unsubscribe",
    operation_id="unsubscribeUser",
    tags=["Users"],
    status_code=200,
    summary="Take a user's sessions out of a channel",
)
async def unsubscribe_user(api: Context, user: UserInPath, data: JSONBody[ChannelRequest]) -> Sessions:
    """Answers how many were in it; each is told by an `unsubscribed` push."""
    return sessions_of(await operations.unsubscribe_user(api.hub, decoded(user, "user"), data.channel))


ROUTES = (
    connections,
    connection,
    disconnect_session,
    user_connections,
    disconnect_user,
    subscribe_user,
    unsubscribe_user,
)
