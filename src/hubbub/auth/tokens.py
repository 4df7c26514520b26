"""JSON Web Tokens (RFC 7519, RFC 8725): verifying and minting. Pure: the time is passed in.

A connection token says who connects; a subscription token lets one user into one channel. The claim `channel`
tells them apart: the former must not have it and the latter must, so neither can be used as the other.

PyJWT does the cryptography. What it leaves open is decided here: a key takes algorithms of one family only,
`kid` is looked up in a dict and nowhere else, keys named or embedded by the token itself (`jku`, `x5u`,
`jwk`, `x5c`) are never looked at, `crit` and `b64` are refused, JSON is read strictly, and `exp`, `iat` and
`sub` are required and typed. No message ever repeats any part of a token.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn, cast, get_args

import jwt
import msgspec
from jwt.algorithms import Algorithm, get_default_algorithms

from hubbub.auth.channels import check_channel, is_pattern, reserved
from hubbub.errors import ErrorCode, HubbubError
from hubbub.model import OPERATIONS, Kind, Operation, Permission, Principal

FAMILIES: dict[str, tuple[str, ...]] = {
    "HS": ("HS256", "HS384", "HS512"),
    "RS": ("RS256", "RS384", "RS512"),
    "PS": ("PS256", "PS384", "PS512"),
    "ES": ("ES256", "ES384", "ES512"),
    "EdDSA": ("EdDSA",),
}
"""Signature algorithms (RFC 7518, RFC 8037) by the family that a key belongs to."""

ALGORITHMS: dict[str, Algorithm] = {
    name: algorithm
    for name, algorithm in get_default_algorithms().items()
    if any(name in family for family in FAMILIES.values())
}
SUBSCRIPTION_OPERATIONS: tuple[Operation, ...] = ("subscribe", "history", "presence")
KINDS: tuple[Kind, ...] = get_args(Kind)
INFO_BYTES = 4096
INFO_DEPTH = 32
ID_LENGTH = 255

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# Beyond this a float no longer holds whole seconds; every sane date is far below.
_LATEST = 2**53


@dataclass(frozen=True, slots=True)
class Key:
    """A key that verifies. `algorithms` are of one family; `material` is what PyJWT's algorithm takes.

    Raises ValueError for a key id that no token may name, and for algorithms that are unknown or of two
    families.
    """

    id: str | None
    algorithms: frozenset[str]
    material: Any = field(repr=False)

    def __post_init__(self) -> None:
        if self.id is not None and not is_key_id(self.id):
            raise ValueError("a key id is 1 to 64 letters, digits and ._-")
        if not self.algorithms or not any(self.algorithms <= set(family) for family in FAMILIES.values()):
            raise ValueError("a key takes algorithms of one family")


class UnknownKeyError(HubbubError):
    """INVALID_TOKEN, because its `kid` is not in the key set: a newer key set may have it."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that tokens are verified with. Raises ValueError if two have the same id."""

    keys: tuple[Key, ...] = ()
    _by_id: Mapping[str, Key] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id = {key.id: key for key in self.keys if key.id is not None}
        if len(by_id) != sum(key.id is not None for key in self.keys):
            raise ValueError("two keys have the same id")
        object.__setattr__(self, "_by_id", by_id)

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._by_id

    def find(self, key_id: str | None, algorithm: str) -> Key:
        """The key called `key_id`; without one, the only key that takes `algorithm`. Raises INVALID_TOKEN."""
        if key_id is not None:
            key = self._by_id.get(key_id)
            if key is None:
                raise UnknownKeyError(ErrorCode.INVALID_TOKEN, "invalid token: no key has its key id (kid)")
            if algorithm not in key.algorithms:
                _refuse("its algorithm (alg) is not one of its key's")
            return key
        fitting = [key for key in self.keys if algorithm in key.algorithms]
        if not fitting:
            _refuse("its algorithm (alg) is not accepted")
        if len(fitting) > 1:
            _refuse("several keys fit, so it must name one (kid)")
        return fitting[0]


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What is asked of a token beside its signature. Times are in seconds, sizes in bytes."""

    audience: str | None = None
    issuer: str | None = None
    leeway: float = 30.0
    max_lifetime: float = 30 * 86400.0
    token_bytes: int = 8192
    channel_length: int = 255


class SubscriptionGrant(msgspec.Struct, frozen=True):
    """What a subscription token allows `user` to do in `channel`. Times are in Unix seconds."""

    user: str
    channel: str
    operations: tuple[Operation, ...]
    expires: float
    issued: float
    token_id: str | None = None


def is_key_id(text: str) -> bool:
    """Whether `text` may be a `kid`."""
    return _KEY_ID.fullmatch(text) is not None


def verify(token: str, keys: KeySet, rules: TokenRules, now: float) -> Principal:
    """Whom a connection token speaks for, at Unix time `now`.

    Raises INVALID_TOKEN with the check that failed (UnknownKeyError for an unknown `kid`), or TOKEN_EXPIRED
    once `now >= exp + leeway`.
    """
    claims = _signed_claims(token, keys, rules)
    issued, expires = _times(claims, rules, now)
    _addressed(claims, rules)
    if "channel" in claims:
        _refuse("it has a channel, so it is a subscription token and cannot connect")
    return Principal(
        user=_identifier(claims, "sub"),
        kind=_kind(claims),
        expires=expires,
        permissions=_permissions(claims, rules),
        subscribe=_subscribe(claims, rules),
        info=_info(claims),
        token_id=_identifier(claims, "jti") if "jti" in claims else None,
        issued=issued,
    )


def verify_subscription(token: str, keys: KeySet, rules: TokenRules, now: float) -> SubscriptionGrant:
    """What a subscription token grants, at Unix time `now`. Raises as `verify` does."""
    claims = _signed_claims(token, keys, rules)
    issued, expires = _times(claims, rules, now)
    _addressed(claims, rules)
    if "channel" not in claims:
        _refuse("it has no channel, so it is not a subscription token")
    return SubscriptionGrant(
        user=_identifier(claims, "sub"),
        channel=_channel(claims["channel"], rules, "channel"),
        operations=_operations(claims["operations"]) if "operations" in claims else SUBSCRIPTION_OPERATIONS,
        expires=expires,
        issued=issued,
        token_id=_identifier(claims, "jti") if "jti" in claims else None,
    )


# --- signature --------------------------------------------------------------------------------------------


def _refuse(check: str) -> NoReturn:
    raise HubbubError(ErrorCode.INVALID_TOKEN, f"invalid token: {check}")


def _signed_claims(token: str, keys: KeySet, rules: TokenRules) -> dict[str, Any]:
    """The claims of a token whose signature is good; nothing in them has been checked yet."""
    if len(token) > rules.token_bytes:
        _refuse(f"it is longer than {rules.token_bytes} bytes (auth.token_bytes)")
    parts = _COMPACT.fullmatch(token)
    if parts is None:
        _refuse("it is not three base64url parts with dots between")
    header, payload, signature = parts.groups()
    algorithm, key_id = _header(header)
    key = keys.find(key_id, algorithm)
    signed = token[: parts.end(2)].encode("ascii")
    if not ALGORITHMS[algorithm].verify(signed, key.material, _base64url(signature, "signature")):
        _refuse("its signature does not match")
    return _json_object(_base64url(payload, "payload"), "payload")


# The headers of one issuer's tokens are all alike.
@lru_cache(maxsize=64)
def _header(segment: str) -> tuple[str, str | None]:
    """The algorithm and the key id of a token's first part."""
    header = _json_object(_base64url(segment, "header"), "header")
    if "crit" in header or "b64" in header:
        _refuse("its header has crit or b64, which are not supported")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str):
        _refuse("its algorithm (alg) is not accepted")
    key_id = header.get("kid")
    if "kid" in header and not (isinstance(key_id, str) and is_key_id(key_id)):
        _refuse("its key id (kid) is not 1 to 64 letters, digits and ._-")
    return algorithm, key_id


def _base64url(segment: str, part: str) -> bytes:
    """RFC 7515 base64url without padding, in the one spelling that encoding gives."""
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):
        data = b""
    if base64.urlsafe_b64encode(data).rstrip(b"=") != segment.encode("ascii"):
        _refuse(f"its {part} is not base64url")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate name")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return number


def _no_constant(text: str) -> NoReturn:
    raise ValueError("not a JSON number")


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)


def _json_object(data: bytes, part: str) -> dict[str, Any]:
    try:
        value = _STRICT.decode(data.decode("utf-8"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        _refuse(f"its {part} is not a strict JSON object (UTF-8, no duplicate names, finite numbers)")
    return value


# --- claims -----------------------------------------------------------------------------------------------


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LATEST:
        _refuse(f"{name} is not a number of seconds")
    return float(value)


def _times(claims: Mapping[str, Any], rules: TokenRules, now: float) -> tuple[float, float]:
    """`iat` and `exp`, after all checks that concern time."""
    for name in ("exp", "iat"):
        if name not in claims:
            _refuse(f"{name} is missing")
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    if expires <= issued:
        _refuse("exp is not after iat")
    if expires - issued > rules.max_lifetime:
        _refuse(f"exp is more than {rules.max_lifetime:g} s after iat (auth.max_lifetime)")
    if issued > now + rules.leeway:
        _refuse("iat is in the future")
    if "nbf" in claims and _time(claims, "nbf") > now + rules.leeway:
        _refuse("nbf is in the future")
    if now >= expires + rules.leeway:
        raise HubbubError(ErrorCode.TOKEN_EXPIRED, "token expired: exp has passed")
    return issued, expires


def _addressed(claims: Mapping[str, Any], rules: TokenRules) -> None:
    """`aud` and `iss`. A token that names an audience is for nobody else (RFC 7519, section 4.1.3)."""
    if "aud" in claims or rules.audience is not None:
        audience = claims.get("aud")
        if rules.audience is None:
            _refuse("it has an audience (aud), but auth.audience is not set")
        if rules.audience not in (audience if isinstance(audience, list) else [audience]):
            _refuse("aud is not this server's (auth.audience)")
    if rules.issuer is not None and claims.get("iss") != rules.issuer:
        _refuse("iss is not the expected issuer (auth.issuer)")


def _identifier(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= ID_LENGTH or _CONTROL.search(value):
        _refuse(f"{name} is not a string of 1 to {ID_LENGTH} characters without control characters")
    return value


def _kind(claims: Mapping[str, Any]) -> Kind:
    kind = claims.get("kind", "person")
    if kind not in KINDS:
        _refuse(f"kind is not one of {', '.join(KINDS)}")
    return cast(Kind, kind)


def _info(claims: Mapping[str, Any]) -> bytes | None:
    if "info" not in claims:
        return None
    info = claims["info"]
    if not isinstance(info, dict):
        _refuse("info is not an object")
    if _deeper(info, INFO_DEPTH):
        _refuse(f"info is nested deeper than {INFO_DEPTH}")
    try:
        data = msgspec.json.encode(info)
    except (ValueError, TypeError, OverflowError, RecursionError):
        _refuse("info holds text or numbers that JSON cannot carry")
    if len(data) > INFO_BYTES:
        _refuse(f"info is longer than {INFO_BYTES} bytes")
    return data


def _deeper(value: dict[str, Any] | list[Any], depth: int) -> bool:
    """Whether objects and arrays are nested in `value` to more than `depth` levels, its own counted."""
    if depth == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_deeper(item, depth - 1) for item in inner if isinstance(item, dict | list))


def _operations(value: object) -> tuple[Operation, ...]:
    """A list of operations, where `*` stands for all, in the model's order."""
    if (
        not isinstance(value, list)
        or not value
        or not all(name == "*" or name in OPERATIONS for name in value)
    ):
        _refuse(f"operations are a list of {', '.join(OPERATIONS)} or *")
    return OPERATIONS if "*" in value else tuple(name for name in OPERATIONS if name in value)


def _permissions(claims: Mapping[str, Any], rules: TokenRules) -> tuple[Permission, ...]:
    channels = claims.get("channels", {})
    if not isinstance(channels, dict):
        _refuse("channels is not an object of patterns and operations")
    if not all(is_pattern(pattern, rules.channel_length) for pattern in channels):
        _refuse("channels has a pattern that could match no channel's name")
    return tuple(Permission(pattern, _operations(names)) for pattern, names in channels.items())


def _channel(value: object, rules: TokenRules, claim: str) -> str:
    try:
        if isinstance(value, str) and not reserved(value):
            check_channel(value, rules.channel_length)
            return value
    except HubbubError:
        pass
    _refuse(f"{claim} is not a channel that clients may enter")


def _subscribe(claims: Mapping[str, Any], rules: TokenRules) -> tuple[str, ...]:
    names = claims.get("subscribe", [])
    if not isinstance(names, list):
        _refuse("subscribe is not a list of channels")
    return tuple(dict.fromkeys(_channel(name, rules, "subscribe") for name in names))


# --- minting ----------------------------------------------------------------------------------------------


def mint(
    key: str | bytes,
    user: str,
    *,
    now: float,
    ttl: float,
    algorithm: str = "HS256",
    key_id: str | None = None,
    kind: Kind = "person",
    info: Mapping[str, Any] | None = None,
    channels: Mapping[str, Iterable[str]] | None = None,
    subscribe: Iterable[str] = (),
    token_id: str | None = None,
    audience: str | None = None,
    issuer: str | None = None,
) -> str:
    """A connection token for `user`, good for `ttl` seconds from Unix time `now`.

    `key` is the HMAC secret or a private key in PEM; `channels` maps patterns to operations (`*` for all);
    `subscribe` are channels that the server enters the user into when it connects.
    """
    claims: dict[str, Any] = {"kind": kind}
    if info is not None:
        claims["info"] = dict(info)
    if channels:
        claims["channels"] = {pattern: list(names) for pattern, names in channels.items()}
    if names := list(subscribe):
        claims["subscribe"] = names
    return _sign(claims, key, user, now, ttl, algorithm, key_id, token_id, audience, issuer)


def mint_subscription(
    key: str | bytes,
    user: str,
    channel: str,
    *,
    now: float,
    ttl: float,
    algorithm: str = "HS256",
    key_id: str | None = None,
    operations: Iterable[str] | None = None,
    token_id: str | None = None,
    audience: str | None = None,
    issuer: str | None = None,
) -> str:
    """A subscription token that lets `user` into `channel`; `operations` default to all but publish."""
    claims: dict[str, Any] = {"channel": channel}
    if operations is not None:
        claims["operations"] = list(operations)
    return _sign(claims, key, user, now, ttl, algorithm, key_id, token_id, audience, issuer)


def _sign(
    claims: dict[str, Any],
    key: str | bytes,
    user: str,
    now: float,
    ttl: float,
    algorithm: str,
    key_id: str | None,
    token_id: str | None,
    audience: str | None,
    issuer: str | None,
) -> str:
    registered = {
        "sub": user,
        "iat": int(now),
        "exp": math.ceil(int(now) + ttl),
        "jti": token_id,
        "aud": audience,
        "iss": issuer,
    }
    claims |= {name: value for name, value in registered.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": key_id} if key_id else None)
