"""Who calls the chat by REST: the server with an API key, perhaps in a user's place, or a user with its own token."""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable
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
KEYED = frozenset(("write", "begin"))
"""Kinds of operations that take an idempotency key."""
BUCKETS = 65_536
_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}")


class Buckets:
    """A token bucket for each user, whose state is one number (see `hubbub.hub.limits`). Those that are full again are
    forgotten, and of more than `size` the fullest."""

    def __init__(self, now: Callable[[], float], size: int = BUCKETS) -> None:
        self._now = now
        self._size = size
        self._states: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._states)

    def take(self, user: str, spend: Callable[[float], float]) -> None:
        """Raises what `spend` raises, which gives the new state for the old one."""
        after = spend(self._states.get(user, 0.0))
        if user not in self._states and len(self._states) >= self._size:
            self._forget()
        self._states[user] = after

    def _forget(self) -> None:
        now = self._now()
        self._states = {user: state for user, state in self._states.items() if state > now}
        if len(self._states) > self._size // 2:
            emptiest = heapq.nlargest(self._size // 2, self._states.items(), key=lambda item: item[1])
            self._states = dict(emptiest)


class Callers:
    """Finds out who makes a request."""

    def __init__(self, context: ApiContext, chat: Chat) -> None:
        self.chat = chat
        self._hub = context.hub
        self._api_keys = context.api_keys
        self._buckets = Buckets(context.hub.clock.monotonic)

    async def caller(self, request: Request[Any, Any, Any], operation: Operation[Any, Any]) -> Caller:
        """Raises UNAUTHENTICATED, INVALID_TOKEN, TOKEN_EXPIRED, RATE_LIMITED; NOT_FOUND for a `Hubbub-User` that is no
        user, PERMISSION_DENIED for one that comes with a user's token, BAD_REQUEST for an `Idempotency-Key` too long.
        """
        actor = await self.actor(request)
        key = request.headers.get("idempotency-key") if operation.kind in KEYED else None
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
            hub = self._hub
            self._buckets.take(
                principal.user, lambda state: hub.take(state, hub.command_rate, "command_rate")
            )
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
