"""Tokens: where they come from, and when a new one is due."""

from __future__ import annotations

import asyncio
import base64
import binascii
import inspect
import time
from collections.abc import Awaitable, Callable

import msgspec

from hubbub.client.events import ClientError
from hubbub.client.failures import UnreachableError, why
from hubbub.errors import HubbubError

Token = str | Callable[[], str | Awaitable[str]] | None
"""A token, or what fetches a fresh one: for each new session, and before the old one expires."""

WITHIN = 30.0
"""Seconds that fetching a token may take."""
SHARE, LEAST, MOST = 0.1, 1.0, 60.0
"""How long before its end a token is replaced: a tenth of its life, within these bounds of seconds."""


class _Claims(msgspec.Struct):
    iat: float | None = None
    exp: float | None = None


_claims = msgspec.json.Decoder(_Claims).decode


class Tokens:
    """What a Client knows of its token. `last` is the one that was used last."""

    def __init__(self, source: Token) -> None:
        self._source = source
        self.last: str | None = source if isinstance(source, str) else None

    @property
    def fresh(self) -> bool:
        """Whether another one can be had."""
        return callable(self._source)

    async def fetch(self) -> str | None:
        """A token for a new session. Raises UnreachableError if it cannot be had now, and as they are the ClientErrors
        and HubbubErrors of the application: they say that there will be none."""
        if not callable(self._source):
            return self._source
        try:
            async with asyncio.timeout(WITHIN):
                token = self._source()
                self.last = await token if inspect.isawaitable(token) else token
        except (ClientError, HubbubError):
            raise
        except Exception as error:
            raise UnreachableError(f"no token could be had: {why(error)}", again=True) from error
        return self.last


def refresh_in(
    token: str | None, expires: float | None, now: Callable[[], float] = time.time
) -> float | None:
    """Seconds until a token is to be replaced that the server says to end at `expires` (its Unix seconds); None for
    never.

    The clock of this machine may be wrong. What it says is believed as far as it is less than the token's whole life,
    which stands in the token. If the clock is so wrong that the token seems to have ended, it is taken as fresh: the
    server has just accepted it.
    """
    if expires is None:
        return None
    claims = _read(token)
    life = claims.exp - claims.iat if claims.exp is not None and claims.iat is not None else None
    left = expires - now()
    if left <= 0:
        left = life if life is not None else LEAST * 10
    if life is not None:
        left = min(left, life)
    return max(left - min(max(left * SHARE, LEAST), MOST), left * 0.5)


def _read(token: str | None) -> _Claims:
    """The claims of a JSON Web Token (RFC 7519), which only the server verifies."""
    parts = (token or "").split(".")
    if len(parts) != 3:
        return _Claims()
    try:
        return _claims(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return _Claims()
