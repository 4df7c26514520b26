"""Revoked users and tokens, remembered only as long as a token that they concern could still be valid."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from msgspec import Struct

from hubbub.clock import Clock


class Revoked(Struct, frozen=True):
    """One revocation: of all tokens that the user was issued until `at`, or of the token `token_id`; to be remembered
    until `until` (both Unix seconds)."""

    user: str | None
    token_id: str | None
    at: float
    until: float


@dataclass(slots=True)
class Revocations:
    """What has been revoked, in this process's memory.

    `horizon` is the longest time in seconds for which a token issued now could be accepted (its greatest
    lifetime and the leeway); a revocation is forgotten after that, or at the `expires` that it was given
    (Unix seconds).
    """

    clock: Clock
    horizon: float
    _users: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)
    _tokens: dict[str, float] = field(default_factory=dict, repr=False)
    _expiries: list[tuple[float, bool, str]] = field(default_factory=list, repr=False)

    def __len__(self) -> int:
        return len(self._users) + len(self._tokens)

    def revoke_user(self, user: str, *, expires: float | None = None) -> None:
        """Revoke all of the user's tokens that were issued at or before now.

        `iat` has whole seconds as a rule: a token minted later within the same second is revoked too.
        """
        now = self.clock.now()
        _, known = self._users.get(user, (0.0, 0.0))
        until = max(known, now + self.horizon if expires is None else expires)
        self._users[user] = (now, until)
        self._remember(now, until, True, user)

    def revoke_token(self, token_id: str, *, expires: float | None = None) -> None:
        """Revoke the token whose `jti` is `token_id`. `expires` is its `exp` and leeway, if known."""
        now = self.clock.now()
        until = max(self._tokens.get(token_id, 0.0), now + self.horizon if expires is None else expires)
        self._tokens[token_id] = until
        self._remember(now, until, False, token_id)

    def known(self, user: str | None = None, token_id: str | None = None) -> list[Revoked]:
        """What has been revoked and is not forgotten: all of it, or of that token, or of that user."""
        now = self.clock.now()
        tokens = self._tokens if token_id is None else {token_id: self._tokens.get(token_id, now)}
        users = self._users if user is None else {user: self._users.get(user, (now, now))}
        found = (
            []
            if token_id is not None
            else [Revoked(user, None, at, until) for user, (at, until) in users.items()]
        )
        if user is None or token_id is not None:
            found += [Revoked(None, id, now, until) for id, until in tokens.items()]
        return [each for each in found if each.until > now]

    def learn(self, revoked: Revoked) -> None:
        """Take over what was revoked elsewhere."""
        if revoked.token_id is not None:
            self.revoke_token(revoked.token_id, expires=revoked.until)
        elif revoked.user is not None:
            at, until = self._users.get(revoked.user, (0.0, 0.0))
            at, until = max(at, revoked.at), max(until, revoked.until)
            self._users[revoked.user] = (at, until)
            self._remember(self.clock.now(), until, True, revoked.user)

    def revoked(self, user: str, token_id: str | None, issued: float | None) -> bool:
        """Whether a token is revoked. One that does not say when it was issued is taken to be an old one."""
        if not self._users and not self._tokens:
            return False
        now = self.clock.now()
        if token_id is not None and self._tokens.get(token_id, now) > now:
            return True
        at, until = self._users.get(user, (0.0, now))
        return until > now and (issued is None or issued <= at)

    def _remember(self, now: float, until: float, is_user: bool, name: str) -> None:
        heapq.heappush(self._expiries, (until, is_user, name))
        while self._expiries and self._expiries[0][0] <= now:
            _, is_user, name = heapq.heappop(self._expiries)
            # A later revocation of the same name has its own entry in the heap.
            if is_user and self._users.get(name, (0.0, now + 1))[1] <= now:
                del self._users[name]
            elif not is_user and self._tokens.get(name, now + 1) <= now:
                del self._tokens[name]
