"""Keys for the server API. Only their hashes are configured, so that a leaked configuration opens nothing.

A key is 256 random bits, which nobody can guess however fast the hash is: plain SHA-256 is enough, and a slow
password hash would only slow the API down.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

from hubbub.errors import ConfigError, ErrorCode, HubbubError

PREFIX = "hubbub_"
"""What every key begins with, so that scanners for leaked secrets find it."""

_HASH = re.compile(r"sha256:[0-9a-f]{64}")


def new_key() -> tuple[str, str]:
    """A new key, to be given to its user once, and its hash, for `auth.api_keys`."""
    key = PREFIX + secrets.token_urlsafe(32)
    return key, hash_key(key)


def hash_key(key: str) -> str:
    """`sha256:` and the hexadecimal SHA-256 of the key."""
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class ApiKeys:
    """The keys that are accepted, by their hashes. Raises ConfigError for a hash that is not one."""

    def __init__(self, hashes: Iterable[str]) -> None:
        self._hashes = tuple(hashes)
        for place, text in enumerate(self._hashes):
            if _HASH.fullmatch(text) is None:
                raise ConfigError(
                    f"auth.api_keys[{place}] is not sha256: and 64 lower-case hexadecimal digits; make "
                    "a pair with `hubbub token --api-key`."
                )

    def __len__(self) -> int:
        return len(self._hashes)

    def check(self, key: str | None) -> str:
        """A short public name of the key, for logs: the first 8 digits of its hash. Raises UNAUTHENTICATED.

        The time taken depends neither on how much of a key is right nor on which of the keys it is.
        """
        offered = hash_key(key or "")
        known = False
        for accepted in self._hashes:
            known |= hmac.compare_digest(offered, accepted)
        if not key or not known:
            raise HubbubError(ErrorCode.UNAUTHENTICATED, "not authenticated: a valid API key is required")
        return offered[7:15]
