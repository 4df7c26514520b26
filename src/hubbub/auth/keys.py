"""Where the verifying keys come from: a secret, PEM files, JSON Web Key Sets (RFC 7517) on disk or by URL."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from jwt.algorithms import HMACAlgorithm

from hubbub.auth.jwks import JwksSource
from hubbub.auth.tokens import ALGORITHMS, FAMILIES, Key, KeySet, is_key_id
from hubbub.clock import Clock, Timer
from hubbub.config import AuthConfig
from hubbub.errors import ConfigError

SECRET_BYTES = 32
RSA_BITS = 2048
RENEW_INTERVAL = 10.0
"""Seconds between fetches of a key set that unknown key ids may cause, and between attempts after a failure."""

_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PRIVATE_MEMBERS = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth"))
_JWK_FAMILIES = {"RSA": "RS", "EC": "ES", "OKP": "EdDSA", "oct": "HS"}


# --- single keys ------------------------------------------------------------------------------------------


def secret_key(secret: str, accepted: Iterable[str], key_id: str | None = None) -> Key:
    """A key for HS tokens. Raises ValueError for a secret that is short, or is a public key by mistake."""
    data = secret.encode()
    if len(data) < SECRET_BYTES:
        raise ValueError(f"the secret is shorter than {SECRET_BYTES} bytes")
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(data)
    except jwt.InvalidKeyError as error:
        raise ValueError("the secret is an asymmetric key; use auth.public_keys for it") from error
    return Key(key_id, _accepted(FAMILIES["HS"], accepted), data)


def pem_key(key_id: str | None, data: bytes, accepted: Iterable[str]) -> Key:
    """A key from a public key, a certificate or (its public half) a private key in PEM. Raises ValueError."""
    try:
        if b"BEGIN CERTIFICATE" in data:
            public: object = load_pem_x509_certificate(data).public_key()
        elif b"PRIVATE KEY" in data:
            public = load_pem_private_key(data, password=None).public_key()
        else:
            public = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("not a public key in PEM") from error
    return _asymmetric(key_id, public, accepted)


def _asymmetric(
    key_id: str | None, public: object, accepted: Iterable[str], algorithm: str | None = None
) -> Key:
    """A key for what a public key of its type can verify, or for `algorithm` alone if its issuer names one."""
    possible: tuple[str, ...]
    if isinstance(public, rsa.RSAPublicKey):
        if public.key_size < RSA_BITS:
            raise ValueError(f"an RSA key of less than {RSA_BITS} bits")
        possible = FAMILIES["PS"] if algorithm in FAMILIES["PS"] else FAMILIES["RS"]
    elif isinstance(public, ec.EllipticCurvePublicKey):
        possible = tuple(filter(None, (_CURVES.get(public.curve.name),)))
    elif isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        possible = FAMILIES["EdDSA"]
    else:
        raise ValueError("a key of an unknown type")
    if algorithm is not None:
        possible = tuple(name for name in possible if name == algorithm)
    return Key(key_id, _accepted(possible, accepted), public)


def _accepted(possible: Iterable[str], accepted: Iterable[str]) -> frozenset[str]:
    algorithms = frozenset(possible) & frozenset(accepted)
    if not algorithms:
        raise ValueError("auth.algorithms has no algorithm for such a key")
    return algorithms


def parse_jwks(data: bytes, accepted: Iterable[str], *, symmetric: bool) -> tuple[Key, ...]:
    """The usable signature keys of a JSON Web Key Set; others are passed over, as RFC 7517 (section 5) asks.

    `symmetric` says whether secrets (`oct`) count: never in a set that is published. Raises ValueError if it is no
    key set, has no usable key, or two with the same id.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("not JSON") from error
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a JSON Web Key Set: there is no list of keys")
    keys = []
    for entry in entries:
        with contextlib.suppress(ValueError):
            keys.append(_jwk(entry, accepted, symmetric))
    if not keys:
        raise ValueError("there is no usable key for signatures in it")
    return KeySet(tuple(keys)).keys


def _jwk(entry: object, accepted: Iterable[str], symmetric: bool) -> Key:
    if not isinstance(entry, dict):
        raise ValueError("not an object")
    key_id, algorithm = entry.get("kid"), entry.get("alg")
    if key_id is not None and not (isinstance(key_id, str) and is_key_id(key_id)):
        raise ValueError("a key id that no token may have")
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ValueError("not for signatures")
    if algorithm is not None and not (isinstance(algorithm, str) and algorithm in ALGORITHMS):
        raise ValueError("an unknown algorithm")
    family = _JWK_FAMILIES.get(str(entry.get("kty")))
    if family is None or (family == "HS" and not symmetric):
        raise ValueError("not a public key")
    # Without private members: what is left is the public half.
    public = {name: value for name, value in entry.items() if name not in _PRIVATE_MEMBERS}
    try:
        material: Any = ALGORITHMS[FAMILIES[family][0]].from_jwk(public)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, UnsupportedAlgorithm) as error:
        raise ValueError("a damaged key") from error
    if family != "HS":
        return _asymmetric(key_id, material, accepted, algorithm)
    if len(material) < SECRET_BYTES:
        raise ValueError("a short secret")
    possible = (name for name in FAMILIES["HS"] if algorithm in (None, name))
    return Key(key_id, _accepted(possible, accepted), material)


# --- the whole set ----------------------------------------------------------------------------------------


def load_keys(auth: AuthConfig) -> tuple[Key, ...]:
    """The keys of the secret and of all files. Raises ConfigError, which names the setting that is wrong."""
    setting = "auth.algorithms"
    keys: list[Key] = []
    if unknown := [name for name in auth.algorithms if name not in ALGORITHMS]:
        raise ConfigError(f"{setting}: {unknown[0]!r} is not one of {', '.join(ALGORITHMS)}.")
    try:
        if auth.hmac_secret is not None:
            setting = "auth.hmac_secret"
            keys.append(secret_key(auth.hmac_secret.get_secret_value(), auth.algorithms))
        for key_id, path in auth.public_keys.items():
            setting = f"auth.public_keys.{key_id}"
            keys.append(pem_key(key_id, _read(path), auth.algorithms))
        if auth.jwks_file is not None:
            setting = "auth.jwks_file"
            keys.extend(parse_jwks(_read(auth.jwks_file), auth.algorithms, symmetric=True))
        return KeySet(tuple(keys)).keys
    except ValueError as error:
        raise ConfigError(f"{setting}: {error}.") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from error


def _nobody(message: str) -> None:
    """Nobody wants to know."""


class Keys:
    """The keys of the configuration, kept up to date: a KeySource for TokenPolicy.

    The constructor reads the files and raises ConfigError if any is broken; `start` fetches the key set at
    `auth.jwks_url` and goes on fetching it whenever it is stale. A source that fails later costs nothing: the keys
    that it gave before go on working, and `report` is called with one line that says what is wrong.
    """

    def __init__(self, auth: AuthConfig, clock: Clock, report: Callable[[str], object] = _nobody) -> None:
        self._auth = auth
        self._clock = clock
        self._report = report
        self._source = JwksSource(auth.jwks_url) if auth.jwks_url is not None else None
        self._files = load_keys(auth)
        self._fetched: tuple[Key, ...] = ()
        self._document = b""
        self._timer: Timer | None = None
        self._fetching: asyncio.Task[bool] | None = None
        self._renewed = float("-inf")
        self.current = KeySet(self._files)

    async def start(self) -> None:
        """Fetch the key set by URL, if there is one, and keep it fresh. A failure is reported, not raised."""
        if self._source is not None:
            await self._fetch()

    async def stop(self) -> None:
        """End all fetching."""
        if self._timer is not None:
            self._timer.cancel()
        if self._fetching is not None:
            self._fetching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._fetching

    async def reload(self) -> bool:
        """Read the files again (SIGHUP), then fetch the URL again. If any file is broken all old keys stay.

        The answer is whether everything could be read.
        """
        try:
            files = await asyncio.to_thread(load_keys, self._auth)
        except ConfigError as error:
            self._report(f"keys were not reloaded, the old ones stay: {error}")
            return False
        self._files = files
        self._combine()
        return self._source is None or await self._fetch()

    async def renew(self) -> bool:
        """Fetch the key set because a token names a key that is not in it. True if it was fetched.

        Done at most once in RENEW_INTERVAL, and once for all who wait.
        """
        if self._source is None:
            return False
        if self._fetching is None:
            now = self._clock.monotonic()
            if now - self._renewed < RENEW_INTERVAL:
                return False
            self._renewed = now
        return await self._fetch()

    async def _fetch(self) -> bool:
        """Join the fetch that is under way, or begin one."""
        return await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[bool]:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch_now())
            self._fetching.add_done_callback(self._fetch_done)
        return self._fetching

    async def _fetch_now(self) -> bool:
        assert self._source is not None
        try:
            document = await self._source.fetch()
            if document != self._document:
                self._fetched = parse_jwks(document, self._auth.algorithms, symmetric=False)
                self._document = document
                self._combine()
        except ValueError as error:
            self._report(f"auth.jwks_url: {error}; the keys fetched before stay")
            return False
        return True

    def _fetch_done(self, task: asyncio.Task[bool]) -> None:
        self._fetching = None
        if task.cancelled():
            return
        if self._timer is not None:
            self._timer.cancel()
        delay = max(self._auth.jwks_refresh, 1.0)
        if not task.result():
            delay = min(delay, RENEW_INTERVAL)
        self._timer = self._clock.call_later(delay, self._begin)

    def _combine(self) -> None:
        """Files and URL in one set. A fetched key never takes the place of one that is configured here."""
        local = {key.id for key in self._files if key.id is not None}
        self.current = KeySet(self._files + tuple(key for key in self._fetched if key.id not in local))
