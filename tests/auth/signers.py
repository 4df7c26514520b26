"""Keys of every type, and tokens that no honest library would make."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from hubbub.auth.keys import pem_key, secret_key
from hubbub.auth.tokens import ALGORITHMS, Key

NOW = 1_700_000_000.0
SECRET = "a-secret-that-is-long-enough-for-SHA-512-too-which-wants-64-bytes"
ALL = tuple(ALGORITHMS)
FAMILIES = ("HS256", "RS256", "ES256", "EdDSA")
TYPES = ("HS256", "HS512", "RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA")


@dataclass(frozen=True)
class Signer:
    """One algorithm with a private key (or secret) and the Key that verifies it."""

    algorithm: str
    private: bytes
    public: bytes
    key: Key

    def sign(self, header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes) -> str:
        """A token with exactly this header and payload, and a good signature."""
        signed = f"{segment(header)}.{segment(payload)}"
        signature = ALGORITHMS[self.algorithm].sign(signed.encode(), _prepared(self.algorithm, self.private))
        return f"{signed}.{segment(signature)}"

    def token(self, **claims: Any) -> str:
        """A token with the required claims, those given, and without those given as `...`."""
        return self.sign({"typ": "JWT", "alg": self.algorithm}, self.claims(**claims))

    @staticmethod
    def claims(**claims: Any) -> dict[str, Any]:
        merged = {"sub": "ada", "iat": int(NOW), "exp": int(NOW) + 600} | claims
        return {name: value for name, value in merged.items() if value is not ...}


@cache
def _prepared(algorithm: str, private: bytes) -> Any:
    """Reading a private RSA key checks it, which takes longer than signing."""
    return ALGORITHMS[algorithm].prepare_key(private)


def segment(part: Mapping[str, Any] | bytes) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@cache
def signer(algorithm: str, key_id: str | None = None, number: int = 0) -> Signer:
    """The signer of an algorithm; other numbers give other keys."""
    if algorithm.startswith("HS"):
        secret = f"{SECRET}-{number}"
        return Signer(algorithm, secret.encode(), b"", secret_key(secret, [algorithm], key_id))
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if algorithm[:2] in ("RS", "PS"):
        private = _rsa(number)
    elif algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
        private = ec.generate_private_key(curves[algorithm])
    private_pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public_pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    if algorithm.startswith("PS"):
        key = Key(key_id, frozenset([algorithm]), private.public_key())
    else:
        key = pem_key(key_id, public_pem, [algorithm])
    return Signer(algorithm, private_pem, public_pem, key)


@cache
def _rsa(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(of: Signer, **members: Any) -> dict[str, Any]:
    """The signer's public key as a JSON Web Key."""
    algorithm = ALGORITHMS[of.algorithm]
    key: dict[str, Any] = algorithm.to_jwk(of.key.material, as_dict=True)
    key.pop("key_ops", None)
    merged = key | {"kid": of.key.id, "use": "sig"} | members
    return {name: value for name, value in merged.items() if value is not None}
