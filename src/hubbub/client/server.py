"""The server API for backends: publish, read, see who is there, end sessions, mint tokens, administer the chat.

async with Server("http://127.0.0.1:8000", api_key) as server:
    await server.publish("orders:eu", {"id": 7}, event="order.updated")
    await server.chat.users.upsert("ada", name="Ada")
    await server.acting_for("ada").messages.send(conversation, [{"type": "text", "text": "Hello"}])
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from hubbub.client import signing
from hubbub.client.chat.calling import PREFIX
from hubbub.client.chat.operations import Operations
from hubbub.client.chat.operations.table import TABLE
from hubbub.client.events import ClientError
from hubbub.client.failures import ErrorBody, root
from hubbub.client.rest import Rest, segment
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import History, Kind, Position, Presence


class Published(Struct, frozen=True):
    """The publication was accepted. `position` is its place in the log, None where none is kept; `duplicate`: its key
    had published it before."""

    id: str
    position: Position | None = None
    duplicate: bool = False


class Outcome(Struct, frozen=True):
    """What became of one item: one of the two."""

    published: Published | None = None
    error: ErrorBody | None = None


class _Outcomes(Struct, frozen=True):
    outcomes: tuple[Outcome, ...]


class Sessions(Struct, frozen=True):
    """How many sessions it concerned; `incomplete` are the nodes that did not answer."""

    sessions: int
    incomplete: tuple[str, ...] = ()


class ChannelInfo(Struct, frozen=True):
    """A channel, with its subscribers on all nodes."""

    name: str
    subscribers: int
    position: Position | None = None
    presence: Presence | None = None
    incomplete: tuple[str, ...] = ()


class ChannelPage(Struct, frozen=True):
    """Channels in order of their names. `more` says that `limit` cut the list."""

    channels: tuple[ChannelInfo, ...]
    more: bool
    incomplete: tuple[str, ...] = ()


class SessionInfo(Struct, frozen=True):
    """A session. `detached`: its client is away and may resume it."""

    session: str
    user: str
    transport: str
    protocol: str
    address: str
    user_agent: str
    channels: tuple[str, ...]
    detached: bool = False
    expires: float | None = None
    node: str = ""


class _SessionPage(Struct, frozen=True):
    connections: tuple[SessionInfo, ...]
    next: str | None = None
    incomplete: tuple[str, ...] = ()


class Server:
    """A backend's way to a Hubbub at `url`, with an API key. `token_secret` (the server's `auth.hmac_secret`) is needed
    for `token` alone. Publishes and the chat's writes are made with an idempotency key, and repeated while the server
    cannot be reached: up to `attempts` times."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        token_secret: str | bytes | None = None,
        ssl: SSLContext | None = None,
        attempts: int = 5,
    ) -> None:
        self.rest = Rest(root(url), api_key, ssl=ssl, attempts=attempts)
        self.chat = Administration(self.rest, None)
        self._secret = token_secret

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all connections."""
        self.rest.http.close()

    def acting_for(self, user: str) -> Administration:
        """The chat in the place of a user, who may do what that user may."""
        return Administration(self.rest, user)

    # --- publishing ---------------------------------------------------------------------------------------

    async def publish(
        self,
        channel: str,
        data: Any,
        *,
        event: str = "message",
        key: str | None = None,
        conflation_key: str | None = None,
        exclude: str | None = None,
    ) -> Published:
        """Publish to a channel; `exclude` is the id of a session that is not to get it."""
        body = {"channel": channel, "data": data, "event": event}
        more = {"conflation_key": conflation_key, "exclude": exclude}
        body |= {name: value for name, value in more.items() if value is not None}
        published: Published = await self._post("/publish", Published, body, key)
        return published

    async def publish_many(
        self, items: Sequence[Mapping[str, Any]], *, key: str | None = None
    ) -> Sequence[Outcome]:
        """Publish items (`channel`, `data`, and what else `publish` takes) in their order; each has its own outcome."""
        outcomes: _Outcomes = await self._post("/publish/batch", _Outcomes, {"items": items}, key)
        return outcomes.outcomes

    async def broadcast(
        self, channels: Sequence[str], data: Any, *, event: str = "message", key: str | None = None
    ) -> Sequence[Outcome]:
        """Publish the same to many channels; an outcome for each."""
        body = {"channels": channels, "data": data, "event": event}
        outcomes: _Outcomes = await self._post("/broadcast", _Outcomes, body, key)
        return outcomes.outcomes

    async def publish_to_user(
        self, user: str, data: Any, *, event: str = "message", key: str | None = None
    ) -> Sessions:
        """Send to all sessions of a user, whatever channels they are in. It is in no log."""
        body = {"data": data, "event": event}
        sessions: Sessions = await self._post(f"/users/{segment(user)}/publish", Sessions, body, key)
        return sessions

    async def publish_to_session(
        self, session: str, data: Any, *, event: str = "message", key: str | None = None
    ) -> Sessions:
        """Send to one session."""
        body = {"data": data, "event": event}
        sessions: Sessions = await self._post(f"/connections/{segment(session)}/publish", Sessions, body, key)
        return sessions

    # --- channels -----------------------------------------------------------------------------------------

    async def channels(self, *, prefix: str = "", limit: int = 100) -> ChannelPage:
        """Channels with subscribers or a log."""
        page: ChannelPage = await self._get("/channels", ChannelPage, prefix=prefix, limit=limit)
        return page

    async def channel(self, name: str) -> ChannelInfo:
        """One of them. Raises HubbubError (NOT_FOUND)."""
        info: ChannelInfo = await self._get(f"/channels/{segment(name)}", ChannelInfo)
        return info

    async def history(
        self, channel: str, *, since: Position | None = None, limit: int = 100, reverse: bool = False
    ) -> History:
        """Part of a channel's log."""
        place = None if since is None else f"{since.epoch}:{since.offset}"
        path = f"/channels/{segment(channel)}/history"
        history: History = await self._get(path, History, since=place, limit=limit, reverse=reverse)
        return history

    async def presence(self, channel: str) -> Presence:
        """Who is in a channel."""
        presence: Presence = await self._get(f"/channels/{segment(channel)}/presence", Presence)
        return presence

    # --- sessions -----------------------------------------------------------------------------------------

    async def sessions(self, user: str | None = None) -> AsyncIterator[SessionInfo]:
        """All sessions, or those of a user."""
        path = "/connections" if user is None else f"/users/{segment(user)}/connections"
        after: str | None = ""
        while after is not None:
            page: _SessionPage = await self._get(path, _SessionPage, after=after)
            for each in page.connections:
                yield each
            after = page.next

    async def disconnect(self, user: str, *, code: int = 3502) -> Sessions:
        """End all sessions of a user, for a reason of the table of disconnects, or one's own (4000 to 4999)."""
        return await self._do(f"/users/{segment(user)}/disconnect", {"code": code})

    async def disconnect_session(self, session: str, *, code: int = 3502) -> Sessions:
        """End one session."""
        return await self._do(f"/connections/{segment(session)}/disconnect", {"code": code})

    async def subscribe(self, user: str, channel: str) -> Sessions:
        """Put all sessions of a user into a channel."""
        return await self._do(f"/users/{segment(user)}/subscribe", {"channel": channel})

    async def unsubscribe(self, user: str, channel: str) -> Sessions:
        """Take all sessions of a user out of a channel."""
        return await self._do(f"/users/{segment(user)}/unsubscribe", {"channel": channel})

    async def revoke(self, user: str | None = None, *, token_id: str | None = None) -> Sessions:
        """Refuse all tokens of a user that there are, or the one with that id, and end their sessions."""
        named = {"user": user, "token_id": token_id}
        return await self._do("/revoke", {name: value for name, value in named.items() if value is not None})

    # --- tokens -------------------------------------------------------------------------------------------

    def token(
        self,
        user: str,
        *,
        ttl: float = 3600.0,
        kind: Kind = "person",
        info: Mapping[str, Any] | None = None,
        channels: Mapping[str, Iterable[str]] | None = None,
        subscribe: Iterable[str] = (),
        token_id: str | None = None,
    ) -> str:
        """A token for a user's client, signed here; see `signing.token`. Raises ClientError without `token_secret`."""
        return signing.token(
            self._signing(),
            user,
            now=time.time(),
            ttl=ttl,
            kind=kind,
            info=info,
            channels=channels,
            subscribe=subscribe,
            token_id=token_id,
        )

    def subscription_token(self, user: str, channel: str, *, ttl: float = 3600.0) -> str:
        """A token that lets a user into one channel. Raises ClientError without `token_secret`."""
        return signing.subscription(self._signing(), user, channel, now=time.time(), ttl=ttl)

    # --- requests -----------------------------------------------------------------------------------------

    def _signing(self) -> str | bytes:
        if self._secret is None:
            raise ClientError("to sign tokens, give Server its token_secret: the server's auth.hmac_secret")
        return self._secret

    async def _get(self, path: str, result: Any, **query: Any) -> Any:
        return await self.rest.ask("GET", path, result, query=query, again=True)

    async def _post(self, path: str, result: Any, body: Any, key: str | None) -> Any:
        return await self.rest.ask("POST", path, result, body=body, key=key or secrets.token_urlsafe(16))

    async def _do(self, path: str, body: Any) -> Sessions:
        """What can be done twice without harm."""
        sessions: Sessions = await self.rest.ask("POST", path, Sessions, body=body, again=True)
        return sessions


class Administration(Operations):
    """The chat's operations by REST: as the server itself, or in a user's place."""

    def __init__(self, rest: Rest, user: str | None) -> None:
        super().__init__(self._ask)
        self._rest = rest
        self._user = user

    async def call(
        self, operation: str, params: Mapping[str, Any] | None = None, *, key: str | None = None
    ) -> Any:
        """Any operation by its name. Raises HubbubError for a refusal."""
        name = operation.removeprefix(PREFIX)
        known = TABLE.get(name)
        return await self._ask(name, params or {}, known.result if known is not None else Any, key)

    async def _ask(self, name: str, params: Mapping[str, Any], result: Any, key: str | None = None) -> Any:
        operation = TABLE.get(name)
        if operation is None:
            raise HubbubError(ErrorCode.METHOD_NOT_FOUND, f"there is no operation {name}")
        return await self._rest.operate(operation, params, result, key, self._user)
