"""TokenPolicy: tokens say who, namespaces and tokens say what. The default Policy."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from hubbub.auth.base import ConnectionInfo
from hubbub.auth.channels import SESSION_NAMESPACE, USER_NAMESPACE, permits, reserved
from hubbub.auth.revocation import Revocations
from hubbub.auth.tokens import (
    KeySet,
    SubscriptionGrant,
    TokenRules,
    UnknownKeyError,
    verify,
    verify_subscription,
)
from hubbub.clock import Clock
from hubbub.config import Config, Who
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import Operation, Principal

_SPECIAL = (SESSION_NAMESPACE, USER_NAMESPACE)
T = TypeVar("T", Principal, SubscriptionGrant)
ANONYMOUS = Principal(user="")


class KeySource(Protocol):
    """Where the keys come from."""

    @property
    def current(self) -> KeySet:
        """The keys of now; another object whenever they have changed."""

    async def renew(self) -> bool:
        """A token names a key that is not there: look whether there are newer keys, if it is time to.
        True if there may be."""


class FixedKeys:
    """A KeySource for keys that never change."""

    def __init__(self, keys: KeySet) -> None:
        self.current = keys

    async def renew(self) -> bool:
        return False


class TokenCache(Generic[T]):
    """Verified tokens, least recently used first out. Keeps digests, not tokens; entries die with theirs."""

    def __init__(self, size: int, leeway: float) -> None:
        self._size = size
        self._leeway = leeway
        self._entries: OrderedDict[bytes, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, token: bytes, now: float) -> T | None:
        """What the token with this digest said, if it still holds."""
        entry = self._entries.get(token)
        if entry is None:
            return None
        if entry.expires is not None and now >= entry.expires + self._leeway:
            del self._entries[token]
            return None
        self._entries.move_to_end(token)
        return entry

    def put(self, token: bytes, entry: T) -> None:
        if self._size:
            self._entries[token] = entry
            if len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def drop(self, token: bytes) -> None:
        self._entries.pop(token, None)

    def clear(self) -> None:
        self._entries.clear()


class TokenPolicy:
    """Decides by JSON Web Tokens and namespace options.

    A namespace's `subscribe`, `publish` and `history` say who may: `anyone` who is connected, the
    `authenticated`, the `permitted` (by the token's `channels` or a subscription token), or `nobody`.
    Presence may be seen by whoever may subscribe. Two namespaces are special, whatever their options: a
    `user:<id>` channel is open to that user for all but publishing, and to others by permission only;
    `session:` channels are the server's.

    Neither method awaits anything unless a token names an unknown key, so that callers may drive them at
    once.
    """

    def __init__(
        self, config: Config, keys: KeySource, clock: Clock, revocations: Revocations | None = None
    ) -> None:
        auth = config.auth
        self.rules = TokenRules(
            audience=auth.audience,
            issuer=auth.issuer,
            leeway=auth.leeway,
            max_lifetime=auth.max_lifetime,
            token_bytes=auth.token_bytes,
            channel_length=config.limits.channel_length,
        )
        if revocations is None:
            revocations = Revocations(clock, auth.max_lifetime + auth.leeway)
        self.revocations = revocations
        self._config = config
        self._keys = keys
        self._clock = clock
        self._cached_keys = keys.current
        self._principals: TokenCache[Principal] = TokenCache(auth.cache_size, auth.leeway)
        self._grants: TokenCache[SubscriptionGrant] = TokenCache(auth.cache_size, auth.leeway)

    async def authenticate(self, token: str | None, info: ConnectionInfo) -> Principal:
        """Raises UNAUTHENTICATED without a token (unless auth.anonymous), INVALID_TOKEN or TOKEN_EXPIRED."""
        if not token:
            if self._config.auth.anonymous:
                return ANONYMOUS
            raise HubbubError(ErrorCode.UNAUTHENTICATED, "not authenticated: a token is required")
        return await self._verified(token, self._principals, verify)

    async def authorize(
        self, principal: Principal, operation: Operation, channel: str, token: str | None = None
    ) -> None:
        """Raises PERMISSION_DENIED; INVALID_TOKEN or TOKEN_EXPIRED if all hangs on a bad `token`."""
        if self.revocations.revoked(principal.user, principal.token_id, principal.issued):
            raise HubbubError(ErrorCode.PERMISSION_DENIED, "permission denied: access was revoked")
        if self._open(principal, operation, channel):
            return
        if token and self._who(operation, channel) == "permitted":
            grant = await self._verified(token, self._grants, verify_subscription)
            if grant.user != principal.user:
                raise HubbubError(ErrorCode.INVALID_TOKEN, "invalid token: sub is not the session's user")
            if grant.channel != channel:
                raise HubbubError(ErrorCode.INVALID_TOKEN, "invalid token: it is for another channel")
            if operation in grant.operations:
                return
        raise HubbubError(ErrorCode.PERMISSION_DENIED, f"permission denied: {operation} is not allowed here")

    def revoked(self, principal: Principal) -> bool:
        """Whether the principal's token has been revoked since: ask before a session is resumed."""
        return self.revocations.revoked(principal.user, principal.token_id, principal.issued)

    def _who(self, operation: Operation, channel: str) -> Who:
        if channel.startswith(_SPECIAL):
            return "nobody" if reserved(channel) else "permitted"
        options = self._config.namespace(channel)
        if operation == "publish":
            return options.publish
        return options.history if operation == "history" else options.subscribe

    def _open(self, principal: Principal, operation: Operation, channel: str) -> bool:
        """Whether the operation is allowed without a subscription token."""
        who = self._who(operation, channel)
        if who == "anyone" or (who == "authenticated" and not principal.anonymous):
            return True
        if who == "nobody":
            return False
        if operation != "publish" and not principal.anonymous and channel == USER_NAMESPACE + principal.user:
            return True
        return permits(principal.permissions, operation, channel)

    async def _verified(
        self, token: str, cache: TokenCache[T], check: Callable[[str, KeySet, TokenRules, float], T]
    ) -> T:
        """What the token says, from the cache or by verifying it."""
        now = self._clock.now()
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        keys = self._current_keys()
        entry = cache.get(digest, now)
        if entry is None:
            try:
                entry = check(token, keys, self.rules, now)
            except UnknownKeyError:
                if not await self._keys.renew():
                    raise
                entry = check(token, self._current_keys(), self.rules, self._clock.now())
            cache.put(digest, entry)
        if self.revocations.revoked(entry.user, entry.token_id, entry.issued):
            cache.drop(digest)
            raise HubbubError(ErrorCode.INVALID_TOKEN, "invalid token: it was revoked")
        return entry

    def _current_keys(self) -> KeySet:
        """The keys of now; what older ones have verified is forgotten."""
        keys = self._keys.current
        if keys is not self._cached_keys:
            self._cached_keys = keys
            self._principals.clear()
            self._grants.clear()
        return keys
