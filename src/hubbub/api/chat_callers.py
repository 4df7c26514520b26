"""Who calls the chat by REST: the server with an API key, perhaps in a user's place, or a user with its own token."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from litestar import Request

from hubbub.api.context import ApiContext
from hubbub.api.security import bearer, info_of
from hubbub.auth.api_keys import PREFIX
from hubbub.chat.chat import Chat
from hubbub.chat.ledger import SERVER, Actor
from hubbub.chat.operations import Caller, Operation
from hubbub.errors import ErrorCode, HubbubError
from hubbub.hub.commands import check_name

ACTING_FOR = "Hubbub-User"
"""The header by which the server API names the user in whose place it acts."""
_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}")


class Callers:
    """Finds out who makes a request."""

    def __init__(self, context: ApiContext, chat: Chat) -> None:
        self.chat = chat
        self._hub = context.hub
        self._api_keys = context.api_keys

    async def caller(self, request: Request[Any, Any, Any], operation: Operation[Any, Any]) -> Caller:
        """Raises UNAUTHENTICATED, INVALID_TOKEN, TOKEN_EXPIRED, RATE_LIMITED; NOT_FOUND for a `Hubbub-User` that is no
        user, PERMISSION_DENIED for one that comes with a user's token, BAD_REQUEST for an `Idempotency-Key` too long.
        """
        actor = await self.actor(request)
        key = request.headers.get("idempotency-key") if operation.keyed else None
        check_name(key, self._hub.config.limits.key_length, "key")
        return Caller(actor, key=key)

    async def actor(self, request: Request[Any, Any, Any]) -> Actor:
        """Who acts. Raises as `caller`, but for the key."""
        credentials = bearer(request)
        named = request.headers.get(ACTING_FOR)
        if credentials is not None and credentials.startswith(PREFIX):
            self._api_keys.check(credentials)
            return SERVER if named is None else await self._acting_for(named)
        principal = await self._hub.policy.authenticate(credentials, info_of(request))
        if named is not None:
            raise HubbubError(
                ErrorCode.PERMISSION_DENIED, "only the server API acts for users", field=ACTING_FOR
            )
        if not principal.anonymous:
            self._hub.calls.spend(principal.user)
        return await self.chat.actor(principal)

    async def _acting_for(self, named: str) -> Actor:
        """The user of the header, whose value is percent-encoded or plain UTF-8."""
        try:
            user = unquote_to_bytes(named.encode("latin-1")).decode()
        except ValueError:
            raise HubbubError(ErrorCode.BAD_REQUEST, f"{ACTING_FOR}: not UTF-8", field=ACTING_FOR) from None
        known = _ID.fullmatch(user) and not await self.chat.read(lambda view: view.missing_users((user,)))
        if not known:
            raise HubbubError(ErrorCode.NOT_FOUND, "there is no such user", field=ACTING_FOR)
        return Actor(user)
