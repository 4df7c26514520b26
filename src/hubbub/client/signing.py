"""Tokens for users, signed with the server's secret (JSON Web Tokens, RFC 7519, with HS256). Pure: the time is given.

docs/how-to/authenticate.md says what the claims mean.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hubbub.model import Kind

_HEADER = {"alg": "HS256", "typ": "JWT"}


def token(
    secret: str | bytes,
    user: str,
    *,
    now: float,
    ttl: float,
    kind: Kind = "person",
    info: Mapping[str, Any] | None = None,
    channels: Mapping[str, Iterable[str]] | None = None,
    subscribe: Iterable[str] = (),
    token_id: str | None = None,
    key_id: str | None = None,
    audience: str | None = None,
    issuer: str | None = None,
) -> str:
    """A token with which `user` connects, good for `ttl` seconds from Unix time `now`. `channels` maps patterns to
    operations (`*` for all); the server enters the user into those of `subscribe`. `info` is public JSON."""
    claims: dict[str, Any] = {"sub": user, "iat": int(now), "exp": math.ceil(int(now) + ttl), "kind": kind}
    if info is not None:
        claims["info"] = dict(info)
    if channels:
        claims["channels"] = {pattern: list(names) for pattern, names in channels.items()}
    if names := list(subscribe):
        claims["subscribe"] = names
    registered = {"jti": token_id, "aud": audience, "iss": issuer}
    claims |= {name: value for name, value in registered.items() if value is not None}
    return _signed(secret, claims, key_id)


def subscription(
    secret: str | bytes,
    user: str,
    channel: str,
    *,
    now: float,
    ttl: float,
    operations: Iterable[str] | None = None,
    key_id: str | None = None,
) -> str:
    """A token that lets `user` into one channel, as `subscribe` takes it."""
    claims: dict[str, Any] = {
        "sub": user,
        "iat": int(now),
        "exp": math.ceil(int(now) + ttl),
        "channel": channel,
    }
    if operations is not None:
        claims["operations"] = list(operations)
    return _signed(secret, claims, key_id)


def _signed(secret: str | bytes, claims: Mapping[str, Any], key_id: str | None) -> str:
    header = _HEADER | ({"kid": key_id} if key_id is not None else {})
    said = b".".join(_encoded(msgspec.json.encode(part)) for part in (header, claims))
    key = secret.encode() if isinstance(secret, str) else secret
    return (said + b"." + _encoded(hmac.digest(key, said, hashlib.sha256))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
